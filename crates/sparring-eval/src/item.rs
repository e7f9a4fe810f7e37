use crate::Reader;
use crate::bfcl::BfclEntry;
use serde::{Deserialize, Serialize};
use sparring_core::Message;
use sparring_tools::{ToolCall, ToolSpec};

/// Who speaks a [`Turn`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TurnRole {
    /// Instructions.
    System,
    /// The person who asks.
    User,
    /// The model.
    Assistant,
    /// What a tool returned.
    Tool,
}

impl TurnRole {
    /// The name that chat templates use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

/// One turn of an item's conversation. Beside [`Message`] it knows tool results, and calls that were made.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// Who speaks.
    pub role: TurnRole,
    /// What is said.
    pub content: String,
    /// Calls that the assistant made in this turn.
    pub calls: Vec<ToolCall>,
}

impl Turn {
    /// A turn that is only text.
    pub fn new(role: TurnRole, content: impl Into<String>) -> Self {
        Self { role, content: content.into(), calls: Vec::new() }
    }

    /// A turn in which the assistant makes calls.
    pub fn calling(calls: Vec<ToolCall>) -> Self {
        Self { role: TurnRole::Assistant, content: String::new(), calls }
    }

    /// The turn as a message of text: calls as `reader` would read them, a tool's result as a message of the user.
    pub fn to_message(&self, reader: &Reader) -> Message {
        match self.role {
            TurnRole::System => Message::system(&self.content),
            TurnRole::User => Message::user(&self.content),
            TurnRole::Tool => Message::user(format!("The tool returned:\n{}", self.content)),
            TurnRole::Assistant if self.calls.is_empty() => Message::assistant(&self.content),
            TurnRole::Assistant if self.content.is_empty() => Message::assistant(reader.render(&self.calls)),
            TurnRole::Assistant => {
                Message::assistant(format!("{}\n{}", self.content, reader.render(&self.calls)))
            }
        }
    }
}

/// What a right answer is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Expected {
    /// These calls, in any order; none: the right answer calls nothing.
    Calls(Vec<ToolCall>),
    /// What BFCL accepts.
    Bfcl(BfclEntry),
    /// Nobody can say: the gold in the benchmark's file cannot be read. Every answer is wrong.
    Unreadable {
        /// What is wrong with it.
        why: String,
    },
}

/// What is wrong with an item as its benchmark publishes it. The item still counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Defect {
    /// The gold is not what its format says.
    UnreadableGold,
    /// The gold holds a placeholder instead of a value, such as `${id from search}` or `API_call_0`.
    Placeholder,
    /// The gold calls a tool that is not offered.
    NotOffered,
}

/// One question of a benchmark.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Unique within the benchmark.
    pub id: String,
    /// The group in which it is counted.
    pub category: String,
    /// The conversation that the model continues.
    pub messages: Vec<Turn>,
    /// The tools on offer.
    pub tools: Vec<ToolSpec>,
    /// What a right answer is.
    pub expected: Expected,
    /// Known defects, sorted.
    pub defects: Vec<Defect>,
}

impl Item {
    /// An item whose right answer are these calls. A call of a tool that is not offered is noted as a defect.
    pub fn calls(
        id: impl Into<String>,
        category: impl Into<String>,
        messages: Vec<Turn>,
        tools: Vec<ToolSpec>,
        gold: Vec<ToolCall>,
    ) -> Self {
        let offered = |call: &ToolCall| tools.iter().any(|tool| tool.name == call.name);
        let defects = if gold.iter().all(offered) { vec![] } else { vec![Defect::NotOffered] };
        Self {
            id: id.into(),
            category: category.into(),
            messages,
            tools,
            expected: Expected::Calls(gold),
            defects,
        }
    }
}
