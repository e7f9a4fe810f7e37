use crate::{ToolCall, ToolSpec};
use serde::{Deserialize, Serialize};

/// A user request with a list of tools and the calls that serve it.
///
/// Empty `calls` mean that no tool on the list can serve the request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolTask {
    /// The user's request.
    pub question: String,
    /// The available tools.
    pub tools: Vec<ToolSpec>,
    /// The gold calls, in order.
    pub calls: Vec<ToolCall>,
    /// Topic of the task; empty if unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub domain: String,
}

impl ToolTask {
    /// Returns a task of no particular topic.
    pub fn new(question: impl Into<String>, tools: Vec<ToolSpec>, calls: Vec<ToolCall>) -> Self {
        Self { question: question.into(), tools, calls, domain: String::new() }
    }

    /// Returns the total number of arguments of the gold calls.
    pub fn argument_count(&self) -> usize {
        self.calls.iter().map(|call| call.arguments.len()).sum()
    }
}
