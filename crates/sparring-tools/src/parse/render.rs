//! Rendering of calls in each family's format.

use crate::ToolCall;
use serde_json::{Map, Value};
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

/// Writes each call as `open`, its name, `separator`, its arguments as JSON and `close`, with `between` between them.
pub(super) fn named(calls: &[ToolCall], open: &str, separator: &str, close: &str, between: &str) -> String {
    join(calls, between, |call| format!("{open}{}{separator}{}{close}", call.name, arguments(call)))
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

/// Lists and objects are JSON, all else is as Python prints it.
pub(super) fn qwen3_coder(calls: &[ToolCall]) -> String {
    functions(calls, "tool_call", "\n", |value| match value {
        Value::Null | Value::Bool(_) => python_value(value),
        value => tag_text(value),
    })
}

/// All values but texts are as Python prints them.
pub(super) fn seed_oss(calls: &[ToolCall]) -> String {
    functions(calls, "seed:tool_call", "", |value| match value {
        Value::String(text) => text.clone(),
        // Python's escapes hide the tags that JSON's would.
        value => python_value(value).replace('<', "\\x3c"),
    })
}

/// Calls with arguments in tags, in tags of this name, with values between these texts.
fn functions(calls: &[ToolCall], around: &str, layout: &str, text: fn(&Value) -> String) -> String {
    join(calls, "\n", |call| {
        let mut out = format!("<{around}>\n<function={}>\n", call.name);
        for (key, value) in &call.arguments {
            let _ = writeln!(out, "<parameter={key}>{layout}{}{layout}</parameter>", text(value));
        }
        format!("{out}</function>\n</{around}>")
    })
}

fn python_value(value: &Value) -> String {
    let mut out = String::new();
    write_value(value, &mut out, python_literal);
    out
}

/// GLM's calls, with this text between the parts of a call.
pub(super) fn glm(calls: &[ToolCall], between: &str) -> String {
    arg_keys(calls, "", between)
}

pub(super) fn hy3(calls: &[ToolCall]) -> String {
    format!("<tool_calls>\n{}\n</tool_calls>", arg_keys(calls, "<tool_sep>", "\n"))
}

fn arg_keys(calls: &[ToolCall], separator: &str, between: &str) -> String {
    join(calls, "\n", |call| {
        let mut out = format!("<tool_call>{}{separator}{between}", call.name);
        for (key, value) in &call.arguments {
            let value = tag_text(value);
            let _ = write!(out, "<arg_key>{key}</arg_key>{between}<arg_value>{value}</arg_value>{between}");
        }
        out + "</tool_call>"
    })
}

pub(super) fn minimax_m2(calls: &[ToolCall]) -> String {
    let calls = join(calls, "\n", |call| {
        let mut out = format!("<invoke name=\"{}\">\n", call.name);
        for (key, value) in &call.arguments {
            let _ = writeln!(out, "<parameter name=\"{key}\">{}</parameter>", tag_text(value));
        }
        out + "</invoke>"
    });
    format!("<minimax:tool_call>\n{calls}\n</minimax:tool_call>")
}

pub(super) fn step3(calls: &[ToolCall]) -> String {
    let calls = join(calls, "", |call| {
        let mut out =
            format!("<｜tool_call_begin｜>function<｜tool_sep｜><steptml:invoke name=\"{}\">", call.name);
        for (key, value) in &call.arguments {
            let value = tag_text(value);
            let _ = write!(out, "<steptml:parameter name=\"{key}\">{value}</steptml:parameter>");
        }
        out + "</steptml:invoke><｜tool_call_end｜>"
    });
    format!("<｜tool_calls_begin｜>{calls}<｜tool_calls_end｜>")
}

pub(super) fn kimi_k3(calls: &[ToolCall]) -> String {
    let mut out = "<|open|>tools<|sep|>".to_owned();
    for (i, call) in calls.iter().enumerate() {
        let _ = write!(out, "<|open|>call tool=\"{}\" index=\"{}\"<|sep|>", call.name, i + 1);
        for (key, value) in &call.arguments {
            let (kind, text) = (kind_name(value), tag_text(value));
            let _ = write!(
                out,
                "<|open|>argument key=\"{key}\" type=\"{kind}\"<|sep|>{text}<|close|>argument<|sep|>"
            );
        }
        out.push_str("<|close|>call<|sep|>");
    }
    out + "<|close|>tools<|sep|>"
}

/// Returns a value's type in JSON Schema.
fn kind_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Writes what follows the prompt, which ends with `<|start|>assistant`.
pub(super) fn harmony(calls: &[ToolCall]) -> String {
    join(calls, "<|start|>assistant", |call| {
        let arguments = arguments(call);
        format!(" to=functions.{}<|channel|>commentary json<|message|>{arguments}<|call|>", call.name)
    })
}

/// Writes each call as `open`, Gemma's notation with texts in `quote`, and `close`.
pub(super) fn gemma(calls: &[ToolCall], open: &str, quote: &str, close: &str) -> String {
    join(calls, "", |call| {
        let mut out = format!("{open}call:{}", call.name);
        gemma_object(&call.arguments, quote, &mut out);
        out + close
    })
}

fn gemma_object(map: &Map<String, Value>, quote: &str, out: &mut String) {
    out.push('{');
    for (i, (key, value)) in map.iter().enumerate() {
        out.push_str(if i > 0 { "," } else { "" });
        let plain =
            !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
        let quote_key = if plain { "" } else { quote };
        let _ = write!(out, "{quote_key}{key}{quote_key}:");
        gemma_value(value, quote, out);
    }
    out.push('}');
}

fn gemma_value(value: &Value, quote: &str, out: &mut String) {
    match value {
        Value::String(text) => _ = write!(out, "{quote}{text}{quote}"),
        Value::Object(map) => gemma_object(map, quote, out),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                gemma_value(item, quote, out);
            }
            out.push(']');
        }
        plain => _ = write!(out, "{plain}"),
    }
}

pub(super) fn cohere(calls: &[ToolCall]) -> String {
    let mut out = "[\n".to_owned();
    for (i, call) in calls.iter().enumerate() {
        let id = call.id.clone().unwrap_or_else(|| i.to_string());
        let object = serde_json::json!({
            "tool_call_id": id, "tool_name": call.name, "parameters": call.arguments
        });
        let comma = if i + 1 < calls.len() { "," } else { "" };
        let _ = writeln!(out, "    {}{comma}", json(&object));
    }
    out + "]"
}

/// Writes a list with each call as an object whose key is its name.
pub(super) fn keyed(calls: &[ToolCall]) -> String {
    let object =
        |call: &ToolCall| Value::Object(Map::from_iter([(call.name.clone(), call.arguments.clone().into())]));
    json(&Value::Array(calls.iter().map(object).collect()))
}

/// DSML with the calls in a block of this name.
pub(super) fn dsml(calls: &[ToolCall], block: &str) -> String {
    let mut out = format!("<｜DSML｜{block}>\n");
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
    format!("{out}</｜DSML｜{block}>")
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
