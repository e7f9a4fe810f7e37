//! SNIPS (sonos/nlu-benchmark): annotated spans, read as calls. This reading is our own: an intent is a tool, its slots
//! are optional string arguments, and the right answer is one call with the spans' texts.

use super::source;
use crate::{EvalError, Item};
use serde_json::{Map, Value, json};
use sparring_core::Message;
use sparring_tools::{ToolCall, ToolSpec};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

struct Utterance {
    text: String,
    slots: Map<String, Value>,
}

pub(super) fn load(dir: &Path) -> Result<Vec<Item>, EvalError> {
    let mut intents: BTreeMap<String, Vec<Utterance>> = BTreeMap::new();
    for path in source::files(dir)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("validate_") {
            for record in source::read(&path)? {
                for intent in record.map.keys() {
                    let entries = record.records(intent)?;
                    let utterances: Result<_, _> = entries.iter().map(utterance).collect();
                    intents.insert(intent.clone(), utterances?);
                }
            }
        }
    }
    let tools: Vec<ToolSpec> = intents.iter().map(|(intent, utterances)| tool(intent, utterances)).collect();
    let items = intents.into_iter().flat_map(|(intent, utterances)| {
        let tools = &tools;
        utterances.into_iter().enumerate().map(move |(i, Utterance { text, slots })| {
            let gold = ToolCall::new(&intent, slots);
            let messages = vec![Message::user(text)];
            Item::calls(format!("snips_{intent}_{i}"), "snips", messages, tools.clone(), vec![gold])
        })
    });
    Ok(items.collect())
}

fn utterance(record: &source::Record) -> Result<Utterance, EvalError> {
    let (mut text, mut slots) = (String::new(), Map::new());
    for span in record.records("data")? {
        let words = span.text("text")?;
        text.push_str(words);
        if span.map.contains_key("entity") {
            slots.insert(span.text("entity")?.to_owned(), words.into());
        }
    }
    Ok(Utterance { text: text.trim().to_owned(), slots })
}

fn tool(intent: &str, utterances: &[Utterance]) -> ToolSpec {
    let slots: BTreeSet<&String> = utterances.iter().flat_map(|u| u.slots.keys()).collect();
    let parameters = slots.into_iter().map(|slot| (slot.clone(), json!({"type": "string"}))).collect();
    ToolSpec::new(intent, format!("The intent {intent}"), parameters, Vec::new())
}
