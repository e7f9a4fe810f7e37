//! Formats that write each argument between tags: strings as they are, other values as JSON.

use super::lark::{Rules, literal, sequence};
use super::{CallGrammar, json, literals, schema};
use crate::GuidedError;
use serde_json::Value;
use sparring_tools::ToolSpec;

/// How a format with tags writes a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tags {
    /// Before and after the name, and after the arguments.
    pub(super) call: [&'static str; 3],
    /// Before and after a parameter's name, and after its value.
    pub(super) parameter: [&'static str; 3],
    pub(super) notes: Notes,
}

/// What a format notes about a value's type; it stands between the name and the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notes {
    /// Nothing.
    None,
    /// Nothing, and Python's words for true, false and null are the family's.
    Python,
    /// Nothing, and values that are no texts are all Python's.
    PythonLists,
    /// Whether it is a string: `string="true"`.
    String,
    /// Its type: `type="string"`.
    Type,
}

/// The rule of one call.
pub(super) fn call(
    grammar: &CallGrammar,
    tool: &ToolSpec,
    tags: &Tags,
    rules: &mut Rules,
) -> Result<String, GuidedError> {
    let arguments = arguments(grammar, tool, rules, tags)?;
    let [open, named, close] = tags.call;
    // Kimi K3 numbers its calls.
    let head = match named.split_once('N') {
        Some((before, after)) => {
            format!("{} /[1-9][0-9]?/ {}", literal(&format!("{open}{}{before}", tool.name)), literal(after))
        }
        None => literal(&format!("{open}{}{named}", tool.name)),
    };
    Ok(rules.fresh("call", format!("{head} {arguments} {}", literal(close))))
}

/// The arguments in their order.
fn arguments(
    grammar: &CallGrammar,
    tool: &ToolSpec,
    rules: &mut Rules,
    tags: &Tags,
) -> Result<String, GuidedError> {
    let [before, between, behind] = tags.parameter;
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
        let note = tags.notes.of(schema, text.is_some());
        let value = match text {
            // A terminal, since one may be an intersection.
            Some(body) => rules.fresh("TEXT", body),
            None if tags.notes == Notes::Python
                && schema.get("type").is_some_and(|kind| kind == "boolean") =>
            {
                r#"("True" | "False")"#.to_owned()
            }
            None if tags.notes == Notes::PythonLists => {
                let value = literals::python_value(grammar, schema, &root, rules);
                value.map_err(|what| {
                    let what = format!("parameter `{name}`: {what}");
                    GuidedError::Tool { tool: tool.name.clone(), what }
                })?
            }
            None => json::value(grammar, with_definitions(schema, &root), rules, true),
        };
        let open = literal(&format!("{before}{name}{note}{between}"));
        let rule = rules.fresh("parameter", format!("{open} {value} {}", literal(behind)));
        parameters.push((rule, tool.required.contains(name)));
    }
    Ok(sequence(rules, &parameters, ""))
}

impl Notes {
    fn of(self, schema: &Value, string: bool) -> String {
        match self {
            Self::None | Self::Python | Self::PythonLists => String::new(),
            Self::String => format!("\" string=\"{string}\""),
            Self::Type if string => "\" type=\"string\"".to_owned(),
            Self::Type => {
                let kind = schema.get("type").and_then(Value::as_str).unwrap_or("object");
                format!("\" type=\"{kind}\"")
            }
        }
    }
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
