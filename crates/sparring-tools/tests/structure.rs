//! Each rule refuses what it is for, and the presets differ where they should.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

use serde_json::{Value, json};
use sparring_tools::structure::{StructureRules, check};
use sparring_tools::{ToolSpec, ToolTask, calls_from_value};

const QUESTION: &str = "Please book a table for two in Oslo at Maaemo";

fn task(question: &str, tools: &Value, calls: &Value) -> ToolTask {
    let tools = tools.as_array().unwrap().iter().map(|tool| ToolSpec::from_json(tool).unwrap());
    ToolTask {
        question: question.to_owned(),
        tools: tools.collect(),
        calls: calls_from_value(calls).unwrap(),
        domain: String::new(),
    }
}

fn book() -> Value {
    json!({"name": "book_table", "description": "Books a table", "required": ["city"], "parameters": {
        "city": {"type": "string"}, "people": {"type": "integer"}, "place": {"type": "string", "enum": ["Maaemo", "Kontrast"]}}})
}

fn call(arguments: &Value) -> Value {
    json!([{"name": "book_table", "arguments": arguments}])
}

fn rule(task: &ToolTask, rules: &StructureRules) -> &'static str {
    check(task, rules).err().map_or("fine", |violation| violation.rule)
}

#[test]
fn rules_of_both_presets() {
    let tools = json!([book()]);
    let with = |key: &str, value: Value| {
        let mut tool = book();
        tool[key] = value;
        json!([tool])
    };
    let good = call(&json!({"city": "Oslo", "people": 2, "place": "Maaemo"}));
    let twice = json!([good[0], good[0]]);
    for (what, task, released, corrected) in [
        ("a good task", task(QUESTION, &tools, &good), "fine", "fine"),
        ("no question", task(" ", &tools, &good), "short_question", "short_question"),
        (
            "a short one",
            task("Table for 2 at Maaemo, Oslo", &tools, &call(&json!({"city": "Oslo"}))),
            "fine",
            "fine",
        ),
        (
            "a shorter one",
            task("Table in Oslo", &tools, &call(&json!({"city": "Oslo"}))),
            "short_question",
            "fine",
        ),
        ("an echo", task(&format!("{QUESTION} (Control Spec)"), &tools, &good), "prompt_echo", "prompt_echo"),
        ("Han", task("東京でテーブルを予約 Oslo Maaemo 2 please now", &tools, &good), "cjk", "fine"),
        ("trivial", task(&format!("{QUESTION} and tell me a joke"), &tools, &good), "trivial", "trivial"),
        (
            "a lookup",
            task("What is the best table in Oslo?", &tools, &call(&json!({"city": "Oslo"}))),
            "trivial",
            "fine",
        ),
        ("no tools", task(QUESTION, &json!([]), &good), "no_tools", "no_tools"),
        ("a tool twice", task(QUESTION, &json!([book(), book()]), &good), "duplicate_tool", "duplicate_tool"),
        ("a generic name", task(QUESTION, &with("name", json!("API")), &good), "tool_name", "tool_name"),
        ("a short name", task(QUESTION, &with("name", json!("bt")), &good), "tool_name", "tool_name"),
        (
            "no description",
            task(QUESTION, &with("description", json!("x")), &good),
            "tool_description",
            "tool_description",
        ),
        ("no calls", task(QUESTION, &tools, &json!([])), "no_calls", "fine"),
        ("another tool", task(QUESTION, &tools, &json!([{"name": "fly"}])), "unknown_tool", "unknown_tool"),
        ("nothing given", task(QUESTION, &tools, &call(&json!({}))), "missing_argument", "missing_argument"),
        (
            "nested",
            task(QUESTION, &tools, &call(&json!({"city": ["Oslo"]}))),
            "nested_argument",
            "argument_type",
        ),
        (
            "made up",
            task(QUESTION, &tools, &call(&json!({"city": "Oslo", "x": 2}))),
            "fine",
            "unknown_argument",
        ),
        (
            "wrong type",
            task(QUESTION, &tools, &call(&json!({"city": "Oslo", "people": "two"}))),
            "fine",
            "argument_type",
        ),
        (
            "not in the enum",
            task(QUESTION, &tools, &call(&json!({"city": "Oslo", "place": "Oslo"}))),
            "fine",
            "argument_enum",
        ),
        (
            "not in the question",
            task(QUESTION, &tools, &call(&json!({"city": "Rome"}))),
            "fine",
            "ungrounded",
        ),
        ("the same twice", task(QUESTION, &tools, &twice), "fine", "repeated_call"),
    ] {
        assert_eq!(rule(&task, &StructureRules::released()), released, "released: {what}");
        assert_eq!(rule(&task, &StructureRules::corrected()), corrected, "corrected: {what}");
    }
}

#[test]
fn tools_without_parameters_and_odd_types() {
    let bare = json!([{"name": "lock_doors", "description": "Locks all doors", "parameters": {}}]);
    let lock = task("Lock all the doors of my car", &bare, &json!([{"name": "lock_doors"}]));
    assert_eq!(rule(&lock, &StructureRules::released()), "no_parameters");
    assert_eq!(rule(&lock, &StructureRules::corrected()), "fine");
    let list =
        json!([{"name": "add_tags", "description": "Adds tags", "parameters": {"tags": {"type": "array"}}}]);
    let tags = task(
        "Add the tags red and green",
        &list,
        &json!([{"name": "add_tags", "arguments": {"tags": ["red", "green"]}}]),
    );
    assert_eq!(rule(&tags, &StructureRules::released()), "parameter_type");
    assert_eq!(rule(&tags, &StructureRules::corrected()), "fine");
    let ghost =
        json!([{"name": "add_tags", "description": "Adds tags", "parameters": {}, "required": ["ghost"]}]);
    assert_eq!(
        rule(&task("Add the tags", &ghost, &json!([])), &StructureRules::corrected()),
        "required_names"
    );
}

#[test]
fn rules_are_settings() {
    let read: StructureRules = serde_json::from_value(json!({"min_calls": 1, "grounding": "off"})).unwrap();
    let mut want = StructureRules::corrected();
    (want.min_calls, want.grounding) = (1, None);
    assert_eq!(read, want);
    assert!(serde_json::from_value::<StructureRules>(json!({"min_call": 1})).is_err());
}
