//! Hammer's cleaned files (MadeAgents/Hammer, `data/test/original`): one JSON array per benchmark.

use super::{calls, present, source, tool_specs, turns};
use crate::{EvalError, Item, calling};
use serde_json::Value;
use source::Record;
use sparring_core::{Message, Role};
use std::path::Path;

const FILES: [(&str, &str); 5] = [
    ("toolalpaca.json", "toolalpaca"),
    ("sealtool.json", "sealtool"),
    ("nexusraven.json", "nexusraven"),
    ("apibank_l1.json", "apibank_l1"),
    ("apibank_l2.json", "apibank_l2"),
];

pub(super) fn load(data: &Path) -> Result<Vec<Item>, EvalError> {
    let mut items = Vec::new();
    for (path, category) in present(data, &FILES)? {
        for (i, record) in source::read(&path)?.iter().enumerate() {
            items.push(item(record, format!("{category}_{i}"), category)?);
        }
    }
    Ok(items)
}

fn item(record: &Record, id: String, category: &str) -> Result<Item, EvalError> {
    let messages = match record.get("query")? {
        Value::String(text) => vec![Message::user(text)],
        _ => turns(record, "query")?.into_iter().map(with_calls).collect(),
    };
    let (tools, gold) = (tool_specs(record, "tools")?, calls(record, "answers")?);
    Ok(Item::calls(id, category, messages, tools, gold))
}

/// Earlier calls of the assistant are fenced JSON in these files.
fn with_calls(turn: Message) -> Message {
    if turn.role != Role::Assistant || !turn.content.starts_with("```") {
        return turn;
    }
    let calls = sparring_tools::json::relaxed(&turn.content).ok();
    let calls = calls.and_then(|value| sparring_tools::calls_from_value(&value).ok());
    calls.map_or(turn, |calls| calling(&calls))
}
