//! Validation of calls against their definitions.
#![cfg(feature = "validate")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value)] // helpers of tests

use serde_json::{Value, json};
use sparring_tools::{ToolCall, ToolSpec};

fn problems(spec: &Value, arguments: Value) -> Vec<String> {
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    let spec = ToolSpec::from_json(spec).unwrap();
    let call = ToolCall::new(&spec.name, arguments);
    let found = spec.validate(&call).err().unwrap_or_default();
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn calls_are_checked_against_types_enums_and_constraints() {
    let spec = json!({"name": "f", "parameters": {
        "n": {"type": "int", "minimum": 1}, "x": {"type": "float"}, "on": {"type": "bool"}, "day": {"type": "date"},
        "mode": {"type": "str", "enum": ["a", "b"]}, "tags": {"type": "list", "items": {"type": "str"}},
        "any": {"type": "any"}, "odd": {"type": "colour"}, "either": {"type": ["integer", "null"]}}});
    for fine in [
        json!({}),
        json!({"n": 2, "x": 1, "on": false, "day": "2024-01-01", "mode": "a", "tags": ["x"],
        "any": [1], "either": null}),
        json!({"n": 2.0}),
    ] {
        assert_eq!(problems(&spec, fine), [""; 0]);
    }
    for (arguments, want) in [
        (json!({"n": "2"}), "n: expected integer, found a string"),
        (json!({"n": 0}), "n: 0 is less than the minimum of 1"),
        (json!({"x": true}), "x: expected number, found a boolean"),
        (json!({"on": "yes"}), "on: expected boolean, found a string"),
        (json!({"mode": "c"}), "mode: \"c\" is not one of [\"a\",\"b\"]"),
        (json!({"tags": ["x", 1]}), "tags/1: 1 is not of type \"string\""),
        (json!({"extra": 1}), "extra: the tool has no such parameter"),
        (json!({"either": "x"}), "either: expected [\"integer\",\"null\"], found a string"),
    ] {
        assert_eq!(problems(&spec, arguments), [want]);
    }
    assert!(problems(&spec, json!({"odd": 1}))[0].starts_with("odd: the schema of the tool is invalid"));
    let tool = ToolSpec::from_json(&spec).unwrap();
    let wrong = tool.validate(&ToolCall::new("g", serde_json::Map::new())).unwrap_err();
    assert_eq!(wrong[0].to_string(), "calls \"g\" instead of \"f\"");
}

#[test]
fn definitions_are_shared_and_nothing_is_fetched() {
    let spec = json!({"name": "f", "parameters": {"type": "object", "$defs": {"p": {"type": "int"}},
        "properties": {"a": {"$ref": "#/$defs/p"}, "b": {"$ref": "https://example.com/schema.json"}}}});
    assert_eq!(problems(&spec, json!({"a": 1})), [""; 0]);
    assert_eq!(problems(&spec, json!({"a": "x"})).len(), 1);
    assert!(problems(&spec, json!({"b": 1}))[0].starts_with("b: the schema of the tool is invalid"));
}

#[test]
fn recursive_schemas_terminate() {
    for schema in [
        json!({"$ref": "#"}),
        json!({"allOf": [{"$ref": "#"}]}),
        json!({"$ref": "#/$defs/a"}),
        json!({"anyOf": [{"$ref": "#/$defs/b"}, {"type": "int"}]}),
    ] {
        let spec = json!({"name": "f", "parameters": {"type": "object", "properties": {"a": schema},
            "$defs": {"a": {"$ref": "#/$defs/a"}, "b": {"not": {"$ref": "#/$defs/c"}}, "c": {"$ref": "#/$defs/b"}}}});
        // The result is up to the validator, but it must return.
        let _ = problems(&spec, json!({"a": 1}));
    }
    let tree = json!({"name": "f", "parameters": {"type": "object", "properties": {"t": {"$ref": "#/$defs/t"}},
        "$defs": {"t": {"type": "object", "properties": {"next": {"$ref": "#/$defs/t"}, "n": {"type": "int"}}}}}});
    assert_eq!(problems(&tree, json!({"t": {"next": {"next": {"n": 1}}}})), [""; 0]);
    assert_eq!(problems(&tree, json!({"t": {"next": {"next": {"n": "x"}}}})).len(), 1);
}

#[test]
fn references_to_the_whole_schema_mean_the_arguments() {
    let spec = json!({"name": "f", "parameters": {"type": "object", "required": ["n"], "properties": {
        "n": {"type": "int"}, "a/b %": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}, "same": {"$ref": "#/properties/n"},
        "list": {"type": "list", "items": {"$ref": "#/$defs/node"}}},
        "$defs": {"node": {"type": "dict", "properties": {"whole": {"$ref": "#"}}}}}});
    assert_eq!(
        problems(
            &spec,
            json!({"n": 1, "same": 2, "a/b %": {"n": 1, "a/b %": null}, "list": [{"whole": {"n": 1}}]})
        ),
        [""; 0]
    );
    for bad in
        [json!({"n": 1, "a/b %": {}}), json!({"n": 1, "same": "x"}), json!({"n": 1, "list": [{"whole": {}}]})]
    {
        assert_eq!(problems(&spec, bad.clone()).len(), 1, "{bad}");
    }
}

#[test]
fn missing_arguments_are_reported_wherever_required_is_written() {
    let city = json!({"type": "string"});
    for spec in [
        json!({"name": "f", "parameters": {"city": city, "required": ["city"]}}),
        json!({"name": "f", "parameters": {"city": {"type": "string", "required": true}}}),
        json!({"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object",
        "properties": {"city": city}, "required": ["city"]}}}}),
    ] {
        assert_eq!(problems(&spec, json!({})), ["city: required but missing"], "{spec}");
    }
}

#[test]
fn keywords_about_all_arguments_are_checked() {
    let spec = json!({"name": "f", "inputSchema": {"type": "object",
        "properties": {"a": {"type": "int"}, "b": {"type": "int"}},
        "oneOf": [{"required": ["a"]}, {"required": ["b"], "properties": {"c": {"$ref": "#/$defs/word"}}}],
        "dependentRequired": {"a": ["d"]}, "$defs": {"word": {"type": "str"}}}});
    assert_eq!(problems(&spec, json!({"b": 1, "c": "x"})), [""; 0]);
    assert_eq!(problems(&spec, json!({"a": 1, "d": true})), [""; 0]);
    for (bad, count) in [
        (json!({}), 1),
        (json!({"a": 1}), 1),
        (json!({"a": 1, "b": 1, "d": 1}), 1),
        (json!({"b": 1, "c": 2}), 1),
        (json!({"b": "x"}), 1),
        (json!({"a": 1, "b": 1}), 2),
    ] {
        let found = problems(&spec, bad.clone());
        assert_eq!(found.len(), count, "{bad}: {found:?}");
    }
    let closed = json!({"name": "f", "inputSchema": {
        "type": "object", "minProperties": 1, "additionalProperties": false}});
    assert_eq!(problems(&closed, json!({"x": 1})), ["x: the tool has no such parameter"]);
    let broken = json!({"name": "f", "inputSchema": {"type": "object", "anyOf": [{"type": 3}]}});
    assert!(problems(&broken, json!({}))[0].starts_with("parameters: the schema of the tool is invalid"));
}
