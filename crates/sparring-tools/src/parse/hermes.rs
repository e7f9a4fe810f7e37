use super::{CallParser, calls_from_value};
use crate::{ParseError, ToolCall, json};
use serde_json::Value;

const OPEN: &str = "<tool_call>";
const CLOSE: &str = "</tool_call>";

/// The format of Hermes and Qwen2.5/Qwen3: `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`, once a
/// call.
///
/// The JSON value itself says where a call ends, so `</tool_call>` inside a string does no harm, and a missing
/// closing tag is forgiven. A text without the tag is an answer without calls. What a leading `<think>` block
/// says does not count; one that never closes is an error, since the answer never came.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Hermes;

impl CallParser for Hermes {
    fn name(&self) -> &'static str {
        "hermes"
    }

    fn parse(&self, text: &str) -> Result<Vec<ToolCall>, ParseError> {
        let mut at = after_thinking(text)?;
        let mut calls = Vec::new();
        while let Some(found) = text[at..].find(OPEN) {
            let start = at + found + OPEN.len();
            let (value, end) = first_value(&text[start..]).map_err(|e| e.shifted(start))?;
            calls.extend(calls_from_value(&value).map_err(|what| ParseError::shape(start, what))?);
            at = start + end;
            let rest = text[at..].trim_start();
            if let Some(after) = rest.strip_prefix(CLOSE) {
                at = text.len() - after.len();
            } else if !(rest.is_empty() || rest.starts_with(OPEN)) {
                let offset = text.len() - rest.len();
                return Err(ParseError::syntax(offset, format!("expected {CLOSE} after the call")));
            }
        }
        Ok(calls)
    }

    fn render(&self, calls: &[ToolCall]) -> String {
        let blocks: Vec<_> =
            calls.iter().map(|call| format!("{OPEN}\n{}\n{CLOSE}", call.to_json())).collect();
        blocks.join("\n")
    }
}

/// Where the answer starts.
fn after_thinking(text: &str) -> Result<usize, ParseError> {
    let Some(open) = text.find("<think>") else { return Ok(0) };
    if text.find(OPEN).is_some_and(|call| call < open) {
        return Ok(0);
    }
    match text[open..].find("</think>") {
        Some(close) => Ok(open + close + "</think>".len()),
        None => Err(ParseError::NoBlock { tag: "think".to_owned(), offset: open }),
    }
}

/// The JSON value that `text` starts with, else the Python literal, with the byte after it. A fenced value
/// ends where its tag does.
fn first_value(text: &str) -> Result<(Value, usize), ParseError> {
    if text.trim_start().starts_with("```") {
        let end = text.find(CLOSE).unwrap_or(text.len());
        return Ok((json::relaxed(&text[..end])?, end));
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    if let Some(Ok(value)) = values.next() {
        return Ok((value, values.byte_offset()));
    }
    json::prefix(text)
}
