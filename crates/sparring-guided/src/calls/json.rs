use super::CallGrammar;
use super::lark::{Rules, literal};
use crate::GuidedError;
use serde_json::{Map, Value, json};
use sparring_tools::ToolSpec;

/// `{"name": "f", "arguments": {...}}` between two texts.
pub(super) fn object(
    grammar: &CallGrammar,
    tool: &ToolSpec,
    (open, close): (&str, &str),
    key: &str,
    rules: &mut Rules,
) -> String {
    let head = format!("{open}{{\"name\": {}, \"{key}\": ", Value::from(tool.name.as_str()));
    let arguments = arguments(grammar, tool, rules, false);
    rules.fresh("call", format!("{} {arguments} {}", literal(&head), literal(&format!("}}{close}"))))
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
    let (head, close) = (literal(&format!("{open}{}{separator}", tool.name)), literal(close));
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
    Limits { chars: grammar.string_chars, in_tag }.apply(&mut schema);
    if let Value::Object(schema) = &mut schema {
        // Keywords that the parser does not know restrict nothing, rather than making the tool unusable.
        let style = json!({
            "whitespace_flexible": false, "item_separator": ", ", "key_separator": ": ", "lenient": true
        });
        schema.insert("x-guidance".to_owned(), style);
    }
    rules.fresh("json", format!("%json {schema}"))
}

/// Numbers are at most this large, unless the schema says more: JSON can write numbers that no program can hold.
const LARGEST: i64 = 1_000_000_000_000_000;

/// Keywords of which one says what a value is.
const SAY: [&str; 9] = ["type", "enum", "const", "$ref", "anyOf", "oneOf", "allOf", "properties", "items"];

/// What is asked of a value beyond its schema.
#[derive(Clone, Copy)]
struct Limits {
    chars: Option<usize>,
    in_tag: bool,
}

impl Limits {
    /// Adds the limits to a schema and those inside it. Objects with named properties take no others, and a value of
    /// any type is a simple one.
    fn apply(self, schema: &mut Value) {
        let map = match schema {
            Value::Object(map) => map,
            Value::Bool(true) => {
                *schema = json!({});
                return self.apply(schema);
            }
            _ => return,
        };
        if !SAY.iter().any(|key| map.contains_key(*key)) {
            map.insert("type".to_owned(), json!(["string", "number", "boolean", "null"]));
        }
        self.apply_here(map);
        for key in ["items", "additionalProperties", "not"] {
            map.get_mut(key).into_iter().for_each(|inner| self.apply(inner));
        }
        for key in ["properties", "patternProperties", "$defs", "definitions"] {
            let inner = map.get_mut(key).and_then(Value::as_object_mut);
            inner.into_iter().flat_map(Map::values_mut).for_each(|inner| self.apply(inner));
        }
        for key in ["anyOf", "oneOf", "allOf", "prefixItems"] {
            let inner = map.get_mut(key).and_then(Value::as_array_mut);
            inner.into_iter().flatten().for_each(|inner| self.apply(inner));
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
            for (key, exclusive, bound) in
                [("minimum", "exclusiveMinimum", -LARGEST), ("maximum", "exclusiveMaximum", LARGEST)]
            {
                if !map.contains_key(exclusive) {
                    map.entry(key).or_insert(bound.into());
                }
            }
        }
        if is(map, "string") && !map.contains_key("format") && !map.contains_key("pattern") {
            if let Some(chars) = self.chars {
                map.entry("maxLength").or_insert(chars.into());
            }
            if self.in_tag {
                map.insert("pattern".to_owned(), "^[^<]*$".into());
            }
        }
        if is(map, "object") {
            let named = map.get("properties").and_then(Value::as_object).is_some_and(|all| !all.is_empty());
            let others = if named { Value::Bool(false) } else { json!({}) };
            map.entry("additionalProperties").or_insert(others);
        }
        if is(map, "array") {
            map.entry("items").or_insert(json!({}));
        }
    }
}
