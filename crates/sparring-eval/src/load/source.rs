//! Reads files of records, with errors that name the file, the line and the field.

use crate::EvalError;
use flate2::read::MultiGzDecoder;
use serde_json::{Map, Value};
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The position of a record.
#[derive(Debug, Clone)]
pub(crate) struct At {
    file: Arc<str>,
    place: Option<Place>,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    /// In a file of JSON lines, from 1.
    Line(usize),
    /// In a file that holds one JSON array, from 0.
    Entry(usize),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some(Place::Line(line)) => write!(f, "{}:{line}", self.file),
            Some(Place::Entry(i)) => write!(f, "{}, entry {i}", self.file),
            None => write!(f, "{}", self.file),
        }
    }
}

/// A JSON object and its position.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) at: At,
    /// The fields that lead to `map`, for errors: empty, or `a.b.`.
    path: String,
    pub(crate) map: Map<String, Value>,
}

impl Record {
    /// An error about one field.
    pub(crate) fn bad(&self, field: &str, what: impl fmt::Display) -> EvalError {
        EvalError::data(&self.at, format!("field \"{}{field}\" {what}", self.path))
    }

    /// The field.
    pub(crate) fn get(&self, field: &str) -> Result<&Value, EvalError> {
        self.map.get(field).ok_or_else(|| self.bad(field, "is missing"))
    }

    /// A string.
    pub(crate) fn text(&self, field: &str) -> Result<&str, EvalError> {
        self.get(field)?.as_str().ok_or_else(|| self.bad(field, "must be a string"))
    }

    /// A list.
    pub(crate) fn list(&self, field: &str) -> Result<&[Value], EvalError> {
        let list = self.get(field)?.as_array();
        list.map(Vec::as_slice).ok_or_else(|| self.bad(field, "must be a list"))
    }

    /// An object.
    pub(crate) fn object(&self, field: &str) -> Result<&Map<String, Value>, EvalError> {
        self.get(field)?.as_object().ok_or_else(|| self.bad(field, "must be an object"))
    }

    /// The objects of a list.
    pub(crate) fn records(&self, field: &str) -> Result<Vec<Self>, EvalError> {
        self.list(field)?
            .iter()
            .enumerate()
            .map(|(i, value)| match value {
                Value::Object(map) => {
                    let path = format!("{}{field}[{i}].", self.path);
                    Ok(Self { at: self.at.clone(), path, map: map.clone() })
                }
                _ => Err(self.bad(&format!("{field}[{i}]"), "must be an object")),
            })
            .collect()
    }
}

/// The records of a file: one JSON object a line, one JSON array of objects, or one object over several lines.
/// A file with a name in `.gz` is decompressed; `FILE.gz` is read if there is no `FILE`.
pub(crate) fn read(path: &Path) -> Result<Vec<Record>, EvalError> {
    let text = read_text(path)?;
    let file: Arc<str> = path.display().to_string().into();
    let record = |value: Value, place| {
        let at = At { file: Arc::clone(&file), place };
        match value {
            Value::Object(map) => Ok(Record { at, path: String::new(), map }),
            _ => Err(EvalError::data(&at, "expected a JSON object")),
        }
    };
    if text.trim_start().starts_with('[') {
        let values: Vec<Value> = serde_json::from_str(&text).map_err(|e| broken(&file, &e))?;
        let entries = values.into_iter().enumerate();
        return entries.map(|(i, value)| record(value, Some(Place::Entry(i)))).collect();
    }
    if text.lines().next().is_some_and(|first| first.trim() == "{") {
        let value = serde_json::from_str(&text).map_err(|e| broken(&file, &e))?;
        return Ok(vec![record(value, None)?]);
    }
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(i, line)| {
            let value = serde_json::from_str(line).map_err(|e| {
                EvalError::data(
                    format_args!("{file}:{}", i + 1),
                    format!("not valid JSON at column {}; the file is damaged or cut off", e.column()),
                )
            })?;
            record(value, Some(Place::Line(i + 1)))
        })
        .collect()
}

fn broken(file: &str, error: &serde_json::Error) -> EvalError {
    EvalError::data(file, format!("not valid JSON ({error})"))
}

/// The text of a file, decompressed if it is a `.gz`.
pub(crate) fn read_text(path: &Path) -> Result<String, EvalError> {
    let path = existing(path).unwrap_or_else(|| path.to_owned());
    let missing = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => EvalError::data(path.display(), "not found"),
        _ => EvalError::io(&path, error),
    };
    let mut file = File::open(&path).map_err(missing)?;
    let mut text = String::new();
    let read = if path.extension().is_some_and(|ext| ext == "gz") {
        MultiGzDecoder::new(file).read_to_string(&mut text)
    } else {
        file.read_to_string(&mut text)
    };
    read.map_err(|error| match error.kind() {
        ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof => {
            EvalError::data(path.display(), "neither UTF-8 text nor a complete .gz file of UTF-8 text")
        }
        _ => EvalError::io(&path, error),
    })?;
    Ok(text)
}

/// `path`, or `path.gz`, whichever exists.
pub(crate) fn existing(path: &Path) -> Option<PathBuf> {
    let mut zipped = path.as_os_str().to_owned();
    zipped.push(".gz");
    [path.to_owned(), zipped.into()].into_iter().find(|path| path.is_file())
}

/// The files of a folder, by name, in order.
pub(crate) fn files(dir: &Path) -> Result<Vec<PathBuf>, EvalError> {
    let entries = std::fs::read_dir(dir).map_err(|error| match error.kind() {
        ErrorKind::NotFound => EvalError::data(dir.display(), "not found"),
        _ => EvalError::io(dir, error),
    })?;
    let paths: Result<Vec<_>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(|error| EvalError::io(dir, error))?;
    paths.retain(|path| path.is_file());
    paths.sort();
    Ok(paths)
}
