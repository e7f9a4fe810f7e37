//! Every format on texts that models write.
use serde_json::json;
use sparring_tools::{CallParser, Hermes, ParseError, ToolCall, ToolR0Tags};

fn f() -> ToolCall {
    ToolCall::new("f", [("a", json!(1)), ("b", json!("x"))])
}

#[test]
fn tool_r0_tags() {
    let parse = |content: &str| {
        ToolR0Tags::default().parse(&format!("<tool_call_answer>{content}</tool_call_answer>"))
    };
    let list = r#"[{"name": "f", "arguments": {"a": 1, "b": "x"}}]"#;
    assert_eq!(parse(list), Ok(vec![f()]));
    assert_eq!(parse(&format!("```json\n{list}\n```")), Ok(vec![f()]));
    assert_eq!(parse("[{'name': 'f', 'arguments': {'a': 1, 'b': 'x'}}]"), Ok(vec![f()]));
    assert_eq!(parse(r#"{"name": "f", "arguments": {"a": 1, "b": "x"}}"#), Ok(vec![f()]));
    assert_eq!(parse("[]"), Ok(vec![]));
    let two =
        format!("<tool_call_answer>oops</tool_call_answer> no: <Tool_Call_Answer>{list}</TOOL_CALL_ANSWER>");
    assert_eq!(ToolR0Tags::default().parse(&two), Ok(vec![f()]));
    let dots = ToolCall::new("f", [("a", json!("wait..."))]);
    assert_eq!(parse(r#"[{"name": "f", "arguments": {"a": "wait..."}}]"#), Ok(vec![dots]));
}

#[test]
fn tool_r0_errors_say_what_and_where() {
    let error = |text: &str| ToolR0Tags::default().parse(text).unwrap_err();
    assert!(matches!(error("I cannot help."), ParseError::NoBlock { offset: 14, .. }));
    assert!(matches!(
        error("<tool_call_answer> </tool_call_answer>"),
        ParseError::EmptyBlock { offset: 18, .. }
    ));
    let broken = error("<tool_call_answer>\n[{\"name\": f}]</tool_call_answer>");
    assert!(matches!(broken, ParseError::Syntax { offset: 29, .. }), "{broken}");
    let one_bad = error("<tool_call_answer>[{\"name\": \"f\"}, {\"nom\": 1}]</tool_call_answer>");
    assert_eq!(one_bad.to_string(), "value at byte 18: call 1: a call needs a \"name\"");
}

#[test]
fn hermes() {
    let parse = |text: &str| Hermes::default().parse(text);
    let body = r#"{"name": "f", "arguments": {"a": 1, "b": "x"}}"#;
    for text in [
        format!("<tool_call>\n{body}\n</tool_call>"),
        format!("Let me see.<tool_call>{body}</tool_call> Done."),
        format!("<tool_call>{body}"),
        format!("<tool_call>[{body}]</tool_call>"),
        format!("<think>maybe <tool_call>{{}}</tool_call></think>\n<tool_call>{body}</tool_call>"),
        "<tool_call>{'name': 'f', 'parameters': {'a': 1, 'b': 'x'}}</tool_call>".to_owned(),
    ] {
        assert_eq!(parse(&text), Ok(vec![f()]), "{text}");
    }
    assert_eq!(
        parse(&format!("<tool_call>{body}</tool_call>\n<tool_call>{body}</tool_call>")),
        Ok(vec![f(), f()])
    );
    assert_eq!(parse(&format!("<tool_call>{body}<tool_call>{body}")), Ok(vec![f(), f()]));
    let tag_inside = ToolCall::new("f", [("a", json!("</tool_call>"))]);
    assert_eq!(parse(&Hermes::default().render(std::slice::from_ref(&tag_inside))), Ok(vec![tag_inside]));
    assert_eq!(parse("It is sunny."), Ok(vec![]));
    assert!(parse("<think>still thinking").is_err());
    assert!(parse("<tool_call>{\"name\": \"f\"} and so on</tool_call>").is_err());
    assert!(parse("<tool_call>oops</tool_call>").is_err());
}

/// The formats' edge cases in the shared data: where the reference engine finds calls in a Hermes text, so do we.
#[test]
fn hermes_edge_cases_of_the_shared_data() {
    let Ok(shared) = std::env::var("SPARRING_SHARED") else {
        println!("skipped: SPARRING_SHARED is not set");
        return;
    };
    let path = std::path::Path::new(&shared).join("conformance/toolparse_edge_cases.jsonl");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: {} is not there unpacked", path.display());
        return;
    };
    let mut checked = 0;
    for line in text.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let want = case["sglang_oneshot"]["calls"].as_array().cloned().unwrap_or_default();
        if case["format"] != "hermes" || want.is_empty() {
            continue;
        }
        let found = Hermes::default().parse(case["raw"].as_str().unwrap()).unwrap();
        let want: Vec<_> = want.iter().map(|call| sparring_tools::call_from_value(call).unwrap()).collect();
        assert_eq!(found, want, "{}: {}", case["id"], case["note"]);
        checked += 1;
    }
    assert!(checked > 0);
}
