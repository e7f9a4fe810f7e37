//! Merging of TOML files, with one address space for their positions.

use super::{EXTENDS, Origins, Settings};
use crate::RewardError;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One settings file.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Layer {
    /// Name of the file, for errors.
    pub file: String,
    /// Its content.
    pub text: String,
}

impl Layer {
    /// Returns a file with this name and content.
    pub fn new(file: impl Into<String>, text: impl Into<String>) -> Self {
        Self { file: file.into(), text: text.into() }
    }

    /// Returns the name of the file that this one extends.
    pub(super) fn extends(&self) -> Result<Option<String>, RewardError> {
        let stack = Stack::new(std::slice::from_ref(self));
        let table = stack.parse(0)?;
        let Some(value) = table.get(EXTENDS) else { return Ok(None) };
        match value.get_ref().as_str() {
            Some(name) => Ok(Some(name.to_owned())),
            None => Err(self.error(stack.place(value.span().start).1, format!("`{EXTENDS}` must be a name"))),
        }
    }

    /// Returns an error about the whole file.
    pub(super) fn error(&self, line: usize, what: impl Into<String>) -> RewardError {
        RewardError::Located { file: self.file.clone(), line, setting: String::new(), what: what.into() }
    }
}

/// Merges TOML files, the base first, and reads the result.
///
/// # Errors
/// [`RewardError::Located`] with file, line and path.
pub fn from_layers<T: DeserializeOwned>(layers: &[Layer]) -> Result<Settings<T>, RewardError> {
    let stack = Stack::new(layers);
    let mut merged = DeTable::new();
    for i in 0..layers.len() {
        let mut table = stack.parse(i)?;
        table.remove(EXTENDS);
        merge(&mut merged, table);
    }
    let mut origins = BTreeMap::new();
    collect(&stack, &merged, "", &mut origins);
    kind_first(&mut merged);
    let end = stack.bases.last().copied().unwrap_or(0);
    let deserializer = toml::de::Deserializer::from(Spanned::new(end..end, merged));
    let value = serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        let setting = if path == "." { String::new() } else { path };
        stack.error(error.span().map_or(end, |span| span.start), setting, error.message())
    })?;
    Ok(Settings { value, origins: Origins::Toml(origins) })
}

/// Layers in one address space: layer `i` is padded with blank lines to start where layer `i - 1` ends.
struct Stack<'a> {
    layers: &'a [Layer],
    padded: Vec<String>,
    bases: Vec<usize>,
}

impl<'a> Stack<'a> {
    fn new(layers: &'a [Layer]) -> Self {
        let mut bases = Vec::new();
        let mut padded = Vec::new();
        let mut base = 0;
        for layer in layers {
            bases.push(base);
            padded.push("\n".repeat(base) + &layer.text);
            base += layer.text.len() + 1;
        }
        Self { layers, padded, bases }
    }

    fn parse(&self, i: usize) -> Result<DeTable<'_>, RewardError> {
        let parsed = DeTable::parse(&self.padded[i]).map_err(|error| {
            self.error(error.span().map_or(self.bases[i], |span| span.start), String::new(), error.message())
        })?;
        Ok(parsed.into_inner())
    }

    /// Returns file and line (from 1) of an offset.
    fn place(&self, offset: usize) -> (&str, usize) {
        let i = self.bases.partition_point(|&base| base <= offset).saturating_sub(1);
        let Some(layer) = self.layers.get(i) else { return ("settings", 0) };
        let within = (offset - self.bases[i]).min(layer.text.len());
        let newlines = layer.text.char_indices().filter(|&(i, c)| i < within && c == '\n').count();
        (&layer.file, newlines + 1)
    }

    fn error(&self, offset: usize, setting: String, what: &str) -> RewardError {
        let (file, line) = self.place(offset);
        RewardError::Located { file: file.to_owned(), line, setting, what: what.replace('\n', "; ") }
    }
}

/// Returns whether a table is a variant of an enum, which is replaced as a whole.
fn is_variant(table: &DeTable<'_>) -> bool {
    table.contains_key("kind")
}

/// Merges `over` into `base`.
fn merge<'a>(base: &mut DeTable<'a>, over: DeTable<'a>) {
    for (key, value) in over {
        let span = value.span();
        match (base.get_mut(&key).map(Spanned::get_mut), value.into_inner()) {
            (Some(DeValue::Table(below)), DeValue::Table(above)) if !is_variant(&above) => {
                merge(below, above);
            }
            (_, value) => {
                base.remove(&key);
                base.insert(key, Spanned::new(span, value));
            }
        }
    }
}

/// Moves the `kind` of each table to its front, where the reader needs it.
fn kind_first(table: &mut DeTable<'_>) {
    let kind = table.remove_entry("kind");
    *table = kind.into_iter().chain(std::mem::take(table)).collect();
    for (_, value) in table.iter_mut() {
        kinds_first(value.get_mut());
    }
}

fn kinds_first(value: &mut DeValue<'_>) {
    match value {
        DeValue::Table(table) => kind_first(table),
        DeValue::Array(items) => items.iter_mut().for_each(|item| kinds_first(item.get_mut())),
        _ => {}
    }
}

/// Records where every setting of the table was set.
fn collect(
    stack: &Stack<'_>,
    table: &DeTable<'_>,
    prefix: &str,
    origins: &mut BTreeMap<String, (String, usize)>,
) {
    for (key, value) in table {
        let path =
            if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
        collect_value(stack, value.get_ref(), &path, origins);
        let (file, line) = stack.place(key.span().start);
        origins.insert(path, (file.to_owned(), line));
    }
}

fn collect_value(
    stack: &Stack<'_>,
    value: &DeValue<'_>,
    path: &str,
    origins: &mut BTreeMap<String, (String, usize)>,
) {
    match value {
        DeValue::Table(table) => collect(stack, table, path, origins),
        DeValue::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                let path = format!("{path}[{i}]");
                collect_value(stack, item.get_ref(), &path, origins);
                let (file, line) = stack.place(item.span().start);
                origins.insert(path, (file.to_owned(), line));
            }
        }
        _ => {}
    }
}
