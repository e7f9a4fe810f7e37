//! Type names: those of JSON Schema, and those that models and benchmarks use.

use super::drafts;
use super::keywords::{has_named, has_schemas};
use serde_json::{Map, Value};

/// Returns JSON Schema's name of a type, ignoring case; `None` for `any` and for unknown words.
///
/// The Java and JavaScript words are BFCL's (`bfcl-eval` 2026.3.23, type mappings). Of `List[str]`, `Map<K, V>` and
/// `int[]`, only the container counts.
pub(crate) fn standard_type(name: &str) -> Option<&'static str> {
    let word = name.split(['[', '<']).next().unwrap_or(name);
    Some(match word.to_ascii_lowercase().as_str() {
        _ if name.ends_with("[]") => "array",
        kind if word.len() < name.len() => match kind {
            "list" | "tuple" | "set" | "array" | "arraylist" | "sequence" => "array",
            "dict" | "map" | "hashmap" => "object",
            _ => return None,
        },
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

/// Returns whether a word allows every type; `TYPE_UNSPECIFIED` is Gemini's, and Go writes the empty one.
fn is_any(name: &str) -> bool {
    ["any", "type_unspecified", ""].iter().any(|any| name.eq_ignore_ascii_case(any))
}

/// The type words that a schema is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    /// The original ones.
    AsTheyAre,
    /// JSON Schema's; `any` and unknown words become strings (BFCL's conversion).
    JsonSchema,
    /// As [`JsonSchema`](Self::JsonSchema), with the keywords of draft 2020-12.
    Modern,
    /// JSON Schema's, with the keywords of draft 2020-12; `any` allows anything and unknown words are kept, so that a
    /// validator refuses them.
    Validator,
    /// `dict` and `float` for `object` and `number`.
    Bfcl,
}

impl Words {
    /// Translates one word; `None` if the type is to be left out.
    fn word(self, name: &str) -> Option<&str> {
        match self {
            Self::AsTheyAre => Some(name),
            Self::JsonSchema | Self::Modern => Some(standard_type(name).unwrap_or("string")),
            Self::Validator if is_any(name) => None,
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
            // PHP's empty object.
            Value::Array(list) if list.is_empty() && self.are_modern() => Map::new().into(),
            other => other,
        }
    }

    /// Returns whether older drafts are translated to draft 2020-12.
    pub(super) fn are_modern(self) -> bool {
        matches!(self, Self::Modern | Self::Validator)
    }

    /// Rewrites the keywords of a schema with these words.
    fn rewrite_keywords(self, schema: Map<String, Value>) -> Map<String, Value> {
        if self == Self::AsTheyAre {
            return schema;
        }
        let schema = if self.are_modern() { drafts::modernised(schema) } else { schema };
        schema.into_iter().filter_map(|(key, value)| self.keyword(&key, value).map(|v| (key, v))).collect()
    }

    fn keyword(self, key: &str, value: Value) -> Option<Value> {
        Some(match (key, value) {
            ("type", Value::String(name)) => self.word(&name)?.into(),
            ("type", Value::Array(names)) => self.union(names)?,
            // Draft 3's `"required": true`, and an enum left empty by its author, are not valid JSON Schema today.
            ("required", Value::Bool(_)) | ("enum", Value::Null) if self != Self::Bfcl => return None,
            (key, Value::Array(schemas)) if has_schemas(key) => {
                schemas.into_iter().map(|schema| self.rewrite(schema)).collect()
            }
            (key, schema) if has_schemas(key) => self.rewrite(schema),
            (key, Value::Object(map)) if has_named(key) => self.rewrite_each(map).into(),
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
    fn rewrite_each(self, schemas: Map<String, Value>) -> Map<String, Value> {
        schemas.into_iter().map(|(name, schema)| (name, self.rewrite(schema))).collect()
    }
}
