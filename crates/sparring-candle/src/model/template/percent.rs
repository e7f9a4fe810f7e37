//! Python's `text % values`.

use super::budget::{charge, width};
use super::operators::{Number, invalid};
use super::python::{exponent, repr, text};
use minijinja::Error;
use minijinja::value::{Value, ValueKind};
use std::str::Chars;

/// Fills the places of `format`, such as `%s`, `%5.2f` or `%(name)s`, with a value or the values of a tuple or map.
pub(super) fn format(format: &str, values: &Value) -> Result<String, Error> {
    let given = match values.kind() {
        ValueKind::Seq if values.is_tuple() => values.try_iter()?.collect(),
        _ => vec![values.clone()],
    };
    fill(format, &given, values)
}

/// As [`format`], with the values in a list.
pub(super) fn fill(format: &str, given: &[Value], named: &Value) -> Result<String, Error> {
    let mut filler = Filler { given: given.iter(), named, used_names: false };
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c == '%' {
            let place = filler.place(&mut chars)?;
            charge(place.len())?;
            out.push_str(&place);
        } else {
            out.push(c);
        }
    }
    let has_names = matches!(named.kind(), ValueKind::Map | ValueKind::Seq) && !named.is_tuple();
    if filler.given.next().is_some() && !filler.used_names && !has_names {
        return Err(invalid("not all values were used by the format"));
    }
    Ok(out)
}

struct Filler<'a> {
    given: std::slice::Iter<'a, Value>,
    named: &'a Value,
    used_names: bool,
}

/// What stands between `%` and the letter.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "Python's flags")]
struct Spec {
    left: bool,
    plus: bool,
    space: bool,
    zero: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

impl<'a> Filler<'a> {
    fn next(&mut self) -> Result<&'a Value, Error> {
        self.given.next().ok_or_else(|| invalid("there are fewer values than places in the format"))
    }

    fn number(&mut self, chars: &mut Chars<'_>) -> Result<usize, Error> {
        if chars.as_str().starts_with('*') {
            chars.next();
            let asked = self.next()?.as_usize().ok_or_else(|| invalid("a width is not a whole number"))?;
            return width(asked);
        }
        let rest = chars.as_str();
        let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        *chars = rest[length..].chars();
        if length == 0 { Ok(0) } else { width(rest[..length].parse().unwrap_or(usize::MAX)) }
    }

    fn place(&mut self, chars: &mut Chars<'_>) -> Result<String, Error> {
        let mut value = None;
        if let Some(rest) = chars.as_str().strip_prefix('(') {
            let (name, rest) =
                rest.split_once(')').ok_or_else(|| invalid("a name in a format has no end"))?;
            *chars = rest.chars();
            self.used_names = true;
            value = Some(self.named.get_item(&Value::from(name))?);
        }
        let mut spec = Spec::default();
        loop {
            match chars.as_str().bytes().next() {
                Some(b'-') => spec.left = true,
                Some(b'+') => spec.plus = true,
                Some(b' ') => spec.space = true,
                Some(b'0') => spec.zero = true,
                Some(b'#') => spec.alternate = true,
                _ => break,
            }
            chars.next();
        }
        spec.width = self.number(chars)?;
        if let Some(rest) = chars.as_str().strip_prefix('.') {
            *chars = rest.chars();
            spec.precision = Some(self.number(chars)?);
        }
        let kind = chars.find(|c| !matches!(c, 'h' | 'l' | 'L'));
        let kind = kind.ok_or_else(|| invalid("a format ends within a place"))?;
        if kind == '%' {
            return Ok("%".to_owned());
        }
        let value = match value {
            Some(value) => value,
            None => self.next()?.clone(),
        };
        spec.write(kind, &value)
    }
}

impl Spec {
    fn write(&self, kind: char, value: &Value) -> Result<String, Error> {
        let cut = |text: String| match self.precision {
            Some(length) => text.chars().take(length).collect(),
            None => text,
        };
        match kind {
            's' => Ok(self.pad("", &cut(text(value)?), false)),
            'r' | 'a' => Ok(self.pad("", &cut(repr(value)?), false)),
            'c' => Ok(self.pad("", &character(value)?, false)),
            'd' | 'i' | 'u' | 'x' | 'X' | 'o' => self.integer(kind, value),
            'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
                let number = Number::of(value).ok_or_else(|| needs(kind, value))?.float();
                let digits = float(kind.to_ascii_lowercase(), number.abs(), self.precision.unwrap_or(6));
                let digits = if kind.is_ascii_uppercase() { digits.to_uppercase() } else { digits };
                Ok(self.pad(self.sign(number.is_sign_negative()), &digits, true))
            }
            _ => Err(invalid(format!("%{kind} is not a format of Python"))),
        }
    }

    fn integer(&self, kind: char, value: &Value) -> Result<String, Error> {
        let whole = match Number::of(value) {
            Some(Number::Int(whole)) => whole,
            Some(Number::Float(x)) if "diu".contains(kind) => x.trunc() as i128,
            _ => return Err(needs(kind, value)),
        };
        let size = whole.unsigned_abs();
        let (prefix, digits) = match kind {
            'x' => ("0x", format!("{size:x}")),
            'X' => ("0X", format!("{size:X}")),
            'o' => ("0o", format!("{size:o}")),
            _ => ("", size.to_string()),
        };
        let prefix = if self.alternate { prefix } else { "" };
        let digits = format!("{digits:0>least$}", least = self.precision.unwrap_or(0));
        Ok(self.pad(&format!("{}{prefix}", self.sign(whole < 0)), &digits, true))
    }

    fn sign(&self, negative: bool) -> &'static str {
        match (negative, self.plus, self.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        }
    }

    fn pad(&self, sign: &str, body: &str, is_number: bool) -> String {
        let missing = self.width.saturating_sub(sign.chars().count() + body.chars().count());
        if self.left {
            format!("{sign}{body}{}", " ".repeat(missing))
        } else if self.zero && is_number {
            format!("{sign}{}{body}", "0".repeat(missing))
        } else {
            format!("{}{sign}{body}", " ".repeat(missing))
        }
    }
}

fn needs(kind: char, value: &Value) -> Error {
    invalid(format!("%{kind} needs a number, not a {}", value.kind()))
}

fn character(value: &Value) -> Result<String, Error> {
    let code = value.as_i64().and_then(|code| char::from_u32(u32::try_from(code).ok()?));
    let text = code.map(String::from).or_else(|| value.as_str().map(str::to_owned));
    text.filter(|text| text.chars().count() == 1).ok_or_else(|| invalid("%c needs one character"))
}

/// A float of at least 0, by its letter.
fn float(kind: char, x: f64, precision: usize) -> String {
    // Rust's formatting takes no larger precision.
    let precision = precision.min(1000);
    if !x.is_finite() {
        return if x.is_nan() { "nan" } else { "inf" }.to_owned();
    }
    match kind {
        'f' => format!("{x:.precision$}"),
        'e' => exponent(&format!("{x:.precision$e}")),
        _ => {
            let digits = precision.max(1);
            let scientific = format!("{x:.*e}", digits - 1);
            let power: i32 =
                scientific.split_once('e').and_then(|(_, power)| power.parse().ok()).unwrap_or(0);
            let fixed = (-4..i32::try_from(digits).unwrap_or(i32::MAX)).contains(&power);
            if fixed {
                let places = usize::try_from(i32::try_from(digits).unwrap_or(0) - 1 - power).unwrap_or(0);
                return trimmed(&format!("{x:.places$}")).to_owned();
            }
            let (mantissa, power) = scientific.split_once('e').unwrap_or((&scientific, "0"));
            exponent(&format!("{}e{power}", trimmed(mantissa)))
        }
    }
}

fn trimmed(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}
