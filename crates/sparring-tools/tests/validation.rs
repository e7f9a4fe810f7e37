//! Validation of calls against their definitions.
#![cfg(feature = "validate")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value)] // helpers of tests

use serde_json::{Value, json};
use sparring_tools::{ArgumentProblem, CallValidator, ToolCall, ToolSpec};

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
        (json!({"n": 0}), "n: 0 is less than the minimum of 1 (`minimum`)"),
        (json!({"x": true}), "x: expected number, found a boolean"),
        (json!({"on": "yes"}), "on: expected boolean, found a string"),
        (json!({"mode": "c"}), "mode: \"c\" is not one of [\"a\",\"b\"]"),
        (json!({"tags": ["x", 1]}), "tags/1: 1 is not of type \"string\" (`type`)"),
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

#[test]
fn older_drafts_and_other_notations_mean_what_they_say() {
    let (good, bad) = (true, false);
    for (schema, value, fine) in [
        (json!({"items": [{"type": "integer"}, {"type": "string"}]}), json!([1, "a", null]), good),
        (json!({"items": [{"type": "integer"}], "additionalItems": false}), json!([1, 2]), bad),
        (json!({"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": "2"}), json!([1]), bad),
        (json!({"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": "2"}), json!([1, 2]), good),
        (json!({"minimum": 0, "exclusiveMinimum": true}), json!(0), bad),
        (json!({"minimum": 0, "exclusiveMinimum": false}), json!(0), good),
        (json!({"type": "number", "nullable": true}), json!(null), good),
        (json!({"$ref": "#/$defs/word", "nullable": true}), json!(null), good),
        (json!({"$ref": "#/$defs/word", "nullable": true}), json!(3), bad),
        (json!({"enum": ["a"], "nullable": true}), json!(null), good),
        (json!({"type": "string", "enum": ["a"]}), json!(null), bad),
        (json!({"type": "string", "description": null, "title": null, "enum": null}), json!("x"), good),
        (json!({"dependencies": {"a": ["b"]}}), json!({"a": 1}), bad),
        (json!({"dependencies": {"a": {"required": ["b"]}}}), json!({"a": 1, "b": 1}), good),
        (json!({"divisibleBy": 5}), json!(7), bad),
        (json!({"properties": {"a": {"type": "string", "required": true}}}), json!({}), bad),
        (
            json!({"id": "thing", "$schema": "http://json-schema.org/draft-03/schema#", "type": "any"}),
            json!(3),
            good,
        ),
        (json!({"type": "", "enum": []}), json!("x"), good),
        (json!({"type": "TYPE_UNSPECIFIED"}), json!("x"), good),
        (json!({"type": "List[str]"}), json!(["x"]), good),
        (json!({"type": "Dict[str, int]"}), json!(["x"]), bad),
        (json!({"type": "string[]"}), json!("x"), bad),
        (json!({"$ref": "#/properties/pair/items/0"}), json!("x"), good),
        (json!({"$ref": "#/properties/pair/items/0"}), json!(1), bad),
        (json!({"const": null}), json!(null), good),
        (json!({"const": null}), json!(0), bad),
    ] {
        let spec = json!({"name": "f", "parameters": {"type": "object", "$defs": {"word": {"type": "str"}},
            "properties": {"pair": {"items": [{"type": "string"}]}, "p": schema}}});
        let found = problems(&spec, json!({"p": value}));
        assert_eq!(found.is_empty(), fine, "{schema} {value}: {found:?}");
        assert!(found.iter().all(|text| !text.contains("schema of the tool")), "{found:?}");
    }
}

#[test]
fn unknown_arguments_are_checked_against_the_schema_for_them() {
    let spec = json!({"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "int"}},
        "patternProperties": {"^x-": {"type": "string"}}, "additionalProperties": {"$ref": "#/$defs/n"},
        "$defs": {"n": {"type": "integer"}}}});
    assert_eq!(problems(&spec, json!({"a": 1, "b": 2, "x-c": "d"})), [""; 0]);
    assert_eq!(problems(&spec, json!({"b": "2"})), ["b: expected integer, found a string"]);
    assert_eq!(problems(&spec, json!({"x-b": 2})).len(), 1);
    let closed = json!({"name": "f", "parameters": {"type": "object", "additionalProperties": false,
        "patternProperties": {"^x-": {"type": "string"}}}});
    assert_eq!(problems(&closed, json!({"x-b": "c"})), [""; 0]);
    assert_eq!(problems(&closed, json!({"y": 1})), ["y: the tool has no such parameter"]);
    let tree = json!({"name": "f", "parameters": {"type": "object", "additionalProperties": {"$ref": "#"}}});
    assert_eq!(problems(&tree, json!({"a": {"b": {}}})), [""; 0]);
    assert_eq!(problems(&tree, json!({"a": {"b": 3}})).len(), 1);
}

#[test]
fn problems_name_the_keyword() {
    let spec = json!({"name": "f", "parameters": {"type": "object", "minProperties": 2, "properties": {
        "p": {"type": "string", "pattern": "^a"}, "l": {"type": "array", "maxItems": 1},
        "o": {"type": "object", "required": ["x"]}, "r": {"$ref": "#/properties/l"},
        "both": {"type": ["string", "integer"], "allOf": [{"type": "integer"}]},
        "bad": {"type": "string", "minLength": -1}}}});
    for (arguments, want) in [
        (json!({"p": "b", "l": []}), "p: \"b\" does not match \"^a\" (`pattern`)"),
        (json!({"l": [1, 2], "p": "a"}), "l: [1,2] has more than 1 item (`maxItems`)"),
        (json!({"o": {}, "p": "a"}), "o: \"x\" is a required property (`required`)"),
        (json!({"r": 3, "p": "a"}), "r: expected array, found a number"),
        (json!({"both": "x", "p": "a"}), "both: expected integer, found a string"),
    ] {
        assert_eq!(problems(&spec, arguments), [want]);
    }
    let together = problems(&spec, json!({}));
    assert!(
        together[0].starts_with("the arguments together: ") && together[0].ends_with(" (`minProperties`)")
    );
    let invalid = problems(&spec, json!({"bad": "x", "p": "a"}));
    assert!(invalid[0].contains("(at /minLength)"), "{invalid:?}");
}

#[test]
fn a_validator_of_many_tools_agrees_with_each_tool() {
    let tools = ToolSpec::list_from_json(&json!([
        {"name": "get_weather", "required": ["city"],
            "parameters": {"city": {"type": "string"}, "days": {"type": "int"}}},
        {"name": "get_time", "parameters": {"zone": {"enum": ["CET"]}}},
        {"name": "get_time", "parameters": {"second": {"type": "string"}}}]))
    .unwrap();
    let validator = CallValidator::new(tools.clone());
    assert_eq!(validator.tools().len(), 2);
    for _ in 0..2 {
        for arguments in
            [json!({"city": "Oslo"}), json!({"days": "x"}), json!({"zone": "CET"}), json!({"second": 1})]
        {
            let call = |name: &str| ToolCall::new(name, arguments.as_object().unwrap().clone());
            assert_eq!(validator.check(&call("get_weather")), tools[0].validate(&call("get_weather")));
            assert_eq!(validator.check(&call(" get_time\n")), tools[1].validate(&call("get_time")));
        }
    }
    for (name, closest) in [
        ("get_wether", Some("get_weather")),
        ("GetTime", Some("get_time")),
        ("functions.get_time", Some("get_time")),
        ("server:get-weather", Some("get_weather")),
        ("launch", None),
        ("", None),
    ] {
        let problems = validator.check(&ToolCall::new(name, serde_json::Map::new())).unwrap_err();
        let [ArgumentProblem::UnknownTool { found, closest: hint, known }] = &problems[..] else {
            panic!("{name}")
        };
        assert_eq!((found.as_str(), hint.as_deref(), known.len()), (name, closest, 2));
    }
    let none = CallValidator::default().check(&ToolCall::new("f", serde_json::Map::new())).unwrap_err();
    assert_eq!(none[0].to_string(), "there is no tool \"f\": no tools are offered");
}

fn assert_shareable<T: Send + Sync>() {}

#[test]
fn a_validator_is_shared_between_threads() {
    assert_shareable::<CallValidator>();
}

/// A chain of definitions, each of which applies the next one twice under a keyword.
fn doubling(n: usize, link: impl Fn(Value) -> Value) -> Value {
    let mut definitions: serde_json::Map<_, _> =
        (0..n).map(|i| (format!("d{i}"), link(json!({"$ref": format!("#/$defs/d{}", i + 1)})))).collect();
    definitions.insert(format!("d{n}"), json!({"type": ["string", "object", "array"]}));
    json!({"name": "f", "parameters": {"type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}},
        "$defs": definitions}})
}

#[test]
fn schemas_of_exponential_time_are_refused_at_once() {
    let start = std::time::Instant::now();
    let links: [fn(Value) -> Value; 5] = [
        |next| json!({"allOf": [next, next]}),
        |next| json!({"anyOf": [{"not": next}, next]}),
        |next| json!({"oneOf": [next, {"allOf": [next, true]}]}),
        |next| json!({"if": next, "then": next, "else": next}),
        |next| json!({"allOf": [next], "unevaluatedProperties": false}),
    ];
    for link in links {
        let found = problems(&doubling(64, link), json!({"a": "x"}));
        assert!(found[0].contains("more than 1000000 checks"), "{found:?}");
    }
    assert_eq!(problems(&doubling(8, links[0]), json!({"a": "x"})), [""; 0]);
    assert_eq!(problems(&doubling(12, links[0]), json!({"a": 3})).len(), 100, "enough is enough");
    // The same, one level of the value further down at each step.
    let nested = doubling(64, |next| json!({"allOf": [{"items": next}, {"items": next}]}));
    let value = |depth: usize| (0..depth).fold(json!("x"), |inner, _| json!([inner]));
    assert!(problems(&nested, json!({"a": value(60)}))[0].contains("checks"));
    assert_eq!(problems(&nested, json!({"a": value(5)})), [""; 0]);
    let root = json!({"name": "f", "parameters": {"type": "object", "allOf": [{"$ref": "#/$defs/d0"}],
        "$defs": doubling(64, links[0])["parameters"]["$defs"]}});
    assert!(problems(&root, json!({}))[0].starts_with("parameters: the schema of the tool is invalid"));
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn schemas_that_refer_to_themselves_in_place_are_refused() {
    for schema in [
        json!({"$ref": "#/$defs/a"}),
        json!({"$ref": "#/properties/p"}),
        json!({"allOf": [{"$ref": "#/$defs/b"}]}),
        json!({"$dynamicRef": "#/$defs/a"}),
    ] {
        let spec = json!({"name": "f", "parameters": {"type": "object", "properties": {"p": schema},
            "$defs": {"a": {"$ref": "#/$defs/a"}, "b": {"anyOf": [{"$ref": "#/$defs/b"}]}}}});
        let found = problems(&spec, json!({"p": 1}));
        assert!(found[0].starts_with("p: the schema of the tool is invalid"), "{schema} {found:?}");
    }
    let chain: serde_json::Map<_, _> = (0..20_000)
        .map(|i| (format!("d{i}"), json!({"$ref": format!("#/$defs/d{}", i + 1)})))
        .chain([("d20000".to_owned(), json!({"type": "string"}))])
        .collect();
    let spec = json!({"name": "f", "parameters": {"type": "object", "properties": {"p": {"$ref": "#/$defs/d0"}},
        "$defs": chain}});
    assert!(problems(&spec, json!({"p": "x"}))[0].contains("nested more than"));
}

#[test]
fn recursive_schemas_take_large_values() {
    let spec = json!({"name": "f", "parameters": {"type": "object", "properties": {"t": {"$ref": "#/$defs/t"}},
        "$defs": {"t": {"type": "object", "properties": {"n": {"type": "integer"},
            "next": {"anyOf": [{"$ref": "#/$defs/t"}, {"type": "null"}]},
            "all": {"type": "array", "items": {"$ref": "#/$defs/t"}}}}}}});
    let deep = (0..60).fold(json!(null), |next, n| json!({"n": n, "next": next}));
    let wide: Vec<_> = (0..5_000).map(|n| json!({"n": n, "next": {"n": 1}})).collect();
    assert_eq!(problems(&spec, json!({"t": deep})), [""; 0]);
    assert_eq!(problems(&spec, json!({"t": {"all": wide}})), [""; 0]);
    let metaschema = json!({"name": "f", "parameters": {
        "s": {"$ref": "https://json-schema.org/draft/2020-12/schema"}}});
    assert_eq!(problems(&metaschema, json!({"s": spec["parameters"]})), [""; 0]);
    assert_eq!(problems(&metaschema, json!({"s": {"type": 3}})).len(), 1);
}

#[test]
fn an_invalid_schema_of_another_parameter_does_no_harm() {
    let spec = json!({"name": "f", "parameters": {"type": "object", "properties": {
        "a": {"type": "integer"}, "b": {"$ref": "#/properties/a"}, "bad": {"minLength": -1},
        "c": {"$ref": "#/$defs/own", "$defs": {"own": {"$ref": "#/$defs/shared"}}}, "d": {"$ref": "#/properties/b"}},
        "$defs": {"shared": {"type": "integer"}}}});
    for name in ["a", "b", "c", "d"] {
        assert_eq!(problems(&spec, json!({name: 1})), [""; 0], "{name}");
        assert_eq!(
            problems(&spec, json!({name: "x"})),
            [format!("{name}: expected integer, found a string")]
        );
    }
    assert!(problems(&spec, json!({"bad": 1}))[0].starts_with("bad: the schema of the tool is invalid"));
}

#[test]
fn patterns_of_other_languages_are_read() {
    for (pattern, good, bad) in [
        ("^(?!.*--)[a-z-]+$", "a-b", "a--b"),
        (r"^\d{2}\Z", "12", "123"),
        (r"\A[a-z]+\z", "ab", "a1"),
        ("^(?P<x>a+)$", "aa", "b"),
        ("^(?<year>\\d{4})$", "2026", "26"),
        (r"^\p{L}+$", "é", "1"),
    ] {
        let spec = json!({"name": "f", "parameters": {"p": {"type": "string", "pattern": pattern}}});
        assert_eq!(problems(&spec, json!({"p": good})), [""; 0], "{pattern}");
        assert_eq!(problems(&spec, json!({"p": bad})).len(), 1, "{pattern}");
    }
}
