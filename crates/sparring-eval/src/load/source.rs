//! Reads files of records, with errors that name the file, the line and the field.

use crate::EvalError;
use flate2::read::MultiGzDecoder;
use serde_json::{Map, Value};
use sparring_core::files::{self, FileError};
use std::fmt;
use std::fs::File;
use std::io::ErrorKind;
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
            let value = serde_json::from_str(line)
                .map_err(|e| EvalError::data(format_args!("{file}:{}", i + 1), json_problem(&e, None)))?;
            record(value, Some(Place::Line(i + 1)))
        })
        .collect()
}

fn broken(file: &str, error: &serde_json::Error) -> EvalError {
    EvalError::data(file, json_problem(error, Some(error.line())))
}

/// Why a text is not read as JSON, where, and what to do.
fn json_problem(error: &serde_json::Error, line: Option<usize>) -> String {
    let line = line.map_or_else(String::new, |line| format!("line {line}, "));
    let at = format!("{line}column {}", error.column());
    let reason = error.to_string();
    match reason.split(" at line ").next().unwrap_or_default() {
        "number out of range" => {
            format!("at {at}: the number is beyond 1.8e308; correct it, or write it as a string")
        }
        "recursion limit exceeded" => {
            format!("at {at}: lists and objects are nested deeper than 127 levels; flatten them")
        }
        _ if error.is_eof() => format!("not valid JSON at {at}: it ends too early; the file is cut off"),
        reason => format!("not valid JSON at {at}: {reason}"),
    }
}

/// The text of a file, decompressed if it is a `.gz`.
pub(crate) fn read_text(path: &Path) -> Result<String, EvalError> {
    let path = existing(path).unwrap_or_else(|| path.to_owned());
    let file = File::open(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => EvalError::data(path.display(), "not found"),
        _ => EvalError::io(&path, error),
    })?;
    let zipped = path.extension().is_some_and(|ext| ext == "gz");
    let text = if zipped { files::read_text(MultiGzDecoder::new(file)) } else { files::read_text(file) };
    text.map_err(|error| match error {
        FileError::Io(error) if zipped && is_broken(&error) => {
            EvalError::data(path.display(), format!("not a whole .gz file ({error}); fetch it again"))
        }
        FileError::Io(error) => EvalError::io(&path, error),
        error => EvalError::data(path.display(), error.to_string()),
    })
}

/// Whether the contents are wrong, not the disk.
fn is_broken(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn error(name: &str, bytes: &[u8]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let text = read(&path).unwrap_err().to_string();
        text.strip_prefix(&dir.path().display().to_string()).unwrap().to_owned()
    }

    fn nested(depth: usize) -> String {
        format!("{{\"a\": {}{}}}\n", "[".repeat(depth), "]".repeat(depth))
    }

    #[test]
    fn what_is_no_json_is_named_as_what_it_is() {
        let cases = [
            ("{}\n{\"a\": 1e400}\n", ":2: at column 11: the number is beyond 1.8e308; correct it"),
            (&format!("{{\"a\": {}}}", "9".repeat(400)), "the number is beyond 1.8e308"),
            (&nested(200), ":1: at column 133: lists and objects are nested deeper"),
            ("{}\n{\"a\": ", ":2: not valid JSON at column 6: it ends too early; the file is cut off"),
            ("{\"a\" 1}", ":1: not valid JSON at column 6: expected `:`"),
            ("[{}, {]", ": not valid JSON at line 1, column 7: key must be a string"),
            ("{}\n3\n", ":2: expected a JSON object"),
        ];
        for (text, wanted) in cases {
            let found = error("x.jsonl", text.as_bytes());
            assert!(found.contains(wanted), "{found} for {wanted}");
        }
        let found = error("x.jsonl", b"{}\n{\"a\": \"\xff\"}\n");
        assert!(found.starts_with("/x.jsonl: line 2: byte 10 of the file is not UTF-8"), "{found}");
        let found = error("x.jsonl.gz", b"{}\n");
        assert!(found.starts_with("/x.jsonl.gz: not a whole .gz file ("), "{found}");
    }

    #[test]
    fn a_byte_order_mark_and_depth_within_the_limit_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.jsonl");
        std::fs::write(
            &path,
            format!("\u{feff}{}\r\n{{\"b\": 123456789012345678901234567890}}", nested(120).trim()),
        )
        .unwrap();
        assert_eq!(read(&path).unwrap().len(), 2);
    }

    #[test]
    fn a_small_file_that_becomes_a_large_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bomb.jsonl.gz");
        let mut zipped =
            flate2::write::GzEncoder::new(File::create(&path).unwrap(), flate2::Compression::best());
        let block = vec![b' '; 1 << 20];
        for _ in 0..=files::DEFAULT_LIMIT_MIB {
            zipped.write_all(&block).unwrap();
        }
        zipped.finish().unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("bomb.jsonl.gz: holds more than 512 MiB"), "{error}");
        assert!(error.contains(files::LIMIT_VARIABLE), "{error}");
    }
}
