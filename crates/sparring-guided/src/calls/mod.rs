//! Grammars of tool calls.

mod json;
mod lark;
mod literals;
mod schema;
mod shape;
mod tags;

use crate::GuidedError;
pub(crate) use json::style as json_style;
use lark::Rules;
pub(crate) use lark::literal;
use shape::{Each, Shape};
use sparring_tools::{Format, ToolSpec};
use std::ops::RangeInclusive;

/// What a model may write: calls in one format, some of given tools, with arguments of their schemas.
///
/// Texts of the grammar are what [`CallParser::render`](sparring_tools::CallParser::render) of the format writes, up to
/// white space in JSON: so all of them can be parsed.
///
/// ```
/// use sparring_guided::CallGrammar;
/// use sparring_tools::{Format, ToolSpec};
/// let tool = ToolSpec::new("now", "", Default::default(), vec![]);
/// let grammar = CallGrammar::new(Format::Pythonic).with_calls(1..=2);
/// assert!(grammar.lark(&[tool])?.contains("now"));
/// # Ok::<(), sparring_guided::GuidedError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallGrammar {
    /// The format.
    pub format: Format,
    /// Number of calls, at most 64. With 0 among them, the model may decline: as `decline` says, or by an empty list
    /// where the format writes lists, else by a sentence.
    pub calls: RangeInclusive<usize>,
    /// The text that declines. A model that may write any sentence often prefers that to a call.
    pub decline: Option<String>,
    /// The regular expression of a thought in `<think>` tags that comes first, if there is one.
    pub thought: Option<String>,
    /// Whether each tool is called once, in the order of the tools, whatever `calls` says.
    pub each_once: bool,
    /// Maximum number of characters of a string argument.
    pub string_chars: Option<usize>,
}

/// A sentence that declines.
const SENTENCE: &str = r"/[A-Z][^<>\[\]{}|`]{0,300}/";

/// No answer has more calls.
const MOST_CALLS: usize = 64;

impl CallGrammar {
    /// A thought of any length.
    pub const FREE_THOUGHT: &'static str = "[^<]*";

    /// One call, without a thought, with strings of any length.
    ///
    /// Marks that are special tokens of a model (`[TOOL_CALLS]`, `<|python_start|>`) are spelled by its other tokens.
    pub fn new(format: Format) -> Self {
        Self { format, calls: 1..=1, decline: None, thought: None, each_once: false, string_chars: None }
    }

    /// Sets the number of calls.
    #[must_use]
    pub fn with_calls(mut self, calls: RangeInclusive<usize>) -> Self {
        self.calls = calls;
        self
    }

    /// Asks for one call of each tool, in the order of the tools.
    #[must_use]
    pub fn with_each_once(mut self, each_once: bool) -> Self {
        self.each_once = each_once;
        self
    }

    /// Sets the text that declines.
    #[must_use]
    pub fn with_decline(mut self, text: impl Into<String>) -> Self {
        self.decline = Some(text.into());
        self
    }

    /// Lets the model think first, in texts that match this regular expression.
    ///
    /// A free thought is [`FREE_THOUGHT`](Self::FREE_THOUGHT). The pattern must not match a text that contains `<`.
    #[must_use]
    pub fn with_thought(mut self, pattern: impl Into<String>) -> Self {
        self.thought = Some(pattern.into());
        self
    }

    /// Limits the strings.
    #[must_use]
    pub fn with_string_chars(mut self, chars: usize) -> Self {
        self.string_chars = Some(chars);
        self
    }

    /// The grammar in llguidance's dialect of Lark.
    ///
    /// # Errors
    /// [`GuidedError::Tool`] if a tool or parameter has a name that the format cannot write;
    /// [`GuidedError::Grammar`] if there is no tool to call.
    pub fn lark(&self, tools: &[ToolSpec]) -> Result<String, GuidedError> {
        if tools.is_empty() && *self.calls.start() > 0 {
            return Err(GuidedError::Grammar {
                origin: "calls".to_owned(),
                what: "there are no tools to call; allow 0 calls, or give at least one tool".to_owned(),
            });
        }
        if self.calls.is_empty() {
            return Err(GuidedError::Grammar {
                origin: "calls".to_owned(),
                what: format!("{:?} holds no number of calls; give the smaller one first", self.calls),
            });
        }
        let shape = Shape::of(self.format);
        let mut rules = Rules::default();
        let mut names = Vec::with_capacity(tools.len());
        for tool in tools {
            names.push(self.call(tool, shape.each, &mut rules)?);
        }
        if self.each_once {
            rules.add("calls", names.join(&format!(" {} ", literal(shape.between))));
        } else {
            rules.add("call", names.join(" | "));
        }
        let thought = self.thought.as_ref().map(|pattern| {
            // In Lark, a slash ends the expression.
            let pattern = pattern.replace(r"\/", "/").replace('/', r"\/");
            format!(r#""<think>" /{pattern}/ "</think>\n" "#)
        });
        rules.add("start", format!("{}answer", thought.unwrap_or_default()));
        rules.add("answer", self.answer(&shape, tools.is_empty()));
        Ok(rules.text())
    }

    /// The alternatives: declining, and each number of calls.
    fn answer(&self, shape: &Shape, no_tools: bool) -> String {
        let (open, close) = (literal(shape.open), literal(shape.close));
        if self.each_once {
            return format!("{open} calls {close}");
        }
        let mut alternatives = Vec::new();
        if *self.calls.start() == 0 {
            // Without lists, a sentence that no parser takes for a call.
            let none = match &self.decline {
                Some(text) => literal(text),
                None if shape.lists => format!("{open} {close}"),
                None => SENTENCE.to_owned(),
            };
            alternatives.push(none);
        }
        let (least, most) = ((*self.calls.start()).max(1), (*self.calls.end()).min(MOST_CALLS));
        if most > 0 && !no_tools {
            let more = match most - 1 {
                0 => String::new(),
                more => format!("({} call){{{},{more}}}", literal(shape.between), least - 1),
            };
            alternatives.push(format!("{open} call {more} {close}"));
        }
        alternatives.join(" | ")
    }

    /// The rule of one call; returns its name.
    fn call(&self, tool: &ToolSpec, each: Each, rules: &mut Rules) -> Result<String, GuidedError> {
        match each {
            Each::Object { open, close, arguments } => {
                Ok(json::object(self, tool, (open, close), arguments, rules))
            }
            Each::Named { open, separator, close } => {
                json::named(self, tool, [open, separator, close], rules)
            }
            Each::Numbered { open, close } => Ok(json::numbered(self, tool, (open, close), rules)),
            Each::Keyed => Ok(json::keyed(self, tool, rules)),
            Each::Python => literals::python(self, tool, rules),
            Each::Gemma { open, quote, close } => literals::gemma(self, tool, (open, quote, close), rules),
            Each::Tags(tags) => tags::call(self, tool, tags, rules),
        }
    }
}
