//! Schema documents that stand on their own.

use serde_json::{Map, Value, json};

/// Name of the parameters' schema as a whole, for references into it.
pub(super) const ROOT: &str = "urn:tool";

/// Keywords that concern all arguments; `properties` and `required` are checked one by one.
pub(super) const TOGETHER: [&str; 14] = [
    "$ref",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "minProperties",
    "maxProperties",
    "patternProperties",
    "propertyNames",
];

/// Returns a document for the part of `whole` at a path, with everything that its references may need. Usually these
/// are the tool's definitions only, so that an invalid schema of another parameter does no harm.
pub(super) fn part(whole: &Value, path: &[&str]) -> Value {
    let schema = path.iter().try_fold(whole, |value, key| value.get(key)).unwrap_or(&Value::Bool(true));
    let Value::Object(map) = schema else { return schema.clone() };
    let document = Value::Object(with_definitions(map.clone(), whole));
    if !refers_elsewhere(&document) {
        return document;
    }
    // `#` refers to the parameters' schema (a recursive type), not to this parameter's.
    let mut root = needed(whole, path, schema);
    root.insert("$id".into(), ROOT.into());
    let tokens: Vec<_> = path.iter().map(|key| escaped(key)).collect();
    json!({ "$ref": format!("{ROOT}#/{}", tokens.join("/")), "$defs": { "root": root } })
}

/// Returns the keywords of `whole` that the schema at a path may refer to: of the properties, only those that it
/// mentions.
fn needed(whole: &Value, path: &[&str], schema: &Value) -> Map<String, Value> {
    let all = || whole.as_object().cloned().unwrap_or_default();
    let mut mentioned: Vec<String> = path.get(1).map(|name| (*name).to_owned()).into_iter().collect();
    let mut waiting: Vec<&Value> =
        DEFINITIONS.iter().filter_map(|key| whole.get(*key)).chain([schema]).collect();
    while let Some(schema) = waiting.pop() {
        let mut targets = Vec::new();
        references(schema, &mut targets);
        for target in targets.into_iter().filter(|target| target.starts_with('#') && !is_definition(target)) {
            let Some(name) = property(target) else { return all() };
            if !mentioned.contains(&name) {
                waiting.extend(whole["properties"].get(&name));
                mentioned.push(name);
            }
        }
    }
    let keep = |key: &str| DEFINITIONS.contains(&key) || key == "properties" || path.first() == Some(&key);
    let mut root = all();
    root.retain(|key, _| keep(key));
    if let Some(Value::Object(properties)) = root.get_mut("properties") {
        properties.retain(|name, _| mentioned.contains(name));
    }
    root
}

/// Returns the property that a reference leads to, if it is of that kind and plainly written.
fn property(target: &str) -> Option<String> {
    let name = target.strip_prefix("#/properties/")?.split('/').next()?;
    (!name.contains('%')).then(|| name.replace("~1", "/").replace("~0", "~"))
}

/// Collects the references of a schema and of the schemas inside it.
fn references<'a>(schema: &'a Value, found: &mut Vec<&'a str>) {
    match schema {
        Value::Object(map) => map.iter().for_each(|(key, value)| match (key.as_str(), value) {
            ("$ref" | "$dynamicRef", Value::String(target)) => found.push(target),
            _ => references(value, found),
        }),
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

/// Returns a document of the keywords that concern all arguments, if there are any.
pub(super) fn together(whole: &Value) -> Option<Value> {
    let keywords = whole.as_object()?.iter().filter(|(key, _)| TOGETHER.contains(&key.as_str()));
    let keywords: Map<_, _> = keywords.map(|(key, value)| (key.clone(), value.clone())).collect();
    if keywords.is_empty() {
        return None;
    }
    let document = Value::Object(with_definitions(keywords, whole));
    Some(if refers_elsewhere(&document) { whole.clone() } else { document })
}

const DEFINITIONS: [&str; 2] = ["$defs", "definitions"];

/// Adds the definitions of the whole; a schema's own ones count first.
fn with_definitions(mut schema: Map<String, Value>, whole: &Value) -> Map<String, Value> {
    for key in DEFINITIONS {
        let Some(Value::Object(definitions)) = whole.get(key) else { continue };
        if let Value::Object(known) = schema.entry(key).or_insert_with(|| json!({})) {
            for (name, definition) in definitions {
                known.entry(name).or_insert_with(|| definition.clone());
            }
        }
    }
    schema
}

fn is_definition(target: &str) -> bool {
    ["#/$defs/", "#/definitions/"].iter().any(|known| target.starts_with(known))
}

/// Returns whether a reference points into the document, but not at one of its definitions.
fn refers_elsewhere(schema: &Value) -> bool {
    let mut targets = Vec::new();
    references(schema, &mut targets);
    targets.iter().any(|target| target.starts_with('#') && !is_definition(target))
}

/// Writes a key as a token of a JSON Pointer in a URI.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1").bytes().map(percent_encoded).collect()
}

/// Writes a percent-encoded byte of a URI fragment.
fn percent_encoded(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}
