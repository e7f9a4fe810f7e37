//! Turns items into prompts.

use crate::{AnswerReader, EvalError, Expected, Item, calls_of};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sparring_core::{BoxError, Conversation, Encoder, Hook, Message, Prompt, Role};
use sparring_tools::{Dialect, ToolSpec};
use std::fmt::Write;

/// Turns an item into a prompt.
///
/// # Contract
/// The prompt depends on the item only, so that a resumed run asks the same.
pub trait Prompter: Send + Sync {
    /// A short name for reports.
    fn name(&self) -> &str;

    /// The prompt of an item.
    ///
    /// # Errors
    /// Why there is no prompt, for example because a chat template refuses the messages.
    fn prompt(&self, item: &Item) -> Result<Prompt, BoxError>;

    /// The hook that the answer is drawn under: a grammar, say. By default none.
    fn hook(&self, item: &Item) -> Option<Hook> {
        let _ = item;
        None
    }
}

/// The seam is object-safe.
const _: fn(&dyn Prompter) = |_| {};

/// An item as a conversation with tools.
pub fn conversation(item: &Item) -> Conversation {
    let tools = item.tools.iter().map(|tool| tool.to_json(Dialect::OpenAiChat));
    Conversation::new(item.messages.iter().cloned()).with_tools(tools)
}

/// Prompts in the model's own chat template, with the tools passed to the template.
///
/// The template and the tokenizer belong to the backend: a prompt is the token ids that its encoder makes of the item's
/// [`conversation`].
pub struct Templated<'a> {
    encoder: &'a dyn Encoder,
    variables: Map<String, Value>,
}

impl<'a> Templated<'a> {
    /// Prompts rendered by `encoder`.
    pub fn new(encoder: &'a dyn Encoder) -> Self {
        Self { encoder, variables: Map::new() }
    }

    /// Sets a variable of the template, such as `enable_thinking`.
    #[must_use]
    pub fn with_variable(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }
}

impl std::fmt::Debug for Templated<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Templated").field("variables", &self.variables).finish_non_exhaustive()
    }
}

impl Prompter for Templated<'_> {
    fn name(&self) -> &'static str {
        "template"
    }

    fn prompt(&self, item: &Item) -> Result<Prompt, BoxError> {
        let mut asked = conversation(item);
        asked.variables.clone_from(&self.variables);
        Ok(Prompt::Tokens(self.encoder.prompt(&asked.into())?))
    }
}

/// The place of the tools in a caller's system prompt.
const FUNCTIONS: &str = "{functions}";

/// The functions as a JSON list, indented by four as Python's `json.dumps(functions, indent=4)` does.
fn functions(item: &Item) -> String {
    let list: Vec<Value> = match &item.expected {
        Expected::Bfcl(entry) => {
            let named = |(function, tool): (&Value, &ToolSpec)| {
                let mut function = function.clone();
                if let Some(name) = function.get_mut("name") {
                    *name = json!(tool.name);
                }
                function
            };
            entry.functions.iter().zip(&item.tools).map(named).collect()
        }
        _ => item.tools.iter().map(|tool| tool.to_json(Dialect::Bare)).collect(),
    };
    let mut out = Vec::new();
    let mut writer = serde_json::Serializer::with_formatter(
        &mut out,
        serde_json::ser::PrettyFormatter::with_indent(b"    "),
    );
    // Writing a JSON value to a vector cannot fail.
    let _ = list.serialize(&mut writer);
    String::from_utf8_lossy(&out).into_owned()
}

/// Prompts with a system message that describes the tools and the format of the answer. For models whose chat template
/// has no tools, and for BFCL's "prompting" mode.
///
/// The default wording is our own for every benchmark, BFCL included; [`InWords::with_system`] replaces it. Scores
/// under different wordings are not comparable to the digit.
#[derive(Debug)]
pub struct InWords<'a> {
    reader: &'a AnswerReader,
    system: Option<String>,
}

impl<'a> InWords<'a> {
    /// Prompts for answers in the format of `reader`.
    pub const fn new(reader: &'a AnswerReader) -> Self {
        Self { reader, system: None }
    }

    /// Uses this system prompt instead of ours, for example that of a benchmark's own program. `{functions}` becomes
    /// the JSON of the functions: for BFCL as in its files, else each with the JSON Schema of its parameters.
    ///
    /// # Errors
    /// [`EvalError::Invalid`] if the text has no `{functions}`.
    pub fn with_system(mut self, text: impl Into<String>) -> Result<Self, EvalError> {
        let text = text.into();
        if !text.contains(FUNCTIONS) {
            return Err(EvalError::invalid(format!(
                "the system prompt has no {FUNCTIONS}; add it where the tools belong"
            )));
        }
        self.system = Some(text);
        Ok(self)
    }

    /// A turn as text: calls in the reader's format, a tool's result as a user message.
    fn in_words(&self, turn: &Message) -> Message {
        match turn.role {
            Role::Tool => Message::user(format!("The tool returned:\n{}", turn.content)),
            Role::Assistant if !turn.tool_calls.is_empty() => {
                let calls = self.reader.render(&calls_of(turn));
                let between = if turn.content.is_empty() { "" } else { "\n" };
                Message::assistant(format!("{}{between}{calls}", turn.content))
            }
            role => Message::new(role, &turn.content),
        }
    }

    fn instructions(&self, item: &Item) -> String {
        if let Some(system) = &self.system {
            return system.replace(FUNCTIONS, &functions(item));
        }
        let mut text = String::from(
            "You can call tools. Read the conversation and decide which calls serve the user's last request.\n\n",
        );
        let (example, none) = (self.reader.example(), self.reader.no_call());
        let _ = write!(text, "Answer with the calls only, in exactly this format:\n{example}\n\n");
        text.push_str(
            "Give every required parameter; leave an optional one out unless the user asks for it. ",
        );
        let _ = match none {
            Some(none) => write!(text, "If no tool serves the request, answer {none}"),
            None => write!(text, "If no tool serves the request, say so in words and call nothing."),
        };
        text.push_str("\n\nThe tools, one a line, with the JSON Schema of their parameters:\n");
        for tool in &item.tools {
            let _ = writeln!(text, "{}", tool.to_json(Dialect::Bare));
        }
        text.truncate(text.trim_end().len());
        text
    }
}

impl Prompter for InWords<'_> {
    fn name(&self) -> &'static str {
        if self.system.is_some() { "given" } else { "own" }
    }

    /// A system message of the item is appended to ours, since many templates allow only one.
    fn prompt(&self, item: &Item) -> Result<Prompt, BoxError> {
        let mut system = self.instructions(item);
        let mut turns = item.messages.as_slice();
        if let [Message { role: Role::System, content, .. }, rest @ ..] = turns {
            let _ = write!(system, "\n\n{content}");
            turns = rest;
        }
        let messages = turns.iter().map(|turn| self.in_words(turn));
        Ok(Prompt::from([Message::system(system)].into_iter().chain(messages).collect::<Vec<_>>()))
    }
}
