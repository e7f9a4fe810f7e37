//! Each rule refuses what it should, and the presets differ where they should.
#![cfg(feature = "validate")]
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
        "city": {"type": "string"}, "people": {"type": "integer"},
        "place": {"type": "string", "enum": ["Maaemo", "Kontrast"]}}})
}

fn call(arguments: &Value) -> Value {
    json!([{"name": "book_table", "arguments": arguments}])
}

fn rule(task: &ToolTask, rules: &StructureRules) -> &'static str {
    check(task, rules).err().map_or("fine", |violation| violation.rule)
}

/// What is wrong with a task, and the rule that refuses it in the released and in the corrected preset.
type Row = (&'static str, ToolTask, &'static str, &'static str);

fn check_rows(rows: impl IntoIterator<Item = Row>) {
    for (what, task, released, corrected) in rows {
        assert_eq!(rule(&task, &StructureRules::released()), released, "released: {what}");
        assert_eq!(rule(&task, &StructureRules::corrected()), corrected, "corrected: {what}");
    }
}

#[test]
fn rules_about_the_question() {
    let all = call(&json!({"city": "Oslo", "people": 2, "place": "Maaemo"}));
    let city = call(&json!({"city": "Oslo"}));
    let echo = format!("{QUESTION} (Control Spec)");
    let joke = format!("{QUESTION} and tell me a joke");
    let han = "東京でテーブルを予約 Oslo Maaemo 2 please now";
    let ask = |question: &str, calls: &Value| task(question, &json!([book()]), calls);
    check_rows([
        ("nothing", ask(QUESTION, &all), "fine", "fine"),
        ("no question", ask(" ", &all), "short_question", "short_question"),
        ("a short one", ask("Table for 2 at Maaemo, Oslo", &city), "fine", "fine"),
        ("a shorter one", ask("Table in Oslo", &city), "short_question", "fine"),
        ("an echo", ask(&echo, &all), "prompt_echo", "prompt_echo"),
        ("Han", ask(han, &all), "cjk", "fine"),
        ("trivial", ask(&joke, &all), "trivial", "trivial"),
        ("a lookup", ask("What is the best table in Oslo?", &city), "trivial", "fine"),
    ]);
}

#[test]
fn rules_about_the_tools() {
    let good = call(&json!({"city": "Oslo", "people": 2, "place": "Maaemo"}));
    let tool_list = |tools: &Value| task(QUESTION, tools, &good);
    let with = |key: &str, value: &str| {
        let mut tool = book();
        tool[key] = json!(value);
        tool_list(&json!([tool]))
    };
    check_rows([
        ("no tools", tool_list(&json!([])), "no_tools", "no_tools"),
        ("a tool twice", tool_list(&json!([book(), book()])), "duplicate_tool", "duplicate_tool"),
        ("a generic name", with("name", "API"), "tool_name", "tool_name"),
        ("a short name", with("name", "bt"), "tool_name", "tool_name"),
        ("no description", with("description", "x"), "tool_description", "tool_description"),
    ]);
}

#[test]
fn rules_about_the_calls() {
    let calls = |calls: &Value| task(QUESTION, &json!([book()]), calls);
    let one = |arguments: &Value| calls(&call(arguments));
    let good = call(&json!({"city": "Oslo", "people": 2, "place": "Maaemo"}));
    check_rows([
        ("no calls", calls(&json!([])), "no_calls", "fine"),
        ("another tool", calls(&json!([{"name": "fly"}])), "unknown_tool", "unknown_tool"),
        ("nothing given", one(&json!({})), "missing_argument", "missing_argument"),
        ("nested", one(&json!({"city": ["Oslo"]})), "nested_argument", "argument_type"),
        ("made up", one(&json!({"city": "Oslo", "x": 2})), "fine", "unknown_argument"),
        ("wrong type", one(&json!({"city": "Oslo", "people": "two"})), "fine", "argument_type"),
        ("not in the enum", one(&json!({"city": "Oslo", "place": "Oslo"})), "fine", "argument_enum"),
        ("not in the question", one(&json!({"city": "Rome"})), "fine", "ungrounded"),
        ("the same twice", calls(&json!([good[0], good[0]])), "fine", "repeated_call"),
    ]);
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
