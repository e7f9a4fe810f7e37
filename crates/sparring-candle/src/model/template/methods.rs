//! Methods of Python's strings, lists and dicts.

use super::budget::{charge, width};
use super::filters::{centered, items as items_of, replaced, tuple};
use super::operators::invalid;
use super::python::{is_printable, text};
use minijinja::value::{Value, ValueKind, from_args};
use minijinja::{Error, State};
use minijinja_contrib::pycompat::unknown_method_callback;

/// Methods that change a value, which Python's sandbox refuses.
const CHANGING: [&str; 13] = [
    "append",
    "extend",
    "insert",
    "pop",
    "remove",
    "reverse",
    "sort",
    "clear",
    "update",
    "setdefault",
    "popitem",
    "add",
    "discard",
];

/// Calls a method that minijinja does not know.
pub(super) fn call(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    let found = match value.kind() {
        ValueKind::String => string(value.as_str().unwrap_or_default(), method, args)?,
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map if CHANGING.contains(&method) => {
            let why = format!(
                "templates cannot change their inputs: .{method}() is not possible; build a new value"
            );
            return Err(invalid(why));
        }
        ValueKind::Seq => list(value, method, args)?,
        ValueKind::Map if method == "copy" => Some(value.clone()),
        _ => None,
    };
    let result = match found {
        Some(result) => result,
        None => unknown_method_callback(state, value, method, args)?,
    };
    // A method of markup makes markup.
    Ok(match result.as_str() {
        Some(text) if value.is_safe() => Value::from_safe_string(text.to_owned()),
        _ => result,
    })
}

fn list(value: &Value, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    match method {
        "index" => {
            let (wanted,): (&Value,) = from_args(args)?;
            let at = value.try_iter()?.position(|item| item == *wanted);
            at.map(|at| Some(Value::from(at))).ok_or_else(|| invalid("index: the item is not in the list"))
        }
        "copy" => Ok(Some(value.clone())),
        _ => Ok(None),
    }
}

fn string(s: &str, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    let result = match method {
        "split" => return split(s, args, false).map(Some),
        "rsplit" => return split(s, args, true).map(Some),
        "splitlines" => split_lines(s, args)?,
        "partition" | "rpartition" => partition(s, method, args)?,
        "removeprefix" | "removesuffix" => {
            let (part,): (&str,) = from_args(args)?;
            let rest = if method == "removeprefix" { s.strip_prefix(part) } else { s.strip_suffix(part) };
            Value::from(rest.unwrap_or(s))
        }
        "find" | "rfind" | "index" | "rindex" | "count" => find(s, method, args)?,
        "startswith" | "endswith" => affix(s, method, args)?,
        "strip" | "lstrip" | "rstrip" => strip(s, method, args)?,
        "ljust" | "rjust" | "center" | "zfill" => pad(s, method, args)?,
        "replace" => {
            let (old, new, count): (&str, &str, Option<i64>) = from_args(args)?;
            replaced(s, old, new, count.and_then(|count| usize::try_from(count).ok()))?.into()
        }
        "join" => join(s, args)?,
        "format" => {
            bound_widths(s)?;
            return Ok(None);
        }
        "title" => title(s).into(),
        "swapcase" => swap_case(s).into(),
        "casefold" => s.to_lowercase().replace('ß', "ss").into(),
        "expandtabs" => {
            let (size,): (Option<usize>,) = from_args(args)?;
            expand_tabs(s, width(size.unwrap_or(8))?)?.into()
        }
        "isdecimal" => (!s.is_empty() && s.chars().all(|c| c.is_ascii_digit())).into(),
        "isprintable" => s.chars().all(is_printable).into(),
        "istitle" => (s.chars().any(char::is_alphabetic) && title(s) == s).into(),
        "isidentifier" => {
            let starts = s.starts_with(|c: char| c == '_' || c.is_alphabetic());
            (starts && s.chars().all(|c| c == '_' || c.is_alphanumeric())).into()
        }
        _ => return Ok(None),
    };
    Ok(Some(result))
}

fn strings<'a>(parts: impl IntoIterator<Item = &'a str>) -> Value {
    parts.into_iter().map(Value::from).collect::<Vec<_>>().into()
}

/// Takes keyword arguments for positional ones: `sep`, `maxsplit`.
fn split_arguments(args: &[Value]) -> Result<(Option<String>, Option<usize>), Error> {
    let (named, positional) = match args.split_last() {
        Some((last, rest)) if last.is_kwargs() => (Some(last), rest),
        _ => (None, args),
    };
    let argument = |at: usize, name: &str| -> Result<Option<Value>, Error> {
        let named = || named.map(|named| named.get_attr(name)).transpose();
        let value = positional.get(at).cloned().map_or_else(named, |value| Ok(Some(value)))?;
        Ok(value.filter(|value| !(value.is_none() || value.is_undefined())))
    };
    let most = argument(1, "maxsplit")?.and_then(|most| most.as_i64());
    let separator = argument(0, "sep")?.map(|separator| text(&separator)).transpose()?;
    Ok((separator, most.and_then(|most| usize::try_from(most).ok())))
}

fn split(s: &str, args: &[Value], from_end: bool) -> Result<Value, Error> {
    let (separator, most) = split_arguments(args)?;
    let cuts = match &separator {
        Some(separator) => s.matches(separator.as_str()).count(),
        None => s.split_whitespace().count(),
    };
    charge(s.len() + cuts.min(most.unwrap_or(usize::MAX)).saturating_mul(size_of::<Value>()))?;
    let Some(separator) = separator else { return Ok(strings(words(s, most, from_end))) };
    if separator.is_empty() {
        return Err(invalid("split: the separator is empty"));
    }
    let pieces = most.map_or(usize::MAX, |most| most.saturating_add(1));
    if !from_end {
        return Ok(strings(s.splitn(pieces, &separator)));
    }
    let mut parts: Vec<&str> = s.rsplitn(pieces, &separator).collect();
    parts.reverse();
    Ok(strings(parts))
}

/// The words between white space; the last of `most + 1` is the rest.
fn words(s: &str, most: Option<usize>, from_end: bool) -> Vec<&str> {
    let (mut words, mut rest) = (Vec::new(), s);
    loop {
        rest = if from_end { rest.trim_end() } else { rest.trim_start() };
        if rest.is_empty() {
            break;
        }
        let cut = if most.is_some_and(|most| words.len() == most) {
            None
        } else if from_end {
            rest.char_indices()
                .rfind(|(_, c)| c.is_whitespace())
                .map(|(at, c)| (at + c.len_utf8(), at + c.len_utf8()))
        } else {
            rest.find(char::is_whitespace).map(|at| (at, at))
        };
        let Some((at, _)) = cut else {
            words.push(rest);
            break;
        };
        let (left, right) = rest.split_at(at);
        words.push(if from_end { right } else { left });
        rest = if from_end { left } else { right };
    }
    if from_end {
        words.reverse();
    }
    words
}

fn split_lines(s: &str, args: &[Value]) -> Result<Value, Error> {
    let (keep,): (Option<&Value>,) = from_args(args)?;
    let named = keep.filter(|keep| keep.is_kwargs()).and_then(|keep| keep.get_attr("keepends").ok());
    let keep = named.as_ref().or(keep).is_some_and(Value::is_true);
    charge(s.len())?;
    let is_break = |c: char| {
        matches!(c, '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}')
    };
    let (mut lines, mut rest) = (Vec::new(), s);
    while let Some(at) = rest.find(is_break) {
        let length = match &rest[at..] {
            after if after.starts_with("\r\n") => 2,
            after => after.chars().next().map_or(1, char::len_utf8),
        };
        lines.push(&rest[..if keep { at + length } else { at }]);
        rest = &rest[at + length..];
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    Ok(strings(lines))
}

fn partition(s: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let (separator,): (&str,) = from_args(args)?;
    if separator.is_empty() {
        return Err(invalid(format!("{method}: the separator is empty")));
    }
    let parts = match method {
        "partition" => s.split_once(separator).map_or([s, "", ""], |(a, b)| [a, separator, b]),
        _ => s.rsplit_once(separator).map_or(["", "", s], |(a, b)| [a, separator, b]),
    };
    Ok(tuple(parts.map(Value::from)))
}

/// The part of a string between two places, which count from the end if negative, and the first place.
fn window(s: &str, start: Option<i64>, end: Option<i64>) -> (&str, usize) {
    let length = s.chars().count();
    let place = |at: i64| match usize::try_from(at) {
        Ok(at) => at.min(length),
        Err(_) => length.saturating_sub(usize::try_from(at.unsigned_abs()).unwrap_or(usize::MAX)),
    };
    let (start, end) = (start.map_or(0, place), end.map_or(length, place));
    let byte = |at: usize| s.char_indices().nth(at).map_or(s.len(), |(byte, _)| byte);
    (s.get(byte(start)..byte(end)).unwrap_or_default(), start)
}

fn find(s: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let (wanted, start, end): (&str, Option<i64>, Option<i64>) = from_args(args)?;
    let (part, offset) = window(s, start, end);
    if method == "count" {
        let empty = wanted.is_empty().then(|| part.chars().count() + 1);
        return Ok(empty.unwrap_or_else(|| part.matches(wanted).count()).into());
    }
    let at = if method.starts_with('r') { part.rfind(wanted) } else { part.find(wanted) };
    match at {
        Some(at) => Ok((offset + part[..at].chars().count()).into()),
        None if method.ends_with("find") => Ok((-1).into()),
        None => Err(invalid(format!("{method}: the text does not contain {wanted:?}"))),
    }
}

fn affix(s: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let (affixes, start, end): (&Value, Option<i64>, Option<i64>) = from_args(args)?;
    let (part, _) = window(s, start, end);
    let has =
        |affix: &str| if method == "startswith" { part.starts_with(affix) } else { part.ends_with(affix) };
    if let Some(affix) = affixes.as_str() {
        return Ok(has(affix).into());
    }
    if !affixes.is_tuple() {
        return Err(invalid(format!(
            "{method} needs a string or a tuple of strings, not a {}",
            affixes.kind()
        )));
    }
    Ok(affixes.try_iter()?.any(|affix| affix.as_str().is_some_and(has)).into())
}

fn strip(s: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let (chars,): (Option<&str>,) = from_args(args)?;
    let strips = |c: char| chars.map_or_else(|| c.is_whitespace(), |chars| chars.contains(c));
    let s = if method == "rstrip" { s } else { s.trim_start_matches(strips) };
    Ok(Value::from(if method == "lstrip" { s } else { s.trim_end_matches(strips) }))
}

fn pad(s: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let (wanted, fill): (i64, Option<&str>) = from_args(args)?;
    let wanted = width(usize::try_from(wanted).unwrap_or(0))?;
    let fill = fill.map_or(Some(' '), |fill| fill.chars().next().filter(|c| c.len_utf8() == fill.len()));
    let fill = fill.ok_or_else(|| invalid(format!("{method}: the filling must be one character")))?;
    let missing = wanted.saturating_sub(s.chars().count());
    let filling = |c: char| String::from(c).repeat(missing);
    Ok(match method {
        "ljust" => format!("{s}{}", filling(fill)),
        "rjust" => format!("{}{s}", filling(fill)),
        "center" => centered(s, wanted, fill)?,
        _ => {
            let (sign, digits) = s.split_at(usize::from(s.starts_with(['-', '+'])));
            format!("{sign}{}{digits}", filling('0'))
        }
    }
    .into())
}

fn join(separator: &str, args: &[Value]) -> Result<Value, Error> {
    let (items,): (&Value,) = from_args(args)?;
    let part = |item: Value| match item.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(invalid(format!("join: an item is a {}, not a string", item.kind()))),
    };
    let parts = items_of(items)?.map(part).collect::<Result<Vec<_>, Error>>()?;
    charge(parts.iter().map(|part| part.len() + separator.len()).sum())?;
    Ok(parts.join(separator).into())
}

/// `'{:>80}'.format(...)` may ask for any width.
fn bound_widths(format: &str) -> Result<(), Error> {
    let numbers = format.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    for digits in numbers {
        width(digits.parse().unwrap_or(usize::MAX))?;
    }
    Ok(())
}

/// A capital after all that is not a letter.
fn title(s: &str) -> String {
    let mut begins = true;
    let mut out = String::new();
    for c in s.chars() {
        if begins {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
        begins = !c.is_alphabetic();
    }
    out
}

fn swap_case(s: &str) -> String {
    let mut out = String::new();
    for c in s.chars() {
        if c.is_uppercase() { out.extend(c.to_lowercase()) } else { out.extend(c.to_uppercase()) }
    }
    out
}

fn expand_tabs(s: &str, size: usize) -> Result<String, Error> {
    charge(s.matches('\t').count().saturating_mul(size))?;
    let (mut out, mut column) = (String::new(), 0);
    for c in s.chars() {
        match c {
            '\t' if size > 0 => {
                let spaces = size - column % size;
                out.push_str(&" ".repeat(spaces));
                column += spaces;
            }
            '\t' => {}
            _ => {
                out.push(c);
                column = if matches!(c, '\n' | '\r') { 0 } else { column + 1 };
            }
        }
    }
    Ok(out)
}
