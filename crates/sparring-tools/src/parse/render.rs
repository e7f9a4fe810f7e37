//! Rendering of calls in each family's format.

use crate::ToolCall;
use serde_json::Value;
use std::fmt::Write;

/// JSON with a space behind every `,` and `:`, as `tojson` of the models' chat templates writes it: the models were
/// trained on it.
fn json(value: &Value) -> String {
    let mut out = String::new();
    write_value(value, &mut out, |plain, out| _ = write!(out, "{plain}"));
    out
}

/// Writes lists and objects as JSON and Python have them, and all else, keys too, as `plain` does.
fn write_value(value: &Value, out: &mut String, plain: fn(&Value, &mut String)) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                write_value(item, out, plain);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (i, (key, value)) in map.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                plain(&Value::from(key.as_str()), out);
                out.push_str(": ");
                write_value(value, out, plain);
            }
            out.push('}');
        }
        value => plain(value, out),
    }
}

/// Writes a list with each call as a JSON object.
pub(super) fn json_list(calls: &[ToolCall]) -> String {
    json(&Value::Array(calls.iter().map(ToolCall::to_json).collect()))
}

/// [`json_list`] with the ids of the calls that have one.
pub(super) fn json_list_with_ids(calls: &[ToolCall]) -> String {
    let object = |call: &ToolCall| {
        let mut object = call.to_json();
        if let Some(id) = &call.id {
            object["id"] = Value::from(id.as_str());
        }
        object
    };
    json(&Value::Array(calls.iter().map(object).collect()))
}

/// Writes each call as `open`, a JSON object and `close`.
pub(super) fn json_each(calls: &[ToolCall], open: &str, close: &str, between: &str) -> String {
    join(calls, between, |call| format!("{open}{}{close}", json(&call.to_json())))
}

/// [`json_each`] with `parameters` for `arguments`.
pub(super) fn parameters_each(calls: &[ToolCall], open: &str, close: &str, between: &str) -> String {
    join(calls, between, |call| {
        let call = serde_json::json!({ "name": call.name, "parameters": call.arguments });
        format!("{open}{}{close}", json(&call))
    })
}

/// Writes each call as `open`, its name, `separator`, its arguments as JSON and `close`.
pub(super) fn named(calls: &[ToolCall], open: &str, separator: &str, close: &str) -> String {
    join(calls, "", |call| format!("{open}{}{separator}{}{close}", call.name, arguments(call)))
}

pub(super) fn arguments(call: &ToolCall) -> String {
    json(&Value::from(call.arguments.clone()))
}

pub(super) fn join(calls: &[ToolCall], between: &str, write: impl Fn(&ToolCall) -> String) -> String {
    calls.iter().map(write).collect::<Vec<_>>().join(between)
}

/// Writes a value inside a tag: text unchanged, everything else as JSON. In JSON `<` occurs only inside strings, so
/// escaping it is safe, and no tag ends the value.
pub(super) fn tag_text(value: &Value) -> String {
    value.as_str().map_or_else(|| json(value).replace('<', "\\u003c"), str::to_owned)
}

/// Returns whether the names can be written between tags.
pub(super) fn fits_tags(calls: &[ToolCall]) -> bool {
    let breaks = |c: char| c.is_whitespace() || matches!(c, '[' | '{' | '<');
    !calls.iter().any(|call| call.name.contains(breaks))
}

/// Returns whether the names can be written in Python's notation.
pub(super) fn fits_python(calls: &[ToolCall]) -> bool {
    let part = |name: &str| {
        !name.starts_with(char::is_numeric)
            && !name.is_empty()
            && name.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    calls.iter().all(|call| call.name.split('.').all(part) && call.arguments.keys().all(|key| part(key)))
}

pub(super) fn qwen3_coder(call: &ToolCall) -> String {
    let mut out = format!("<tool_call>\n<function={}>\n", call.name);
    for (key, value) in &call.arguments {
        let _ = write!(out, "<parameter={key}>\n{}\n</parameter>\n", tag_text(value));
    }
    out + "</function>\n</tool_call>"
}

pub(super) fn glm(call: &ToolCall) -> String {
    let mut out = format!("<tool_call>{}\n", call.name);
    for (key, value) in &call.arguments {
        let value = tag_text(value);
        let _ = writeln!(out, "<arg_key>{key}</arg_key>\n<arg_value>{value}</arg_value>");
    }
    out + "</tool_call>"
}

pub(super) fn dsml(calls: &[ToolCall]) -> String {
    let mut out = "<｜DSML｜function_calls>\n".to_owned();
    for call in calls {
        let _ = writeln!(out, "<｜DSML｜invoke name=\"{}\">", call.name);
        // A tag inside an argument would end it; an empty name, or white space around one, cannot be read back.
        if call.arguments.iter().any(|(key, value)| {
            key.is_empty()
                || key.contains(['<', '"', '\n'])
                || key.trim() != key
                || tag_text(value).contains("</")
        }) {
            let _ = writeln!(out, "{}\n</｜DSML｜invoke>", arguments(call));
            continue;
        }
        for (key, value) in &call.arguments {
            let (text, string) = (tag_text(value), value.is_string());
            let _ = writeln!(
                out,
                "<｜DSML｜parameter name=\"{key}\" string=\"{string}\">{text}</｜DSML｜parameter>"
            );
        }
        out.push_str("</｜DSML｜invoke>\n");
    }
    out + "</｜DSML｜function_calls>"
}

/// `[f(a=1, b='x'), g()]`
pub(super) fn python(calls: &[ToolCall]) -> String {
    let calls = join(calls, ", ", |call| {
        let mut out = format!("{}(", call.name);
        for (i, (key, value)) in call.arguments.iter().enumerate() {
            let _ = write!(out, "{}{key}=", if i > 0 { ", " } else { "" });
            write_value(value, &mut out, python_literal);
        }
        out + ")"
    });
    format!("[{calls}]")
}

/// Writes what is neither a list nor an object in Python's notation.
fn python_literal(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::String(text) => python_string(text, out),
        value => _ = write!(out, "{value}"),
    }
}

/// Writes a string like `repr`: in single quotes, unless it contains only those.
fn python_string(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c if c.is_ascii_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push(quote);
}

pub(super) fn kimi(calls: &[ToolCall]) -> String {
    let mut out = "<|tool_calls_section_begin|>".to_owned();
    for (i, call) in calls.iter().enumerate() {
        // An id of another format would be read as the name.
        let own =
            call.id.as_deref().filter(|id| *id != call.name && super::grammars::kimi_name(id) == call.name);
        let id = own.map_or_else(|| format!("functions.{}:{i}", call.name), str::to_owned);
        let arguments = arguments(call);
        let _ =
            write!(out, "<|tool_call_begin|>{id}<|tool_call_argument_begin|>{arguments}<|tool_call_end|>");
    }
    out + "<|tool_calls_section_end|>"
}
