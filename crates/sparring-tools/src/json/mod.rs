//! JSON as models write it (in a code fence, or with Python literals), and canonical JSON.

mod number;
mod scan;
mod sink;
mod string;

pub use scan::MAX_DEPTH;
pub(crate) use scan::{Atom, Container, Notation, Scanner, Sink, Status};
pub(crate) use sink::{Builder, JsonText, Tee};
pub(crate) use string::Oddity;

use crate::ParseError;
use serde_json::Value;

/// Reads one value: JSON, else a Python literal (`True`, `None`, single quotes, trailing commas, tuples), optionally
/// inside a Markdown code fence.
///
/// Time is linear in the text, and nesting is limited to [`MAX_DEPTH`]. Mixtures of both notations are accepted
/// (`{'a': true}`). Only white space may surround the value.
///
/// ```
/// use sparring_tools::json;
/// let call = json::relaxed("```json\n{'name': 'f', 'arguments': {'dry_run': True,}}\n```")?;
/// assert_eq!(call["arguments"]["dry_run"], true);
/// # Ok::<(), sparring_tools::ParseError>(())
/// ```
///
/// # Errors
/// [`ParseError::Syntax`] with what was found and at which byte of `text`.
pub fn relaxed(text: &str) -> Result<Value, ParseError> {
    read(text, Notation::Python)
}

/// Reads like [`relaxed`], except that strings in double quotes follow JSON, unless the first string is in single
/// quotes: a backslash escape that JSON does not have is an error rather than a Python escape.
pub(crate) fn of_json(text: &str) -> Result<Value, ParseError> {
    read(text, Notation::Json)
}

fn read(text: &str, notation: Notation) -> Result<Value, ParseError> {
    let (start, body) = unfenced(text);
    if let Ok(value) = serde_json::from_str(body) {
        return Ok(value);
    }
    let (value, end) = prefix(body, notation).map_err(|e| e.shifted(start))?;
    let rest = body[end..].trim_start();
    if let Some(found) = rest.chars().next() {
        let offset = start + body.len() - rest.len();
        return Err(ParseError::syntax(offset, format!("{found:?} after the end of the value")));
    }
    Ok(value)
}

/// Reads the value at the start of `text`, and returns it with the byte at which it ends.
pub(crate) fn prefix(text: &str, notation: Notation) -> Result<(Value, usize), ParseError> {
    let (mut scanner, mut builder) = (Scanner::new(notation), Builder::default());
    let fed = scanner.feed(text, 0, &mut builder);
    if let Some((error, _)) = scanner.take_odd() {
        return Err(error);
    }
    let end = match fed {
        (_, Status::Bad(error)) => return Err(error),
        (end, Status::Done) => end,
        (end, Status::More) => {
            scanner.finish(end, &mut builder)?;
            end
        }
    };
    builder.take().map(|value| (value, end)).ok_or_else(|| ParseError::syntax(end, "no value"))
}

/// Returns the trimmed text inside a Markdown code fence, or the trimmed text itself without one.
pub fn strip_fence(text: &str) -> &str {
    unfenced(text).1
}

/// Returns the unfenced text and its position.
pub(crate) fn unfenced(text: &str) -> (usize, &str) {
    let mut start = text.len() - text.trim_start().len();
    let mut body = text.trim();
    if let Some(inner) = body.strip_prefix("```") {
        let info = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
        let known = ["json", "python", "py"].iter().any(|k| inner[..info].eq_ignore_ascii_case(k));
        let skip = if known || inner[info..].starts_with(['\n', '\r']) { info } else { 0 };
        start += 3 + skip;
        body = &inner[skip..];
        start += body.len() - body.trim_start().len();
        body = body.trim_start();
    }
    body = body.strip_suffix("```").unwrap_or(body).trim_end();
    (start, body)
}

/// Formats a value as JSON with sorted keys and no white space, so that equal JSON values give equal text.
///
/// Numbers keep their notation (`5` and `5.0` differ), as in Tool-R0's probe comparison (arXiv 2602.21320).
pub fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write_canonical(value, &mut out);
    out
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            out.push('{');
            for (i, (key, value)) in entries.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests;
