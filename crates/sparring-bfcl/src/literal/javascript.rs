use super::{
    Converted, after_new, boolean, float, guess, inner, insert, integer, is_number, line_until, skip_space,
};
use crate::problem::Exception;
use crate::{PyValue, number};

/// Converts the text of a JavaScript literal (`js_type_converter`).
pub(crate) fn convert(text: &str, declared: &str, element: Option<&str>) -> Converted {
    match declared {
        "String" => Ok(quoted(text).map(|text| PyValue::Str(text.into()))),
        "integer" if is_number(text, false, false, &[]) => integer(text),
        "float" if is_number(text, true, false, &[]) => float(text),
        // With a line feed at the end, the n stays and is no digit.
        "Bigint" if is_number(text, false, false, &['n']) => match text.strip_suffix('n') {
            Some(digits) => integer(digits),
            None => Err(Exception::Value),
        },
        "Boolean" => Ok(boolean(text)),
        "array" => Ok(Some(array(number::strip(text), element))),
        "dict" => Ok(Some(dict(number::strip(text)))),
        _ => Ok(None),
    }
}

/// A text between two equal quotes, without them. A lone quote is both.
fn quoted(text: &str) -> Option<&str> {
    let between = |quote| text.starts_with(quote) && text.ends_with(quote);
    (between('"') || between('\'')).then(|| inner(text))
}

/// `[a, b]` or `new Array(a, b)`; anything after it is ignored. If an element makes the official converter raise, the
/// whole is a text.
fn array(text: &str, element: Option<&str>) -> PyValue {
    if let Some(matched) = nested(text) {
        return PyValue::List(inner_arrays(matched));
    }
    let items = match text.strip_prefix('[') {
        Some(rest) => line_until(rest, "]"),
        None => after_new(text, "Array(").and_then(|rest| line_until(rest, ")")),
    };
    let Some((items, _)) = items else { return PyValue::Str(text.into()) };
    let items = number::strip(items);
    let parts = items.split(',').filter(|_| !items.is_empty()).map(number::strip);
    let parts: Result<_, _> = parts.map(|part| item(part, element)).collect();
    parts.map_or_else(|_| PyValue::Str(text.into()), PyValue::List)
}

fn item(text: &str, element: Option<&str>) -> Result<PyValue, Exception> {
    let Some(element) = element else { return Ok(value(text)) };
    // Elements of a quoted element are taken for texts.
    let inside = text.starts_with(['\'', '"']).then_some("String");
    Ok(convert(text, element, inside)?.unwrap_or_else(|| PyValue::Str(text.into())))
}

/// The part of an array of arrays that the official pattern matches,
/// `\[\s*\[.*?\]\s*(,\s*\[.*?\]\s*)*\]`, or the same in `new Array(` and `)`.
fn nested(text: &str) -> Option<&str> {
    let (rest, close) = match text.strip_prefix('[') {
        Some(rest) => (rest, ']'),
        None => (after_new(text, "Array(")?, ')'),
    };
    let first = skip_space(rest).strip_prefix('[')?;
    let start = text.len() - first.len();
    // From right to left: the brackets after which the rest matches, and where that match ends.
    let mut good: Vec<(usize, usize)> = Vec::new();
    // The match of an inner array that starts at `from` ends with the first good bracket on its line.
    let next = |good: &[(usize, usize)], from: usize| {
        let (at, end) = *good.get(good.partition_point(|(at, _)| *at >= from).checked_sub(1)?)?;
        (!text[from..at].contains('\n')).then_some(end)
    };
    for (offset, _) in first.rmatch_indices(']') {
        let at = start + offset;
        let after = skip_space(&text[at + 1..]);
        let more = after.strip_prefix(',').and_then(|r| skip_space(r).strip_prefix('['));
        let end = more.and_then(|r| next(&good, text.len() - r.len()));
        let closed = || after.starts_with(close).then(|| text.len() - after.len() + 1);
        if let Some(end) = end.or_else(closed) {
            good.push((at, end));
        }
    }
    next(&good, start).map(|end| &text[..end])
}

/// Each `\[(.*?)\]`; the declared type of the elements is ignored.
fn inner_arrays(mut text: &str) -> Vec<PyValue> {
    let mut arrays = Vec::new();
    while let Some((_, rest)) = text.split_once('[') {
        let Some((items, after)) = line_until(rest, "]") else {
            text = rest;
            continue;
        };
        let items = number::strip(items);
        let items = if arrays.is_empty() { items.strip_prefix('[').unwrap_or(items) } else { items };
        arrays.push(PyValue::List(items.split(',').map(|part| value(number::strip(part))).collect()));
        text = after;
    }
    arrays
}

/// `{k: v}` up to the first `}` of the first line; anything after it is ignored.
fn dict(text: &str) -> PyValue {
    let Some((content, _)) = text.strip_prefix('{').and_then(|rest| line_until(rest, "}")) else {
        return PyValue::Str(text.into());
    };
    let quotes = ['\'', '"'];
    let mut entries = Vec::new();
    let mut rest = content;
    // Each `([^:]+):\s*(.*?)(?:,\s*(?=[^,]+:)|$)`
    while let Some((key, after)) = rest.trim_start_matches(':').split_once(':') {
        let after = skip_space(after);
        let (text, next) =
            after.match_indices(',').find_map(|(at, _)| next_pair(after, at)).unwrap_or((after, ""));
        let text = number::strip(text);
        let parsed = if text.starts_with('[') && text.ends_with(']') {
            array(text, None)
        } else {
            value(text.trim_matches(quotes))
        };
        insert(&mut entries, number::strip(key).trim_matches(quotes), parsed);
        rest = next;
    }
    PyValue::Dict(entries)
}

/// The value before the comma at `at` and the text after it, where another `key:` follows.
fn next_pair(text: &str, at: usize) -> Option<(&str, &str)> {
    let spaced = &text[at + 1..];
    let rest = skip_space(spaced);
    let before_comma = rest.split(',').next()?;
    if before_comma.char_indices().skip(1).any(|(_, c)| c == ':') {
        return Some((&text[..at], rest));
    }
    // A key may also be a last white space before the colon.
    let space = spaced[..spaced.len() - rest.len()].chars().next_back()?;
    let start = spaced.len() - rest.len() - space.len_utf8();
    rest.starts_with(':').then(|| (&text[..at], &spaced[start..]))
}

/// A value of no declared type (`parse_js_value`).
fn value(text: &str) -> PyValue {
    let text = number::strip(text);
    let quoted = || quoted(text).map(|text| PyValue::Str(text.into()));
    boolean(text).or_else(quoted).unwrap_or_else(|| guess(text))
}

#[cfg(test)]
mod tests;
