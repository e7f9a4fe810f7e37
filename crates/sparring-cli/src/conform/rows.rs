//! Recorded rows, one JSON object a line.
use flate2::read::MultiGzDecoder;
use serde_json::Value;
use sparring::core::BoxError;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// The rows of a file, gzipped where its name says so.
pub(crate) fn read(path: &Path) -> Result<impl Iterator<Item = Result<Value, BoxError>> + use<>, BoxError> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| format!("{name}: {error}"))?;
    let plain: Box<dyn Read> = match path.extension() {
        Some(extension) if extension == "gz" => Box::new(MultiGzDecoder::new(file)),
        _ => Box::new(file),
    };
    Ok(BufReader::new(plain).lines().enumerate().map(move |(i, line)| {
        let row = line.map_err(BoxError::from).and_then(|line| Ok(serde_json::from_str(&line)?));
        row.map_err(|error| format!("{name}, line {}: {error}", i + 1).into())
    }))
}

/// A text of a row; empty where it has none.
pub(crate) fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A list of a row.
pub(crate) fn list<'a>(row: &'a Value, key: &str) -> Result<&'a [Value], BoxError> {
    match row.get(key) {
        Some(Value::Array(items)) => Ok(items),
        other => Err(format!("{}: {key} should be a list, found {other:?}", text(row, "id")).into()),
    }
}
