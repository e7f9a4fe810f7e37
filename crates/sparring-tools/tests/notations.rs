//! Definitions as other vendors, older drafts and other languages write them.
#![allow(clippy::panic)] // helpers of tests

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use sparring_tools::{Dialect, ToolSpec};

fn read(value: &Value) -> ToolSpec {
    ToolSpec::from_json(value).unwrap_or_else(|error| panic!("{value}: {error}"))
}

fn names(tools: &[ToolSpec]) -> String {
    tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn tools_are_found_in_requests_and_answers() {
    let (a, b) = (json!({"name": "a"}), json!({"name": "b", "inputSchema": {"type": "object"}}));
    let chat = json!({"type": "function", "function": {"name": "c", "parameters": {}}});
    let bedrock = json!({"toolSpec": {"name": "d", "inputSchema": {"json": {"type": "object"}}}});
    for (document, found) in [
        (json!({"functionDeclarations": [a, b]}), "a b"),
        (json!({"function_declarations": [a]}), "a"),
        (json!({"functionDeclarations": a}), "a"),
        (json!([{"functionDeclarations": [a, b]}, {"function_declarations": [chat]}]), "a b c"),
        (
            json!({"contents": [], "tools": [{"functionDeclarations": [a]}, {"functionDeclarations": [b]}]}),
            "a b",
        ),
        (
            json!({"tools": [{"functionDeclarations": [a], "googleSearch": {}}],
            "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}}}),
            "a",
        ),
        (json!({"toolConfig": {"tools": [bedrock, bedrock], "toolChoice": {"auto": {}}}}), "d d"),
        (json!({"modelId": "m", "tool_config": {"tools": [bedrock]}}), "d"),
        (json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": [b, a], "nextCursor": "x"}}), "b a"),
        (json!({"result": {"tools": [b]}}), "b"),
        (json!({"model": "m", "messages": [], "tools": [chat, a]}), "c a"),
        (json!({"model": "m", "functions": [a]}), "a"),
        (json!({"contents": [], "tools": {"functionDeclarations": [a, b]}}), "a b"),
        (json!({"tools": chat}), "c"),
        (
            json!({"tools": [{"tool_spec": {"type": "generic", "name": "s", "input_schema": {"type": "object"}}}]}),
            "s",
        ),
        (json!({"id": "simple_0", "question": [], "function": [a, b]}), "a b"),
        (json!([[a], [b, chat]]), "a b c"),
        (json!({"tools": null}), ""),
        (json!({"tools": {}}), ""),
        (json!({"functionDeclarations": []}), ""),
    ] {
        let tools = ToolSpec::list_from_json(&document).unwrap_or_else(|error| panic!("{document}: {error}"));
        assert_eq!(names(&tools), found, "{document}");
        match &tools[..] {
            [only] if document.is_object() => assert_eq!(&read(&document), only),
            _ if document.is_object() => {
                let error = ToolSpec::from_json(&document).unwrap_err().to_string();
                assert!(error.contains("expected one tool, found"), "{error}");
            }
            _ => {}
        }
    }
}

#[test]
fn errors_in_wrappers_say_where_and_do_not_mislead() {
    let a = json!({"name": "a"});
    for (document, at, what) in [
        (
            json!({"functionDeclarations": [a, {"name": "b", "parameters": 3}]}),
            "functionDeclarations[1].parameters",
            "",
        ),
        (
            json!([{"functionDeclarations": [{"name": ""}]}]),
            "[0].functionDeclarations[0].name",
            "non-empty name",
        ),
        (
            json!({"toolConfig": {"tools": [a, 3]}}),
            "toolConfig.tools[1]",
            "expected a JSON object, found a number",
        ),
        (json!({"result": {"tools": "x"}}), "result.tools", "expected a list of tools, found a string"),
        (json!({"tools": {"a": {}}}), "tools", "expected a list of tools"),
        (
            json!({"jsonrpc": "2.0", "error": {"code": -32601, "message": "no such method"}}),
            "error",
            "no such method",
        ),
        (json!([a, {"type": "web_search"}]), "[1].name", "found `type`"),
        (json!({"declarations": [a]}), "name", "found `declarations`"),
        (json!({}), "name", "found an empty object"),
    ] {
        let error = ToolSpec::list_from_json(&document).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("tool definition, {at}: ")) && error.contains(what),
            "{document}: {error}"
        );
    }
}

#[test]
fn parameters_are_read_under_every_vendors_key() {
    let schema = json!({"type": "object", "properties": {"day": {"type": "string"}, "n": {"type": "integer"}},
        "required": ["day"]});
    let flat =
        json!({"day": {"type": "string", "required": true}, "n": {"type": "integer", "required": false}});
    let list = json!([{"name": "day", "type": "string", "required": true}, {"name": "n", "type": "integer"}]);
    for (key, value) in [
        ("parameters", &schema),
        ("input_schema", &schema),
        ("inputSchema", &schema),
        ("parametersJsonSchema", &schema),
        ("parameters_json_schema", &schema),
        ("parameter_definitions", &flat),
        ("parameters", &flat),
        ("parameters", &list),
        ("inputs", &schema),
    ] {
        let tool = read(&json!({"name": "f", "description": "d", key: value}));
        let want =
            ToolSpec::new("f", "d", schema["properties"].as_object().unwrap().clone(), vec!["day".into()]);
        assert_eq!(tool, want, "{key} {value}");
    }
    let both = json!({"name": "f", "parameters": {}, "parametersJsonSchema": schema});
    assert_eq!(read(&both).required, ["day"]);
}

#[test]
fn inputs_are_required_unless_they_may_be_left_out() {
    let tool = read(&json!({"name": "search", "output_type": "string", "inputs": {
        "query": {"type": "string", "description": "q"}, "top": {"type": "integer", "nullable": true},
        "lang": {"type": "string", "default": "en"}, "deep": {"type": "boolean", "nullable": false}}}));
    assert_eq!(tool.required, ["query", "deep"]);
    assert_eq!(tool.parameters.len(), 4);
    assert_eq!(tool.extra["output_type"], "string");
    let beside =
        json!({"name": "f", "parameters": {"a": {"type": "string"}}, "inputs": {"b": {"type": "string"}}});
    assert!(read(&beside).extra.contains_key("inputs"));
}

#[test]
fn parameters_do_not_vanish_under_an_unknown_key() {
    let parameters = json!({"city": {"type": "string"}});
    for key in [
        "args",
        "arguments",
        "params",
        "paramSchema",
        "argsSchema",
        "input",
        "json_schema",
        "input-parameters",
        "functionParameters",
        "inputParams",
    ] {
        for value in [
            &parameters,
            &json!({"type": "object", "properties": parameters}),
            &json!({"city": "string"}),
            &json!([{"name": "city"}]),
        ] {
            let error = ToolSpec::from_json(&json!({"name": "f", key: value})).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("tool definition, {key}: these look like parameters")),
                "{error}"
            );
        }
        let known = json!({"name": "f", "parameters": parameters, key: {"x": {"type": "string"}}});
        assert!(read(&known).extra.contains_key(key));
        assert!(read(&json!({"name": "f", key: {}})).parameters.is_empty());
    }
    for (key, value) in [
        ("outputSchema", json!({"type": "object"})),
        ("output_schema", json!({"properties": {"a": {}}})),
        ("input_examples", json!([{"name": "x"}])),
        ("return_parameters", json!({"a": {"type": "string"}})),
        ("responseSchema", json!({"type": "object"})),
        ("target", json!({"a": {"type": "string"}})),
        ("schemaVersion", json!("2")),
        ("default_args", json!({"a": {}})),
        ("inputModes", json!(["text"])),
        ("annotations", json!({"readOnlyHint": true})),
        ("args", json!({"retries": 3})),
    ] {
        assert_eq!(read(&json!({"name": "f", key: value})).extra[key], value);
    }
}

#[test]
fn what_is_empty_is_read_as_empty_whatever_writes_it() {
    for parameters in [
        json!(null),
        json!([]),
        json!({}),
        json!({"type": "object", "properties": []}),
        json!({"type": "object", "properties": null}),
        json!({"type": "object", "properties": {}, "required": {}}),
        json!({"properties": [], "required": []}),
        json!({"properties": null, "required": null}),
        json!({"type": "", "properties": null}),
        json!({"type": "", "properties": {}, "required": null}),
        json!({"type": null, "properties": null, "required": {}}),
        json!({"type": "", "required": []}),
        json!({"type": [], "properties": []}),
        json!({"required": []}),
        json!({"required": null}),
    ] {
        for tool in [
            json!({"name": "f", "parameters": parameters}),
            json!({"type": "function", "function": {"name": "f", "parameters": parameters}}),
            json!({"name": "f", "input_schema": parameters, "required": {}}),
            json!({"name": "f", "inputSchema": parameters, "description": null}),
            json!({"toolSpec": {"name": "f", "inputSchema": {"json": parameters}}}),
        ] {
            let read = read(&tool);
            assert_eq!((&read.parameters, read.required.len()), (&Map::new(), 0), "{tool}");
            assert_eq!(
                read.to_json(Dialect::Bare),
                json!({"name": "f",
                "parameters": {"type": "object", "properties": {}, "required": []}}),
                "{tool}"
            );
        }
    }
    let php = json!({"name": "f", "parameters": {"type": "object", "properties": {"any": []}}});
    assert_eq!(read(&php).parameters["any"], json!({}));
}

#[test]
fn lists_of_parameters_need_names() {
    for (list, at) in [
        (json!([{"type": "string"}]), "parameters[0]"),
        (json!([{"name": "a"}, 3]), "parameters[1]"),
        (json!([{"name": "a"}, {"name": "a"}]), "parameters[1]"),
        (json!([{"name": 3}]), "parameters[0]"),
    ] {
        let error = ToolSpec::from_json(&json!({"name": "f", "parameters": list})).unwrap_err().to_string();
        assert!(error.starts_with(&format!("tool definition, {at}: ")), "{list}: {error}");
    }
}

/// Returns the schema of a parameter as draft 2020-12.
fn modern(schema: &Value) -> Value {
    let tool = ToolSpec::default().with_parameter("p", schema.clone(), false);
    let mut whole = tool.parameters_schema();
    whole["properties"]["p"].take()
}

#[test]
fn older_drafts_are_written_in_the_current_one() {
    let (a, b) = (json!({"type": "string"}), json!({"type": "number"}));
    for (old, new) in [
        (json!({"items": [a, b]}), json!({"prefixItems": [a, b]})),
        (json!({"items": [a], "additionalItems": b}), json!({"prefixItems": [a], "items": b})),
        (json!({"items": [a], "additionalItems": false}), json!({"prefixItems": [a], "items": false})),
        (json!({"items": a, "additionalItems": false}), json!({"items": a})),
        (json!({"items": [{"items": [a]}]}), json!({"prefixItems": [{"prefixItems": [a]}]})),
        (json!({"minimum": 1, "exclusiveMinimum": true}), json!({"exclusiveMinimum": 1})),
        (json!({"maximum": 1, "exclusiveMaximum": false}), json!({"maximum": 1})),
        (json!({"exclusiveMaximum": true}), json!({})),
        (json!({"exclusiveMaximum": 3}), json!({"exclusiveMaximum": 3})),
        (
            json!({"dependencies": {"x": ["y"], "z": a, "v": "w"}}),
            json!({"dependentRequired": {"x": ["y"], "v": ["w"]}, "dependentSchemas": {"z": a}}),
        ),
        (json!({"divisibleBy": 5}), json!({"multipleOf": 5})),
        (json!({"extends": a}), json!({"allOf": [a]})),
        (json!({"extends": [a, b], "allOf": [b]}), json!({"allOf": [b, a, b]})),
        (json!({"disallow": ["string"]}), json!({"allOf": [{"not": {"type": ["string"]}}]})),
        (json!({"type": ["string", {"minimum": 3}]}), json!({"allOf": [{"anyOf": [a, {"minimum": 3}]}]})),
        (
            json!({"$schema": "http://json-schema.org/draft-04/schema#", "id": "x", "type": "string"}),
            a.clone(),
        ),
        (json!({"id": "#n"}), json!({"$anchor": "n"})),
        (json!({"$id": "#n"}), json!({"$anchor": "n"})),
        (json!({"$id": "https://example.com/n"}), json!({"$id": "https://example.com/n"})),
        (
            json!({"properties": {"x": {"required": true}, "y": {"type": "string", "required": false}}}),
            json!({"properties": {"x": {}, "y": a}, "required": ["x"]}),
        ),
        (
            json!({"properties": {"x": {"required": true}}, "required": ["y"]}),
            json!({"properties": {"x": {}}, "required": ["y", "x"]}),
        ),
        (
            json!({"minItems": "2", "maxLength": "3", "minimum": "-1.5", "type": "ARRAY"}),
            json!({"minItems": 2, "maxLength": 3, "minimum": -1.5, "type": "array"}),
        ),
        (json!({"exclusiveMinimum": "true", "minimum": "0"}), json!({"exclusiveMinimum": 0})),
        (
            json!({"uniqueItems": "true", "additionalProperties": "false"}),
            json!({"uniqueItems": true, "additionalProperties": false}),
        ),
        (
            json!({"title": null, "description": null, "items": null, "minimum": null, "$ref": null, "if": null,
            "default": null, "const": null}),
            json!({"default": null, "const": null}),
        ),
        (
            json!({"enum": [], "type": [], "anyOf": [], "required": {}, "properties": [], "examples": {}, "$ref": ""}),
            json!({}),
        ),
        (
            json!({"properties": {"x": []}, "required": ["x", "x"]}),
            json!({"properties": {"x": {}}, "required": ["x"]}),
        ),
        (json!({"additionalProperties": [], "items": []}), json!({"additionalProperties": true})),
        (json!({"title": 3, "deprecated": "yes", "description": ["x"]}), json!({})),
    ] {
        assert_eq!(modern(&old), new, "{old}");
        assert_eq!(modern(&new), new, "{new}");
    }
}

#[test]
fn nullable_allows_null() {
    for (old, new) in [
        (json!({"type": "STRING", "nullable": true}), json!({"type": ["string", "null"]})),
        (json!({"type": ["string"], "nullable": "true"}), json!({"type": ["string", "null"]})),
        (json!({"type": ["string", "null"], "nullable": true}), json!({"type": ["string", "null"]})),
        (json!({"type": "string", "nullable": false}), json!({"type": "string"})),
        (json!({"enum": ["a"], "nullable": true}), json!({"enum": ["a", null]})),
        (json!({"const": "a", "nullable": true}), json!({"enum": ["a", null]})),
        (json!({"nullable": true}), json!({})),
        (
            json!({"$ref": "#/$defs/t", "description": "d", "nullable": true}),
            json!({"description": "d", "anyOf": [{"$ref": "#/$defs/t"}, {"type": "null"}]}),
        ),
        (
            json!({"anyOf": [{"type": "integer"}], "nullable": true}),
            json!({"anyOf": [{"anyOf": [{"type": "integer"}]}, {"type": "null"}]}),
        ),
        (
            json!({"items": {"type": "integer", "nullable": true}}),
            json!({"items": {"type": ["integer", "null"]}}),
        ),
    ] {
        assert_eq!(modern(&old), new, "{old}");
    }
}

#[test]
fn data_is_not_rewritten() {
    let data = json!({"items": [{}], "nullable": true, "type": "STRING", "title": null, "minimum": "1"});
    let schema = json!({"default": data, "const": data, "enum": [data, null], "examples": [data, null]});
    assert_eq!(modern(&schema), schema);
    let named = json!({"properties": {"nullable": {"type": "string"}, "items": {"type": "string"},
        "required": {"type": "string"}, "default": {"type": "string"}}});
    assert_eq!(modern(&named), named);
}

#[test]
fn references_follow_what_they_point_to() {
    let tool = read(&json!({"name": "f", "inputSchema": {"$id": "https://example.com/f", "type": "object",
        "properties": {
            "pair": {"items": [{"type": "number"}, {"type": "string"}], "additionalItems": {"type": "boolean"}},
            "maybe": {"anyOf": [{"type": "string"}], "nullable": true},
            "a": {"$ref": "#/properties/pair/items/0"}, "b": {"$ref": "#/properties/pair/additionalItems"},
            "c": {"$ref": "#/properties/maybe/anyOf/0"}, "d": {"$ref": "https://example.com/f#/properties/a"},
            "e": {"$ref": "#/dependencies/a"}, "f": {"$ref": "https://example.com/f"},
            "items": {"$ref": "#/properties/items"}},
        "dependencies": {"a": {"type": "object"}}}}));
    let schema = tool.parameters_schema();
    for (name, target) in [
        ("a", "#/properties/pair/prefixItems/0"),
        ("b", "#/properties/pair/items"),
        ("c", "#/properties/maybe/anyOf/0/anyOf/0"),
        ("d", "#/properties/a"),
        ("e", "#/dependentSchemas/a"),
        ("f", "#"),
        ("items", "#/properties/items"),
    ] {
        assert_eq!(schema["properties"][name]["$ref"], target, "{name}");
        let found = schema.pointer(target.trim_start_matches('#'));
        assert!(found.is_some(), "{target} leads nowhere");
    }
}

#[test]
fn definitions_are_written_as_they_were_read() {
    let schema = json!({"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {
        "t": {"type": "array", "items": [{"type": "number"}], "nullable": true, "description": null},
        "n": {"type": "number", "minimum": "0", "exclusiveMinimum": true}}, "required": [],
        "dependencies": {"t": ["n"]}});
    let tool = read(&json!({"name": "f", "inputSchema": schema}));
    assert_eq!(tool.to_json(Dialect::Mcp)["inputSchema"], schema);
    let modern = tool.modernised();
    assert_eq!(modern.parameters_schema(), tool.parameters_schema());
    assert_eq!(modern.to_json(Dialect::Mcp)["inputSchema"], tool.parameters_schema());
    assert!(!tool.refusals(Dialect::Anthropic).is_empty());
    assert_eq!(modern.refusals(Dialect::Anthropic), []);
}

fn refused(tool: &Value, dialect: Dialect) -> Vec<String> {
    read(tool).refusals(dialect).iter().map(ToString::to_string).collect()
}

#[test]
fn what_an_api_refuses_is_named() {
    use Dialect::{Anthropic, Bare, Bedrock, Bfcl, Flat, Mcp, OpenAiChat, OpenAiResponses};
    let fine = json!({"name": "get_time-2", "parameters": {"zone": {"type": "string"}}});
    assert!(Dialect::ALL.iter().all(|dialect| refused(&fine, *dialect).is_empty()));
    let named = |name: &str| json!({"name": name});
    let with = |key: &str| json!({"name": "f", "parameters": {"type": "object", key: [{"required": []}]}});
    let list = json!({"name": "f", "parameters": {"a": {"anyOf": [{"type": "array"}]}}});
    let maybe = json!({"name": "f", "parameters": {"type": ["object", "null"]}});
    let odd = json!({"name": "f", "parameters": {"a b": {"type": "string"}}});
    let old =
        json!({"name": "f", "parameters": {"a": {"type": "number", "minimum": 0, "exclusiveMinimum": true}}});
    for (tool, dialects, part) in [
        (named("a.b"), &[OpenAiChat, OpenAiResponses, Anthropic, Bedrock][..], "name: "),
        (named("über"), &[OpenAiChat, OpenAiResponses, Anthropic, Bedrock], "name: "),
        (named(&"a".repeat(65)), &[OpenAiChat, OpenAiResponses, Bedrock], "name: at most 64 "),
        (named(&"a".repeat(129)), &[OpenAiChat, OpenAiResponses, Anthropic, Bedrock], "name: at most "),
        (with("oneOf"), &[OpenAiChat, OpenAiResponses, Anthropic], "`oneOf`"),
        (with("anyOf"), &[OpenAiChat, OpenAiResponses, Anthropic], "`anyOf`"),
        (with("allOf"), &[OpenAiChat, OpenAiResponses, Anthropic], "`allOf`"),
        (with("enum"), &[OpenAiChat, OpenAiResponses], "`enum`"),
        (list, &[OpenAiChat, OpenAiResponses], "parameters.properties.a.anyOf[0]: a list needs `items`"),
        (maybe, &[OpenAiChat, OpenAiResponses, Anthropic, Bedrock, Mcp], "the type has to be \"object\""),
        (odd, &[Anthropic], "input_schema.properties.a b: "),
        (old, &[Anthropic], "input_schema.properties.a: `exclusiveMinimum` is a boolean"),
    ] {
        for dialect in [OpenAiChat, OpenAiResponses, Mcp, Anthropic, Bedrock, Bare, Bfcl, Flat] {
            let found = refused(&tool, dialect);
            assert_eq!(
                found.len(),
                usize::from(dialects.contains(&dialect)),
                "{dialect:?} {tool}: {found:?}"
            );
            assert!(found.iter().all(|text| text.contains(part)), "{found:?}");
        }
    }
}

#[test]
fn strict_mode_has_rules_of_its_own() {
    let tool = |strict: bool| {
        json!({"name": "f", "strict": strict, "parameters": {"type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "object", "properties": {"c": {"allOf": []}},
            "required": ["c"], "additionalProperties": false}}, "required": ["b"]}})
    };
    assert!(refused(&tool(false), Dialect::OpenAiChat).is_empty());
    assert!(refused(&tool(true), Dialect::Anthropic).is_empty());
    assert_eq!(
        refused(&tool(true), Dialect::OpenAiResponses),
        [
            "parameters: strict mode: `additionalProperties` has to be false",
            "parameters: strict mode: \"a\" has to be in `required`; allow null for a value that may be missing",
            "parameters.properties.b.properties.c: strict mode: `allOf` is not supported",
        ]
    );
}

/// A schema in any draft or notation, sound or not quite.
fn old() -> impl Strategy<Value = Value> {
    let data = || {
        prop_oneof![Just(json!(null)), Just(json!(3)), Just(json!("2")), Just(json!([])), Just(json!(true))]
    };
    let keyword = prop::sample::select(vec![
        "title",
        "minimum",
        "exclusiveMinimum",
        "maxLength",
        "nullable",
        "enum",
        "default",
        "id",
        "$schema",
        "required",
        "uniqueItems",
        "divisibleBy",
        "examples",
    ]);
    let kind = prop::sample::select(vec!["STRING", "int", "object", "List[int]", "null", ""]);
    let leaf = (prop::collection::btree_map(keyword, data(), 0..3), prop::option::of(kind)).prop_map(
        |(map, kind)| {
            let mut schema: Map<String, Value> =
                map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
            schema.extend(kind.map(|kind| ("type".to_owned(), kind.into())));
            Value::Object(schema)
        },
    );
    leaf.prop_recursive(3, 16, 3, |inner| {
        let some = prop::collection::vec(inner.clone(), 0..3);
        let named = prop::collection::btree_map("[ab]", inner.clone(), 0..3);
        (inner, some, named, 0..6_usize, any::<bool>()).prop_map(|(schema, some, named, which, nullable)| {
            let mut outer = match which {
                0 => json!({"items": some, "additionalItems": schema}),
                1 => json!({"properties": named, "additionalProperties": schema}),
                2 => json!({"anyOf": some}),
                3 => json!({"dependencies": named}),
                4 => json!({"extends": some, "items": schema}),
                _ => json!({"type": ["string", schema]}),
            };
            outer["nullable"] = nullable.into();
            outer
        })
    })
}

proptest! {
    #[cfg(feature = "validate")]
    #[test]
    fn a_compiled_validator_finds_what_the_tool_finds(schema in old(), value in old()) {
        use sparring_tools::{CallValidator, ToolCall};
        let tool = ToolSpec::new("f", "", Map::new(), vec![]).with_parameter("p", schema, true);
        let call = ToolCall::new("f", [("p", value)]);
        let validator = CallValidator::new([tool.clone()]);
        prop_assert_eq!(validator.check(&call), tool.validate(&call));
        prop_assert_eq!(validator.check(&call), tool.validate(&call), "when everything is compiled");
    }

    #[test]
    fn what_is_modern_stays_as_it_is(schema in old()) {
        let once = modern(&schema);
        prop_assert_eq!(modern(&once), once, "{}", schema);
    }

    #[test]
    fn definitions_in_any_notation_round_trip(schema in old()) {
        let tool = ToolSpec::new("f", "", Map::new(), vec![]).with_parameter("p", schema, false);
        // A flag on the parameter itself is read into the tool's list.
        let written = read(&tool.to_json(Dialect::Bare)).to_json(Dialect::Bare);
        for dialect in [Dialect::OpenAiChat, Dialect::Mcp, Dialect::Anthropic, Dialect::Bedrock] {
            prop_assert_eq!(read(&read(&written).to_json(dialect)).to_json(Dialect::Bare), written.clone());
        }
    }
}
