//! API-Bank levels 1 and 2 (DAMO-ConvAI, `lv1-lv2-samples`): dialogues, one turn a line.
//!
//! Every call of a dialogue is an item, with the turns before it as the question.
//!
//! The files have no API definitions. They are taken from what `ToolSearcher` returns anywhere in the folder. An API
//! that it never returns gets the parameters that the dialogues use, as strings. On level 1 the tool list is the APIs
//! of the dialogue; on level 2 it is `ToolSearcher` and what it has found so far.

use super::{schema, source};
use crate::{EvalError, Item, calling};
use serde_json::{Value, json};
use source::Record;
use sparring_core::Message;
use sparring_tools::{Dialect, ToolCall, ToolSpec};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Folder, category, and whether tools have to be searched for.
const LEVELS: [(&str, &str, bool); 2] =
    [("level-1-given-desc", "apibank_l1", false), ("level-2-toolsearcher", "apibank_l2", true)];
const SEARCH: &str = "ToolSearcher";

type Apis = BTreeMap<String, ToolSpec>;

struct Dialogue {
    /// File name without its extension.
    name: String,
    category: &'static str,
    search: bool,
    lines: Vec<Record>,
}

pub(super) fn load(dir: &Path) -> Result<Vec<Item>, EvalError> {
    let mut dialogues = Vec::new();
    for (folder, category, search) in LEVELS {
        let dir = dir.join(folder);
        if dir.is_dir() {
            for path in source::files(&dir)? {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                dialogues.push(Dialogue { name, category, search, lines: source::read(&path)? });
            }
        }
    }
    if dialogues.is_empty() {
        let folders = LEVELS.map(|(folder, ..)| folder).join(" nor ");
        return Err(EvalError::data(dir.display(), format!("contains neither {folders}")));
    }
    let lines: Vec<_> = dialogues.iter().flat_map(|dialogue| &dialogue.lines).collect();
    let apis = learn(&lines)?;
    dialogues.iter().map(|dialogue| items(dialogue, &apis)).collect::<Result<Vec<_>, _>>().map(|v| v.concat())
}

/// The APIs of the dialogues, whatever their order: first from the definitions, then from the arguments of calls.
fn learn(lines: &[&Record]) -> Result<Apis, EvalError> {
    let mut apis = Apis::new();
    let mut given: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in lines {
        if line.text("role")? != "API" {
            continue;
        }
        let call = call(line)?;
        given.entry(call.name).or_default().extend(call.arguments.keys().cloned());
        for found in found(line) {
            let known = apis.get(&found.name);
            if known.is_none_or(|known| weight(known) < weight(&found)) {
                apis.insert(found.name.clone(), found);
            }
        }
    }
    for (name, parameters) in given {
        let new = ToolSpec::new(&name, "", serde_json::Map::new(), Vec::new());
        let spec = apis.entry(name).or_insert(new);
        for parameter in parameters {
            spec.parameters.entry(parameter).or_insert_with(|| json!({"type": "string"}));
        }
    }
    Ok(apis)
}

/// Of two definitions of an API, the one with more parameters is used, else the later one in the alphabet.
fn weight(spec: &ToolSpec) -> (usize, String) {
    (spec.parameters.len(), spec.to_json(Dialect::Bare).to_string())
}

/// The definitions in a result of the search.
fn found(line: &Record) -> Vec<ToolSpec> {
    let output = match &line.map.get("result").unwrap_or(&Value::Null)["output"] {
        Value::Array(tools) => tools.clone(),
        one @ Value::Object(_) => vec![one.clone()],
        _ => Vec::new(),
    };
    let spec = |tool: &Value| {
        let parameters = tool["input_parameters"].as_object()?;
        let parameters = parameters.iter().map(|(name, p)| (name.clone(), schema::plain(p))).collect();
        let about = tool["description"].as_str().unwrap_or_default();
        Some(ToolSpec::new(tool["name"].as_str()?, about, parameters, Vec::new()))
    };
    output.iter().filter_map(spec).collect()
}

fn call(line: &Record) -> Result<ToolCall, EvalError> {
    Ok(ToolCall::new(line.text("api_name")?, line.object("param_dict")?.clone()))
}

fn items(dialogue: &Dialogue, apis: &Apis) -> Result<Vec<Item>, EvalError> {
    let mut tool_list: Vec<String> = if dialogue.search { vec![SEARCH.to_owned()] } else { names(dialogue) };
    let (mut turns, mut items): (Vec<Message>, Vec<Item>) = (Vec::new(), Vec::new());
    for line in &dialogue.lines {
        match line.text("role")? {
            "User" => turns.push(Message::user(line.text("text")?)),
            "AI" => turns.push(Message::assistant(line.text("text")?)),
            "API" => {
                let gold = call(line)?;
                let id = format!("{}_{}_{}", dialogue.category, dialogue.name, items.len());
                let tools = tool_list.iter().filter_map(|name| apis.get(name).cloned()).collect();
                items.push(Item::calls(id, dialogue.category, turns.clone(), tools, vec![gold.clone()]));
                if dialogue.search && gold.name == SEARCH {
                    let found = found(line).into_iter().map(|tool| tool.name);
                    let new: Vec<_> = found.filter(|name| !tool_list.contains(name)).collect();
                    tool_list.extend(new);
                }
                turns.push(calling(&[gold]));
                turns.push(Message::tool(result(line)));
            }
            other => {
                return Err(line.bad("role", format_args!("is \"{other}\"; there are User, AI and API")));
            }
        }
    }
    Ok(items)
}

/// The APIs that a dialogue calls, by name.
fn names(dialogue: &Dialogue) -> Vec<String> {
    let calls = dialogue.lines.iter().filter_map(|line| line.map.get("api_name")?.as_str());
    let mut names: Vec<_> = calls.map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

/// What the API returned, as text.
fn result(line: &Record) -> String {
    let result = line.map.get("result").unwrap_or(&Value::Null);
    match (&result["output"], &result["exception"]) {
        (Value::Null, Value::String(error)) => format!("error: {error}"),
        (Value::String(text), _) => text.clone(),
        (output, _) => output.to_string(),
    }
}
