use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The author of a [`Message`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Role {
    /// Instructions for the conversation.
    System,
    /// The person or program that uses the model.
    User,
    /// The model.
    Assistant,
    /// A tool: the message is what it returned.
    Tool,
}

impl Role {
    /// Returns the name that chat templates use: `system`, `user`, `assistant` or `tool`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

/// One tool call in an assistant's [`Message`].
///
/// It serialises as in the messages of OpenAI and `transformers`,
/// `{"id": ..., "type": "function", "function": {"name": ..., "arguments": {...}}}`. Arguments are written as a JSON
/// object, which chat templates expect; a string that holds JSON is accepted too.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "Wire", from = "Wire")]
#[non_exhaustive]
pub struct MessageCall {
    /// The id that the tool's result refers to, if the format has ids.
    pub id: Option<String>,
    /// Name of the tool.
    pub name: String,
    /// Its arguments: an object keyed by parameter name.
    pub arguments: Value,
}

impl MessageCall {
    /// Returns a call without an id.
    pub fn new(name: impl Into<String>, arguments: impl Into<Value>) -> Self {
        Self { id: None, name: name.into(), arguments: arguments.into() }
    }

    /// Sets the id.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }
}

/// The serialised form of a [`MessageCall`].
#[derive(Serialize, Deserialize)]
struct Wire {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(rename = "type", default = "function")]
    kind: String,
    function: Function,
}

#[derive(Serialize, Deserialize)]
struct Function {
    name: String,
    #[serde(default)]
    arguments: Value,
}

fn function() -> String {
    "function".to_owned()
}

impl From<MessageCall> for Wire {
    fn from(MessageCall { id, name, arguments }: MessageCall) -> Self {
        Self { id, kind: function(), function: Function { name, arguments } }
    }
}

impl From<Wire> for MessageCall {
    fn from(Wire { id, function: Function { name, arguments }, .. }: Wire) -> Self {
        // OpenAI's servers write the arguments as a string that holds JSON.
        let parsed = arguments.as_str().and_then(|text| serde_json::from_str(text).ok());
        Self { id, name, arguments: parsed.unwrap_or(arguments) }
    }
}

/// One turn of a conversation; a backend turns it into token ids with its chat template.
///
/// It serialises like the messages of OpenAI and `transformers`; fields that are not set are left out.
///
/// ```
/// use serde_json::json;
/// use sparring_core::{Message, MessageCall};
/// let call = MessageCall::new("weather", json!({"city": "Oslo"})).with_id("call_1");
/// let turns = [Message::assistant("").with_tool_calls([call]), Message::tool("4 °C").with_tool_call_id("call_1")];
/// assert_eq!(
///     serde_json::to_value(&turns)?,
///     json!([
///         {"role": "assistant", "content": "", "tool_calls": [
///             {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": {"city": "Oslo"}}}]},
///         {"role": "tool", "content": "4 °C", "tool_call_id": "call_1"},
///     ])
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Message {
    /// The author of the turn.
    pub role: Role,
    /// The text. Empty if an assistant's turn consists of calls only.
    #[serde(default, deserialize_with = "text_or_null")]
    pub content: String,
    /// Calls that the assistant makes in this turn. A model's own text may contain its calls as well: give each call
    /// once, either in `content` as written or here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<MessageCall>,
    /// Id of the call that a tool's turn answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// Name of the tool that answers, or of one of several participants with the same role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// OpenAI writes `null` as the content of a turn that consists of calls only.
fn text_or_null<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Message {
    /// Returns a text message.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self { role, content: content.into(), tool_calls: Vec::new(), tool_call_id: None, name: None }
    }

    /// Returns a system message.
    pub fn system(content: impl Into<String>) -> Self {
        Self::new(Role::System, content)
    }

    /// Returns a user message.
    pub fn user(content: impl Into<String>) -> Self {
        Self::new(Role::User, content)
    }

    /// Returns an assistant message.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self::new(Role::Assistant, content)
    }

    /// Returns a message with a tool's result.
    pub fn tool(content: impl Into<String>) -> Self {
        Self::new(Role::Tool, content)
    }

    /// Sets the calls that the assistant makes.
    #[must_use]
    pub fn with_tool_calls(mut self, calls: impl IntoIterator<Item = MessageCall>) -> Self {
        self.tool_calls = calls.into_iter().collect();
        self
    }

    /// Sets the id of the call that a tool's turn answers.
    #[must_use]
    pub fn with_tool_call_id(mut self, id: impl Into<String>) -> Self {
        self.tool_call_id = Some(id.into());
        self
    }

    /// Sets the name of the tool, or of the participant.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }
}

/// Messages with the other inputs of a chat template: the arguments of `apply_chat_template` of `transformers`.
///
/// ```
/// use serde_json::json;
/// use sparring_core::{Conversation, Message, Prompt};
/// let tool = json!({"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}});
/// let asked = Conversation::new([Message::user("How is the weather in Oslo?")])
///     .with_tools([tool])
///     .with_variable("enable_thinking", false);
/// assert!(matches!(Prompt::from(asked), Prompt::Conversation(c) if c.tools.len() == 1));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Conversation {
    /// The turns, in order.
    pub messages: Vec<Message>,
    /// The available tools, as JSON in OpenAI's form: `{"type": "function", "function": {...}}`. A template without
    /// tool support silently leaves them out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Value>,
    /// Further variables of the template, such as `enable_thinking`. Templates ignore variables that they do not know.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub variables: Map<String, Value>,
}

impl Conversation {
    /// Returns a conversation without tools and variables.
    pub fn new(messages: impl IntoIterator<Item = Message>) -> Self {
        Self { messages: messages.into_iter().collect(), ..Self::default() }
    }

    /// Sets the available tools.
    #[must_use]
    pub fn with_tools(mut self, tools: impl IntoIterator<Item = Value>) -> Self {
        self.tools = tools.into_iter().collect();
        self
    }

    /// Sets a variable of the template.
    #[must_use]
    pub fn with_variable(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Appends messages.
    #[must_use]
    pub fn followed_by(mut self, messages: impl IntoIterator<Item = Message>) -> Self {
        self.messages.extend(messages);
        self
    }
}

impl From<Vec<Message>> for Conversation {
    fn from(messages: Vec<Message>) -> Self {
        Self::new(messages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn messages_from_servers_are_read() {
        let turn: Message =
            serde_json::from_value(json!({"role": "assistant", "content": null, "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}}]}))
            .unwrap();
        let call = MessageCall::new("f", json!({"a": 1})).with_id("c");
        assert_eq!(turn, Message::assistant("").with_tool_calls([call]));
        let bare: MessageCall = serde_json::from_value(json!({"function": {"name": "f"}})).unwrap();
        assert_eq!(bare, MessageCall::new("f", Value::Null));
    }

    #[test]
    fn a_message_of_text_has_two_fields() {
        assert_eq!(
            serde_json::to_value(Message::tool("4")).unwrap(),
            json!({"role": "tool", "content": "4"})
        );
    }
}
