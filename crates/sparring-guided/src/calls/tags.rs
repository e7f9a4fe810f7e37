//! Formats that write each argument between tags: strings as they are, other values as JSON.

use super::lark::{Rules, literal, sequence};
use super::{CallGrammar, json};
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
    let schema = tool.parameters_schema();
    let mut parameters = Vec::new();
    for name in tool.parameters.keys() {
        let schema = &schema["properties"][name.as_str()];
        let string = schema.get("type").is_some_and(|kind| kind == "string");
        let value = match schema.get("enum").and_then(Value::as_array) {
            Some(choices) if string && !choices.is_empty() => {
                let texts: Vec<String> = choices.iter().filter_map(Value::as_str).map(literal).collect();
                rules.fresh("choice", texts.join(" | "))
            }
            _ if string => {
                let most =
                    grammar.string_chars.map_or_else(|| "*".to_owned(), |most| format!("{{0,{most}}}"));
                format!(r"/[^<\s]([^<\n]{most}[^<\s])?/")
            }
            _ => json::value(grammar, schema.clone(), rules, true),
        };
        let (open, close) = write(name, string);
        let rule = rules.fresh("parameter", format!("{} {value} {}", literal(&open), literal(&close)));
        parameters.push((rule, tool.required.contains(name)));
    }
    Ok(sequence(rules, &parameters, ""))
}
