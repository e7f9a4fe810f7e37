//! Random values, calls and tools for the property tests.
use proptest::prelude::*;
use serde_json::{Map, Value};
use sparring_tools::ToolCall;

/// Any JSON value of a few levels, with awkward texts.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e6..1e6_f64).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..3).prop_map(|e| Value::Object(e.into_iter().collect())),
        ]
    })
}

/// Texts with tags, fences, quotes, and anything else.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".*",
        "[a-c0-9 ]{0,4}",
        prop::sample::select(vec![
            "</tool_call_answer>",
            "<Tool_Call_Answer>[]</Tool_Call_Answer>",
            "</tool_call>",
            "<tool_call>",
            "<think>",
            "```",
            "...",
            "\\",
            "'\"",
        ])
        .prop_map(str::to_owned),
    ]
}

/// Calls with any values, and names without surrounding white space.
pub(crate) fn calls() -> impl Strategy<Value = Vec<ToolCall>> {
    let arguments =
        prop::collection::vec((text(), value()), 0..3).prop_map(|entries| entries.into_iter().collect());
    let call = ("[a-z_.]{1,8}", arguments)
        .prop_map(|(name, arguments): (String, Map<String, Value>)| ToolCall::new(name, arguments));
    prop::collection::vec(call, 0..4)
}

/// Calls from a small domain, so that they often agree.
#[allow(dead_code)] // not every test compares calls
pub(crate) fn similar_calls() -> impl Strategy<Value = Vec<ToolCall>> {
    let value = prop::sample::select(vec![Value::from(1), Value::from("1"), Value::from("x"), Value::Null]);
    let arguments = prop::collection::btree_map("[ab]", value, 0..3);
    let call = ("[fg]", arguments).prop_map(|(name, arguments)| ToolCall::new(name, arguments));
    prop::collection::vec(call, 0..5)
}
