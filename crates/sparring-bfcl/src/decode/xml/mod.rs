//! Calls in XML: `<functions><function name="f">...</function></functions>`.

mod chars;
mod reader;

use super::dict::Dict;
use super::python::literal_eval;
use super::{DecodeError, Raised};
use crate::PyValue;
use crate::number::{self, strip};
use memchr::memmem;
use reader::{Document, Element};

/// The place of a parameter's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// In the attribute `value`, perhaps inside `<params>`.
    Verbose,
    /// In the element's text.
    Concise,
}

/// The calls in the first `<functions>` element.
pub(super) fn decode(text: &str, style: Style) -> Result<PyValue, DecodeError> {
    let (start, source) = functions(text)
        .ok_or_else(|| DecodeError::new(Raised::Value, 0, "no <functions> element in the text"))?;
    let document = Document::read(source).map_err(|error| error.shifted(start as isize, text.len()))?;
    let functions = document.children(Document::ROOT, "function");
    Ok(PyValue::List(functions.map(|function| call(&document, function, style)).collect::<Result<_, _>>()?))
}

/// The match of `<functions>(.*?)</functions>` (across lines), and its offset.
fn functions(text: &str) -> Option<(usize, &str)> {
    let start = memmem::find(text.as_bytes(), b"<functions>")?;
    let end = start + memmem::find(&text.as_bytes()[start..], b"</functions>")? + "</functions>".len();
    Some((start, &text[start..end]))
}

fn missing(what: &'static str) -> DecodeError {
    DecodeError::new(Raised::Key, 0, format!("an element without the attribute {what:?}"))
}

fn call(document: &Document<'_>, function: usize, style: Style) -> Result<PyValue, DecodeError> {
    let name = document.element(function).attribute("name").ok_or_else(|| missing("name"))?;
    let mut values = Dict::default();
    let container = match style {
        Style::Verbose => document.children(function, "params").next().unwrap_or(function),
        Style::Concise => function,
    };
    for parameter in document.children(container, "param") {
        let (key, value) = parameter_of(document.element(parameter), style)?;
        // Strings and None can be keys.
        let _ = values.insert(key, value);
    }
    Ok(PyValue::Dict(vec![(PyValue::Str(name.into()), values.finish())]))
}

fn parameter_of(element: &Element<'_>, style: Style) -> Result<(PyValue, PyValue), DecodeError> {
    let name = element.attribute("name").map(|name| PyValue::Str(name.into()));
    let (name, text) = match style {
        Style::Verbose => (name.unwrap_or(PyValue::None), element.attribute("value").unwrap_or_default()),
        Style::Concise => (name.ok_or_else(|| missing("name"))?, strip(element.text())),
    };
    Ok((name, convert(text, element.attribute("type").unwrap_or("string"))?))
}

/// The value of `text` as a `kind`; an unknown kind leaves it text.
fn convert(text: &str, kind: &str) -> Result<PyValue, DecodeError> {
    match kind {
        "integer" => number::int(text).ok_or_else(|| not_a_number("int", text)),
        "float" => number::float(text).map(PyValue::Float).ok_or_else(|| not_a_number("float", text)),
        // Lower case holds "true" for these texts only: no other character's lower case is one of its letters.
        "boolean" => Ok(PyValue::Bool(text.eq_ignore_ascii_case("true"))),
        "null" => Ok(PyValue::None),
        "array" | "tuple" | "object" | "dict" => literal_eval(text),
        _ => Ok(PyValue::Str(text.into())),
    }
}

fn not_a_number(kind: &str, text: &str) -> DecodeError {
    DecodeError::new(Raised::Value, 0, format!("{text:?} is no {kind}"))
}
