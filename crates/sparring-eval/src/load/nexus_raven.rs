//! NexusRaven (nexusflowai/NexusRaven): one call a question.
//!
//! Reads the two subsets of the published data set, exported as JSON lines: `standardized_queries` (`prompt`,
//! `dataset`, `context_functions`, and the gold as `python_function_name` with `python_args_dict`, a JSON string)
//! and `standardized_api_list` (`name`, `dataset`, `description`, `args_dicts`).

use super::{schema, source};
use crate::{EvalError, Item};
use serde_json::{Map, Value, json};
use source::Record;
use sparring_core::Message;
use sparring_tools::{ToolCall, ToolSpec};
use std::collections::HashMap;
use std::path::Path;

const QUERIES: &str = "standardized_queries.jsonl";
const APIS: &str = "standardized_api_list.jsonl";

pub(super) fn load(dir: &Path) -> Result<Vec<Item>, EvalError> {
    // The key is data set and name, since ToolAlpaca's part repeats names.
    let mut apis: HashMap<(String, String), ToolSpec> = HashMap::new();
    for record in source::read(&dir.join(APIS))? {
        let key = (record.text("dataset")?.to_owned(), record.text("name")?.to_owned());
        apis.insert(key, api(&record)?);
    }
    let records = source::read(&dir.join(QUERIES))?;
    records.iter().enumerate().map(|(i, record)| query(i, record, &apis)).collect()
}

fn api(record: &Record) -> Result<ToolSpec, EvalError> {
    let mut spec = ToolSpec::new(record.text("name")?, record.text("description")?, Map::new(), Vec::new());
    for argument in record.records("args_dicts")? {
        // The type `None` means no type.
        let mut schema = match argument.text("type")? {
            "None" => json!({}),
            kind => json!({"type": schema::head(kind)}),
        };
        schema["description"] = argument.text("description")?.into();
        let required = argument.get("required")?.as_bool();
        let required = required.ok_or_else(|| argument.bad("required", "must be true or false"))?;
        // Python's None is written as text; an optional parameter that is left out is None.
        if !required {
            schema["default"] = match argument.get("default")? {
                Value::String(text) if text == "None" => Value::Null,
                other => other.clone(),
            };
        }
        spec = spec.with_parameter(argument.text("name")?, schema, required);
    }
    Ok(spec)
}

fn query(i: usize, record: &Record, apis: &HashMap<(String, String), ToolSpec>) -> Result<Item, EvalError> {
    let dataset = record.text("dataset")?;
    let tools = record
        .list("context_functions")?
        .iter()
        .map(|name| {
            let name = name.as_str().unwrap_or_default();
            apis.get(&(dataset.to_owned(), name.to_owned())).cloned().ok_or_else(|| {
                record.bad("context_functions", format_args!("names `{name}`, which is not in {APIS}"))
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let arguments: Map<String, Value> = serde_json::from_str(record.text("python_args_dict")?)
        .map_err(|error| record.bad("python_args_dict", format_args!("is not a JSON object: {error}")))?;
    let gold = ToolCall::new(record.text("python_function_name")?, arguments);
    let messages = vec![Message::user(record.text("prompt")?)];
    Ok(Item::calls(format!("{dataset}_{i}"), dataset, messages, tools, vec![gold]))
}
