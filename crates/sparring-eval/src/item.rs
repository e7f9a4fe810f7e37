use crate::bfcl::BfclEntry;
use serde::{Deserialize, Serialize};
use sparring_core::{Message, MessageCall};
use sparring_tools::{ToolCall, ToolSpec};

/// An assistant's turn that makes these calls.
pub fn calling(calls: &[ToolCall]) -> Message {
    let one = |call: &ToolCall| {
        let made = MessageCall::new(&call.name, call.arguments.clone());
        match &call.id {
            Some(id) => made.with_id(id),
            None => made,
        }
    };
    Message::assistant("").with_tool_calls(calls.iter().map(one))
}

/// The calls that a turn makes.
pub fn calls_of(message: &Message) -> Vec<ToolCall> {
    let one = |made: &MessageCall| {
        let call = ToolCall::new(&made.name, made.arguments.as_object().cloned().unwrap_or_default());
        match &made.id {
            Some(id) => call.with_id(id),
            None => call,
        }
    };
    message.tool_calls.iter().map(one).collect()
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
    pub messages: Vec<Message>,
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
        messages: Vec<Message>,
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
