//! The answers of a run, kept as they come.

use crate::EvalError;
use crate::load::source;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What a model said to one item.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Answer {
    /// The item.
    pub id: String,
    /// Hash of the prompt, to tell that a resumed run asks the same.
    pub prompt: String,
    /// The completion.
    pub text: String,
    /// Its length in tokens.
    pub tokens: usize,
    /// Whether the length limit cut it off.
    pub truncated: bool,
    /// Why the backend would not take the prompt (too long, for example); there is no text then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A file of answers, one JSON object a line; the first line says what the run is.
///
/// Lines are only ever appended. A last line that a crash cut off is dropped when the file is opened again.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    answers: BTreeMap<String, Answer>,
}

impl Journal {
    /// Opens `path`, or begins it. `run` is whatever decides the answers: model, benchmark, prompts, limits.
    ///
    /// # Errors
    /// [`EvalError::Invalid`] where the file belongs to another run, [`EvalError::Data`] where it is damaged,
    /// [`EvalError::Io`] where it cannot be read or written.
    pub fn open(path: &Path, run: &Value) -> Result<Self, EvalError> {
        let io = |error| EvalError::io(path, error);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
        let text = source::read_text(path)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            file.set_len(whole as u64).map_err(io)?;
        }
        file.seek(SeekFrom::End(0)).map_err(io)?;
        let mut journal = Self { path: path.to_owned(), file, answers: BTreeMap::new() };
        let mut lines = text[..whole].lines().enumerate();
        match lines.next() {
            None => journal.append(&[serde_json::json!({ "run": run })])?,
            Some((_, head)) => check_run(path, head, run)?,
        }
        for (i, line) in lines {
            let answer: Answer = serde_json::from_str(line).map_err(|error| {
                EvalError::data(format_args!("{}:{}", path.display(), i + 1), format!("no answer: {error}"))
            })?;
            journal.answers.insert(answer.id.clone(), answer);
        }
        Ok(journal)
    }

    /// The answer to an item, if there is one.
    pub fn get(&self, id: &str) -> Option<&Answer> {
        self.answers.get(id)
    }

    /// All answers by item.
    pub const fn answers(&self) -> &BTreeMap<String, Answer> {
        &self.answers
    }

    /// Appends answers; they are on disk when this returns.
    pub(crate) fn record(&mut self, answers: Vec<Answer>) -> Result<(), EvalError> {
        self.append(&answers)?;
        self.answers.extend(answers.into_iter().map(|answer| (answer.id.clone(), answer)));
        Ok(())
    }

    fn append<T: Serialize>(&mut self, rows: &[T]) -> Result<(), EvalError> {
        let mut text = String::new();
        for row in rows {
            text.push_str(&serde_json::to_string(row).map_err(|e| EvalError::io(&self.path, e.into()))?);
            text.push('\n');
        }
        let write = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        write.map_err(|error| EvalError::io(&self.path, error))
    }
}

fn check_run(path: &Path, head: &str, run: &Value) -> Result<(), EvalError> {
    let head: Value = serde_json::from_str(head).unwrap_or_default();
    if head["run"] == *run {
        return Ok(());
    }
    let differ = match (head["run"].as_object(), run.as_object()) {
        (Some(old), Some(new)) => {
            let keys = new.iter().filter(|(key, value)| old.get(*key) != Some(value));
            keys.map(|(key, value)| format!("{key} {value}")).collect::<Vec<_>>().join(", ")
        }
        _ => run.to_string(),
    };
    Err(EvalError::invalid(format!(
        "{} holds the answers of another run (this one has {differ}); name another folder",
        path.display()
    )))
}
