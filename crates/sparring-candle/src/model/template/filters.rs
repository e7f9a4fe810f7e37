//! Filters and tests as in Jinja2, where minijinja's differ or are missing.

use super::budget::{charge, width};
use super::operators::invalid;
use super::python::{repr, text};
use super::{json, numbers, percent};
use minijinja::value::{Kwargs, Rest, Tuple, Value, ValueKind};
use minijinja::{Environment, Error, State, filters};

pub(super) fn register(environment: &mut Environment<'_>) {
    // Jinja2 has none of these.
    for name in ["split", "lines", "chain", "zip", "bool"] {
        environment.remove_filter(name);
    }
    for name in ["length", "count"] {
        environment.add_filter(name, length);
    }
    environment.add_filter("tojson", json::tojson);
    environment.add_filter("string", string);
    environment.add_filter("join", join);
    environment.add_filter("replace", replace);
    environment.add_filter("center", center);
    environment.add_filter("indent", indent);
    environment.add_filter("batch", batch);
    environment.add_filter("slice", slice);
    environment.add_filter("format", format);
    environment.add_filter("truncate", truncate);
    environment.add_filter("wordcount", wordcount);
    environment.add_filter("striptags", |text: String| {
        minijinja_contrib::filters::striptags(text).trim().to_owned()
    });
    environment.add_filter("urlencode", urlencode);
    environment.add_filter("round", numbers::round);
    environment.add_filter("int", numbers::int);
    environment.add_filter("float", numbers::float);
    environment.add_filter("list", list);
    environment.add_filter("pprint", |value: &Value| repr(value));
    for name in ["default", "d"] {
        environment.add_filter(name, default);
    }
    for name in ["escape", "e"] {
        environment.add_filter(name, escape);
    }
    environment.add_filter("title", title);
    environment.add_filter("upper", |value: &Value| Ok::<_, Error>(text(value)?.to_uppercase()));
    environment.add_filter("lower", |value: &Value| Ok::<_, Error>(text(value)?.to_lowercase()));
    environment.add_filter("trim", trim);
    environment.add_test("iterable", is_iterable);
    environment.add_test("sequence", is_sequence);
    environment.add_test("callable", |value: &Value| value.kind() == ValueKind::Plain);
}

fn is_iterable(value: &Value) -> bool {
    matches!(
        value.kind(),
        ValueKind::String | ValueKind::Seq | ValueKind::Map | ValueKind::Iterable | ValueKind::Undefined
    )
}

/// Whatever has a length and can be indexed: in Python strings and maps too.
fn is_sequence(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::String | ValueKind::Seq | ValueKind::Map | ValueKind::Undefined)
}

fn length(value: &Value) -> Result<usize, Error> {
    match value.kind() {
        ValueKind::Undefined => Ok(0),
        kind => value.len().ok_or_else(|| invalid(format!("a {kind} has no length"))),
    }
}

fn string(value: &Value) -> Result<Value, Error> {
    if value.as_str().is_some() { Ok(value.clone()) } else { text(value).map(Value::from) }
}

fn join(
    value: &Value,
    separator: Option<Value>,
    attribute: Option<Value>,
    named: Kwargs,
) -> Result<String, Error> {
    let or_named = |given: Option<Value>, name: &str| match given {
        Some(value) => Ok(Some(value)),
        None => named.get::<Option<Value>>(name),
    };
    let separator = or_named(separator, "d")?.map(|value| text(&value)).transpose()?.unwrap_or_default();
    let attribute = or_named(attribute, "attribute")?.filter(|value| !value.is_none());
    named.assert_all_used()?;
    let mut joined = String::new();
    for (i, item) in items(value)?.enumerate() {
        let item = match &attribute {
            Some(path) => dotted(item, path)?,
            None => item,
        };
        let item = text(&item)?;
        charge(separator.len() + item.len())?;
        joined.push_str(if i == 0 { "" } else { &separator });
        joined.push_str(&item);
    }
    Ok(joined)
}

pub(super) fn items(value: &Value) -> Result<impl Iterator<Item = Value>, Error> {
    charge(value.len().unwrap_or(0) * size_of::<Value>())?;
    let characters =
        value.as_str().map(|text| text.chars().map(|c| Value::from(c.to_string())).collect::<Vec<_>>());
    match characters {
        Some(characters) => Value::from(characters).try_iter(),
        None => value.try_iter(),
    }
}

/// An attribute by its path, such as `function.name`.
fn dotted(value: Value, path: &Value) -> Result<Value, Error> {
    let Some(path) = path.as_str() else { return value.get_item(path) };
    path.split('.').try_fold(value, |value, part| match part.parse::<usize>() {
        Ok(index) => value.get_item(&Value::from(index)),
        Err(_) => value.get_attr(part),
    })
}

fn replace(value: &Value, old: &Value, new: &Value, count: Option<Value>) -> Result<String, Error> {
    let count = count.and_then(|count| count.as_i64()).and_then(|count| usize::try_from(count).ok());
    replaced(&text(value)?, &text(old)?, &text(new)?, count)
}

/// Python's `str.replace`.
pub(super) fn replaced(text: &str, old: &str, new: &str, count: Option<usize>) -> Result<String, Error> {
    let found = text.matches(old).count().min(count.unwrap_or(usize::MAX));
    charge(text.len().saturating_add(found.saturating_mul(new.len())))?;
    Ok(text.replacen(old, new, found))
}

fn center(value: &Value, wanted: Option<usize>) -> Result<String, Error> {
    centered(&text(value)?, wanted.unwrap_or(80), ' ')
}

/// Python's `str.center`: of an odd number of characters, one more is on the left if the width is odd.
pub(super) fn centered(text: &str, wanted: usize, fill: char) -> Result<String, Error> {
    let length = text.chars().count();
    let missing = width(wanted)?.saturating_sub(length);
    let left = missing / 2 + (missing & wanted & 1);
    let fill = |count: usize| String::from(fill).repeat(count);
    Ok(format!("{}{text}{}", fill(left), fill(missing - left)))
}

fn indent(
    value: &Value,
    by: Option<Value>,
    first: Option<bool>,
    blank: Option<bool>,
    named: Kwargs,
) -> Result<String, Error> {
    let by = match by {
        Some(by) => by,
        None => named.get::<Option<Value>>("width")?.unwrap_or_else(|| Value::from(4)),
    };
    let flag = |given: Option<bool>, name: &str| -> Result<bool, Error> {
        Ok(given.or(named.get::<Option<bool>>(name)?).unwrap_or(false))
    };
    let (first, blank) = (flag(first, "first")?, flag(blank, "blank")?);
    named.assert_all_used()?;
    let by = match by.as_str() {
        Some(text) => text.to_owned(),
        None => " "
            .repeat(width(by.as_usize().ok_or_else(|| invalid("indent: the width is not a whole number"))?)?),
    };
    let text = text(value)? + "\n";
    let lines: Vec<&str> = text.trim_end_matches('\r').split('\n').collect();
    let lines = &lines[..lines.len() - 1];
    charge(text.len().saturating_add(by.len().saturating_mul(lines.len())))?;
    let mut out = String::new();
    for (i, line) in lines.iter().enumerate() {
        out.push_str(if i == 0 { "" } else { "\n" });
        if if i == 0 { first } else { blank || !line.is_empty() } {
            out.push_str(&by);
        }
        out.push_str(line);
    }
    Ok(out)
}

fn batch(state: &State<'_, '_>, value: Value, count: usize, fill: Option<Value>) -> Result<Value, Error> {
    filters::batch(state, value, width(count)?, fill)
}

fn slice(state: &State<'_, '_>, value: Value, count: usize, fill: Option<Value>) -> Result<Value, Error> {
    filters::slice(state, value, width(count)?, fill)
}

fn format(value: &Value, given: Rest<Value>) -> Result<String, Error> {
    let format = text(value)?;
    match given.last() {
        Some(named) if named.is_kwargs() => percent::format(&format, named),
        _ => percent::fill(&format, &given, &Value::from(())),
    }
}

fn truncate(
    value: &Value,
    length: Option<usize>,
    given: Rest<Value>,
    named: Kwargs,
) -> Result<String, Error> {
    let argument = |at: usize, name: &str| match given.get(at) {
        Some(value) => Ok(Some(value.clone())),
        None => named.get::<Option<Value>>(name),
    };
    let length = length.or(named.get("length")?).unwrap_or(255);
    let kill_words = argument(0, "killwords")?.is_some_and(|kill| kill.is_true());
    let end = argument(1, "end")?.map_or_else(|| Ok("...".to_owned()), |end| text(&end))?;
    let leeway = argument(2, "leeway")?.and_then(|leeway| leeway.as_usize()).unwrap_or(5);
    named.assert_all_used()?;
    if length < end.chars().count() {
        return Err(invalid(format!("truncate: the length, {length}, is less than that of {end:?}")));
    }
    let text = text(value)?;
    if text.chars().count() <= length.saturating_add(leeway) {
        return Ok(text);
    }
    let kept: String = text.chars().take(length.saturating_sub(end.chars().count())).collect();
    let whole = if kill_words { None } else { kept.rfind(' ') };
    Ok(format!("{}{end}", &kept[..whole.unwrap_or(kept.len())]))
}

fn wordcount(value: &Value) -> Result<usize, Error> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    Ok(text(value)?.split(|c: char| !is_part(c)).filter(|word| !word.is_empty()).count())
}

fn urlencode(value: &Value) -> Result<String, Error> {
    fn encoded(value: &Value, keep_slash: bool) -> Result<String, Error> {
        let text = text(value)?;
        charge(text.len().saturating_mul(3))?;
        let byte = |byte: u8| match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'.' | b'-' | b'~' => {
                char::from(byte).to_string()
            }
            b'/' if keep_slash => "/".to_owned(),
            _ => format!("%{byte:02X}"),
        };
        Ok(text.bytes().map(byte).collect())
    }
    if value.kind() != ValueKind::Map {
        return encoded(value, true);
    }
    let pair =
        |key: Value| Ok(format!("{}={}", encoded(&key, false)?, encoded(&value.get_item(&key)?, false)?));
    Ok(value.try_iter()?.map(pair).collect::<Result<Vec<_>, Error>>()?.join("&"))
}

fn default(value: &Value, other: Option<Value>, falsy: Option<Value>, named: Kwargs) -> Result<Value, Error> {
    let other = other.map_or_else(|| named.get("default_value"), |given| Ok(Some(given)))?;
    let falsy = falsy.map_or_else(|| named.get::<Option<Value>>("boolean"), |given| Ok(Some(given)))?;
    named.assert_all_used()?;
    let replaces = value.is_undefined() || falsy.is_some_and(|falsy| falsy.is_true()) && !value.is_true();
    Ok(if replaces { other.unwrap_or_else(|| Value::from("")) } else { value.clone() })
}

fn list(value: &Value) -> Result<Vec<Value>, Error> {
    if value.is_none() {
        return Err(invalid("None cannot be made a list"));
    }
    Ok(items(value)?.collect())
}

fn escape(value: &Value) -> Result<Value, Error> {
    if value.is_safe() { Ok(value.clone()) } else { Ok(Value::from_safe_string(markup(&text(value)?))) }
}

/// A text with HTML's special characters as Python's markupsafe writes them.
pub(super) fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&#39;"),
            '"' => out.push_str("&#34;"),
            _ => out.push(c),
        }
    }
    out
}

fn trim(value: &Value, chars: Option<Value>) -> Result<String, Error> {
    let text = text(value)?;
    let chars = chars.filter(|chars| !chars.is_none());
    Ok(match chars.as_ref().and_then(Value::as_str) {
        Some(chars) => text.trim_matches(|c| chars.contains(c)).to_owned(),
        None => text.trim().to_owned(),
    })
}

/// A capital after white space and opening brackets.
fn title(value: &Value) -> Result<String, Error> {
    let mut begins = true;
    let mut out = String::new();
    for c in text(value)?.chars() {
        if begins {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
        begins = c.is_whitespace() || matches!(c, '-' | '(' | '{' | '[' | '<');
    }
    Ok(out)
}

/// `('a', 'b', 'c')`.
pub(super) fn tuple(parts: impl IntoIterator<Item = Value>) -> Value {
    Tuple::from(parts.into_iter().collect::<Vec<_>>()).into()
}
