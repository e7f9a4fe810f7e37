//! Older drafts of JSON Schema, and notations close to it, in terms of draft 2020-12.
//!
//! Definitions come from generators of every age (draft-07 is still the usual one), from OpenAPI 3.0 and Gemini
//! (`nullable`, numbers in strings), and from languages whose empty map is written as an empty list. What is left is
//! what draft 2020-12 says; a keyword that it cannot express is dropped only if it restricts nothing.

use super::keywords::each_mut;
use super::pattern::ecma;
use serde_json::{Map, Value, json};

/// Rewrites the keywords of one schema; the schemas inside it are left for the caller to visit.
pub(super) fn modernised(mut schema: Map<String, Value>) -> Map<String, Value> {
    schema.retain(|key, value| !says_nothing(key, value));
    for (key, value) in &mut schema {
        read_scalar(key, value);
    }
    bounds(&mut schema);
    tuple(&mut schema);
    dependencies(&mut schema);
    draft_3(&mut schema);
    identifiers(&mut schema);
    required_flags(&mut schema);
    nullable(schema)
}

/// What a validator of draft 2020-12 refuses about the keywords of one schema, if anything.
pub(super) fn outdated(schema: &Map<String, Value>) -> Option<String> {
    schema.iter().find_map(|(key, value)| match value {
        Value::Null if !may_be_null(key) => Some(format!("`{key}` is null")),
        Value::Array(_) if key == "items" => Some("`items` is a list, which is now `prefixItems`".to_owned()),
        Value::Bool(_) if is_exclusive(key) => {
            Some(format!("`{key}` is a boolean, and is now the bound itself"))
        }
        Value::String(_) if is_number(key) => Some(format!("`{key}` is a string instead of a number")),
        _ => None,
    })
}

fn may_be_null(keyword: &str) -> bool {
    matches!(keyword, "default" | "const" | "example")
}

/// Returns whether a keyword can be dropped: null, an empty value of the wrong kind, or an annotation that is not of
/// its kind.
fn says_nothing(key: &str, value: &Value) -> bool {
    let empty = match value {
        Value::Null => return !may_be_null(key),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    match key {
        "$schema" | "$recursiveAnchor" => true,
        "id" => value.is_string() && !is_fragment(value),
        "type" => empty && !value.is_string(),
        "$ref" | "$id" | "enum" | "anyOf" | "oneOf" | "allOf" | "prefixItems" | "extends" | "disallow" => {
            empty
        }
        "items"
        | "additionalItems"
        | "properties"
        | "patternProperties"
        | "$defs"
        | "definitions"
        | "dependencies"
        | "dependentSchemas"
        | "dependentRequired"
        | "unevaluatedItems"
        | "unevaluatedProperties"
        | "propertyNames"
        | "contains"
        | "not"
        | "if"
        | "then"
        | "else" => empty && value.is_array(),
        "required" => empty && value.is_object(),
        "title" | "description" | "$comment" | "format" | "contentEncoding" | "contentMediaType" => {
            !value.is_string()
        }
        "deprecated" | "readOnly" | "writeOnly" => !value.is_boolean(),
        "examples" => !value.is_array(),
        _ => false,
    }
}

/// Reads a number or a boolean that is written as a string, another language's pattern, and an empty list as an empty
/// schema.
fn read_scalar(key: &str, value: &mut Value) {
    let read = match &*value {
        Value::String(pattern) if key == "pattern" => Some(ecma(pattern).into()),
        Value::String(text) => serde_json::from_str(text).ok().filter(|read: &Value| {
            read.is_number() && is_number(key) || read.is_boolean() && (is_exclusive(key) || is_flag(key))
        }),
        Value::Array(list) if list.is_empty() && key == "additionalProperties" => Some(true.into()),
        _ => None,
    };
    if let Some(read) = read {
        *value = read;
    }
}

fn is_number(keyword: &str) -> bool {
    matches!(
        keyword,
        "minimum"
            | "maximum"
            | "exclusiveMinimum"
            | "exclusiveMaximum"
            | "multipleOf"
            | "divisibleBy"
            | "minLength"
            | "maxLength"
            | "minItems"
            | "maxItems"
            | "minContains"
            | "maxContains"
            | "minProperties"
            | "maxProperties"
    )
}

fn is_exclusive(keyword: &str) -> bool {
    matches!(keyword, "exclusiveMinimum" | "exclusiveMaximum")
}

fn is_flag(keyword: &str) -> bool {
    matches!(keyword, "uniqueItems" | "nullable" | "additionalProperties" | "additionalItems" | "required")
}

/// `{"minimum": 0, "exclusiveMinimum": true}` of draft-04.
fn bounds(schema: &mut Map<String, Value>) {
    for (exclusive, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        let Some(Value::Bool(applies)) = schema.get(exclusive) else { continue };
        let value = if *applies { schema.shift_remove(bound) } else { None };
        match value.filter(|value| !value.is_boolean()) {
            Some(value) => schema.insert(exclusive.to_owned(), value),
            None => schema.shift_remove(exclusive),
        };
    }
}

/// `{"items": [{...}, {...}], "additionalItems": false}` up to draft 2019-09.
fn tuple(schema: &mut Map<String, Value>) {
    let rest = schema.shift_remove("additionalItems");
    if !schema.get("items").is_some_and(Value::is_array) {
        return;
    }
    if let Some(items) = schema.shift_remove("items") {
        schema.insert("prefixItems".to_owned(), items);
    }
    if let Some(rest) = rest {
        schema.insert("items".to_owned(), rest);
    }
}

/// `dependencies` up to draft-07: lists of names and schemas under one keyword.
fn dependencies(schema: &mut Map<String, Value>) {
    let Some(Value::Object(dependencies)) = schema.get("dependencies") else { return };
    let (mut required, mut schemas) = (Map::new(), Map::new());
    for (name, value) in dependencies {
        match value {
            Value::Array(_) => drop(required.insert(name.clone(), value.clone())),
            Value::String(other) => drop(required.insert(name.clone(), json!([other]))),
            _ => drop(schemas.insert(name.clone(), value.clone())),
        }
    }
    schema.shift_remove("dependencies");
    for (key, map) in [("dependentRequired", required), ("dependentSchemas", schemas)] {
        if map.is_empty() {
            continue;
        }
        if let Value::Object(known) = schema.entry(key).or_insert_with(|| json!({})) {
            for (name, value) in map {
                known.entry(name).or_insert(value);
            }
        }
    }
}

/// Keywords that draft-04 renamed, and schemas among the types.
fn draft_3(schema: &mut Map<String, Value>) {
    if let Some(step) = schema.shift_remove("divisibleBy") {
        schema.entry("multipleOf").or_insert(step);
    }
    match schema.get("extends") {
        Some(Value::Array(bases)) => and_all(schema, bases.clone()),
        Some(base @ Value::Object(_)) => and_all(schema, vec![base.clone()]),
        _ => {}
    }
    schema.shift_remove("extends");
    if let Some(types) = schema.shift_remove("disallow") {
        and_all(schema, vec![json!({"not": {"type": types}})]);
    }
    if let Some(Value::Array(types)) = schema.get("type")
        && types.iter().any(Value::is_object)
    {
        let choices = types.iter().map(|kind| match kind {
            Value::Object(_) => kind.clone(),
            name => json!({ "type": name }),
        });
        let choices = json!({"anyOf": choices.collect::<Vec<_>>()});
        schema.shift_remove("type");
        and_all(schema, vec![choices]);
    }
}

/// Adds schemas that must hold as well.
fn and_all(schema: &mut Map<String, Value>, more: Vec<Value>) {
    if let Value::Array(all) = schema.entry("allOf").or_insert_with(|| json!([])) {
        all.extend(more);
    }
}

fn is_fragment(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.starts_with('#'))
}

/// Names of schemas: `"id": "#name"` of draft-04, `"$id": "#name"` of draft-06, `$recursiveRef` of draft 2019-09.
fn identifiers(schema: &mut Map<String, Value>) {
    for key in ["id", "$id"] {
        if let Some(name) = schema.get(key).filter(|name| is_fragment(name)).and_then(Value::as_str) {
            let name = name[1..].to_owned();
            schema.shift_remove(key);
            if !name.is_empty() {
                schema.entry("$anchor").or_insert_with(|| name.into());
            }
        }
    }
    if let Some(target) = schema.shift_remove("$recursiveRef") {
        schema.entry("$ref").or_insert(target);
    }
}

/// Draft-03's `"required": true` on a property is an entry of the object's list today.
fn required_flags(schema: &mut Map<String, Value>) {
    match schema.get_mut("required") {
        Some(Value::Bool(_)) => drop(schema.shift_remove("required")),
        Some(Value::Array(names)) => distinct(names),
        _ => {}
    }
    let Some(Value::Object(properties)) = schema.get("properties") else { return };
    let flag = |property: &Value| match property.get("required") {
        Some(Value::String(text)) => text == "true",
        flag => flag == Some(&Value::Bool(true)),
    };
    let mut names =
        properties.iter().filter(|(_, p)| flag(p)).map(|(name, _)| Value::from(name.as_str())).peekable();
    if names.peek().is_none() {
        return;
    }
    let names: Vec<_> = names.collect();
    if let Value::Array(required) = schema.entry("required").or_insert_with(|| json!([])) {
        required.extend(names);
        distinct(required);
    }
}

/// Removes repetitions, which a list of required names may not have.
fn distinct(names: &mut Vec<Value>) {
    let mut seen = Vec::with_capacity(names.len());
    names.retain(|name| {
        let new = !seen.contains(name);
        seen.push(name.clone());
        new
    });
}

/// Keywords that apply other schemas to the same value; null would have to pass them as well.
const IN_PLACE: [&str; 8] =
    ["$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "not", "if", "dependentSchemas"];

/// Keywords that stay outside when the rest of a schema becomes an alternative to null.
fn stays_outside(keyword: &str) -> bool {
    matches!(
        keyword,
        "$defs"
            | "definitions"
            | "$id"
            | "$anchor"
            | "title"
            | "description"
            | "default"
            | "example"
            | "examples"
            | "$comment"
            | "deprecated"
            | "readOnly"
            | "writeOnly"
    )
}

/// Returns whether null is an alternative to the whole schema, rather than one more type.
fn is_alternative(schema: &Map<String, Value>) -> bool {
    schema.get("nullable") == Some(&Value::Bool(true)) && IN_PLACE.iter().any(|key| schema.contains_key(*key))
}

/// `"nullable": true` of OpenAPI 3.0 and Gemini.
fn nullable(mut schema: Map<String, Value>) -> Map<String, Value> {
    let alternative = is_alternative(&schema);
    if schema.shift_remove("nullable") != Some(Value::Bool(true)) {
        return schema;
    }
    if alternative {
        let (mut outer, inner): (Map<_, _>, Map<_, _>) =
            schema.into_iter().partition(|(key, _)| stays_outside(key));
        outer.insert("anyOf".to_owned(), json!([inner, {"type": "null"}]));
        return outer;
    }
    if let Some(value) = schema.shift_remove("const") {
        schema.entry("enum").or_insert_with(|| json!([value]));
    }
    if let Some(kind @ Value::String(_)) = schema.get("type").cloned() {
        schema.insert("type".to_owned(), json!([kind]));
    }
    for (key, null) in [("type", json!("null")), ("enum", Value::Null)] {
        if let Some(Value::Array(list)) = schema.get_mut(key)
            && !list.contains(&null)
        {
            list.push(null);
        }
    }
    schema
}

/// Corrects the references of a rewritten schema: they were written for `original`, in which a tuple's schemas are
/// under `items`, and so on.
pub(super) fn redirect(schema: &mut Value, original: &Value) {
    let own = original.get("$id").or_else(|| original.get("id")).and_then(Value::as_str).unwrap_or("");
    each_mut(schema, &|map| {
        let Some(Value::String(target)) = map.get_mut("$ref") else { return };
        let rest = if own.is_empty() { None } else { target.strip_prefix(own.trim_end_matches('#')) };
        if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with('#')) {
            *target = if rest.is_empty() { "#".to_owned() } else { rest.to_owned() };
        }
        if let Some(path) = target.strip_prefix("#/") {
            *target = pointer(path, original);
        }
    });
}

/// Returns where the target of a JSON Pointer is after rewriting.
fn pointer(path: &str, original: &Value) -> String {
    let (mut out, mut node) = (String::from("#"), Some(original));
    for token in path.split('/') {
        let name = token.replace("~1", "/").replace("~0", "~");
        let map = node.and_then(Value::as_object);
        if map.is_some_and(is_alternative) && !stays_outside(&name) {
            out.push_str("/anyOf/0");
        }
        let tuple = map.and_then(|map| map.get("items")).is_some_and(Value::is_array);
        let token = match name.as_str() {
            "items" if tuple => "prefixItems",
            "additionalItems" if tuple => "items",
            "dependencies" if map.is_some_and(|map| map.contains_key("dependencies")) => "dependentSchemas",
            _ => token,
        };
        out.push('/');
        out.push_str(token);
        node = match node {
            Some(Value::Object(map)) => map.get(&name),
            Some(Value::Array(list)) => name.parse::<usize>().ok().and_then(|i| list.get(i)),
            _ => None,
        };
    }
    out
}
