use super::grammar::Typing;
use crate::json;
use crate::spec::words::standard_type;
use serde_json::{Map, Value};

/// Converts the text inside a tag to a value.
///
/// `null` is null: templates write it for missing values of any type. Otherwise, if the schema names types, the value
/// gets the first of them that the text can be read as, in the order `integer`, `number`, `boolean`, `object`, `array`,
/// `string`. Without a schema, JSON is read as JSON, and other text, including text in quotes, is a string. Text that
/// cannot be read as its type stays a string, so that validation can report it.
pub(super) fn coerce(text: &str, typing: Typing, schema: Option<Schema<'_>>) -> Value {
    let as_text = || Value::from(text);
    match typing {
        Typing::Text => as_text(),
        Typing::Json => json::of_json(text).unwrap_or_else(|_| as_text()),
        Typing::Unknown if text == "null" => Value::Null,
        Typing::Unknown => match schema.and_then(|schema| schema.types(0)) {
            Some(types) => ORDER
                .iter()
                .filter(|(name, _)| types.contains(name))
                .find_map(|(_, read)| read(text))
                .unwrap_or_else(as_text),
            None => {
                serde_json::from_str(text).ok().filter(|v: &Value| !v.is_string()).unwrap_or_else(as_text)
            }
        },
    }
}

type Read = fn(&str) -> Option<Value>;

const ORDER: [(&str, Read); 6] = [
    ("integer", |text| number(text).filter(|v| v.is_i64() || v.is_u64()).or_else(|| whole(text))),
    ("number", number),
    ("boolean", |text| match text.trim().to_ascii_lowercase().as_str() {
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        _ => None,
    }),
    ("object", |text| json::of_json(text).ok().filter(Value::is_object)),
    ("array", |text| json::of_json(text).ok().filter(Value::is_array)),
    ("string", |text| Some(Value::from(text))),
];

fn number(text: &str) -> Option<Value> {
    json::relaxed(text).ok().filter(Value::is_number)
}

/// Reads `5.0` as an integer.
fn whole(text: &str) -> Option<Value> {
    let float = number(text)?.as_f64()?;
    (float.fract() == 0.0 && float.abs() < 9e15).then(|| Value::from(float as i64))
}

/// Largest nesting of references and alternatives that is followed.
const MAX_DEPTH: usize = 8;

/// A parameter's schema, and the definitions that it may refer to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schema<'a> {
    pub(super) of: &'a Value,
    /// The keywords next to the parameters: `$defs`, `definitions`.
    pub(super) root: &'a Map<String, Value>,
}

impl<'a> Schema<'a> {
    /// Returns the types that the schema names, directly, in its alternatives or by reference; `None` if it names none.
    fn types(self, depth: usize) -> Option<Vec<&'static str>> {
        let schema = self.of.as_object().filter(|_| depth < MAX_DEPTH)?;
        let inner = |of: &'a Value| Schema { of, ..self }.types(depth + 1);
        match schema.get("type") {
            Some(Value::String(kind)) => return standard_type(kind).map(|kind| vec![kind]),
            Some(Value::Array(kinds)) => {
                return kinds.iter().map(|kind| standard_type(kind.as_str()?)).collect();
            }
            _ => {}
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            return inner(self.target(target)?);
        }
        if let Some(Value::Array(allowed)) = schema.get("enum") {
            return allowed.iter().all(Value::is_string).then(|| vec!["string"]);
        }
        if let Some(value) = schema.get("const") {
            return value.is_string().then(|| vec!["string"]);
        }
        // All of them apply: one that names types is enough.
        if let Some(Value::Array(parts)) = schema.get("allOf") {
            return parts.iter().find_map(inner);
        }
        let alternatives = ["anyOf", "oneOf"].iter().find_map(|key| schema.get(*key)?.as_array())?;
        // One alternative without types leaves the type open.
        let types: Option<Vec<_>> = alternatives.iter().map(inner).collect();
        Some(types?.concat())
    }

    /// Returns the definition for `#/$defs/Name`.
    fn target(self, reference: &str) -> Option<&'a Value> {
        let (section, name) = reference.strip_prefix("#/")?.split_once('/')?;
        self.root.get(section)?.get(name.replace("~1", "/").replace("~0", "~"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_schema_decides_and_other_text_stays_a_string() {
        let root = json!({"$defs": {"Name": {"type": "string"}, "Loop": {"$ref": "#/$defs/Loop"}}});
        let root = root.as_object().unwrap();
        for (text, schema, want) in [
            ("5", json!({"type": "string"}), json!("5")),
            ("5", json!({"type": "integer"}), json!(5)),
            ("5.0", json!({"type": "integer"}), json!(5)),
            ("5.5", json!({"type": "integer"}), json!("5.5")),
            ("5.0", json!({"type": "number"}), json!(5.0)),
            ("inf", json!({"type": "number"}), json!("inf")),
            ("True", json!({"type": "boolean"}), json!(true)),
            ("null", json!({"type": ["integer", "null"]}), json!(null)),
            ("null", json!({"type": "string"}), json!(null)),
            ("Null", json!({"type": "string"}), json!("Null")),
            ("{'a': [1]}", json!({"type": "object"}), json!({"a": [1]})),
            ("[1", json!({"type": "array"}), json!("[1")),
            ("7", json!({"anyOf": [{"type": "string"}, {"type": "integer"}]}), json!(7)),
            ("{}", json!({"anyOf": [{"$ref": "#/$defs/Place"}, {"type": "null"}]}), json!({})),
            ("5", json!({"type": "Integer"}), json!(5)),
            ("7", json!({"enum": ["7", "8"]}), json!("7")),
            ("7", json!({"description": "anything"}), json!(7)),
            ("7", json!({"$ref": "#/$defs/Name"}), json!("7")),
            ("7", json!({"$ref": "#/$defs/Loop"}), json!(7)),
            ("7", json!({"allOf": [{"description": "a name"}, {"$ref": "#/$defs/Name"}]}), json!("7")),
            ("7", json!({"const": "7"}), json!("7")),
        ] {
            assert_eq!(
                coerce(text, Typing::Unknown, Some(Schema { of: &schema, root })),
                want,
                "{text} as {schema}"
            );
        }
        assert_eq!(coerce("oops", Typing::Json, None), json!("oops"));
        assert_eq!(coerce("1", Typing::Text, None), json!("1"));
        assert_eq!(coerce("\"quoted\"", Typing::Unknown, None), json!("\"quoted\""));
    }
}
