//! Where a schema has other schemas in it.

use serde_json::{Map, Value};

/// Keywords whose value is a schema, or a list of schemas.
const SCHEMAS: [&str; 15] = [
    "items",
    "additionalItems",
    "unevaluatedItems",
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "contains",
    "not",
    "if",
    "then",
    "else",
    "anyOf",
    "oneOf",
    "allOf",
    "prefixItems",
];

/// Keywords whose value maps names to schemas.
const NAMED: [&str; 5] = ["properties", "patternProperties", "dependentSchemas", "$defs", "definitions"];

/// Returns whether the keyword's value is a schema, or a list of schemas.
pub(crate) fn has_schemas(keyword: &str) -> bool {
    SCHEMAS.contains(&keyword)
}

/// Returns whether the keyword's value maps names to schemas.
pub(crate) fn has_named(keyword: &str) -> bool {
    NAMED.contains(&keyword)
}

/// Visits the keywords of a schema and of every schema inside it, each with its path (`.properties.city.items`).
pub(crate) fn each<'a>(schema: &'a Value, at: &str, visit: &mut impl FnMut(&'a Map<String, Value>, &str)) {
    let Value::Object(map) = schema else { return };
    visit(map, at);
    for (key, value) in map {
        match value {
            Value::Object(named) if has_named(key) => {
                for (name, schema) in named {
                    each(schema, &format!("{at}.{key}.{name}"), visit);
                }
            }
            Value::Object(_) if has_schemas(key) => each(value, &format!("{at}.{key}"), visit),
            Value::Array(list) if has_schemas(key) => {
                for (i, schema) in list.iter().enumerate() {
                    each(schema, &format!("{at}.{key}[{i}]"), visit);
                }
            }
            _ => {}
        }
    }
}

/// Changes the keywords of a schema and of every schema inside it.
pub(crate) fn each_mut(schema: &mut Value, change: &impl Fn(&mut Map<String, Value>)) {
    let Value::Object(map) = schema else { return };
    change(map);
    for (key, value) in map {
        match value {
            Value::Object(named) if has_named(key) => {
                for schema in named.values_mut() {
                    each_mut(schema, change);
                }
            }
            Value::Object(_) if has_schemas(key) => each_mut(value, change),
            Value::Array(list) if has_schemas(key) => {
                for schema in list {
                    each_mut(schema, change);
                }
            }
            _ => {}
        }
    }
}
