//! Common formats on texts that models write.
use serde_json::json;
use sparring_tools::{CallParser, Format, ParseError, ToolCall, ToolR0Tags};

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
    let parse = |text: &str| Format::Hermes.parser().parse(text);
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
    assert_eq!(
        parse(&Format::Hermes.parser().render(std::slice::from_ref(&tag_inside))),
        Ok(vec![tag_inside])
    );
    assert_eq!(parse("It is sunny."), Ok(vec![]));
    assert!(parse("<think>still thinking").is_err());
    assert!(parse("<tool_call>{\"name\": \"f\"} and so on</tool_call>").is_err());
    assert!(parse("<tool_call>oops</tool_call>").is_err());
}

/// Edge cases on which serving engines differ, with the result of this parser; `None` is an error.
#[test]
fn hermes_edge_cases() {
    let g = ToolCall::new("g", serde_json::Map::new());
    let a = |value: serde_json::Value| Some(vec![ToolCall::new("f", [("a", value)])]);
    for (what, body, want) in [
        ("arguments before the name", r#"{"arguments": {"a": 1}, "name": "f"}"#, a(json!(1))),
        ("arguments in a string", r#"{"name": "f", "arguments": "{\"a\": 1}"}"#, a(json!(1))),
        ("no arguments", r#"{"name": "g"}"#, Some(vec![g.clone()])),
        ("null arguments", r#"{"name": "g", "arguments": null}"#, Some(vec![g.clone()])),
        ("a list", r#"[{"name": "g"}, {"name": "g", "arguments": {}}]"#, Some(vec![g.clone(), g])),
        ("a fence", "\n```json\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n```\n", a(json!(1))),
        ("a trailing comma", r#"{"name": "f", "arguments": {"a": 1,}}"#, a(json!(1))),
        ("the same key twice", r#"{"name": "f", "arguments": {"a": 1, "a": 2}}"#, None),
        ("a float stays one", r#"{"name": "f", "arguments": {"a": 5.0}}"#, a(json!(5.0))),
        (
            "an integer beyond 64 bits",
            r#"{"name": "f", "arguments": {"a": 100000000000000000000}}"#,
            a(json!(1e20)),
        ),
        ("braces in a string", r#"{"name": "f", "arguments": {"a": "{}}{"}}"#, a(json!("{}}{"))),
        (
            "a raw newline in a string",
            "{\"name\": \"f\", \"arguments\": {\"a\": \"x\ny\"}}",
            a(json!("x\ny")),
        ),
        ("not a number", r#"{"name": "f", "arguments": {"a": NaN}}"#, None),
        ("a missing brace", r#"{"name": "f", "arguments": {"a": 1}"#, None),
        ("a brace too many", r#"{"name": "f", "arguments": {"a": 1}}}"#, None),
        ("nothing", "\n\n", None),
        ("the tag twice", r#"<tool_call>{"name": "g"}"#, None),
        ("a broken second call", "{\"name\": \"g\"}</tool_call><tool_call>{\"name\": ", None),
    ] {
        let text = format!("<tool_call>{body}</tool_call>");
        assert_eq!(Format::Hermes.parser().parse(&text).ok(), want, "{what}: {text}");
    }
}

#[test]
fn ids_are_kept_where_the_format_has_them() {
    let calls = [f().with_id("functions.f:7"), f()];
    for (format, ids) in [
        (Format::Mistral, [Some("functions.f:7"), None]),
        (Format::Kimi, [Some("functions.f:7"), Some("functions.f:1")]),
        (Format::Hermes, [None, None]),
    ] {
        let text = format.parser().render(&calls);
        let read = format.parser().parse(&text).unwrap();
        assert_eq!(read, calls, "{text}");
        assert_eq!([read[0].id.as_deref(), read[1].id.as_deref()], ids, "{text}");
    }
    let foreign = Format::Kimi.parser().render(&[f().with_id("call_1")]);
    assert!(foreign.contains("functions.f:0"), "{foreign}");
}
