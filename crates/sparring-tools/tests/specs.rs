//! Valid and invalid tool definitions.

use serde_json::json;
use sparring_tools::{Dialect, ToolSpec};

#[test]
fn required_is_read_wherever_it_is_written() {
    let city = json!({"type": "string"});
    for spec in [
        json!({"name": "f", "parameters": {"city": city}, "required": ["city"]}),
        json!({"name": "f", "parameters": {"city": city, "required": ["city"]}}),
        json!({"name": "f", "parameters": {"city": {"type": "string", "required": true}}}),
        json!({"name": "f", "parameters": {"type": "object", "properties": {"city": city}, "required": ["city"]}}),
        json!({"name": "f", "parameters": {"properties": {"city": city}}, "required": ["city"]}),
        json!({"name": "f", "input_schema": {"type": "object", "properties": {"city": city}, "required": ["city"]}}),
        json!({"type": "function", "function": {"name": "f", "parameters": {"city": "string"}, "required": ["city"]}}),
    ] {
        let read = ToolSpec::from_json(&spec).unwrap();
        assert_eq!(read.required, ["city"], "{spec}");
        assert_eq!(read.parameters, *json!({"city": city}).as_object().unwrap(), "{spec}");
    }
}

/// Whatever a parameter is called, its value (a schema) distinguishes it from a keyword.
#[test]
fn parameters_called_like_keywords_are_parameters() {
    let (text, object) = (json!({"type": "string"}), json!({"type": "object"}));
    for (parameters, names) in [
        (
            json!({"type": text, "properties": object, "required": {"type": "boolean"}}),
            "type properties required",
        ),
        (json!({"type": "string", "properties": "object"}), "type properties"),
        (json!({"properties": {"type": "object", "properties": {"a": text}}}), "properties"),
        (json!({"properties": {"type": "array", "items": text}, "city": text}), "properties city"),
        (json!({"json": object}), "json"),
        (json!({"$filter": text, "anyOf": text, "$ref": text}), "$filter anyOf $ref"),
        (json!({"type": "object", "properties": {"type": text, "properties": object}}), "type properties"),
        (json!({"type": "dict", "properties": {"required": text, "items": text}}), "required items"),
        (json!({"properties": {"properties": {"type": "dict", "properties": {"type": text}}}}), "properties"),
    ] {
        let read = ToolSpec::from_json(&json!({"name": "f", "parameters": parameters})).unwrap();
        assert_eq!(
            read.parameters.keys().map(String::as_str).collect::<Vec<_>>().join(" "),
            names,
            "{parameters}"
        );
        let again: ToolSpec = serde_json::from_value(serde_json::to_value(&read).unwrap()).unwrap();
        assert_eq!(again, read, "{parameters}");
    }
    let flat = json!({"name": "f", "inputSchema": {"json": {"type": "string"}}});
    assert!(ToolSpec::from_json(&flat).unwrap().parameters.contains_key("json"), "no box of Bedrock's");
}

#[test]
fn schemas_without_properties_are_schemas() {
    for (schema, key) in [
        (json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "object"}}}), "$ref"),
        (json!({"anyOf": [{"type": "object"}]}), "anyOf"),
        (json!({"type": ["object", "null"]}), "type"),
        (json!({"type": "object", "minProperties": 1, "properties": null}), "minProperties"),
        (json!({"additionalProperties": false}), "additionalProperties"),
    ] {
        let read = ToolSpec::from_json(&json!({"name": "f", "parameters": schema})).unwrap();
        assert!(read.parameters.is_empty(), "{schema}");
        assert_eq!(read.parameters_schema()[key], schema[key]);
    }
}

#[test]
fn unknown_keys_are_kept() {
    let spec = json!({"name": "f", "description": "d", "parameters": {"type": "object", "properties": {},
        "required": [], "additionalProperties": true}, "strict": true});
    let read = ToolSpec::from_json(&spec).unwrap();
    assert_eq!((&read.extra["strict"], read.to_json(Dialect::Bare)), (&json!(true), spec));
    let beside =
        json!({"type": "function", "function": {"name": "f", "strict": true}, "strict": false, "cache": 1});
    let read = ToolSpec::from_json(&beside).unwrap();
    assert_eq!(read.extra, *json!({"strict": true, "cache": 1}).as_object().unwrap());
    let server = json!({"type": "web_search_20250305", "name": "web_search", "max_uses": 5});
    assert_eq!(ToolSpec::from_json(&server).unwrap().to_json(Dialect::Anthropic)["type"], server["type"]);
    let other = json!({"name": "f", "function": {"kind": "pure"}});
    assert_eq!(ToolSpec::from_json(&other).unwrap().extra["function"], other["function"], "no wrapper");
}

#[test]
fn malformed_definitions_say_where() {
    for (spec, at) in [
        (json!([]), "root"),
        (json!({"parameters": {}}), "name"),
        (json!({"name": " "}), "name"),
        (json!({"name": 3}), "name"),
        (json!({"name": "f", "parameters": 3}), "parameters"),
        (json!({"name": "f", "parameters": {"a": 3}}), "parameters.a"),
        (json!({"name": "f", "parameters": {}, "required": "a"}), "required"),
        (json!({"name": "f", "parameters": {}, "required": [1]}), "required"),
        (json!({"name": "f", "description": 1}), "description"),
        (json!({"name": "f", "parameters": {"type": "object", "properties": [1]}}), "parameters.properties"),
        (json!({"name": "f", "parameters": {"type": "dict", "required": true}}), "parameters.required"),
        (json!({"name": "f", "input_schema": "x"}), "input_schema"),
        (json!({"name": "f", "inputSchema": {"type": "object", "properties": {"a": [1]}}}), "inputSchema.a"),
        (json!({"name": "f", "inputSchema": {"a": {}}, "parameters": {"b": {}}}), "parameters"),
        (json!({"type": "function", "function": {"parameters": {}}}), "name"),
        (
            json!({"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object", "required": 1}}}}),
            "inputSchema.json.required",
        ),
    ] {
        let error = ToolSpec::from_json(&spec).unwrap_err().to_string();
        assert!(error.starts_with(&format!("tool definition, {at}:")), "{spec}: {error}");
        assert!(serde_json::from_value::<ToolSpec>(spec).is_err());
    }
}

#[test]
fn lists_are_read_and_errors_name_the_item() {
    let (flat, mcp) = (json!({"name": "a"}), json!({"name": "b", "inputSchema": {"type": "object"}}));
    let bedrock = json!({"toolSpec": {"name": "c", "inputSchema": {"json": {"type": "object"}}}});
    for (list, names) in [
        (json!([flat, mcp, bedrock]), "abc"),
        (json!({"tools": [mcp, flat], "nextCursor": "x"}), "ba"),
        (json!({"tools": [bedrock]}), "c"),
        (json!({"name": "d", "tools": []}), "d"),
        (json!([]), ""),
        (bedrock.clone(), "c"),
    ] {
        let read = ToolSpec::list_from_json(&list).unwrap();
        assert_eq!(read.iter().map(|tool| tool.name.as_str()).collect::<String>(), names, "{list}");
    }
    for (list, at) in [
        (json!(3), "root"),
        (json!({"tools": 3}), "tools"),
        (json!([flat, 3]), "[1]"),
        (json!({"tools": [flat, flat, {"name": "f", "parameters": {"a": 3}}]}), "tools[2].parameters.a"),
    ] {
        let error = ToolSpec::list_from_json(&list).unwrap_err().to_string();
        assert!(error.starts_with(&format!("tool definition, {at}:")), "{list}: {error}");
    }
}
