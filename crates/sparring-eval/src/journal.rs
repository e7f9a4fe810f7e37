//! The answers of a run, saved as they arrive.

use crate::EvalError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sparring_core::files::{self, FileError, open_own};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A model's answer to one item.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Answer {
    /// The item.
    pub id: String,
    /// Hash of the prompt, to detect that a resumed run asks something else.
    pub prompt: String,
    /// The completion.
    pub text: String,
    /// Its length in tokens.
    pub tokens: usize,
    /// Whether the length limit cut it off.
    pub truncated: bool,
    /// Why the backend refused the prompt (too long, for example); there is no text then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A file of answers, one JSON object a line. The first line identifies the run.
///
/// Lines are only appended. A last line that was cut off by a crash is dropped when the file is opened.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Where the last whole line ends.
    end: u64,
    answers: BTreeMap<String, Answer>,
}

impl Journal {
    /// Opens or creates `path`. `run` identifies the run by everything that decides its answers: model, benchmark,
    /// prompts, limits.
    ///
    /// # Errors
    /// [`EvalError::Invalid`] if the file belongs to another run, [`EvalError::Data`] if it is damaged,
    /// [`EvalError::Io`] if it cannot be read or written.
    pub fn open(path: &Path, run: &Value) -> Result<Self, EvalError> {
        let io = |error| EvalError::io(path, error);
        let options = OpenOptions::new().read(true).write(true).clone();
        let mut file = open_own(path, &options).map_err(|error| match error {
            FileError::Io(error) => io(error),
            error => EvalError::data(path.display(), error.to_string()),
        })?;
        // A crash may cut a line inside a character, so the tail is removed before the bytes are read as text.
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
        let end = bytes.len() as u64;
        let text = files::text(bytes).map_err(|error| {
            EvalError::data(path.display(), format!("{error}; remove the line, and its item is asked again"))
        })?;
        let mut journal = Self { path: path.to_owned(), file, end, answers: BTreeMap::new() };
        let mut lines = text.lines().enumerate();
        match lines.next() {
            None => journal.append(&[serde_json::json!({ "run": run })])?,
            Some((_, head)) => check_run(path, head, run)?,
        }
        for (i, line) in lines {
            let answer: Answer = serde_json::from_str(line).map_err(|error| {
                EvalError::data(
                    format_args!("{}:{}", path.display(), i + 1),
                    format!("not an answer: {error}; remove the line, and its item is asked again"),
                )
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
        self.write(text.as_bytes()).map_err(|error| EvalError::io(&self.path, error))
    }

    /// Writes after the last whole line, over anything that a crash or a failed write left there.
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.set_len(self.end)?;
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(bytes)?;
        self.file.sync_data()?;
        self.end += bytes.len() as u64;
        Ok(())
    }
}

fn check_run(path: &Path, head: &str, run: &Value) -> Result<(), EvalError> {
    let head: Value = serde_json::from_str(head).unwrap_or_default();
    if head["run"] == *run {
        return Ok(());
    }
    let differ = match (head["run"].as_object(), run.as_object()) {
        (Some(old), Some(new)) => {
            let changed = new.iter().filter(|(key, value)| old.get(*key) != Some(value));
            let changed = changed.map(|(key, value)| format!("{key} {value}"));
            let removed = old.keys().filter(|key| !new.contains_key(*key)).map(|key| format!("no {key}"));
            changed.chain(removed).collect::<Vec<_>>().join(", ")
        }
        _ => run.to_string(),
    };
    Err(EvalError::invalid(format!(
        "{} has the answers of another run (this one has {differ}); use another folder",
        path.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(id: &str) -> Answer {
        Answer { id: id.to_owned(), text: "café".to_owned(), ..Answer::default() }
    }

    #[test]
    fn a_line_cut_inside_a_character_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("answers.jsonl");
        let run = json!({"model": "m"});
        Journal::open(&path, &run).unwrap().record(vec![answer("a")]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&whole[..], b"{\"id\":\"zz\",\"text\":\"caf\xc3"].concat()).unwrap();
        let mut journal = Journal::open(&path, &run).unwrap();
        assert_eq!(journal.answers().len(), 1);
        journal.record(vec![answer("b")]).unwrap();
        assert_eq!(Journal::open(&path, &run).unwrap().answers().len(), 2);
        // In a whole line it is damage.
        std::fs::write(&path, [&whole[..], b"\xc3\n"].concat()).unwrap();
        let error = Journal::open(&path, &run).unwrap_err().to_string();
        assert!(error.contains(&format!("line 3: byte {} of the file is not UTF-8", whole.len())), "{error}");
    }

    #[test]
    fn what_a_failed_write_leaves_is_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("answers.jsonl");
        let mut journal = Journal::open(&path, &json!({})).unwrap();
        journal.record(vec![answer("a")]).unwrap();
        // The disk was full after half a line, which is longer than the next.
        journal.file.write_all(&[b'{'; 500]).unwrap();
        journal.record(vec![answer("b")]).unwrap();
        assert_eq!(Journal::open(&path, &json!({})).unwrap().answers(), journal.answers());
    }

    #[test]
    fn the_error_about_another_run_names_the_difference() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("answers.jsonl");
        Journal::open(&path, &json!({"a": 1, "b": 2, "c": 3})).unwrap();
        let error = Journal::open(&path, &json!({"a": 1, "b": 4})).unwrap_err().to_string();
        assert!(error.contains("(this one has b 4, no c)"), "{error}");
    }
}
