use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A call of a tool.
///
/// Calls are equal if they name the same tool with the same arguments. The id only links a result to its call:
/// equality, matching and comparison ignore it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolCall {
    /// The id that the call's result refers to, if the format has ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Name of the tool.
    pub name: String,
    /// Its arguments by parameter name, in the order in which they were written.
    pub arguments: Map<String, Value>,
}

impl PartialEq for ToolCall {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.arguments == other.arguments
    }
}

impl ToolCall {
    /// Returns a call with these arguments.
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
        let arguments = arguments.into_iter().map(|(k, v)| (k.into(), v)).collect();
        Self { id: None, name: name.into(), arguments }
    }

    /// Sets the id.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Returns `{"name": ..., "arguments": {...}}`, without the id.
    pub fn to_json(&self) -> Value {
        json!({ "name": self.name, "arguments": self.arguments })
    }
}
