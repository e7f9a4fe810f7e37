//! Where definitions are in requests, configurations and servers' answers.

use super::read::not_an_object;
use crate::parse::kind;
use crate::{ToolSpec, ToolsError};
use serde_json::{Map, Value};

/// Keys under which there is a list of tools.
const LISTS: [&str; 4] = ["tools", "functionDeclarations", "function_declarations", "functions"];

/// Keys under which there is an object that holds such a list.
const HOLDERS: [&str; 3] = ["toolConfig", "tool_config", "result"];

impl ToolSpec {
    /// Reads definitions wherever they are: a single tool, an array, or what has tools in it.
    ///
    /// The latter are requests and MCP's answers (`{"tools": [...]}`, also as a JSON-RPC `result`), Bedrock's
    /// `{"toolConfig": {"tools": [...]}}`, Gemini's `{"functionDeclarations": [...]}`, alone or in a list of tools, and
    /// BFCL's `{"function": [...]}`.
    ///
    /// ```
    /// use sparring_tools::ToolSpec;
    /// let tools = serde_json::json!({"tools": [{"name": "ping"}, {"name": ""}]});
    /// let error = ToolSpec::list_from_json(&tools).unwrap_err().to_string();
    /// assert_eq!(error, "tool definition, tools[1].name: a tool needs a non-empty name");
    /// assert_eq!(ToolSpec::list_from_json(&tools["tools"][0])?.len(), 1);
    /// let gemini = serde_json::json!([{"functionDeclarations": [{"name": "ping"}, {"name": "pong"}]}]);
    /// assert_eq!(ToolSpec::list_from_json(&gemini)?.len(), 2);
    /// # Ok::<(), sparring_tools::ToolsError>(())
    /// ```
    ///
    /// # Errors
    /// [`ToolsError::Spec`] with the path, from 0, of the part that is malformed.
    pub fn list_from_json(value: &Value) -> Result<Vec<Self>, ToolsError> {
        let mut found = Vec::new();
        collect(value, "", &mut found)?;
        Ok(found)
    }
}

fn collect(value: &Value, at: &str, found: &mut Vec<ToolSpec>) -> Result<(), ToolsError> {
    let object = match value {
        Value::Array(list) => {
            return list
                .iter()
                .enumerate()
                .try_for_each(|(i, tool)| collect(tool, &format!("{at}[{i}]"), found));
        }
        Value::Object(object) => object,
        _ => return Err(not_an_object("root", value).within(at)),
    };
    let Some((key, inner)) = wrapped(object) else {
        found.push(ToolSpec::read_one(object).map_err(|error| error.within(at))?);
        return Ok(());
    };
    let at = if at.is_empty() { key } else { format!("{at}.{key}") };
    match inner {
        // Go writes a list that was never filled as null, Lua an empty one as an object.
        Value::Null => Ok(()),
        Value::Object(map) if map.is_empty() => Ok(()),
        // A single tool, or Gemini's declarations, without the list around them.
        Value::Object(map) if is_tool(map) || wrapped(map).is_some() => collect(inner, &at, found),
        Value::Array(_) => collect(inner, &at, found),
        _ => Err(ToolsError::spec(at, format!("expected a list of tools, found {}", kind(inner)))),
    }
}

fn is_tool(object: &Map<String, Value>) -> bool {
    ["name", "function", "toolSpec"]
        .iter()
        .any(|key| object.get(*key).is_some_and(|v| v.is_string() || v.is_object()))
}

/// Returns the tools in an object that is not a tool itself, and the path to them.
pub(super) fn wrapped(object: &Map<String, Value>) -> Option<(String, &Value)> {
    if object.contains_key("name") {
        return None;
    }
    // BFCL's rows have a list under the key that is OpenAI's wrapper.
    if let Some(list @ Value::Array(_)) = object.get("function") {
        return Some(("function".to_owned(), list));
    }
    if let Some((key, list)) = LISTS.iter().find_map(|key| Some((*key, object.get(*key)?))) {
        return Some((key.to_owned(), list));
    }
    HOLDERS.iter().find_map(|key| {
        let (inner, list) = wrapped(object.get(*key)?.as_object()?)?;
        Some((format!("{key}.{inner}"), list))
    })
}

/// Says what is wrong with an object without a name.
pub(super) fn nameless(object: &Map<String, Value>) -> ToolsError {
    if let Some(error) = object.get("error").filter(|_| object.contains_key("jsonrpc")) {
        let message = error.get("message").and_then(Value::as_str).unwrap_or("no message");
        return ToolsError::spec(
            "error",
            format!("the server answered with an error instead of tools: {message}"),
        );
    }
    if object.contains_key("name") {
        return ToolsError::spec("name", "a tool needs a non-empty name");
    }
    let keys: Vec<_> = object.keys().take(5).map(|key| format!("`{key}`")).collect();
    let found = match (keys.is_empty(), object.len() > keys.len()) {
        (true, _) => "an empty object".to_owned(),
        (_, more) => format!("{}{}", keys.join(", "), if more { ", ..." } else { "" }),
    };
    let what = format!(
        "a tool needs a name, and lists of tools are under `tools` or `functionDeclarations`; found {found}"
    );
    ToolsError::spec("name", what)
}
