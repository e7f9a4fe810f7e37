//! Cases from public bug reports of tool-call parsers, recorded outside the repository: the folder that the environment
//! variable `SPARRING_SHARED` names has them in `reports/cases/tool_calls.jsonl`.
#![cfg(feature = "validate")]
#![allow(clippy::unwrap_used)] // helpers of tests

use serde_json::Value;
use sparring_tools::{
    Assignment, Dialect, Format, RobustComparator, ToolCall, ToolSpec, call_from_value, conformance,
    match_calls,
};
use std::path::Path;

/// Cases in which this crate differs on purpose; `docs/tool-calls.md` says why.
const DIFFERENT: [&str; 0] = [];

#[test]
#[ignore = "needs SPARRING_SHARED, the folder of recorded references"]
fn every_case_is_read_as_wanted_or_is_explained() {
    let Some(shared) = std::env::var_os("SPARRING_SHARED") else {
        println!("skipped: SPARRING_SHARED is not set");
        return;
    };
    let path = Path::new(&shared).join("reports/cases/tool_calls.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let (mut right, mut all, mut wrong) = (0, 0, Vec::new());
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let id = case["id"].as_str().unwrap();
        all += 1;
        match check(&case) {
            Ok(()) => right += 1,
            Err(why) => wrong.push((id.to_owned(), format!("{id} ({}): {why}", case["about"]))),
        }
    }
    println!("{right} of {all} cases as wanted");
    for (_, line) in &wrong {
        println!("{line}");
    }
    let unexplained: Vec<_> = wrong.iter().filter(|(id, _)| !DIFFERENT.contains(&id.as_str())).collect();
    assert!(unexplained.is_empty(), "{} unexplained differences", unexplained.len());
}

fn check(case: &Value) -> Result<(), String> {
    match case["kind"].as_str() {
        None => check_text(case),
        Some("value") => check_value(case),
        Some("schema") => check_schema(case),
        Some("match") => check_match(case),
        Some(other) => Err(format!("unknown kind {other}")),
    }
}

fn calls(value: &Value) -> Vec<ToolCall> {
    value.as_array().unwrap().iter().map(|call| call_from_value(call).unwrap()).collect()
}

fn check_text(case: &Value) -> Result<(), String> {
    let name = case["fmt"].as_str().unwrap();
    let format = Format::from_name(name).ok_or_else(|| format!("unknown format {name}"))?;
    let tools = match &case["tools"] {
        Value::Null => Vec::new(),
        tools => ToolSpec::list_from_json(tools).map_err(|e| e.to_string())?,
    };
    let in_thought = case["think"] == true;
    let parser = if in_thought { format.parser_in_thought(tools) } else { format.parser_for(tools) };
    if let Some(given) = case.get("renderonly") {
        let given = calls(given);
        let text = parser.render(&given);
        let back = parser.parse(&text).map_err(|e| format!("{text}: {e}"))?;
        return if back == given { Ok(()) } else { Err(format!("{text} reads as {back:?}")) };
    }
    let text = case["text"].as_str().unwrap();
    conformance::streams_as_whole(&*parser, text)?;
    let reading = parser.read(text);
    let wanted = calls(&case["calls"]);
    if reading.calls != wanted {
        return Err(format!("{:?}, wanted {wanted:?}; {:?}", reading.calls, reading.repairs));
    }
    if let Some(content) = case["content"].as_str()
        && reading.content != content
    {
        return Err(format!("content {:?}, wanted {content:?}", reading.content));
    }
    if case["strict"] == true
        && let Err(error) = parser.parse(text)
    {
        return Err(format!("parse: {error}"));
    }
    if let Some(rendered) = case["render"].as_str() {
        let (compact, own) = (rendered.replace(' ', ""), parser.render(&wanted).replace(' ', ""));
        if compact != own {
            return Err(format!("rendered as {own}, wanted {compact}"));
        }
    }
    Ok(())
}

fn check_value(case: &Value) -> Result<(), String> {
    match (call_from_value(&case["value"]), case["refuse"] == true) {
        (Err(_), true) => Ok(()),
        (Ok(call), false) if vec![call.clone()] == calls(&case["calls"]) => Ok(()),
        (other, _) => Err(format!("{other:?}")),
    }
}

fn check_schema(case: &Value) -> Result<(), String> {
    let tools = match (ToolSpec::list_from_json(&case["def"]), case["refuse"] == true) {
        (Ok(_), true) => return Err("accepted".into()),
        (Err(_), true) => return Ok(()),
        (tools, _) => tools.map_err(|e| e.to_string())?,
    };
    if let Some(n) = case["n"].as_u64()
        && tools.len() as u64 != n
    {
        return Err(format!("{} tools", tools.len()));
    }
    let tool = &tools[0];
    if let Some(name) = case["name"].as_str()
        && tool.name != name
    {
        return Err(format!("name {}", tool.name));
    }
    let names = |value: &Value| -> Option<Vec<String>> {
        Some(value.as_array()?.iter().map(|name| name.as_str().unwrap().to_owned()).collect())
    };
    let parameters: Vec<_> = tool.parameters.keys().cloned().collect();
    if let Some(wanted) = names(&case["params"])
        && parameters != wanted
    {
        return Err(format!("parameters {parameters:?}"));
    }
    if let Some(wanted) = names(&case["required"])
        && tool.required != wanted
    {
        return Err(format!("required {:?}", tool.required));
    }
    for call in case["valid"].as_array().into_iter().flatten() {
        let call = call_from_value(call).unwrap();
        tool.validate(&call).map_err(|problems| format!("{call:?} is refused: {problems:?}"))?;
    }
    for call in case["invalid"].as_array().into_iter().flatten() {
        let call = call_from_value(call).unwrap();
        if tool.validate(&call).is_ok() {
            return Err(format!("{call:?} is accepted"));
        }
    }
    if let Some(wanted) = case["writes"].get("openai")
        && tool.to_json(Dialect::OpenAiChat) != *wanted
    {
        return Err(format!("written as {}", tool.to_json(Dialect::OpenAiChat)));
    }
    Ok(())
}

fn check_match(case: &Value) -> Result<(), String> {
    let (gold, found) = (calls(&case["gold"]), calls(&case["found"]));
    let exact = match_calls(&gold, &found, &RobustComparator, Assignment::Optimal).exact();
    if exact == (case["exact"] == true) { Ok(()) } else { Err(format!("exact: {exact}")) }
}
