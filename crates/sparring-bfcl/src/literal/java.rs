use super::{
    Converted, after_new, boolean, float, guess, inner, insert, integer, is_number, line_until, skip_space,
};
use crate::problem::Exception;
use crate::{PyValue, number};

const LONG: &[char] = &['l', 'L'];
const FLOAT: &[char] = &['f', 'F'];

/// Converts the text of a Java literal (`java_type_converter`).
pub(crate) fn convert(text: &str, declared: &str, element: Option<&str>) -> Converted {
    match declared {
        "byte" | "short" | "integer" if is_number(text, false, false, &[]) => integer(text),
        "long" if is_number(text, false, false, LONG) => integer(text.trim_end_matches(['l', 'L', '\n'])),
        "float" if is_number(text, true, true, FLOAT) => float(text.trim_end_matches(['f', 'F', '\n'])),
        "double" if is_number(text, true, true, &[]) => float(text),
        "boolean" => Ok(boolean(text)),
        "Array" => array(text, element),
        "ArrayList" => array_list(text, element),
        "HashMap" => Ok(hash_map(text)),
        "Set" | "Hashtable" | "Queue" | "Stack" => Err(Exception::NotImplemented),
        // A char too: the official pattern for one can never match.
        _ => Ok(None),
    }
}

/// An element, of this type or of any.
fn item(text: &str, element: Option<&str>) -> Result<PyValue, Exception> {
    let Some(element) = element else { return Ok(value(text)) };
    Ok(convert(text, element, None)?.unwrap_or_else(|| PyValue::Str(text.into())))
}

/// `new int[]{1, 2}`: split at commas, even in texts; the quotes of texts stay.
fn array(text: &str, element: Option<&str>) -> Converted {
    for (start, _) in text.match_indices("new") {
        let Some(named) = after_new(&text[start..], "") else { continue };
        let rest = skip_word(named);
        let body = rest.strip_prefix("[]").map(skip_space).and_then(|r| r.strip_prefix('{'));
        if let Some((items, _)) = body.filter(|_| rest != named).and_then(|b| line_until(b, "}")) {
            let items = items.split(',').map(number::strip).filter(|part| !part.is_empty());
            let items = items.map(|part| item(part, element)).collect::<Result<_, _>>()?;
            return Ok(Some(PyValue::List(items)));
        }
    }
    Ok(None)
}

/// `new ArrayList<T>(Arrays.asList(a, b))`, `new ArrayList<T>() {{ add(a); add(b); }}` or `new ArrayList<T>()`.
fn array_list(text: &str, element: Option<&str>) -> Converted {
    if let Some(items) = new_lists(text).find_map(as_list) {
        return list(items.split(',').map(number::strip), element);
    }
    if let Some(body) = new_lists(text).find_map(double_brace) {
        return list(adds(body), element);
    }
    let empty = new_lists(text).any(|rest| rest.starts_with("()"));
    Ok(empty.then(|| PyValue::List(Vec::new())))
}

/// What comes after each `new ArrayList<T>`.
fn new_lists(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("new").filter_map(|(start, _)| {
        let rest = after_new(&text[start..], "ArrayList<")?;
        skip_word(rest).strip_prefix('>')
    })
}

/// What comes after `\w*`.
fn skip_word(text: &str) -> &str {
    text.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_')
}

/// `\(Arrays\.asList\((.+?)\)\)`
fn as_list(rest: &str) -> Option<&str> {
    let items = rest.strip_prefix("(Arrays.asList(")?;
    let first = items.chars().next()?.len_utf8();
    let end = first + items[first..].find("))")?;
    Some(&items[..end]).filter(|items| !items.contains('\n'))
}

/// `\(\)\s*\{\{\s*(.+?)\s*\}\}`, over lines
fn double_brace(rest: &str) -> Option<&str> {
    let open = skip_space(rest.strip_prefix("()")?).strip_prefix("{{")?;
    let body = skip_space(open);
    let first = body.chars().next()?.len_utf8();
    match body[first..].find("}}") {
        Some(end) => Some(&body[..first + end]),
        // At least one character: of the white space, if need be.
        None => (body.len() < open.len() && body.starts_with("}}")).then_some(""),
    }
}

/// Each `add\((.+?)\)`, stripped.
fn adds(mut body: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        loop {
            body = body.split_once("add(")?.1;
            let first = body.chars().next()?.len_utf8();
            let (item, rest) = body.split_at(first + body[first..].find(')')?);
            if !item.contains('\n') {
                body = &rest[1..];
                return Some(number::strip(item));
            }
        }
    })
}

/// The elements of a list; texts and characters lose their first and last character, whatever these are.
fn list<'a>(items: impl Iterator<Item = &'a str>, element: Option<&str>) -> Converted {
    let items = items.map(|part| match element {
        Some("char" | "String") => Ok(PyValue::Str(inner(part).into())),
        _ => item(part, element),
    });
    Ok(Some(PyValue::List(items.collect::<Result<_, _>>()?)))
}

/// `new HashMap<K, V>() {{ put("k", v); }}` or `new HashMap<K, V>()`.
fn hash_map(text: &str) -> Option<PyValue> {
    let maps = || text.match_indices("new").filter_map(|(at, _)| after_new(&text[at..], "HashMap<"));
    if let Some(body) = maps().find_map(map_body) {
        return Some(PyValue::Dict(puts(body)));
    }
    let empty = |rest: &str| {
        let line = rest.split('\n').next().unwrap_or_default();
        line.match_indices('>').any(|(at, _)| skip_space(&rest[at + 1..]).starts_with("()"))
    };
    maps().any(empty).then(|| PyValue::Dict(Vec::new()))
}

/// `.*?>\s*\(\)\s*\{\s*\{?\s*(.*?)\s*\}?\s*\}`, over lines: it ends at the first `}`, be it in a text.
fn map_body(rest: &str) -> Option<&str> {
    let open = rest
        .match_indices('>')
        .find_map(|(at, _)| skip_space(skip_space(&rest[at + 1..]).strip_prefix("()")?).strip_prefix('{'))?;
    let open = skip_space(open);
    let body = skip_space(open.strip_prefix('{').unwrap_or(open));
    body.split_once('}').map(|(body, _)| body)
}

/// Each `put\("(.*?)",\s*(.*?)\)`; a value ends at the first `)`, be it in a text.
fn puts(mut body: &str) -> Vec<(PyValue, PyValue)> {
    let mut entries = Vec::new();
    while let Some((_, rest)) = body.split_once("put(\"") {
        let line = rest.split('\n').next().unwrap_or_default();
        let found = line.match_indices("\",").find_map(|(end, comma)| {
            let (text, after) = line_until(skip_space(&rest[end + comma.len()..]), ")")?;
            Some((&rest[..end], text, after))
        });
        body = match found {
            Some((key, text, after)) => {
                insert(&mut entries, key, value(number::strip(text)));
                after
            }
            None => rest,
        };
    }
    entries
}

/// A value of no declared type (`parse_java_value`).
fn value(text: &str) -> PyValue {
    if let Some(flag) = boolean(text) {
        return flag;
    }
    if text.starts_with('"') && text.ends_with('"') {
        return PyValue::Str(inner(text).into());
    }
    if is_number(text, false, false, LONG) {
        return guess(inner_end(text));
    }
    if is_number(text, true, true, FLOAT)
        && let Some(x) = number::float(inner_end(text))
    {
        return PyValue::Float(x);
    }
    guess(text)
}

/// The text without its suffix.
fn inner_end(text: &str) -> &str {
    text.trim_end_matches(|c| LONG.contains(&c) || FLOAT.contains(&c))
}

#[cfg(test)]
mod tests;
