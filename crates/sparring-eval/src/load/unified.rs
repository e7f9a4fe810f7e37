//! The unified form: `{"id", "benchmark", "messages", "tools", "answers"}`, one a line. A message has a `role` and
//! `content`, or `tool_calls` where the assistant made calls. Content is always text, even if it looks like JSON.

use super::{calls, source, tool_specs, turns};
use crate::{EvalError, Item};
use source::Record;
use std::path::Path;

pub(super) fn load(data: &Path) -> Result<Vec<Item>, EvalError> {
    let is_lines = |path: &Path| {
        let unzipped = if path.extension().is_some_and(|ext| ext == "gz") {
            path.with_extension("")
        } else {
            path.to_owned()
        };
        unzipped.extension().is_some_and(|ext| ext == "jsonl")
    };
    let mut paths = if data.is_file() { vec![data.to_owned()] } else { source::files(data)? };
    paths.retain(|path| is_lines(path));
    let mut items = Vec::new();
    for path in paths {
        for record in source::read(&path)? {
            items.push(item(&record)?);
        }
    }
    Ok(items)
}

fn item(record: &Record) -> Result<Item, EvalError> {
    let (tools, gold) = (tool_specs(record, "tools")?, calls(record, "answers")?);
    let messages = turns(record, "messages")?;
    Ok(Item::calls(record.text("id")?, record.text("benchmark")?, messages, tools, gold))
}
