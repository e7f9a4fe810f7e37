use crate::store::disk;
use crate::{ShownAnswer, TrainError};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sparring_core::files;
use std::collections::BTreeMap;
use std::path::Path;

/// One evaluation over a run.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct EvaluationData {
    /// Its name.
    pub name: String,
    /// Its first tasks.
    pub tasks: Vec<Value>,
    /// Place in the run, accuracy, standard error.
    pub scores: Vec<(usize, f64, f64)>,
    /// By task, its answers in order: (place in the run, answer, solved).
    pub answers: BTreeMap<usize, Vec<(usize, String, bool)>>,
}

#[derive(Deserialize)]
struct Line {
    name: String,
    accuracy: f64,
    standard_error: f64,
    shown: Vec<ShownAnswer>,
}

impl EvaluationData {
    /// The evaluations of a run. `place` is the field that says where in the run they were: `iteration`, say.
    pub fn collect(records: &Records, place: &str) -> Vec<Self> {
        let mut all = Vec::new();
        records.iter().for_each(|record| Self::add(&mut all, record, place));
        all
    }

    fn add(all: &mut Vec<Self>, record: &Value, place: &str) {
        match record["kind"].as_str() {
            Some("evaluation_tasks") => {
                let name = record["evaluation"].as_str().unwrap_or_default();
                Self::of(all, name).tasks = record["tasks"].as_array().cloned().unwrap_or_default();
            }
            Some("evaluation") => {
                let Ok(line) = Line::deserialize(record) else { return };
                let place = record[place].as_u64().unwrap_or(0) as usize;
                let evaluation = Self::of(all, &line.name);
                evaluation.scores.push((place, line.accuracy, line.standard_error));
                for ShownAnswer { task, answer, solved } in line.shown {
                    evaluation.answers.entry(task).or_default().push((place, answer, solved));
                }
            }
            _ => {}
        }
    }

    fn of<'a>(all: &'a mut Vec<Self>, name: &str) -> &'a mut Self {
        let place = all.iter().position(|e| e.name == name).unwrap_or(all.len());
        if place == all.len() {
            all.push(Self { name: name.to_owned(), ..Self::default() });
        }
        &mut all[place]
    }
}

/// The records of a run, in order: `events.jsonl`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Records(Vec<Value>);

impl Records {
    /// Reads the records of a run folder. An incomplete last line is left out: the run may be writing it.
    ///
    /// # Errors
    /// [`TrainError::Io`] names the file; [`TrainError::Damaged`] also the line that is no record.
    pub fn read(dir: &Path) -> Result<Self, TrainError> {
        let path = dir.join("events.jsonl");
        Self::parse(&disk::read(&path)?).map_err(|what| TrainError::damaged(&path, what))
    }

    /// The records in the bytes of an `events.jsonl`.
    ///
    /// # Errors
    /// The first line that is not UTF-8 text or no JSON object, and why.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut records = Vec::new();
        each_record(bytes, |record| records.push(record))?;
        Ok(Self(records))
    }

    /// Checks that every whole line is a record.
    pub(crate) fn check(bytes: &[u8]) -> Result<(), String> {
        each_record(bytes, drop)
    }

    /// All records.
    pub fn iter(&self) -> impl Iterator<Item = &Value> {
        self.0.iter()
    }

    /// The records of one kind.
    pub fn of(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(move |record| record["kind"] == kind)
    }
}

fn each_record(bytes: &[u8], mut found: impl FnMut(Value)) -> Result<(), String> {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let text = files::text(bytes[..whole].to_vec()).map_err(|e| e.to_string())?;
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |what: String| format!("line {}: {what}", i + 1);
        match serde_json::from_str(line) {
            Ok(record @ Value::Object(_)) => found(record),
            Ok(_) => return Err(wrong("it is not a record, which is a JSON object".to_owned())),
            Err(error) => {
                let (column, reason) = (error.column(), error.to_string());
                let reason = reason.split(" at line ").next().unwrap_or_default();
                return Err(wrong(format!("it is not JSON at column {column} ({reason})")));
            }
        }
    }
    Ok(())
}

/// Reads a JSON file; `None` where there is none.
///
/// # Errors
/// [`TrainError::Io`] or [`TrainError::Damaged`] names the file.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, TrainError> {
    if !path.exists() {
        return Ok(None);
    }
    let read = serde_json::from_slice(&disk::read(path)?);
    read.map(Some).map_err(|e| TrainError::damaged(path, e.to_string()))
}
