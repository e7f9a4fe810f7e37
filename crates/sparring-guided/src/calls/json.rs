use super::CallGrammar;
use super::lark::{Rules, literal};
use crate::GuidedError;
use serde_json::{Map, Value, json};
use sparring_tools::{Format, ToolSpec};

/// `{"name": "f", "arguments": {...}}` between two texts.
pub(super) fn object(
    grammar: &CallGrammar,
    tool: &ToolSpec,
    (open, close): (&str, &str),
    key: &str,
    rules: &mut Rules,
) -> String {
    let head = format!("{open}{{\"name\": {}, \"{key}\": ", Value::from(tool.name.as_str()));
    // Tool-R0's tags are searched for in strings too.
    let arguments = arguments(grammar, tool, rules, grammar.format == Format::ToolR0);
    rules.fresh("call", format!("{} {arguments} {}", literal(&head), literal(&format!("}}{close}"))))
}

/// Cohere's `{"tool_call_id": "0", "tool_name": "f", "parameters": {...}}` between two texts.
pub(super) fn numbered(
    grammar: &CallGrammar,
    tool: &ToolSpec,
    (open, close): (&str, &str),
    rules: &mut Rules,
) -> String {
    let open = literal(&format!("{open}{{\"tool_call_id\": \""));
    let name = literal(&format!("\", \"tool_name\": {}, \"parameters\": ", Value::from(tool.name.as_str())));
    let arguments = arguments(grammar, tool, rules, false);
    let close = literal(&format!("}}{close}"));
    rules.fresh("call", format!("{open} /[0-9]{{1,2}}/ {name} {arguments} {close}"))
}

/// `{"f": {...}}`
pub(super) fn keyed(grammar: &CallGrammar, tool: &ToolSpec, rules: &mut Rules) -> String {
    let head = literal(&format!("{{{}: ", Value::from(tool.name.as_str())));
    let arguments = arguments(grammar, tool, rules, false);
    rules.fresh("call", format!("{head} {arguments} \"}}\""))
}

/// The name and the arguments, with texts before, between and behind.
pub(super) fn named(
    grammar: &CallGrammar,
    tool: &ToolSpec,
    [open, separator, close]: [&str; 3],
    rules: &mut Rules,
) -> Result<String, GuidedError> {
    if tool.name.is_empty() || tool.name.contains(|c: char| c.is_whitespace() || "[]{}<>:`".contains(c)) {
        let what = "this format cannot write its name; rename the tool, or choose another format".to_owned();
        return Err(GuidedError::Tool { tool: tool.name.clone(), what });
    }
    let arguments = arguments(grammar, tool, rules, false);
    let close = literal(close);
    // Kimi numbers its calls; what matters is the name before the number.
    let head = match separator.strip_prefix(":N") {
        Some(rest) => {
            format!("{} /[0-9]{{1,2}}/ {}", literal(&format!("{open}{}:", tool.name)), literal(rest))
        }
        None => literal(&format!("{open}{}{separator}", tool.name)),
    };
    Ok(rules.fresh("call", format!("{head} {arguments} {close}")))
}

/// A rule for the arguments as a JSON object.
fn arguments(grammar: &CallGrammar, tool: &ToolSpec, rules: &mut Rules, in_tag: bool) -> String {
    let mut schema = tool.parameters_schema();
    if let Value::Object(schema) = &mut schema {
        schema.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    value(grammar, schema, rules, in_tag)
}

/// A rule for JSON of a schema. With `in_tag`, no string holds `<`.
pub(super) fn value(grammar: &CallGrammar, mut schema: Value, rules: &mut Rules, in_tag: bool) -> String {
    let close = !schema.to_string().contains("\"allOf\"");
    Limits { chars: grammar.string_chars, in_tag, close }.apply(&mut schema);
    if let Value::Object(schema) = &mut schema {
        // Keywords that the parser does not know restrict nothing, rather than making the tool unusable.
        schema.insert("x-guidance".to_owned(), style());
    }
    rules.fresh("json", format!("%json {schema}"))
}

/// How JSON is written.
pub(crate) fn style() -> Value {
    json!({"whitespace_flexible": false, "item_separator": ", ", "key_separator": ": ", "lenient": true})
}

/// Numbers are at most this large, unless the schema says more: JSON can write numbers that no program can hold.
const LARGEST: i64 = 1_000_000_000_000_000;
/// Whole numbers may be identifiers.
const LARGEST_INTEGER: i64 = 1_000_000_000_000_000_000;

/// Keywords that restrict nothing: a schema of these alone takes any value.
const NOTES: [&str; 8] =
    ["title", "description", "default", "examples", "example", "deprecated", "readOnly", "$comment"];

/// What is asked of a value beyond its schema.
#[derive(Clone, Copy)]
struct Limits {
    chars: Option<usize>,
    in_tag: bool,
    /// Whether objects with named properties take no others; not where several schemas speak of one object.
    close: bool,
}

impl Limits {
    /// Adds the limits to a schema and those inside it. A value of any type is a simple one.
    fn apply(self, schema: &mut Value) {
        if *schema == Value::Bool(true) {
            *schema = json!({});
        }
        let Value::Object(map) = schema else { return };
        if map.keys().all(|key| NOTES.contains(&key.as_str())) {
            map.insert("type".to_owned(), json!(["string", "number", "boolean", "null"]));
        }
        self.apply_here(map);
        for key in ["items", "additionalProperties"] {
            map.get_mut(key).into_iter().for_each(|inner| self.apply(inner));
        }
        let inner = map.get_mut("properties").and_then(Value::as_object_mut);
        inner.into_iter().flat_map(Map::values_mut).for_each(|inner| self.apply(inner));
        for key in ["patternProperties", "$defs", "definitions"] {
            let inner = map.get_mut(key).and_then(Value::as_object_mut);
            inner.into_iter().flat_map(Map::values_mut).for_each(|inner| self.apply(inner));
        }
        // Alternatives beside properties speak of the same object as these do.
        let alternatives = Self { close: self.close && !map.contains_key("properties"), ..self };
        for (key, limits) in
            [("anyOf", alternatives), ("oneOf", alternatives), ("allOf", self), ("prefixItems", self)]
        {
            let inner = map.get_mut(key).and_then(Value::as_array_mut);
            inner.into_iter().flatten().for_each(|inner| limits.apply(inner));
        }
    }

    fn apply_here(self, map: &mut Map<String, Value>) {
        let is = |map: &Map<String, Value>, kind: &str| match map.get("type") {
            Some(Value::String(one)) => one == kind,
            Some(Value::Array(any)) => any.iter().any(|one| one == kind),
            _ => false,
        };
        if ["enum", "const"].iter().any(|key| map.contains_key(*key)) {
            return;
        }
        if is(map, "number") || is(map, "integer") {
            bound(map, if is(map, "number") { LARGEST } else { LARGEST_INTEGER });
        }
        if is(map, "string") && !map.contains_key("format") && !map.contains_key("pattern") {
            if let Some(chars) = self.chars {
                map.entry("maxLength").or_insert(chars.into());
            }
            if self.in_tag {
                map.insert("pattern".to_owned(), "^[^<]*$".into());
            }
        }
        let combined = ["anyOf", "oneOf", "allOf", "$ref"].iter().any(|key| map.contains_key(*key));
        if is(map, "object") && !combined {
            let named = map.get("properties").and_then(Value::as_object).is_some_and(|all| !all.is_empty());
            if !named {
                map.entry("additionalProperties").or_insert(json!({}));
            } else if self.close {
                map.entry("additionalProperties").or_insert(Value::Bool(false));
            }
        }
        if is(map, "array") && !map.contains_key("prefixItems") {
            map.entry("items").or_insert(json!({}));
        }
    }
}

/// Adds the bounds of numbers that a schema does not have, unless its own lie beyond them.
fn bound(map: &mut Map<String, Value>, largest: i64) {
    let keys = ["minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"];
    let beyond = |key: &&str| map.get(*key).and_then(Value::as_f64).is_some_and(|x| x.abs() > largest as f64);
    if keys.iter().any(beyond) {
        return;
    }
    for (key, exclusive, bound) in [(keys[0], keys[1], -largest), (keys[2], keys[3], largest)] {
        if !map.contains_key(exclusive) {
            map.entry(key).or_insert(bound.into());
        }
    }
}
