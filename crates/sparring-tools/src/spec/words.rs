//! Type names: those of JSON Schema, and those that models and benchmarks use.

use serde_json::{Map, Value};

/// Returns JSON Schema's name of a type, ignoring case; `None` for `any` and for unknown words.
///
/// The Java and JavaScript words are BFCL's (`bfcl-eval` 2026.3.23, type mappings).
pub(crate) fn standard_type(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "str" | "string" | "date" | "datetime" | "date-time" | "time" | "text" | "char" => "string",
        "int" | "integer" | "long" | "short" | "byte" | "bigint" => "integer",
        "float" | "double" | "number" | "numeric" => "number",
        "bool" | "boolean" => "boolean",
        "dict" | "object" | "hashmap" | "hashtable" => "object",
        "list" | "tuple" | "array" | "arraylist" | "queue" | "stack" | "set" => "array",
        "null" | "none" => "null",
        _ => return None,
    })
}

/// The type words that a schema is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    /// The original ones.
    AsTheyAre,
    /// JSON Schema's; `any` and unknown words become strings (BFCL's conversion).
    JsonSchema,
    /// JSON Schema's; `any` allows anything and unknown words are kept, so that a validator refuses them.
    Validator,
    /// `dict` and `float` for `object` and `number`.
    Bfcl,
}

impl Words {
    /// Translates one word; `None` if the type is to be left out.
    fn word(self, name: &str) -> Option<&str> {
        match self {
            Self::AsTheyAre => Some(name),
            Self::JsonSchema => Some(standard_type(name).unwrap_or("string")),
            Self::Validator if name.eq_ignore_ascii_case("any") => None,
            Self::Validator => Some(standard_type(name).unwrap_or(name)),
            Self::Bfcl => Some(match name {
                "object" => "dict",
                "number" => "float",
                other => other,
            }),
        }
    }

    /// Rewrites a schema with these words, wherever a schema may occur in it. Names of properties and plain data
    /// (`default`, `enum`, `const`, ...) are not schemas, whatever they look like.
    pub(crate) fn rewrite(self, schema: Value) -> Value {
        match schema {
            Value::Object(map) => self.rewrite_keywords(map).into(),
            other => other,
        }
    }

    /// Rewrites the keywords of a schema with these words.
    pub(crate) fn rewrite_keywords(self, schema: Map<String, Value>) -> Map<String, Value> {
        if self == Self::AsTheyAre {
            return schema;
        }
        schema.into_iter().filter_map(|(key, value)| self.keyword(&key, value).map(|v| (key, v))).collect()
    }

    fn keyword(self, key: &str, value: Value) -> Option<Value> {
        Some(match (key, value) {
            ("type", Value::String(name)) => self.word(&name)?.into(),
            ("type", Value::Array(names)) => self.union(names)?,
            // Draft 3's `"required": true`, and an enum left empty by its author, are not valid JSON Schema today.
            ("required", Value::Bool(_)) | ("enum", Value::Null) if self != Self::Bfcl => return None,
            (
                "items"
                | "additionalItems"
                | "unevaluatedItems"
                | "additionalProperties"
                | "unevaluatedProperties"
                | "propertyNames"
                | "contains"
                | "not"
                | "if"
                | "then"
                | "else"
                | "anyOf"
                | "oneOf"
                | "allOf"
                | "prefixItems",
                value,
            ) => match value {
                Value::Array(schemas) => schemas.into_iter().map(|schema| self.rewrite(schema)).collect(),
                schema => self.rewrite(schema),
            },
            (
                "properties" | "patternProperties" | "dependentSchemas" | "$defs" | "definitions",
                Value::Object(map),
            ) => self.rewrite_each(map).into(),
            (_, value) => value,
        })
    }

    /// Returns a list of distinct types.
    fn union(self, names: Vec<Value>) -> Option<Value> {
        let mut out: Vec<Value> = Vec::with_capacity(names.len());
        for name in names {
            let name = match &name {
                Value::String(text) => self.word(text)?.into(),
                _ => name,
            };
            if !out.contains(&name) {
                out.push(name);
            }
        }
        Some(out.into())
    }

    /// Rewrites a map of schemas with these words.
    pub(crate) fn rewrite_each(self, schemas: Map<String, Value>) -> Map<String, Value> {
        schemas.into_iter().map(|(name, schema)| (name, self.rewrite(schema))).collect()
    }
}
