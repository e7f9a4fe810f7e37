use crate::{ToolCall, ToolSpec};
use serde::{Deserialize, Serialize};

/// A user request, the list of tools it comes with, and the calls that serve it.
///
/// An empty `calls` says that no tool offered can serve the request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolTask {
    /// What the user asks for.
    pub question: String,
    /// The tools on offer.
    pub tools: Vec<ToolSpec>,
    /// The gold calls, in order.
    pub calls: Vec<ToolCall>,
    /// Topic of the task; empty where unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub domain: String,
}

impl ToolTask {
    /// Arguments of all gold calls together.
    pub fn argument_count(&self) -> usize {
        self.calls.iter().map(|call| call.arguments.len()).sum()
    }
}
