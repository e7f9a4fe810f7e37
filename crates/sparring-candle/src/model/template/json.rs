//! `tojson`: JSON as Python's `json.dumps` writes it.

use super::budget::{charge, width};
use super::python::{check_depth, float};
use minijinja::value::{Kwargs, Rest, Value, ValueKind};
use minijinja::{Error, ErrorKind};
use std::fmt::Write;

/// The filter, with the arguments of the one of `transformers`: `ensure_ascii`, `indent`, `separators` and `sort_keys`.
pub(super) fn tojson(value: &Value, positional: Rest<Value>, named: Kwargs) -> Result<String, Error> {
    let argument = |at: usize, name: &str| match positional.get(at) {
        Some(value) => Ok(Some(value.clone())),
        None => named.get::<Option<Value>>(name),
    };
    if positional.len() > 4 {
        return Err(ErrorKind::TooManyArguments.into());
    }
    let [ascii, indent, separators, sorted] = [
        argument(0, "ensure_ascii")?,
        argument(1, "indent")?,
        argument(2, "separators")?,
        argument(3, "sort_keys")?,
    ];
    named.assert_all_used()?;
    let is_true = |value: Option<Value>| value.is_some_and(|value| value.is_true());
    let indent = indent.filter(|value| !value.is_none()).map(|value| indentation(&value)).transpose()?;
    let (comma, colon) = match separators.filter(|value| !value.is_none()) {
        Some(pair) => separator_pair(&pair)?,
        None => (if indent.is_some() { "," } else { ", " }.to_owned(), ": ".to_owned()),
    };
    let mut writer =
        Writer { out: String::new(), ascii: is_true(ascii), sorted: is_true(sorted), indent, comma, colon };
    writer.value(value, 0)?;
    Ok(writer.out)
}

/// A number of spaces, or the text itself.
fn indentation(value: &Value) -> Result<String, Error> {
    match (value.as_str(), value.as_i64()) {
        (Some(text), _) => {
            width(text.len())?;
            Ok(text.to_owned())
        }
        (None, Some(count)) => Ok(" ".repeat(width(usize::try_from(count).unwrap_or(0))?)),
        _ if value.kind() == ValueKind::Bool => Ok(" ".repeat(usize::from(value.is_true()))),
        _ => Err(Error::new(ErrorKind::InvalidOperation, "tojson: indent must be a number or a string")),
    }
}

fn separator_pair(pair: &Value) -> Result<(String, String), Error> {
    let parts: Vec<Value> = pair.try_iter()?.collect();
    match parts.iter().map(Value::as_str).collect::<Option<Vec<_>>>().as_deref() {
        Some([comma, colon]) => {
            width(comma.len() + colon.len())?;
            Ok(((*comma).to_owned(), (*colon).to_owned()))
        }
        _ => Err(Error::new(ErrorKind::InvalidOperation, "tojson: separators must be a pair of strings")),
    }
}

struct Writer {
    out: String,
    ascii: bool,
    sorted: bool,
    indent: Option<String>,
    comma: String,
    colon: String,
}

impl Writer {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        check_depth(depth)?;
        match value.kind() {
            ValueKind::None => self.out.push_str("null"),
            ValueKind::Bool => self.out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.out.push_str(&number(value)),
            ValueKind::String => self.string(value.as_str().unwrap_or_default())?,
            ValueKind::Seq | ValueKind::Iterable => {
                let items: Vec<Value> = value.try_iter()?.collect();
                self.items('[', ']', items.len(), depth, |this, i| this.value(&items[i], depth + 1))?;
            }
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter()?.collect();
                if self.sorted {
                    keys.sort();
                }
                self.items('{', '}', keys.len(), depth, |this, i| {
                    let key = key(&keys[i])?;
                    this.string(&key)?;
                    this.out.push_str(&this.colon.clone());
                    this.value(&value.get_item(&keys[i])?, depth + 1)
                })?;
            }
            kind => {
                return Err(Error::new(ErrorKind::BadSerialization, format!("tojson: {kind} is not JSON")));
            }
        }
        Ok(())
    }

    fn items(
        &mut self,
        open: char,
        close: char,
        count: usize,
        depth: usize,
        mut item: impl FnMut(&mut Self, usize) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.out.push(open);
        for i in 0..count {
            if i > 0 {
                charge(self.comma.len())?;
                self.out.push_str(&self.comma.clone());
            }
            self.line(depth + 1)?;
            item(self, i)?;
        }
        if count > 0 {
            self.line(depth)?;
        }
        self.out.push(close);
        Ok(())
    }

    fn line(&mut self, depth: usize) -> Result<(), Error> {
        if let Some(indent) = &self.indent {
            charge(indent.len() * depth + 1)?;
            self.out.push('\n');
            self.out.push_str(&indent.repeat(depth));
        }
        Ok(())
    }

    fn string(&mut self, text: &str) -> Result<(), Error> {
        charge(text.len())?;
        self.out.push('"');
        for c in text.chars() {
            let short = match c {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                '\x08' => "\\b",
                '\x0c' => "\\f",
                _ => "",
            };
            if !short.is_empty() {
                self.out.push_str(short);
            } else if c < ' ' || self.ascii && !(' '..='~').contains(&c) {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(self.out, "\\u{unit:04x}");
                }
            } else {
                self.out.push(c);
            }
        }
        self.out.push('"');
        Ok(())
    }
}

/// A key of an object: Python writes numbers, truth values and None as strings.
fn key(key: &Value) -> Result<String, Error> {
    Ok(match key.kind() {
        ValueKind::String => key.as_str().unwrap_or_default().to_owned(),
        ValueKind::None => "null".to_owned(),
        ValueKind::Bool => if key.is_true() { "true" } else { "false" }.to_owned(),
        ValueKind::Number => number(key),
        kind => {
            return Err(Error::new(ErrorKind::BadSerialization, format!("tojson: a {kind} cannot be a key")));
        }
    })
}

fn number(value: &Value) -> String {
    if value.is_integer() {
        return value.to_string();
    }
    match f64::try_from(value.clone()) {
        Ok(x) if x.is_nan() => "NaN".to_owned(),
        Ok(x) if x.is_infinite() => if x > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
        Ok(x) => float(x),
        Err(_) => value.to_string(),
    }
}
