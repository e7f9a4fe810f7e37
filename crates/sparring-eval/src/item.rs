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

/// The calls of a turn.
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

/// The right answer of an item.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Expected {
    /// These calls, in any order. If empty, the right answer calls nothing.
    Calls(Vec<ToolCall>),
    /// Whatever BFCL's checker accepts.
    Bfcl(BfclEntry),
    /// Unknown: the gold in the benchmark's file cannot be read. Every answer is wrong.
    Unreadable {
        /// The problem.
        why: String,
    },
}

/// A defect of an item as published. The item still counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Defect {
    /// The gold does not follow its format.
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
    /// The group in which it counts.
    pub category: String,
    /// The conversation that the model continues.
    pub messages: Vec<Message>,
    /// The offered tools.
    pub tools: Vec<ToolSpec>,
    /// The right answer.
    pub expected: Expected,
    /// Known defects, sorted.
    pub defects: Vec<Defect>,
}

impl Item {
    /// An item whose right answer is these calls. A call of a tool that is not offered is recorded as a defect.
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
