//! Java and JavaScript literals as the official checker reads them.
//!
//! Each converter takes the text of a literal and the declared type, and returns the value, or `None` if the text
//! does not match the type's pattern. The value is then the text, and its type check usually fails. The official
//! patterns are Python regular expressions; here they are scanned by hand, in linear time.

pub(super) mod java;
pub(super) mod javascript;

use super::problem::Exception;
use super::{PyValue, number};

/// The value of a literal; `None` if the text itself is the value.
type Converted = Result<Option<PyValue>, Exception>;

/// The rest after the leading digits of any script; `None` if there are none.
fn digits(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches(|c| number::digit(c).is_some());
    (rest.len() < text.len()).then_some(rest)
}

/// The rest after leading white space.
fn skip_space(text: &str) -> &str {
    text.trim_start_matches(number::is_space)
}

/// The rest after `new`, white space and this word.
fn after_new<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let rest = text.strip_prefix("new")?;
    let spaced = skip_space(rest);
    (spaced.len() < rest.len()).then_some(spaced)?.strip_prefix(word)
}

/// `-?\d+(\.\d+)?([eE][+-]?\d+)?[suffix]$`; the fraction and the exponent only where they are allowed. As in
/// Python, `$` lets a line feed through.
fn is_number(text: &str, fraction: bool, exponent: bool, suffix: &[char]) -> bool {
    let Some(mut rest) = digits(text.strip_prefix('-').unwrap_or(text)) else { return false };
    if fraction {
        rest = rest.strip_prefix('.').and_then(digits).unwrap_or(rest);
    }
    if exponent {
        let signed = rest.strip_prefix(['e', 'E']);
        rest = signed.and_then(|r| digits(r.strip_prefix(['+', '-']).unwrap_or(r))).unwrap_or(rest);
    }
    if !suffix.is_empty() {
        let Some(after) = rest.strip_prefix(suffix) else { return false };
        rest = after;
    }
    rest.is_empty() || rest == "\n"
}

/// `int(text)` of a text that matched: it fails for thousands of digits only.
fn integer(text: &str) -> Converted {
    number::int(text).map(Some).ok_or(Exception::Value)
}

/// `float(text)` of a text that matched.
fn float(text: &str) -> Converted {
    number::float(text).map(|x| Some(PyValue::Float(x))).ok_or(Exception::Value)
}

/// A value without a declared type: an integer, else a float, else its text.
fn guess(text: &str) -> PyValue {
    let number = number::int(text).or_else(|| number::float(text).map(PyValue::Float));
    number.unwrap_or_else(|| PyValue::Str(text.into()))
}

fn boolean(text: &str) -> Option<PyValue> {
    match text {
        "true" => Some(PyValue::Bool(true)),
        "false" => Some(PyValue::Bool(false)),
        _ => None,
    }
}

/// `text[1:-1]`
fn inner(text: &str) -> &str {
    let mut chars = text.chars();
    chars.next();
    chars.next_back();
    chars.as_str()
}

/// Sets a key as a Python dict does: the last value at the first place.
fn insert(entries: &mut Vec<(PyValue, PyValue)>, key: &str, value: PyValue) {
    match entries.iter_mut().find(|(k, _)| matches!(k, PyValue::Str(k) if k == key)) {
        Some(entry) => entry.1 = value,
        None => entries.push((PyValue::Str(key.into()), value)),
    }
}

/// The text before the first `end` on this line, and the text after it.
fn line_until<'a>(text: &'a str, end: &str) -> Option<(&'a str, &'a str)> {
    text.split_once(end).filter(|(before, _)| !before.contains('\n'))
}
