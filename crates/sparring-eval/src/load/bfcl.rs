//! BFCL v3 and v4, single turn: JSON lines in files that end in `.json`.

use super::{source, tool_specs, turns};
use crate::bfcl::{BfclEntry, Category, Version};
use crate::{EvalError, Expected, Item};
use serde_json::{Value, json};
use source::Record;
use sparring_tools::ToolSpec;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

pub(super) fn load(dir: &Path, names: &[String]) -> Result<Vec<Item>, EvalError> {
    let wanted: Vec<Category> = names.iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
    let mut items = Vec::new();
    for category in Category::ALL {
        if !wanted.is_empty() && !wanted.contains(&category) {
            continue;
        }
        match file(dir, category) {
            Some((path, version)) => items.extend(load_category(&path, category, version)?),
            None if wanted.is_empty() => {}
            None => {
                return Err(EvalError::data(dir.display(), format!("has no BFCL_v4_{category}.json")));
            }
        }
    }
    Ok(items)
}

/// The questions of a category, under its name in either version.
fn file(dir: &Path, category: Category) -> Option<(PathBuf, Version)> {
    let names = [Version::V4, Version::V3].into_iter().flat_map(|version| {
        ["json", "jsonl"].map(|ext| (format!("{}.{ext}", category.stem(version)), version))
    });
    names.into_iter().find_map(|(name, version)| Some((source::existing(&dir.join(name))?, version)))
}

fn load_category(path: &Path, category: Category, version: Version) -> Result<Vec<Item>, EvalError> {
    let mut golds = if category.relevance().is_none() { Some(answers(path)?) } else { None };
    let mut seen = HashSet::new();
    let mut items = Vec::new();
    for record in source::read(path)? {
        let id = record.text("id")?;
        if !seen.insert(id.to_owned()) {
            return Err(record.bad("id", format_args!("is \"{id}\" as in a line before")));
        }
        items.push(item(&record, (category, version), golds.as_mut())?);
    }
    let mut left: Vec<_> = golds.unwrap_or_default().into_keys().collect();
    if left.is_empty() {
        return Ok(items);
    }
    left.sort();
    let (n, some) = (left.len(), left[..left.len().min(5)].join(", "));
    Err(EvalError::data(path.display(), format!("has no question for {n} lines of possible_answer/: {some}")))
}

/// The possible answers by id: the file of the same name in `possible_answer/`.
fn answers(questions: &Path) -> Result<HashMap<String, Vec<Value>>, EvalError> {
    let name = questions.file_name().unwrap_or_default().to_string_lossy();
    let name = name.trim_end_matches(".gz");
    let path = questions.with_file_name("possible_answer").join(name);
    let mut golds = HashMap::new();
    for record in source::read(&path)? {
        let id = record.text("id")?;
        if golds.insert(id.to_owned(), record.list("ground_truth")?.to_vec()).is_some() {
            return Err(record.bad("id", format_args!("is \"{id}\" as in a line before")));
        }
    }
    Ok(golds)
}

fn item(
    record: &Record,
    (category, version): (Category, Version),
    golds: Option<&mut HashMap<String, Vec<Value>>>,
) -> Result<Item, EvalError> {
    let id = record.text("id")?.to_owned();
    let ground_truth = match golds {
        Some(golds) => {
            golds.remove(&id).ok_or_else(|| record.bad("id", "has no line in possible_answer/"))?
        }
        None => Vec::new(),
    };
    let mut first = record.clone();
    match record.list("question")? {
        [Value::Array(turns)] => first.map.insert("question".to_owned(), json!(turns)),
        _ => return Err(record.bad("question", "must hold one list of messages: a single turn")),
    };
    let functions = record.list("function")?.to_vec();
    let mut tools = tool_specs(record, "function")?;
    if let Category::SimpleJava | Category::SimpleJavascript = category {
        for (tool, function) in tools.iter_mut().zip(&functions) {
            as_literals(tool, function, if category == Category::SimpleJava { "Java" } else { "JavaScript" });
        }
    }
    Ok(Item {
        id,
        category: category.name().to_owned(),
        messages: turns(&first, "question")?,
        tools,
        expected: Expected::Bfcl(BfclEntry { category, version, functions, ground_truth }),
        defects: Vec::new(),
    })
}

/// The checker reads every argument of a Java or JavaScript function from the text of a literal, so a model
/// that answers in JSON is asked for strings (as `bfcl-eval` does for models with native function calling).
fn as_literals(tool: &mut ToolSpec, function: &Value, language: &str) {
    for (name, schema) in &mut tool.parameters {
        let original = &function["parameters"]["properties"][name];
        let mut kind = original["type"].as_str().unwrap_or("any").to_owned();
        if let Some(element) = original["items"]["type"].as_str() {
            kind = format!("{kind} of {element}");
        }
        let about = original["description"].as_str().unwrap_or_default();
        let about = format!("{about} (the text of a {language} literal or expression of type {kind})");
        *schema = json!({"type": "string", "description": about.trim_start()});
    }
}
