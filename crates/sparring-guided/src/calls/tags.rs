//! Formats that write each argument between tags: strings as they are, other values as JSON.

use super::lark::{Rules, literal, sequence};
use super::{CallGrammar, json, schema};
use crate::GuidedError;
use serde_json::Value;
use sparring_tools::ToolSpec;

/// `<tool_call>\n<function=f>\n<parameter=a>\nvalue\n</parameter>\n</function>\n</tool_call>`.
pub(super) fn qwen3_coder(
    grammar: &CallGrammar,
    tool: &ToolSpec,
    rules: &mut Rules,
) -> Result<String, GuidedError> {
    let write = |name: &str, _: bool| (format!("<parameter={name}>\n"), "\n</parameter>\n".to_owned());
    let arguments = arguments(grammar, tool, rules, write)?;
    let head = format!("<tool_call>\n<function={}>\n", tool.name);
    Ok(rules
        .fresh("call", format!("{} {arguments} {}", literal(&head), literal("</function>\n</tool_call>"))))
}

/// `<tool_call>f\n<arg_key>a</arg_key>\n<arg_value>value</arg_value>\n</tool_call>`.
pub(super) fn glm(grammar: &CallGrammar, tool: &ToolSpec, rules: &mut Rules) -> Result<String, GuidedError> {
    let write = |name: &str, _: bool| {
        (format!("<arg_key>{name}</arg_key>\n<arg_value>"), "</arg_value>\n".to_owned())
    };
    let arguments = arguments(grammar, tool, rules, write)?;
    let head = format!("<tool_call>{}\n", tool.name);
    Ok(rules.fresh("call", format!("{} {arguments} {}", literal(&head), literal("</tool_call>"))))
}

/// `<｜DSML｜invoke name="f">\n<｜DSML｜parameter name="a" string="true">value</｜DSML｜parameter>\n</｜DSML｜invoke>\n`.
pub(super) fn dsml(grammar: &CallGrammar, tool: &ToolSpec, rules: &mut Rules) -> Result<String, GuidedError> {
    let write = |name: &str, string: bool| {
        (
            format!("<｜DSML｜parameter name=\"{name}\" string=\"{string}\">"),
            "</｜DSML｜parameter>\n".to_owned(),
        )
    };
    let arguments = arguments(grammar, tool, rules, write)?;
    let head = format!("<｜DSML｜invoke name=\"{}\">\n", tool.name);
    Ok(rules.fresh("call", format!("{} {arguments} {}", literal(&head), literal("</｜DSML｜invoke>\n"))))
}

/// The arguments in their order; `write` gives what stands before and behind a value, from its name and whether it is
/// a string.
fn arguments(
    grammar: &CallGrammar,
    tool: &ToolSpec,
    rules: &mut Rules,
    write: impl Fn(&str, bool) -> (String, String),
) -> Result<String, GuidedError> {
    let breaks =
        |name: &str| name.is_empty() || name.contains(|c: char| c.is_whitespace() || "<>[]{}\"".contains(c));
    if breaks(&tool.name) || tool.parameters.keys().any(|name| breaks(name)) {
        let what = "this format cannot write its name or a parameter's; rename it, or choose another format";
        return Err(GuidedError::Tool { tool: tool.name.clone(), what: what.to_owned() });
    }
    let root = tool.parameters_schema();
    let mut parameters = Vec::new();
    for name in tool.parameters.keys() {
        let schema = &root["properties"][name.as_str()];
        let text = plain_text(grammar, schema);
        let string = text.is_some();
        let value = match text {
            // A terminal, since one may be an intersection.
            Some(body) => rules.fresh("TEXT", body),
            None => json::value(grammar, with_definitions(schema, &root), rules, true),
        };
        let (open, close) = write(name, string);
        let rule = rules.fresh("parameter", format!("{} {value} {}", literal(&open), literal(&close)));
        parameters.push((rule, tool.required.contains(name)));
    }
    Ok(sequence(rules, &parameters, ""))
}

/// The text of a parameter that is a string, written as it is; `None` for other parameters.
fn plain_text(grammar: &CallGrammar, schema: &Value) -> Option<String> {
    if let Some(choices) = schema::choices(schema) {
        let texts: Option<Vec<&str>> = choices.iter().map(Value::as_str).collect();
        return texts.map(|texts| texts.into_iter().map(literal).collect::<Vec<_>>().join(" | "));
    }
    if schema.get("type").is_none_or(|kind| kind != "string") {
        return None;
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
        // Texts of the pattern that would end the parameter are left out.
        return Some(format!(r"/{}/ & /[^<\n]*/", schema::expression(pattern, r"[^<\n]*")));
    }
    let count = |key: &str| schema.get(key).and_then(Value::as_u64).map(|n| n as usize);
    let least = count("minLength").unwrap_or(1).max(1);
    let most = match (count("maxLength"), grammar.string_chars) {
        (Some(a), Some(b)) => Some(a.min(b).max(least)),
        (a, b) => a.or(b).map(|most| most.max(least)),
    };
    // White space at the ends would be cut off by the parser.
    let (edge, inner) = (r"[^<\s\x00-\x1f]", r"[^<\x00-\x1f]");
    Some(match (least, most) {
        (1, Some(1)) => format!("/{edge}/"),
        (1, most) => {
            let most = most.map_or_else(String::new, |most| (most - 2).to_string());
            format!("/{edge}({inner}{{0,{most}}}{edge})?/")
        }
        (least, most) => {
            let most = most.map_or_else(String::new, |most| (most - 2).to_string());
            format!("/{edge}{inner}{{{},{most}}}{edge}/", least - 2)
        }
    })
}

/// A part of a schema, with what its references point to.
fn with_definitions(schema: &Value, root: &Value) -> Value {
    let mut schema = schema.clone();
    if let Value::Object(schema) = &mut schema {
        for key in ["$defs", "definitions"] {
            if let Some(definitions) = root.get(key) {
                schema.entry(key).or_insert_with(|| definitions.clone());
            }
        }
    }
    schema
}
