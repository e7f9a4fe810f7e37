use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// One call of one tool.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Name of the tool.
    pub name: String,
    /// Its arguments by parameter name, in the order they were written.
    pub arguments: Map<String, Value>,
}

impl ToolCall {
    /// A call with these arguments.
    ///
    /// ```
    /// use sparring_tools::ToolCall;
    /// let call = ToolCall::new("get_weather", [("city", "Paris".into()), ("days", 3.into())]);
    /// assert_eq!(call.to_json().to_string(), r#"{"name":"get_weather","arguments":{"city":"Paris","days":3}}"#);
    /// ```
    pub fn new<K: Into<String>>(
        name: impl Into<String>,
        arguments: impl IntoIterator<Item = (K, Value)>,
    ) -> Self {
        Self { name: name.into(), arguments: arguments.into_iter().map(|(k, v)| (k.into(), v)).collect() }
    }

    /// `{"name": ..., "arguments": {...}}`.
    pub fn to_json(&self) -> Value {
        json!({ "name": self.name, "arguments": self.arguments })
    }
}
