//! Loads benchmarks from files, one module per benchmark.
//!
//! Nothing is downloaded: the user passes the folder (or file) of the data.

mod api_bank;
mod bfcl;
mod hammer;
mod nexus_raven;
mod schema;
mod seal_tools;
mod snips;
pub(crate) mod source;
mod toolalpaca;
mod unified;

use crate::bfcl::BfclGrader;
use crate::{Benchmark, EvalError, ExactGrader, Grader, Item, calling};
use serde_json::Value;
use source::Record;
use sparring_core::{Message, Role};
use sparring_tools::{ToolCall, ToolSpec};
use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// The benchmarks that can be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Suite {
    /// Berkeley Function Calling Leaderboard v3 or v4, single turn: the folder of `BFCL_v4_*.json` files, with
    /// `possible_answer/` in it.
    Bfcl,
    /// ToolAlpaca: the folder of `eval_real.json` and `eval_simulated.json`.
    ToolAlpaca,
    /// Seal-Tools: the folder of `test_in_domain.jsonl`, `test_out_domain.jsonl` and `tool.jsonl`.
    SealTools,
    /// NexusRaven: the folder of `standardized_queries.jsonl` and `standardized_api_list.jsonl`.
    NexusRaven,
    /// API-Bank: the folder of `level-1-given-desc/` and `level-2-toolsearcher/`.
    ApiBank,
    /// Hammer's cleaned files: the folder of `apibank_l1.json`, `sealtool.json` and so on.
    Hammer,
    /// SNIPS: the folder of `validate_INTENT.json`, spans read as calls.
    Snips,
    /// The unified form: a `.jsonl` file, or a folder of such files.
    Unified,
}

impl Suite {
    /// Every suite.
    pub const ALL: [Self; 8] = [
        Self::Bfcl,
        Self::ToolAlpaca,
        Self::SealTools,
        Self::NexusRaven,
        Self::ApiBank,
        Self::Hammer,
        Self::Snips,
        Self::Unified,
    ];

    /// Its name on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bfcl => "bfcl",
            Self::ToolAlpaca => "toolalpaca",
            Self::SealTools => "seal-tools",
            Self::NexusRaven => "nexus-raven",
            Self::ApiBank => "api-bank",
            Self::Hammer => "hammer",
            Self::Snips => "snips",
            Self::Unified => "unified",
        }
    }

    /// Loads its items from `data`.
    ///
    /// `categories` selects; if empty, every category with a file is loaded.
    ///
    /// # Errors
    /// [`EvalError::Data`] names the file, the line and the field that cannot be read;
    /// [`EvalError::Invalid`] names an unknown category.
    pub fn load(self, data: &Path, categories: &[String]) -> Result<Benchmark, EvalError> {
        if !data.exists() {
            return Err(EvalError::data(data.display(), "does not exist".to_owned()));
        }
        let data = &self.folder(data);
        let items = match self {
            Self::Bfcl => bfcl::load(data, categories)?,
            Self::ToolAlpaca => toolalpaca::load(data)?,
            Self::SealTools => seal_tools::load(data)?,
            Self::NexusRaven => nexus_raven::load(data)?,
            Self::ApiBank => api_bank::load(data)?,
            Self::Hammer => hammer::load(data)?,
            Self::Snips => snips::load(data)?,
            Self::Unified => unified::load(data)?,
        };
        check_ids(&items, data)?;
        let items = if self == Self::Bfcl { items } else { select(items, categories)? };
        if items.is_empty() {
            return Err(EvalError::data(data.display(), format!("has no items of {self}")));
        }
        let grader: Arc<dyn Grader> = match self {
            Self::Bfcl => Arc::new(BfclGrader::new()),
            Self::NexusRaven => Arc::new(ExactGrader::with_defaults()),
            _ => Arc::new(ExactGrader::new()),
        };
        Ok(Benchmark { name: self.name().to_owned(), items, grader })
    }
}

impl Suite {
    /// The folder of the files, which some upstream repositories have one level further down.
    fn folder(self, data: &Path) -> PathBuf {
        let below = match self {
            Self::ApiBank => "lv1-lv2-samples",
            Self::Hammer => "original",
            Self::Snips => "validate",
            _ => return data.to_owned(),
        };
        let below = data.join(below);
        if below.is_dir() { below } else { data.to_owned() }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Suite {
    type Err = EvalError;

    fn from_str(name: &str) -> Result<Self, EvalError> {
        Self::ALL.into_iter().find(|suite| suite.name() == name).ok_or_else(|| {
            let all = Self::ALL.map(Self::name).join(", ");
            EvalError::invalid(format!("unknown benchmark `{name}`; known: {all}"))
        })
    }
}

/// Answers are stored by id, so two items with one id would share an answer.
fn check_ids(items: &[Item], data: &Path) -> Result<(), EvalError> {
    let mut seen = HashSet::new();
    match items.iter().find(|item| !seen.insert(item.id.as_str())) {
        None => Ok(()),
        Some(item) => Err(EvalError::data(data.display(), format!("two items have the id {}", item.id))),
    }
}

fn select(mut items: Vec<Item>, categories: &[String]) -> Result<Vec<Item>, EvalError> {
    if let Some(unknown) = categories.iter().find(|name| !items.iter().any(|i| i.category == **name)) {
        let mut there: Vec<_> = items.iter().map(|item| item.category.as_str()).collect();
        there.dedup();
        let there = there.join(", ");
        return Err(EvalError::invalid(format!("there is no category `{unknown}`; there are {there}")));
    }
    items.retain(|item| categories.is_empty() || categories.contains(&item.category));
    Ok(items)
}

/// The files of `names` (name and category) that exist in `data`, or `data` itself if it is one of them.
fn present<'a>(data: &Path, names: &[(&'a str, &'a str)]) -> Result<Vec<(PathBuf, &'a str)>, EvalError> {
    let found: Vec<_> = names
        .iter()
        .filter_map(|(name, category)| {
            let path = if data.is_file() && data.ends_with(name) { data.to_owned() } else { data.join(name) };
            source::existing(&path).map(|path| (path, *category))
        })
        .collect();
    if found.is_empty() {
        let names: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        return Err(EvalError::data(data.display(), format!("has none of {}", names.join(", "))));
    }
    Ok(found)
}

/// The definitions in the list `field`, with compound types shortened to their heads.
fn tool_specs(record: &Record, field: &str) -> Result<Vec<ToolSpec>, EvalError> {
    record
        .list(field)?
        .iter()
        .enumerate()
        .map(|(i, value)| {
            let mut spec = ToolSpec::from_json(value).map_err(|error| {
                record.bad(&format!("{field}[{i}]"), format_args!("is malformed: {error}"))
            })?;
            for schema in spec.parameters.values_mut() {
                *schema = schema::plain(schema);
            }
            Ok(spec)
        })
        .collect()
}

/// The calls in the list `field`.
fn calls(record: &Record, field: &str) -> Result<Vec<ToolCall>, EvalError> {
    sparring_tools::calls_from_value(record.get(field)?)
        .map_err(|what| record.bad(field, format_args!("is not a list of calls: {what}")))
}

/// The conversation in the list `field`: `role`, `content` and `tool_calls`. Role names of the papers are accepted too.
fn turns(record: &Record, field: &str) -> Result<Vec<Message>, EvalError> {
    record
        .records(field)?
        .iter()
        .map(|turn| {
            let role = match turn.text("role")? {
                "system" => Role::System,
                "user" => Role::User,
                "assistant" | "agent" => Role::Assistant,
                "tool" => Role::Tool,
                other => return Err(turn.bad("role", format_args!("is \"{other}\", which is not a role"))),
            };
            let calls = match turn.map.get("tool_calls") {
                Some(Value::Array(_)) => calls(turn, "tool_calls")?,
                _ => Vec::new(),
            };
            let content = match turn.map.get("content") {
                None | Some(Value::Null) if !calls.is_empty() => "",
                _ => turn.text("content")?,
            };
            let made = calling(&calls).tool_calls;
            Ok(Message::new(role, content).with_tool_calls(made))
        })
        .collect()
}
