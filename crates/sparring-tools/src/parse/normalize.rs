use crate::{ParseError, ToolCall, json};
use serde_json::{Map, Value};

/// Reads one call from any of the JSON forms that models write.
///
/// Accepted are `{"name", "arguments"}`; `parameters` or `args` for `arguments`; `tool_name` or `tool` for `name`; an
/// OpenAI `{"function": {...}}` wrapper; arguments as a JSON (or Python) string, `null` or missing; and an object
/// without arguments, whose other keys are the arguments (except `"type": "function"`, and next to it a string `id`,
/// which are OpenAI's).
///
/// # Errors
/// What is wrong with the value.
pub fn call_from_value(value: &Value) -> Result<ToolCall, String> {
    call_of(value.clone())
}

/// [`call_from_value`] of an owned value.
fn call_of(value: Value) -> Result<ToolCall, String> {
    match value {
        Value::Object(map) => call_of_entries(&mut map.into_iter().collect()),
        other => Err(format!("a call must be an object, found {}", kind(&other))),
    }
}

/// Returns the call that an object with these entries is; takes what it uses.
pub(super) fn call_of_entries(entries: &mut Vec<(String, Value)>) -> Result<ToolCall, String> {
    let place = |entries: &[(String, Value)], keys: &[&str]| {
        keys.iter().find_map(|key| entries.iter().position(|(known, _)| known == key))
    };
    let many = |keys: &[&str]| entries.iter().filter(|(known, _)| keys.contains(&known.as_str())).count();
    let (names, arguments_given) = (many(&NAME_KEYS), many(&ARGUMENT_KEYS));
    if let Some(inner @ Value::Object(_)) = place(entries, &["function"]).map(|i| &mut entries[i].1) {
        let call = match inner.get("function") {
            _ if names + arguments_given > 0 => Err("a call next to a function wrapper".to_owned()),
            Some(Value::Object(_)) => Err("a function wrapper inside a function wrapper".to_owned()),
            _ => call_of(inner.take()),
        }?;
        return Ok(ToolCall { id: take_id(entries), ..call });
    }
    if arguments_given > 1 {
        return Err(ARGUMENTS_TWICE.to_owned());
    }
    // Without separate arguments, `tool` and the like are arguments.
    if names > 1 && arguments_given == 1 {
        return Err(NAME_TWICE.to_owned());
    }
    let name = place(entries, &NAME_KEYS).ok_or("a call needs a \"name\"")?;
    let Some(name) = text(entries.remove(name).1).filter(|name| !name.is_empty()) else {
        return Err("the name of a call must be a non-empty string".to_owned());
    };
    let typed = entries.iter().any(|(key, value)| key == "type" && value == "function");
    // If nothing else marks this as a call, `id` is an argument.
    let marked = typed || arguments_given > 0 || place(entries, &ID_KEYS[1..]).is_some();
    let id = if marked { take_id(entries) } else { None };
    let arguments = if let Some(i) = place(entries, &ARGUMENT_KEYS) {
        arguments(entries.swap_remove(i).1)?
    } else {
        entries.drain(..).filter(|(key, _)| !(typed && key == "type")).collect()
    };
    Ok(ToolCall { id, name, arguments })
}

/// Removes an id that is a string.
fn take_id(entries: &mut Vec<(String, Value)>) -> Option<String> {
    let is_id = |key: &str| ID_KEYS.contains(&key);
    let place = entries.iter().position(|(key, value)| is_id(key) && value.is_string())?;
    text(entries.remove(place).1)
}

/// Keys of its id; the latter is Cohere's.
const ID_KEYS: [&str; 2] = ["id", "tool_call_id"];

pub(super) const NAME_TWICE: &str = "the name of a call is given twice";
pub(super) const ARGUMENTS_TWICE: &str = "the arguments of a call are given twice";
/// Returns the repair of a duplicate key in an object of the call at byte `start`.
pub(super) fn key_twice(start: usize) -> json::Oddity {
    (ParseError::shape(start, "an argument is given twice"), "the last counts")
}

/// Returns a string, trimmed.
fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) if text.trim().len() == text.len() => Some(text),
        Value::String(text) => Some(text.trim().to_owned()),
        _ => None,
    }
}

/// Keys of a call's name, in order of preference.
pub(super) const NAME_KEYS: [&str; 3] = ["name", "tool_name", "tool"];
/// Keys of its arguments, in order of preference.
pub(super) const ARGUMENT_KEYS: [&str; 3] = ["arguments", "parameters", "args"];

/// Reads a list of calls, or one call that stands for a list of one.
///
/// # Errors
/// Which call, and what is wrong with it.
pub fn calls_from_value(value: &Value) -> Result<Vec<ToolCall>, String> {
    match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(i, item)| call_from_value(item).map_err(|e| format!("call {i}: {e}")))
            .collect(),
        _ => call_from_value(value).map(|call| vec![call]),
    }
}

/// Reads a call's arguments: an object, an object in a JSON (or Python) string, even one in a string, or nothing.
pub(super) fn arguments(value: Value) -> Result<Map<String, Value>, String> {
    match value {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(Map::new()),
        Value::String(text) if text.trim().is_empty() => Ok(Map::new()),
        Value::String(text) => match json::of_json(&text) {
            Ok(Value::Object(map)) => Ok(map),
            // Encoded twice.
            Ok(Value::String(inner)) if matches!(json::of_json(&inner), Ok(Value::Object(_))) => {
                arguments(inner.into())
            }
            Ok(other) => Err(format!("the arguments' string contains {}, expected an object", kind(&other))),
            Err(e) => Err(format!("the arguments' string is unreadable: {e}")),
        },
        other => Err(format!("the arguments are {}, expected an object", kind(&other))),
    }
}

pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_accepted_shape_gives_the_same_call() {
        let want = ToolCall::new("f", [("a", json!(1))]);
        for shape in [
            json!({"name": "f", "arguments": {"a": 1}}),
            json!({"name": " f ", "parameters": {"a": 1}}),
            json!({"tool_name": "f", "arguments": "{\"a\": 1}"}),
            json!({"name": "f", "arguments": "{'a': 1}"}),
            json!({"name": "f", "arguments": "\"{\\\"a\\\": 1}\""}),
            json!({"id": "x", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}),
            json!({"name": "f", "a": 1}),
            json!({"id": "x", "type": "function", "name": "f", "a": 1}),
        ] {
            let call = call_from_value(&shape).unwrap();
            assert_eq!(call, want, "{shape}");
            assert_eq!(call.id.as_deref(), shape["id"].as_str(), "{shape}");
        }
        for none in [
            json!({"name": "f"}),
            json!({"name": "f", "arguments": null}),
            json!({"name": "f", "arguments": ""}),
        ] {
            assert_eq!(call_from_value(&none), Ok(ToolCall::new("f", Map::new())), "{none}");
        }
    }

    #[test]
    fn an_argument_may_be_called_id() {
        for (shape, id) in [
            (json!({"name": "f", "id": 42}), json!(42)),
            (json!({"name": "f", "id": "x"}), json!("x")),
            (json!({"type": "function", "name": "f", "id": 42}), json!(42)),
        ] {
            assert_eq!(call_from_value(&shape), Ok(ToolCall::new("f", [("id", id)])), "{shape}");
        }
    }

    #[test]
    fn other_values_are_refused() {
        for bad in [
            json!(3),
            json!({}),
            json!({"name": ""}),
            json!({"name": 1}),
            json!({"name": "f", "arguments": [1]}),
            json!({"name": "f", "arguments": "[1]"}),
            json!({"name": "f", "arguments": "x y"}),
            json!({"function": {"function": {"name": "f"}}}),
            json!({"name": "f", "tool_name": "g", "arguments": {}}),
            json!({"name": "f", "arguments": {}, "parameters": {}}),
            json!({"name": "f", "arguments": {}, "function": {"name": "f"}}),
        ] {
            assert!(call_from_value(&bad).is_err(), "{bad}");
        }
        assert!(calls_from_value(&json!([{"name": "f"}, 3])).unwrap_err().starts_with("call 1"));
        assert_eq!(calls_from_value(&json!([])), Ok(vec![]));
    }
}
