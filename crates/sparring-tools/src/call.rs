use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One call of one tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Name of the tool.
    pub name: String,
    /// Its arguments by parameter name, in the order they were written.
    pub arguments: Map<String, Value>,
}
