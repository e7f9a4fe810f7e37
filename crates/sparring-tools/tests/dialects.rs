//! One tool in every dialect, and laws of conversion.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use sparring_tools::{Dialect, ToolSpec};

const STANDARD: [Dialect; 6] = [
    Dialect::OpenAiChat,
    Dialect::OpenAiResponses,
    Dialect::Mcp,
    Dialect::Anthropic,
    Dialect::Bedrock,
    Dialect::Bare,
];

/// The same tool as in the documentation of each API.
fn vectors() -> Vec<(Dialect, Value)> {
    let schema = json!({
        "type": "object",
        "properties": {
            "route": {"type": "string", "description": "From and to", "enum": ["Calais-Dover", "Kiel-Oslo"]},
            "fares": {"type": "array", "items": {"type": "number", "minimum": 0}},
            "car": {"type": "object", "properties": {"metres": {"type": "number"}, "plate": {"type": "string"}},
                    "required": ["plate"], "additionalProperties": false}
        },
        "required": ["route"]
    });
    let mut bfcl = schema.clone();
    bfcl["type"] = "dict".into();
    bfcl["properties"]["fares"]["items"]["type"] = "float".into();
    bfcl["properties"]["car"]["type"] = "dict".into();
    bfcl["properties"]["car"]["properties"]["metres"]["type"] = "float".into();
    let (name, what) = ("book_ferry", "Books a ferry");
    vec![
        (
            Dialect::OpenAiChat,
            json!({"type": "function", "function": {"name": name, "description": what, "parameters": schema,
                "strict": false}}),
        ),
        (
            Dialect::OpenAiResponses,
            json!({"type": "function", "name": name, "description": what, "parameters": schema, "strict": false}),
        ),
        (
            Dialect::Mcp,
            json!({"name": name, "title": "Ferry", "description": what, "inputSchema": schema,
                "outputSchema": {"type": "object", "properties": {"id": {"type": "string"}}},
                "annotations": {"readOnlyHint": false, "openWorldHint": true}, "icons": [],
                "execution": {"taskSupport": "optional"}, "_meta": {"example.org/price": 3}}),
        ),
        (
            Dialect::Anthropic,
            json!({"name": name, "description": what, "input_schema": schema, "cache_control": {"type": "ephemeral"}}),
        ),
        (
            Dialect::Bedrock,
            json!({"toolSpec": {"name": name, "description": what, "inputSchema": {"json": schema}}}),
        ),
        (Dialect::Bare, json!({"name": name, "description": what, "parameters": schema})),
        (Dialect::Bfcl, json!({"name": name, "description": what, "parameters": bfcl})),
        (
            Dialect::Flat,
            json!({"name": name, "description": what, "parameters": schema["properties"], "required": ["route"]}),
        ),
    ]
}

#[test]
fn each_dialect_matches_its_api() {
    let vectors = vectors();
    assert_eq!(vectors.iter().map(|(dialect, _)| *dialect).collect::<Vec<_>>(), Dialect::ALL);
    for (dialect, written) in &vectors {
        let mut spec = ToolSpec::from_json(written).unwrap();
        assert_eq!(spec.to_json(*dialect), *written, "{dialect:?}");
        // What a dialect does not know travels along; without it, all of them are one tool.
        spec.extra.clear();
        for (other, target) in &vectors {
            if (*dialect, *other) == (Dialect::Bfcl, Dialect::Flat) {
                continue; // the flat form keeps BFCL's words
            }
            let mut want = ToolSpec::from_json(target).unwrap();
            want.extra.clear();
            assert_eq!(spec.to_json(*other), want.to_json(*other), "{dialect:?} to {other:?}");
        }
    }
}

#[test]
fn later_mcp_drafts_keep_every_keyword() {
    let tool = json!({"name": "query", "inputSchema": {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
        "properties": {"region": {"type": "string", "x-mcp-header": "Region"}, "sql": {"$ref": "#/$defs/sql"}},
        "required": ["sql"], "$defs": {"sql": {"type": "string", "minLength": 1}},
        "oneOf": [{"required": ["region"]}, {"properties": {"sql": {"pattern": "^select"}}}],
        "dependentRequired": {"region": ["sql"]}, "unevaluatedProperties": false}});
    let spec = ToolSpec::from_json(&tool).unwrap();
    assert_eq!(spec.to_json(Dialect::Mcp), tool);
    assert_eq!(spec.to_json(Dialect::OpenAiChat)["function"]["parameters"], tool["inputSchema"]);
}

#[test]
fn bfcl_words_survive_and_become_json_schema_elsewhere() {
    let bfcl = json!({"name": "Cache.put", "description": "", "response": {"type": "dict"}, "parameters": {
        "type": "dict", "optional": ["size"], "required": ["key"], "properties": {
            "key": {"type": "String"}, "size": {"type": "long", "default": 5}, "on": {"type": "Boolean"},
            "pair": {"type": "tuple", "items": {"type": "float"}}, "big": {"type": "Bigint"}, "c": {"type": "char"},
            "rows": {"type": "ArrayList", "items": {"type": "Array", "items": {"type": "any"}}}, "odd": {"type": ""},
            "type": {"type": "HashMap", "properties": {"type": {"type": "double"}, "items": {"type": "byte"}},
                     "default": {"type": "dict"}, "enum": [{"type": "float"}]}}}});
    let spec = ToolSpec::from_json(&bfcl).unwrap();
    assert_eq!(spec.to_json(Dialect::Bfcl), bfcl);
    assert_eq!(
        spec.to_json(Dialect::Mcp),
        json!({"name": "Cache.put", "response": {"type": "dict"}, "inputSchema": {
            "type": "object", "optional": ["size"], "required": ["key"], "properties": {
                "key": {"type": "string"}, "size": {"type": "integer", "default": 5}, "on": {"type": "boolean"},
                "pair": {"type": "array", "items": {"type": "number"}},
                "big": {"type": "integer"}, "c": {"type": "string"},
                "rows": {"type": "array", "items": {"type": "array", "items": {"type": "string"}}},
                "odd": {"type": "string"},
                "type": {"type": "object", "properties": {"type": {"type": "number"}, "items": {"type": "integer"}},
                         "default": {"type": "dict"}, "enum": [{"type": "float"}]}}}})
    );
}

#[test]
fn unions_name_each_type_once_and_old_keywords_are_dropped() {
    let flat = json!({"name": "f", "parameters": {
        "a": {"type": ["int", "long", "null"]},
        "b": {"type": "list", "enum": null, "items": {"type": "str", "required": true}}}});
    let schema = ToolSpec::from_json(&flat).unwrap().parameters_schema();
    assert_eq!(
        schema["properties"],
        json!({"a": {"type": ["integer", "null"]}, "b": {"type": "array", "items": {"type": "string"}}})
    );
}

/// Names that are also keywords, or wrappers.
fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]", "type|properties|required|items|json|function|name|enum|parameters"]
}

/// A schema whose scalar types are drawn from `scalars`; data inside it may look like a schema.
fn schema(scalars: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let data = prop_oneof![
        Just(json!(1.5)),
        Just(json!("x")),
        Just(json!({"type": "object", "a": {"type": "number"}}))
    ];
    let leaf = prop_oneof![
        4 => (prop::sample::select(scalars), prop::option::of(data)).prop_map(|(kind, data)| match data {
            Some(data) => json!({"type": kind, "default": data, "enum": [data]}),
            None => json!({"type": kind, "description": "a number of objects"}),
        }),
        1 => Just(json!({"$ref": "#/$defs/point"})),
        1 => any::<bool>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|items| json!({"type": "array", "items": items})),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|any| json!({"anyOf": any})),
            (prop::collection::btree_map(name(), inner.clone(), 0..3), inner).prop_map(|(properties, rest)| {
                let required: Vec<_> = properties.keys().take(1).cloned().collect();
                json!({"type": "object", "properties": properties, "required": required, "additionalProperties": rest})
            }),
        ]
    })
}

/// Any tool; `keywords` for one whose schema has keywords of its own.
fn spec(scalars: &'static [&'static str], keywords: bool) -> impl Strategy<Value = ToolSpec> {
    let entries = |keys| {
        prop::collection::btree_map(prop::sample::select(keys), prop::sample::select(vec![1, 2]), 0..3)
    };
    let extra = entries(vec!["strict", "title", "annotations", "_meta", "tools", "x"]);
    let more = entries(vec!["minProperties", "x-order", "title"]);
    let parameters = prop::collection::btree_map(name(), schema(scalars), 0..4);
    ("[a-z]{1,6}", "[a-z]{0,3}", parameters, extra, more, schema(scalars), 0..3_usize).prop_map(
        move |(name, description, parameters, extra, more, point, required)| {
            let values = |map: std::collections::BTreeMap<&str, i32>| -> Map<String, Value> {
                map.into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect()
            };
            let required = parameters.keys().take(required).cloned().collect();
            let mut spec = ToolSpec::new(name, description, parameters.into_iter().collect(), required);
            spec.extra = values(extra);
            if keywords {
                spec.schema_extra = values(more);
                spec.schema_extra.insert("$defs".into(), json!({ "point": point }));
            }
            spec
        },
    )
}

const JSON_SCHEMA: &[&str] = &["string", "integer", "number", "boolean", "null"];
const BFCL: &[&str] = &["string", "float", "tuple", "any", "String", "ArrayList", "dict", "long"];

proptest! {
    #[test]
    fn json_schema_dialects_lose_nothing(spec in spec(JSON_SCHEMA, true)) {
        for dialect in STANDARD {
            let written = spec.to_json(dialect);
            prop_assert_eq!(ToolSpec::from_json(&written), Ok(spec.clone()), "{:?} {}", dialect, written);
        }
    }

    #[test]
    fn every_dialect_leads_to_every_other(with in spec(JSON_SCHEMA, true), without in spec(JSON_SCHEMA, false)) {
        for from in Dialect::ALL {
            // The flat form has no place for keywords of the schema.
            let spec = if *from == Dialect::Flat { &without } else { &with };
            let read = ToolSpec::from_json(&spec.to_json(*from)).unwrap();
            prop_assert_eq!(read.parameters_schema(), spec.parameters_schema(), "{:?}", from);
            for to in Dialect::ALL.iter().filter(|to| (*from, **to) != (Dialect::Bfcl, Dialect::Flat)) {
                prop_assert_eq!(read.to_json(*to), spec.to_json(*to), "{:?} to {:?}", from, to);
            }
        }
    }

    #[test]
    fn bfcl_reads_back_word_for_word(spec in spec(BFCL, true)) {
        let written = spec.to_json(Dialect::Bfcl);
        let read = ToolSpec::from_json(&written).unwrap();
        prop_assert_eq!(read.to_json(Dialect::Bfcl), written);
        prop_assert_eq!(read.parameters_schema(), spec.parameters_schema());
    }

    #[test]
    fn the_serialised_form_and_the_flat_one_keep_every_word(with in spec(BFCL, true), without in spec(BFCL, false)) {
        for spec in [&with, &without] {
            let text = serde_json::to_string(spec).unwrap();
            prop_assert_eq!(&serde_json::from_str::<ToolSpec>(&text).unwrap(), spec, "{}", text);
        }
        prop_assert_eq!(ToolSpec::from_json(&without.to_json(Dialect::Flat)), Ok(without));
    }
}
