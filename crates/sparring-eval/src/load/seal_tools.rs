//! Seal-Tools (fairyshine/Seal-Tools): questions with one call or several, and 4,076 tools.
//!
//! The paper's models see tools found by a retriever, which are not in the files. The tool list is therefore our own:
//! the tools of the gold, filled up to [`TOOLS_OFFERED`] with the tools that follow in `tool.jsonl` within the same
//! field, sorted by name.

use super::{present, schema, source};
use crate::{Defect, EvalError, Item};
use serde_json::Value;
use source::Record;
use sparring_core::Message;
use sparring_tools::{ToolCall, ToolSpec};
use std::collections::HashMap;
use std::path::Path;

/// Number of offered tools: as in the tool lists of Hammer's version of this benchmark.
const TOOLS_OFFERED: usize = 5;

const FILES: [(&str, &str); 3] =
    [("test_in_domain.jsonl", "in_domain"), ("test_out_domain.jsonl", "out_domain"), ("dev.jsonl", "dev")];

pub(super) fn load(data: &Path) -> Result<Vec<Item>, EvalError> {
    let files = present(data, &FILES)?;
    let dir = if data.is_file() { data.parent().unwrap_or(data) } else { data };
    let shelf = Shelf::read(&dir.join("tool.jsonl"))?;
    let mut items = Vec::new();
    for (path, domain) in files {
        for record in source::read(&path)? {
            items.push(item(&record, domain, &shelf)?);
        }
    }
    Ok(items)
}

fn item(record: &Record, domain: &str, shelf: &Shelf) -> Result<Item, EvalError> {
    let gold = record.records("calling")?.iter().map(call).collect::<Result<Vec<_>, _>>()?;
    let kind = if gold.len() == 1 { "single" } else { "multiple" };
    let messages = vec![Message::user(record.text("query")?)];
    let tools = shelf.tool_list(&gold);
    let chained = gold.iter().any(|call| call.arguments.values().any(is_placeholder));
    let mut item = Item::calls(record.text("id")?, format!("{domain}_{kind}"), messages, tools, gold);
    if chained {
        item.defects.push(Defect::Placeholder);
        item.defects.sort();
    }
    Ok(item)
}

/// `API_call_0`: what an earlier call would return.
fn is_placeholder(value: &Value) -> bool {
    match value {
        Value::String(text) => text
            .match_indices("API_call_")
            .any(|(at, mark)| text[at + mark.len()..].starts_with(|c: char| c.is_ascii_digit())),
        Value::Array(items) => items.iter().any(is_placeholder),
        Value::Object(map) => map.values().any(is_placeholder),
        _ => false,
    }
}

fn call(record: &Record) -> Result<ToolCall, EvalError> {
    Ok(ToolCall::new(record.text("api")?, record.object("parameters")?.clone()))
}

/// All tools, in the order of the file, with the field of each.
struct Shelf {
    tools: Vec<(String, ToolSpec)>,
    index: HashMap<String, usize>,
}

impl Shelf {
    fn read(path: &Path) -> Result<Self, EvalError> {
        let mut tools: Vec<(String, ToolSpec)> = Vec::new();
        for record in source::read(path)? {
            tools.push((record.text("field")?.to_owned(), spec(&record)?));
        }
        let index = tools.iter().enumerate().map(|(i, (_, tool))| (tool.name.clone(), i)).collect();
        Ok(Self { tools, index })
    }

    fn tool_list(&self, gold: &[ToolCall]) -> Vec<ToolSpec> {
        let mut chosen: Vec<usize> = Vec::new();
        for i in gold.iter().filter_map(|call| self.index.get(&call.name)) {
            if !chosen.contains(i) {
                chosen.push(*i);
            }
        }
        let Some(&first) = chosen.first() else { return Vec::new() };
        let same_field = |i: &usize| self.tools[*i].0 == self.tools[first].0;
        let after = (first + 1..self.tools.len()).chain(0..first);
        // If the field is small, tools of other fields follow.
        let fillers = after.clone().filter(same_field).chain(after.filter(|i| !same_field(i)));
        for i in fillers {
            if chosen.len() >= TOOLS_OFFERED {
                break;
            }
            if !chosen.contains(&i) {
                chosen.push(i);
            }
        }
        let mut tool_list: Vec<_> = chosen.into_iter().map(|i| self.tools[i].1.clone()).collect();
        tool_list.sort_by(|a, b| a.name.cmp(&b.name));
        tool_list
    }
}

fn spec(record: &Record) -> Result<ToolSpec, EvalError> {
    let parameters = record.object("parameters")?;
    let parameters = parameters.iter().map(|(name, value)| (name.clone(), schema::plain(value))).collect();
    let required =
        record.list("required")?.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
    Ok(ToolSpec::new(record.text("api_name")?, record.text("api_description")?, parameters, required))
}
