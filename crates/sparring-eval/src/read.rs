//! Reads calls from an answer's text.

use crate::{Expected, Item};
use serde_json::{Value, json};
use sparring_bfcl::{Language, PyValue, ReturnFormat, decode};
use sparring_tools::{CallParser, Format, ToolCall};

/// Reads calls from answers, and renders calls as answers.
#[non_exhaustive]
pub enum AnswerReader {
    /// A model family's call format. The item's tools determine the types of untyped arguments.
    Format(Format),
    /// The same for prompts that end inside the reasoning, for example with `<think>`.
    InThought(Format),
    /// A parser of your own.
    Parser(Box<dyn CallParser>),
    /// BFCL's format for prompted models: `[f(a=1), g(b='x')]`, in the language of the category. Java and JavaScript,
    /// which only items of BFCL have, need the feature `tree-sitter`. In Python's notation, names of tools and
    /// arguments must be identifiers: `get-user` and `from` cannot be written.
    Bfcl,
}

/// The content of an answer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Reading {
    /// These calls. If empty, the model declines every tool.
    Calls(Vec<ToolCall>),
    /// The output of BFCL's decoder, usually a list of calls.
    Decoded(PyValue),
    /// The answer cannot be read.
    Unreadable {
        /// Why.
        why: String,
    },
}

impl Reading {
    /// The calls; `None` if the answer cannot be read or was decoded for BFCL's checker.
    pub fn calls(&self) -> Option<&[ToolCall]> {
        match self {
            Self::Calls(calls) => Some(calls),
            _ => None,
        }
    }

    fn unreadable(why: impl Into<String>) -> Self {
        Self::Unreadable { why: why.into() }
    }
}

impl std::fmt::Debug for AnswerReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("AnswerReader").field(&self.name()).finish()
    }
}

impl AnswerReader {
    /// Adapts a format's reader to a prompt text that ends inside the reasoning.
    #[must_use]
    pub fn after(self, prompt: &str) -> Self {
        let opened =
            ["<think>", "<seed:think>", "[THINK]"].iter().any(|tag| prompt.trim_end().ends_with(tag));
        match self {
            Self::Format(format) if opened => Self::InThought(format),
            other => other,
        }
    }

    /// A short name for reports.
    pub fn name(&self) -> &str {
        match self {
            Self::Format(format) | Self::InThought(format) => format.name(),
            Self::Parser(parser) => parser.name(),
            Self::Bfcl => "bfcl",
        }
    }

    /// Reads an answer to `item`. Text that breaks the format makes the whole answer unreadable; nothing is repaired.
    pub fn read(&self, item: &Item, text: &str) -> Reading {
        let parsed = |parser: &dyn CallParser| {
            parser.parse(text).map_or_else(|error| Reading::unreadable(error.to_string()), Reading::Calls)
        };
        match self {
            Self::Format(format) => parsed(&*format.parser_for(item.tools.clone())),
            Self::InThought(format) => parsed(&*format.parser_in_thought(item.tools.clone())),
            Self::Parser(parser) => parsed(&**parser),
            Self::Bfcl => match decode(text, return_format(item), false) {
                Err(error) => Reading::unreadable(error.to_string()),
                Ok(output) if matches!(item.expected, Expected::Bfcl(_)) => Reading::Decoded(output),
                Ok(output) => calls(&output).map_or_else(Reading::unreadable, Reading::Calls),
            },
        }
    }

    /// Renders calls as text that [`read`](Self::read) reads back.
    pub fn render(&self, calls: &[ToolCall]) -> String {
        match self {
            Self::Format(format) => format.parser().render(calls),
            Self::InThought(format) => format.parser_in_thought(Vec::new()).render(calls),
            Self::Parser(parser) => parser.render(calls),
            Self::Bfcl => {
                let calls: Vec<_> = calls.iter().map(python_call).collect();
                format!("[{}]", calls.join(", "))
            }
        }
    }

    /// Two calls that show the format.
    pub(crate) fn example(&self) -> String {
        let call = |name: &str| ToolCall::new(name, [("parameter", json!("value")), ("other", json!(1))]);
        self.render(&[call("first_tool"), call("second_tool")])
    }

    /// The format's notation for no call; `None` if the format has none.
    pub(crate) fn no_call(&self) -> Option<String> {
        Some(self.render(&[])).filter(|text| !text.trim().is_empty())
    }
}

fn return_format(item: &Item) -> ReturnFormat {
    // A category of another benchmark may have any name.
    let Expected::Bfcl(entry) = &item.expected else { return ReturnFormat::Python };
    match Language::of(entry.category.name()) {
        Language::Python => ReturnFormat::Python,
        Language::Java => ReturnFormat::Java,
        Language::JavaScript => ReturnFormat::JavaScript,
    }
}

/// `[{name: {parameter: value}}]` as calls.
fn calls(output: &PyValue) -> Result<Vec<ToolCall>, String> {
    let call = |value: &Value| {
        let (name, arguments) = value.as_object()?.iter().next()?;
        Some(ToolCall::new(name, arguments.as_object()?.clone()))
    };
    let json = output.to_json();
    let list = json.as_array().ok_or("the answer is not a list of calls")?;
    list.iter()
        .map(call)
        .collect::<Option<_>>()
        .ok_or_else(|| format!("the answer is not a list of calls: {output}"))
}

/// `f(a=1, b='x')`: values as Python writes them.
fn python_call(call: &ToolCall) -> String {
    let arguments: Vec<_> =
        call.arguments.iter().map(|(name, value)| format!("{name}={}", PyValue::from_json(value))).collect();
    format!("{}({})", call.name, arguments.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_begin_in_thought() {
        let item = Item::calls("i", "c", vec![], vec![], vec![]);
        let text =
            "I could <tool_call>\n</think>\n<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>";
        let reader = AnswerReader::Format(Format::Hermes).after("Assistant: <think>\n");
        assert_eq!(reader.read(&item, text).calls().map(<[_]>::len), Some(1));
        let reader = AnswerReader::Format(Format::Hermes).after("Assistant:");
        assert_eq!(reader.read(&item, text).calls(), None);
    }
}
