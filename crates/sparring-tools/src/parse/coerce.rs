use super::grammar::Typing;
use crate::spec::words::Words;
use crate::{ToolSpec, json};
use serde_json::Value;

/// Converts the text inside a tag to a value; `None` if the notation says that it is JSON, and it is not.
///
/// Without a note in the text, the value is the first of an integer, another number, a boolean, an object, a list, null
/// and a text that the text can be read as and that the schema allows. What a schema allows follows from `type`,
/// `enum`, `const`, references and alternatives, as in validation. If the schema allows none, its types alone decide.
/// If they allow none, `null` is null and all else a text, so that validation can report it.
///
/// Without a schema, JSON is read as JSON, and other text, including text in quotes, is a string. If the family's
/// template writes Python's values (`python`), so are `True`, `None` and lists of Python's.
pub(super) fn coerce(text: &str, typing: Typing, python: bool, schema: Option<&Schema<'_>>) -> Option<Value> {
    let as_text = || Value::from(text);
    match typing {
        Typing::Text => return Some(as_text()),
        Typing::Json => return json::of_json(text).ok(),
        Typing::Unknown => {}
    }
    let allowed = |value: &Value, rule: Rule| schema.is_none_or(|schema| schema.allows(value, rule));
    let strict = |rule| plain(text, python).filter(|value| allowed(value, rule));
    let string = |rule| Some(as_text()).filter(|value| allowed(value, rule));
    let loose = |rule| relaxed(text).into_iter().find(|value| allowed(value, rule));
    let by = |rule| strict(rule).or_else(|| string(rule)).or_else(|| loose(rule));
    let absent = || (text == "null" || (python && text == "None")).then_some(Value::Null);
    Some(by(Rule::All).or_else(|| by(Rule::Types)).or_else(absent).unwrap_or_else(as_text))
}

/// Reads a text as its family writes values that are no texts; `None` if it is a text.
fn plain(text: &str, python: bool) -> Option<Value> {
    let value = match text {
        "True" | "False" | "None" if python => json::relaxed(text).ok(),
        _ if python && text.starts_with(['[', '{']) => json::relaxed(text).ok(),
        _ if begins_as_json(text) => serde_json::from_str(text).ok().or_else(|| structure(text)),
        _ => None,
    };
    value.filter(|value| !value.is_string())
}

/// Returns whether a text begins as JSON other than a string: most values are words, which need no parser.
fn begins_as_json(text: &str) -> bool {
    let first = |c: char| c.is_ascii_digit() || matches!(c, '-' | '{' | '[' | 't' | 'f' | 'n');
    text.trim_start().starts_with(first)
}

/// Reads a list or an object of JSON that only differs from JSON in its quotes or commas.
fn structure(text: &str) -> Option<Value> {
    text.starts_with(['[', '{']).then(|| json::of_json(text).ok()).flatten()
}

/// The values that a text may mean if it cannot be a text.
fn relaxed(text: &str) -> Vec<Value> {
    let word = match text.trim().to_ascii_lowercase().as_str() {
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        "null" | "none" => Some(Value::Null),
        _ => None,
    };
    let value = json::relaxed(text).ok().filter(|value| !value.is_string());
    let integer = value.as_ref().and_then(whole);
    integer.into_iter().chain(value).chain(word).collect()
}

/// Returns `5.0` as an integer.
fn whole(value: &Value) -> Option<Value> {
    let float = value.as_f64()?;
    (value.is_f64() && float.fract() == 0.0 && float.abs() < 9e15).then(|| Value::from(float as i64))
}

/// Largest nesting of references and alternatives that is followed.
const MAX_DEPTH: usize = 8;

/// What of a schema counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    All,
    /// Everything but lists of allowed values.
    Types,
}

/// A tool's name and the schema of its arguments, in the words that validation uses.
#[derive(Debug)]
pub(super) struct Typed {
    pub(super) name: String,
    schema: Value,
}

impl Typed {
    fn new(tool: ToolSpec) -> Self {
        Self { schema: tool.schema(Words::Validator), name: tool.name }
    }

    /// Returns the schema of an argument, wherever the tool's schema has it.
    pub(super) fn argument<'a>(&'a self, name: &str) -> Option<Schema<'a>> {
        let mut found = Vec::new();
        self.find(&self.schema, name, 0, &mut found);
        if found.is_empty() && self.schema.get("patternProperties").is_none() {
            found.extend(self.schema.get("additionalProperties").filter(|schema| schema.is_object()));
        }
        (!found.is_empty()).then_some(Schema { of: found, root: &self.schema })
    }

    /// Returns whether the tool's schema says that there is no such parameter.
    pub(super) fn lacks(&self, name: &str) -> bool {
        let open =
            ["patternProperties", "additionalProperties"].iter().any(|key| match self.schema.get(key) {
                None | Some(Value::Bool(false)) => false,
                Some(_) => true,
            });
        !open && self.argument(name).is_none()
    }

    fn find<'a>(&'a self, schema: &'a Value, name: &str, depth: usize, found: &mut Vec<&'a Value>) {
        if depth > MAX_DEPTH {
            return;
        }
        found.extend(schema.get("properties").and_then(|properties| properties.get(name)));
        if let Some(target) = schema.get("$ref").and_then(|target| resolve(&self.schema, target)) {
            self.find(target, name, depth + 1, found);
        }
        for key in ["allOf", "anyOf", "oneOf"] {
            for branch in schema.get(key).and_then(Value::as_array).into_iter().flatten() {
                self.find(branch, name, depth + 1, found);
            }
        }
    }
}

/// The schemas of one argument, one of which applies, and the document that they refer to.
#[derive(Debug)]
pub(super) struct Schema<'a> {
    of: Vec<&'a Value>,
    root: &'a Value,
}

impl Schema<'_> {
    fn allows(&self, value: &Value, rule: Rule) -> bool {
        self.of.iter().any(|schema| allows(schema, value, rule, self.root, 0))
    }
}

/// Returns whether the keywords of a schema that say something about types allow this value.
fn allows(schema: &Value, value: &Value, rule: Rule, root: &Value, depth: usize) -> bool {
    let Some(map) = schema.as_object().filter(|_| depth <= MAX_DEPTH) else {
        return *schema != Value::Bool(false);
    };
    map.iter().all(|(key, keyword)| keyword_allows(key, keyword, value, rule, root, depth))
}

fn keyword_allows(key: &str, keyword: &Value, value: &Value, rule: Rule, root: &Value, depth: usize) -> bool {
    let inner = |schema: &Value| allows(schema, value, rule, root, depth + 1);
    match (key, keyword) {
        ("type", Value::String(kind)) => is_a(value, kind),
        ("type", Value::Array(kinds)) => {
            kinds.iter().any(|kind| kind.as_str().is_none_or(|k| is_a(value, k)))
        }
        ("enum", Value::Array(allowed)) if rule == Rule::All => allowed.contains(value),
        // Even where the listed values do not count, their types do.
        ("enum", Value::Array(allowed)) => allowed.iter().any(|one| same_kind(one, value)),
        ("const", one) if rule == Rule::All => one == value,
        ("const", one) => same_kind(one, value),
        ("$ref", target) => resolve(root, target).is_none_or(inner),
        ("allOf", Value::Array(parts)) => parts.iter().all(inner),
        ("anyOf" | "oneOf", Value::Array(parts)) => parts.iter().any(inner),
        _ => true,
    }
}

/// Returns whether a value has a type of JSON Schema; other words allow anything.
fn is_a(value: &Value, kind: &str) -> bool {
    match kind {
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "null" => value.is_null(),
        _ => true,
    }
}

fn same_kind(a: &Value, b: &Value) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

/// Returns the part of the document that a reference such as `#/$defs/Name` points to.
fn resolve<'a>(root: &'a Value, target: &Value) -> Option<&'a Value> {
    root.pointer(target.as_str()?.strip_prefix('#')?)
}

/// Returns the tool with this name.
pub(super) fn tool<'a>(tools: &'a [Typed], name: &str) -> Option<&'a Typed> {
    tools.iter().find(|tool| tool.name == name)
}

/// Returns the names and schemas of tools.
pub(super) fn typed(tools: Vec<ToolSpec>) -> Vec<Typed> {
    tools.into_iter().map(Typed::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str, schema: &Value, python: bool) -> Value {
        let root = json!({"$defs": {
            "Name": {"type": "string"}, "Loop": {"$ref": "#/$defs/Loop"},
            "Place": {"type": "object", "properties": {"city": {"type": "string"}}}
        }});
        let schema = Schema { of: vec![schema], root: &root };
        coerce(text, Typing::Unknown, python, Some(&schema)).unwrap()
    }

    #[test]
    fn the_schema_decides_and_other_text_stays_a_string() {
        for (text, schema, want) in [
            ("5", json!({"type": "string"}), json!("5")),
            ("5", json!({"type": "integer"}), json!(5)),
            ("5.0", json!({"type": "integer"}), json!(5)),
            ("5.5", json!({"type": "integer"}), json!("5.5")),
            ("5.0", json!({"type": "number"}), json!(5.0)),
            ("1_000", json!({"type": "integer"}), json!(1000)),
            ("007", json!({"type": ["string", "integer"]}), json!("007")),
            ("inf", json!({"type": "number"}), json!("inf")),
            ("True", json!({"type": "boolean"}), json!(true)),
            ("TRUE", json!({"type": "boolean"}), json!(true)),
            ("true", json!({"type": "string"}), json!("true")),
            ("null", json!({"type": ["integer", "null"]}), json!(null)),
            ("null", json!({"type": "string"}), json!("null")),
            ("null", json!({"type": "integer"}), json!(null)),
            ("None", json!({"type": "string"}), json!("None")),
            ("Null", json!({"type": "string"}), json!("Null")),
            ("{'a': [1]}", json!({"type": "object"}), json!({"a": [1]})),
            ("[1", json!({"type": "array"}), json!("[1")),
            ("7", json!({"anyOf": [{"type": "string"}, {"type": "integer"}]}), json!(7)),
            ("{}", json!({"anyOf": [{"$ref": "#/$defs/Place"}, {"type": "null"}]}), json!({})),
            ("7", json!({"enum": ["7", "8"]}), json!("7")),
            ("1", json!({"enum": ["1", "2", null]}), json!("1")),
            ("5", json!({"type": ["string", "integer"], "enum": ["5", "auto"]}), json!("5")),
            ("3", json!({"type": "integer", "enum": [1, 2]}), json!(3)),
            ("9", json!({"enum": ["7", "8"]}), json!("9")),
            ("7", json!({"description": "anything"}), json!(7)),
            ("7", json!({"$ref": "#/$defs/Name"}), json!("7")),
            ("7", json!({"$ref": "#/$defs/Place/properties/city"}), json!("7")),
            ("7", json!({"$ref": "#/$defs/Loop"}), json!(7)),
            ("7", json!({"allOf": [{"description": "a name"}, {"$ref": "#/$defs/Name"}]}), json!("7")),
            ("7", json!({"const": "7"}), json!("7")),
            ("7", json!({"anyOf": [{"const": "7"}, {"type": "boolean"}]}), json!("7")),
        ] {
            assert_eq!(read(text, &schema, false), want, "{text} as {schema}");
        }
    }

    #[test]
    fn pythons_values_are_read_where_templates_write_them() {
        for (text, schema, want) in [
            ("None", json!({"type": ["integer", "null"]}), json!(null)),
            ("None", json!({"type": ["string", "null"]}), json!(null)),
            ("None", json!({"type": "string"}), json!("None")),
            ("True", json!({}), json!(true)),
            ("['a', 'b']", json!({}), json!(["a", "b"])),
            ("'a'", json!({}), json!("'a'")),
            ("123_456", json!({}), json!("123_456")),
        ] {
            assert_eq!(read(text, &schema, true), want, "{text} as {schema}");
        }
        assert_eq!(read("True", &json!({}), false), json!("True"));
    }

    #[test]
    fn the_notation_decides_first() {
        assert_eq!(coerce("oops", Typing::Json, false, None), None);
        assert_eq!(coerce("1", Typing::Text, false, None), Some(json!("1")));
        assert_eq!(coerce("\"quoted\"", Typing::Unknown, false, None), Some(json!("\"quoted\"")));
    }

    #[test]
    fn arguments_are_found_in_branches_and_by_reference() {
        let tool = ToolSpec::from_json(&json!({"name": "u", "parameters": {
            "type": "object", "properties": {"t": {"type": "string"}, "s": {"$ref": "#/properties/t"}},
            "anyOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"b": {"type": "integer"}}}]
        }}));
        let typed = Typed::new(tool.unwrap());
        let read = |name: &str| coerce("5", Typing::Unknown, false, typed.argument(name).as_ref()).unwrap();
        assert_eq!(
            [read("a"), read("b"), read("s"), read("c")],
            [json!("5"), json!(5), json!("5"), json!(5)]
        );
        assert!(typed.lacks("c") && !typed.lacks("a"));
    }
}
