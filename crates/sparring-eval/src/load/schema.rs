//! The type names that benchmarks use, as JSON Schema has them.

use serde_json::{Map, Value};

/// The JSON Schema of a parameter whose types are written as Python, Java, JavaScript or a paper write them.
/// Nested schemas (`properties`, `items`) are translated too; other keywords stay.
pub(crate) fn translate(schema: &Value) -> Value {
    let Value::Object(map) = schema else { return schema.clone() };
    let mut out = Map::new();
    for (key, value) in map {
        let value = match (key.as_str(), value) {
            ("type", Value::String(name)) => type_name(name).into(),
            ("properties", Value::Object(inner)) => {
                inner.iter().map(|(name, schema)| (name.clone(), translate(schema))).collect()
            }
            ("items" | "additionalProperties", inner) => translate(inner),
            _ => value.clone(),
        };
        out.insert(key.clone(), value);
    }
    Value::Object(out)
}

/// The JSON type for another language's name of a type; text where nothing better is known.
pub(crate) fn type_name(name: &str) -> &'static str {
    let lower = name.trim().to_ascii_lowercase();
    let head = lower.split(['(', '[', '<', '{']).next().unwrap_or_default().trim();
    match head {
        "int" | "integer" | "long" | "short" | "byte" | "bigint" => "integer",
        "float" | "double" | "number" => "number",
        "bool" | "boolean" => "boolean",
        "list" | "array" | "arraylist" | "tuple" | "set" | "queue" | "stack" => "array",
        "dict" | "object" | "hashmap" | "hashtable" => "object",
        "null" | "none" => "null",
        _ => "string",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nested_types_are_translated_and_keywords_kept() {
        let schema = json!({"type": "dict", "description": "d", "properties": {
            "a": {"type": "tuple", "items": {"type": "float"}, "default": "dict"},
            "b": {"type": "any", "enum": ["float"]}}});
        let want = json!({"type": "object", "description": "d", "properties": {
            "a": {"type": "array", "items": {"type": "number"}, "default": "dict"},
            "b": {"type": "string", "enum": ["float"]}}});
        assert_eq!(translate(&schema), want);
    }

    #[test]
    fn names_of_many_tongues() {
        for (name, want) in [
            ("str", "string"),
            ("list(str)", "array"),
            ("Array[Object{x: string}]", "array"),
            ("HashMap", "object"),
            ("Bigint", "integer"),
            ("Double", "number"),
            ("Boolean", "boolean"),
        ] {
            assert_eq!(type_name(name), want, "{name}");
        }
    }
}
