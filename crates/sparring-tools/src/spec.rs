use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a tool is called, what it does and what it takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Name by which it is called.
    pub name: String,
    /// What it does, for the model.
    #[serde(default)]
    pub description: String,
    /// Parameter name to its JSON Schema, in menu order (`{"city": {"type": "string"}}`).
    pub parameters: Map<String, Value>,
    /// Names of the parameters that every call must give.
    #[serde(default)]
    pub required: Vec<String>,
}
