//! The content of a GGUF file, read with errors that name the file and the field.

use crate::model::source;
use candle_core::Device;
use candle_core::quantized::gguf_file::{Content, Value};
use sparring_core::PolicyError;
use std::fmt::Display;
use std::fs::File;
use std::io::BufReader;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Largest count in the metadata that is believed: products of three still fit in 64 bits.
const LARGEST: u64 = 1 << 20;

/// What to do about a file that ends too early.
const AGAIN: &str = "the file is incomplete or damaged: copy it again";

/// An open GGUF file.
pub(super) struct GgufFile {
    path: PathBuf,
    file: BufReader<File>,
    bytes: u64,
    content: Content,
}

impl GgufFile {
    pub(super) fn open(path: &Path) -> Result<Self, PolicyError> {
        let bad = |error: &dyn Display| {
            source::invalid(&format!(
                "{}: not a whole GGUF file ({error}); a model is a folder in Hugging Face's layout or a GGUF file",
                path.display()
            ))
        };
        let (file, bytes) = source::open(path, "name a folder or a GGUF file")?;
        let mut file = BufReader::new(file);
        // candle divides by the file's alignment, which may be 0.
        let content = catch_unwind(AssertUnwindSafe(|| Content::read(&mut file)))
            .map_err(|_| bad(&"its alignment is 0"))?
            .map_err(|error| bad(&first_line(&error)))?;
        Ok(Self { path: path.to_owned(), file, bytes, content })
    }

    /// An error about a field or tensor of this file.
    pub(super) fn bad(&self, field: &str, why: impl Display) -> PolicyError {
        source::invalid(&format!("{}: \"{field}\" {why}", self.path.display()))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn get(&self, field: &str) -> Option<&Value> {
        self.content.metadata.get(field)
    }

    /// A whole number, where there is one.
    pub(super) fn number(&self, field: &str) -> Option<u64> {
        self.get(field).and_then(integer)
    }

    /// A whole number of at least 1, if present.
    pub(super) fn count(&self, field: &str) -> Result<Option<usize>, PolicyError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        match integer(value) {
            Some(n) if (1..=LARGEST).contains(&n) => Ok(Some(n as usize)),
            _ => Err(self.bad(
                field,
                format_args!("is {}; it must be a whole number from 1 to {LARGEST}", short(value)),
            )),
        }
    }

    /// A whole number of at least 1.
    pub(super) fn required_count(&self, field: &str) -> Result<usize, PolicyError> {
        self.count(field)?.ok_or_else(|| self.missing(field))
    }

    pub(super) fn missing(&self, field: &str) -> PolicyError {
        self.bad(field, "is missing from the metadata")
    }

    /// A number above 0, if present. Single precision is read as the decimal number that it stands for.
    pub(super) fn positive(&self, field: &str) -> Result<Option<f64>, PolicyError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let number = match value {
            Value::F32(x) => x.to_string().parse().ok(),
            Value::F64(x) => Some(*x),
            other => integer(other).map(|n| n as f64),
        };
        match number {
            Some(x) if x > 0.0 && x.is_finite() => Ok(Some(x)),
            _ => Err(self.bad(field, format_args!("is {}; it must be a number above 0", short(value)))),
        }
    }

    /// A string, if present.
    pub(super) fn text(&self, field: &str) -> Result<Option<&str>, PolicyError> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.bad(field, format_args!("is {}; it must be a string", short(other)))),
        }
    }

    /// True or false, if present.
    pub(super) fn flag(&self, field: &str) -> Result<Option<bool>, PolicyError> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => {
                Err(self.bad(field, format_args!("is {}; it must be true or false", short(other))))
            }
        }
    }

    /// A token's number, if present.
    pub(super) fn token(&self, field: &str) -> Result<Option<u32>, PolicyError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let id = integer(value).and_then(|n| u32::try_from(n).ok());
        id.map(Some)
            .ok_or_else(|| self.bad(field, format_args!("is {}; it must be a token's number", short(value))))
    }

    /// A list whose entries `entry` reads, if present.
    pub(super) fn list<T>(
        &self,
        field: &str,
        entry: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<Vec<T>>, PolicyError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let Value::Array(entries) = value else { return Err(self.bad(field, "must be a list")) };
        let read = |(i, value): (usize, &Value)| {
            entry(value).ok_or_else(|| self.bad(field, format_args!("holds {} at {i}", short(value))))
        };
        entries.iter().enumerate().map(read).collect::<Result<_, _>>().map(Some)
    }

    /// Names of the tensors.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.content.tensor_infos.keys().map(String::as_str)
    }

    /// The shape of a tensor, outer dimension first; `None` where there is no such tensor.
    pub(super) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.content.tensor_infos.get(name).map(|info| info.shape.dims())
    }

    /// Checks that a tensor of this shape is there, and whole.
    pub(super) fn check(&self, name: &str, shape: &[usize]) -> Result<(), PolicyError> {
        let Some(info) = self.content.tensor_infos.get(name) else {
            return Err(self.bad(name, format_args!("is missing from the tensors; {AGAIN}")));
        };
        let found = info.shape.dims();
        if found != shape {
            let why = format_args!("has shape {found:?}, where the metadata says {shape:?}; {AGAIN}");
            return Err(self.bad(name, why));
        }
        let blocks = (shape.iter().product::<usize>() / info.ggml_dtype.block_size()) as u64;
        let bytes = blocks.saturating_mul(info.ggml_dtype.type_size() as u64);
        let start = self.content.tensor_data_offset.saturating_add(info.offset);
        if start.saturating_add(bytes) > self.bytes {
            return Err(self.bad(name, format_args!("lies beyond the end of the file; {AGAIN}")));
        }
        Ok(())
    }

    /// The values of a tensor of this shape, widened to f32.
    pub(super) fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, PolicyError> {
        self.check(name, shape)?;
        let read = self
            .content
            .tensor(&mut self.file, name, &Device::Cpu)
            .and_then(|tensor| tensor.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>());
        let values = read.map_err(|error| {
            self.bad(name, format_args!("cannot be read ({}); {AGAIN}", first_line(&error)))
        })?;
        match values.iter().find(|v| !v.is_finite()) {
            None => Ok(values),
            Some(value) => Err(self.bad(name, format_args!("holds {value}; {AGAIN}"))),
        }
    }
}

/// A whole number of any of the format's types.
pub(super) fn integer(value: &Value) -> Option<u64> {
    match *value {
        Value::U8(n) => Some(n.into()),
        Value::U16(n) => Some(n.into()),
        Value::U32(n) => Some(n.into()),
        Value::U64(n) => Some(n),
        Value::I8(n) => n.try_into().ok(),
        Value::I16(n) => n.try_into().ok(),
        Value::I32(n) => n.try_into().ok(),
        Value::I64(n) => n.try_into().ok(),
        _ => None,
    }
}

/// A value as an error shows it.
fn short(value: &Value) -> String {
    match value {
        Value::Array(entries) => format!("a list of {}", entries.len()),
        Value::String(text) => format!("{:?}", text.chars().take(40).collect::<String>()),
        Value::Bool(flag) => flag.to_string(),
        Value::F32(x) => x.to_string(),
        Value::F64(x) => x.to_string(),
        Value::I8(n) => n.to_string(),
        Value::I16(n) => n.to_string(),
        Value::I32(n) => n.to_string(),
        Value::I64(n) => n.to_string(),
        other => integer(other).map_or_else(String::new, |n| n.to_string()),
    }
}

/// candle appends a backtrace.
fn first_line(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
