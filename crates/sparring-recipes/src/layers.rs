//! Settings files that extend one another: tables merge, everything else is replaced, and errors keep the
//! file and the line that they come from.

use crate::RecipeError;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One settings file.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    /// Name of the file, for errors.
    pub(crate) file: String,
    /// Its content.
    pub(crate) text: String,
}

/// Where each field was set.
#[derive(Debug, Default)]
pub(crate) struct Origins(BTreeMap<String, (String, usize)>);

impl Origins {
    /// Adds file and line to an error about a field that a file sets.
    pub(crate) fn locate(&self, error: RecipeError) -> RecipeError {
        let RecipeError::Setting { field, why } = error else { return error };
        let mut path = field.as_str();
        loop {
            if let Some((file, line)) = self.0.get(path) {
                return RecipeError::SettingAt { file: file.clone(), line: *line, field, why };
            }
            match path.rfind('.') {
                Some(dot) => path = &path[..dot],
                None => return RecipeError::Setting { field, why },
            }
        }
    }
}

/// The key by which a file names the preset that it extends.
const EXTENDS: &str = "extends";

/// The value of a file's `extends`.
///
/// # Errors
/// [`RecipeError::Syntax`] where the file is not valid TOML or the value is not a string.
fn parent(layer: &Layer) -> Result<Option<String>, RecipeError> {
    let stack = Stack::new(std::slice::from_ref(layer));
    let table = stack.parse(0)?;
    match table.get(EXTENDS) {
        None => Ok(None),
        Some(value) => match value.get_ref().as_str() {
            Some(name) => Ok(Some(name.to_owned())),
            None => Err(stack.syntax(value.span().start, "`extends` must be the name of a preset")),
        },
    }
}

/// Reads settings that may extend presets. `find` gives the layer of a preset's name.
///
/// # Errors
/// [`RecipeError::Syntax`] with file, line and field; that of `find`.
pub(crate) fn read_extended<T: DeserializeOwned>(
    text: &str,
    filename: &str,
    find: impl Fn(&str) -> Result<Layer, RecipeError>,
) -> Result<(T, Origins), RecipeError> {
    let mut stack = vec![Layer { file: filename.to_owned(), text: text.to_owned() }];
    // A preset extends another preset at most; a circle among them would be a defect of this crate, and a test
    // loads every one.
    while let Some(name) = stack.last().map(parent).transpose()?.flatten() {
        stack.push(find(&name)?);
    }
    stack.reverse();
    read(&stack)
}

/// Merges the layers, the most basic first, and reads the result.
///
/// # Errors
/// [`RecipeError::Syntax`] with file, line and field.
fn read<T: DeserializeOwned>(layers: &[Layer]) -> Result<(T, Origins), RecipeError> {
    let stack = Stack::new(layers);
    let mut merged = DeTable::new();
    for i in 0..layers.len() {
        let mut table = stack.parse(i)?;
        table.remove(EXTENDS);
        merge(&mut merged, table);
    }
    let mut origins = Origins::default();
    collect(&stack, &merged, "", &mut origins);
    let end = stack.padded.last().map_or(0, String::len);
    let deserializer = toml::de::Deserializer::from(Spanned::new(0..end, merged));
    let value = T::deserialize(deserializer).map_err(|error| stack.explain(&error))?;
    Ok((value, origins))
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

    fn parse(&self, i: usize) -> Result<DeTable<'_>, RecipeError> {
        let parsed = DeTable::parse(&self.padded[i]).map_err(|error| {
            self.syntax(error.span().map_or(self.bases[i], |span| span.start), error.message())
        })?;
        Ok(parsed.into_inner())
    }

    /// File and line (from 1) of an offset.
    fn place(&self, offset: usize) -> (&str, usize) {
        let i = self.bases.partition_point(|&base| base <= offset).saturating_sub(1);
        let Some(layer) = self.layers.get(i) else { return ("settings", 0) };
        let within = (offset - self.bases[i]).min(layer.text.len());
        let newlines = layer.text.char_indices().filter(|&(i, c)| i < within && c == '\n').count();
        (&layer.file, newlines + 1)
    }

    fn syntax(&self, offset: usize, what: &str) -> RecipeError {
        let (file, line) = self.place(offset);
        RecipeError::Syntax { file: file.to_owned(), line, what: what.replace('\n', "; ") }
    }

    /// The error of a wrong field or value; its path is only in the library's display.
    fn explain(&self, error: &toml::de::Error) -> RecipeError {
        let shown = error.to_string();
        let path = shown.lines().find_map(|line| line.strip_prefix("in `")?.strip_suffix('`'));
        let what = match path {
            Some(path) => format!("{path}: {}", error.message()),
            None => error.message().to_owned(),
        };
        self.syntax(error.span().map_or(0, |span| span.start), &what)
    }
}

/// Whether a table is an alternative of an enum, which is replaced as a whole.
fn is_variant(table: &DeTable<'_>) -> bool {
    table.contains_key("kind")
}

/// Puts `over` onto `base`.
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

/// Notes where every field of the table was set.
fn collect(stack: &Stack<'_>, table: &DeTable<'_>, prefix: &str, origins: &mut Origins) {
    for (key, value) in table {
        let path =
            if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
        let (file, line) = stack.place(key.span().start);
        if let DeValue::Table(inner) = value.get_ref() {
            collect(stack, inner, &path, origins);
        }
        origins.0.insert(path, (file.to_owned(), line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        a: i64,
        #[serde(default)]
        b: Vec<i64>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        x: f64,
        inner: Inner,
    }

    fn layer(file: &str, text: &str) -> Layer {
        Layer { file: file.into(), text: text.into() }
    }

    #[test]
    fn later_layers_win_and_tables_merge() {
        let base = layer("base", "x = 1.0\n[inner]\na = 1\nb = [1, 2]\n");
        let over = layer("over", "extends = \"base\"\n[inner]\nb = [3]\n");
        let (value, origins) = read::<Outer>(&[base, over]).unwrap();
        assert_eq!(value, Outer { x: 1.0, inner: Inner { a: 1, b: vec![3] } });
        assert_eq!(origins.0["inner.a"], ("base".into(), 3));
        assert_eq!(origins.0["inner.b"], ("over".into(), 3));
    }

    #[test]
    fn errors_name_file_line_and_field() {
        let base = layer("base", "x = 1.0\n[inner]\na = 1\n");
        let cases = [
            ("\n[inner]\nnope = 3\n", "over:3:", "nope"),
            ("[inner]\na = \"text\"\n", "over:2:", "inner.a"),
            ("x = [\n", "over:", "array"),
            ("x = true", "over:1:", "x"),
        ];
        for (text, place, field) in cases {
            let error = read::<Outer>(&[base.clone(), layer("over", text)]).unwrap_err().to_string();
            assert!(error.starts_with(place) && error.contains(field), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn settings_are_located_by_their_longest_known_prefix() {
        let (_, origins) = read::<Outer>(&[layer("f", "x = 1.0\n[inner]\na = 1\n")]).unwrap();
        let error = origins.locate(RecipeError::setting("inner.a.deeper", "is wrong"));
        assert_eq!(error.to_string(), "f:3: inner.a.deeper: is wrong");
        let error = origins.locate(RecipeError::setting("elsewhere", "is wrong"));
        assert_eq!(error.to_string(), "elsewhere: is wrong");
    }
}
