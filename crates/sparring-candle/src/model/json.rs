//! Fields of JSON files, read with errors that name the file and the field.

use super::source::{self, LONGEST_TEXT};
use serde_json::{Map, Value};
use sparring_core::PolicyError;
use std::path::Path;

/// The hint for a missing file of a model folder.
pub(crate) const NEEDS: &str = "a model folder needs config.json, tokenizer.json and model.safetensors";

/// A JSON object and the file that it came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    pub(crate) file: &'a Path,
    pub(crate) map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// An error about one field.
    pub(crate) fn bad(&self, field: &str, why: impl std::fmt::Display) -> PolicyError {
        source::invalid(&format!("{}: field \"{field}\" {why}", self.file.display()))
    }

    /// The field, unless absent or null.
    pub(crate) fn get(&self, field: &str) -> Option<&'a Value> {
        self.map.get(field).filter(|v| !v.is_null())
    }

    /// A whole number of at least 1, if present.
    pub(crate) fn count(&self, field: &str) -> Result<Option<usize>, PolicyError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        match value.as_u64().and_then(|n| usize::try_from(n).ok()) {
            Some(n) if n > 0 => Ok(Some(n)),
            _ => Err(self.bad(field, format_args!("is {value}; it must be a whole number of at least 1"))),
        }
    }

    /// A whole number of at least 1.
    pub(crate) fn required_count(&self, field: &str) -> Result<usize, PolicyError> {
        self.count(field)?.ok_or_else(|| self.bad(field, "is missing"))
    }

    /// A number above 0, if present.
    pub(crate) fn positive(&self, field: &str) -> Result<Option<f64>, PolicyError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        match value.as_f64() {
            Some(x) if x > 0.0 && x.is_finite() => Ok(Some(x)),
            _ => Err(self.bad(field, format_args!("is {value}; it must be a number above 0"))),
        }
    }

    /// A list of numbers above 0, which must be present.
    pub(crate) fn positives(&self, field: &str) -> Result<Vec<f64>, PolicyError> {
        let value = self.get(field).ok_or_else(|| self.bad(field, "is missing"))?;
        let list = value.as_array().ok_or_else(|| self.bad(field, "must be a list"))?;
        let number = |value: &Value| match value.as_f64() {
            Some(x) if x > 0.0 && x.is_finite() => Ok(x),
            _ => Err(self.bad(field, format_args!("holds {value}; it must hold numbers above 0"))),
        };
        list.iter().map(number).collect()
    }

    /// True or false, if present.
    pub(crate) fn flag(&self, field: &str) -> Result<Option<bool>, PolicyError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        value
            .as_bool()
            .map(Some)
            .ok_or_else(|| self.bad(field, format_args!("is {value}; it must be true or false")))
    }

    /// A string, if present.
    pub(crate) fn text(&self, field: &str) -> Result<Option<&'a str>, PolicyError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        value
            .as_str()
            .map(Some)
            .ok_or_else(|| self.bad(field, format_args!("is {value}; it must be a string")))
    }

    /// An object, if present.
    pub(crate) fn object(&self, field: &str) -> Result<Option<Fields<'a>>, PolicyError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let map = value.as_object().ok_or_else(|| self.bad(field, "must be an object"))?;
        Ok(Some(Fields { file: self.file, map }))
    }

    /// One token id or a list of them; empty if absent, or -1, which stands for no token.
    pub(crate) fn token_ids(&self, field: &str) -> Result<Vec<u32>, PolicyError> {
        let Some(value) = self.get(field).filter(|value| value.as_i64() != Some(-1)) else {
            return Ok(Vec::new());
        };
        let id = |v: &Value| {
            v.as_u64()
                .and_then(|n| u32::try_from(n).ok())
                .ok_or_else(|| self.bad(field, format_args!("holds {v}; token ids are whole numbers")))
        };
        match value {
            Value::Array(ids) => ids.iter().map(id).collect(),
            one => Ok(vec![id(one)?]),
        }
    }
}

/// Reads a JSON object from a file that must exist; `why` is said where it does not.
pub(crate) fn read_object(file: &Path, why: &str) -> Result<Map<String, Value>, PolicyError> {
    parse_object(file, &source::read_text(file, why, LONGEST_TEXT)?)
}

/// Reads a JSON object from a file, if it exists.
pub(crate) fn read_optional_object(file: &Path) -> Result<Option<Map<String, Value>>, PolicyError> {
    if file.exists() { read_object(file, "").map(Some) } else { Ok(None) }
}

fn parse_object(file: &Path, text: &str) -> Result<Map<String, Value>, PolicyError> {
    let value: Value = serde_json::from_str(text).map_err(|error| {
        PolicyError::invalid(format!("{}: not valid JSON ({error}); copy the file again", file.display()))
    })?;
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(PolicyError::invalid(format!("{}: must hold a JSON object", file.display()))),
    }
}
