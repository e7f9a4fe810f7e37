//! Calls in JSON: `[{"function": "f", "parameters": {...}}]`.

use super::dict::Dict;
use super::python::integer;
use super::{DecodeError, Raised};
use crate::number::{MAX_DIGITS, is_space};
use crate::{OtherKind, PyValue};
use num_bigint::BigInt;

/// Deepest nesting; CPython's reader overflows its stack at about this depth.
const MAX_DEPTH: usize = 990;

/// The calls in `text`. Text that is not JSON has no calls, and is not an error.
pub(super) fn decode(text: &str) -> Result<PyValue, DecodeError> {
    let text = list_of_objects(outer_list(text));
    let items = match JsonReader::new(text).whole() {
        Ok(PyValue::List(items)) => items,
        // Python iterates over these too, and finds no dict among their keys or characters.
        Ok(PyValue::Dict(_) | PyValue::Str(_) | PyValue::Other { .. }) | Err(Bad::Json) => Vec::new(),
        Ok(_) => return Err(DecodeError::new(Raised::Type, 0, "the JSON value is not iterable")),
        Err(Bad::Raises(exception, reason)) => return Err(DecodeError::new(exception, 0, reason)),
    };
    let calls = items.into_iter().filter_map(|item| match item {
        PyValue::Dict(entries) => Some(call(entries)),
        _ => None,
    });
    Ok(PyValue::List(calls.collect::<Result<_, _>>()?))
}

fn call(entries: Vec<(PyValue, PyValue)>) -> Result<PyValue, DecodeError> {
    let (mut name, mut parameters) = (None, None);
    for (key, value) in entries {
        match key {
            PyValue::Str(key) if key == "function" => name = Some(value),
            PyValue::Str(key) if key == "parameters" => parameters = Some(value),
            _ => {}
        }
    }
    let missing = |key| DecodeError::new(Raised::Key, 0, format!("an object without {key:?}"));
    let name = name.ok_or_else(|| missing("function"))?;
    let parameters = parameters.ok_or_else(|| missing("parameters"))?;
    let mut call = Dict::default();
    call.insert(name, parameters)
        .ok_or_else(|| DecodeError::new(Raised::Type, 0, "a list or an object as the function's name"))?;
    Ok(call.finish())
}

/// The match of `\[.*\]` (across lines): from the first `[` to the last `]`.
fn outer_list(text: &str) -> &str {
    match (text.find('['), text.rfind(']')) {
        (Some(open), Some(close)) if open < close => &text[open..=close],
        _ => text,
    }
}

/// The match of `\[\s*{.*?}\s*(?:,\s*{.*?}\s*)*\]` (across lines).
///
/// Whatever its inner repetition does, a match starts at the first `[` before a `{`, and ends at the first `]`
/// after a `}`: so an inner list of objects cuts it short.
fn list_of_objects(text: &str) -> &str {
    let found = joined(text, 0, '[', '{').and_then(|(start, brace)| {
        let (_, close) = joined(text, brace + 1, '}', ']')?;
        Some(&text[start..=close])
    });
    found.unwrap_or(text)
}

/// The next position of `first`, white space and `second`, from `from` on.
fn joined(text: &str, from: usize, first: char, second: char) -> Option<(usize, usize)> {
    let mut at = from;
    loop {
        let start = at + text[at..].find(first)?;
        let rest = text[start + 1..].trim_start_matches(is_space);
        at = text.len() - rest.len();
        if rest.starts_with(second) {
            return Some((start, at));
        }
    }
}

enum Bad {
    /// `JSONDecodeError`, which the official code treats as "no calls".
    Json,
    /// Another exception, which it propagates.
    Raises(Raised, &'static str),
}

/// `json.loads` of Python.
struct JsonReader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> JsonReader<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn whole(mut self) -> Result<PyValue, Bad> {
        let value = self.value(0)?;
        self.skip_space();
        if self.at < self.text.len() { Err(Bad::Json) } else { Ok(value) }
    }

    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.peek() == byte;
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Result<PyValue, Bad> {
        if depth > MAX_DEPTH {
            return Err(Bad::Raises(Raised::Recursion, "JSON nested too deeply"));
        }
        self.skip_space();
        match self.peek() {
            b'"' => self.string(),
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'0'..=b'9' => self.number(),
            _ => self.word_or_number(),
        }
    }

    fn array(&mut self, depth: usize) -> Result<PyValue, Bad> {
        self.at += 1;
        let mut items = Vec::new();
        if self.eat(b']') {
            return Ok(PyValue::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.eat(b']') {
                return Ok(PyValue::List(items));
            }
            if !self.eat(b',') {
                return Err(Bad::Json);
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<PyValue, Bad> {
        self.at += 1;
        let mut entries = Dict::default();
        if self.eat(b'}') {
            return Ok(entries.finish());
        }
        loop {
            self.skip_space();
            if self.peek() != b'"' {
                return Err(Bad::Json);
            }
            let key = self.string()?;
            if !self.eat(b':') {
                return Err(Bad::Json);
            }
            let value = self.value(depth + 1)?;
            entries.insert(key, value).ok_or(Bad::Json)?;
            if self.eat(b'}') {
                return Ok(entries.finish());
            }
            if !self.eat(b',') {
                return Err(Bad::Json);
            }
        }
    }

    fn word_or_number(&mut self) -> Result<PyValue, Bad> {
        let rest = &self.text[self.at..];
        let words = [
            ("null", PyValue::None),
            ("true", PyValue::Bool(true)),
            ("false", PyValue::Bool(false)),
            ("NaN", PyValue::Float(f64::NAN)),
            ("Infinity", PyValue::Float(f64::INFINITY)),
            ("-Infinity", PyValue::Float(f64::NEG_INFINITY)),
        ];
        for (word, value) in words {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        self.number()
    }

    /// The longest number: in `01` it is `0`, and the remaining `1` makes the text invalid.
    fn number(&mut self) -> Result<PyValue, Bad> {
        let bytes = &self.text.as_bytes()[self.at..];
        let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let sign = usize::from(bytes.first() == Some(&b'-'));
        let whole = if bytes.get(sign) == Some(&b'0') { 1 } else { digits(sign) };
        if whole == 0 {
            return Err(Bad::Json);
        }
        let mut end = sign + whole;
        let integral = end;
        if bytes.get(end) == Some(&b'.') && digits(end + 1) > 0 {
            end += 1 + digits(end + 1);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let signed = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            if end + 1 + signed < bytes.len() && digits(end + 1 + signed) > 0 {
                end += 1 + signed + digits(end + 1 + signed);
            }
        }
        let text = &self.text[self.at..self.at + end];
        self.at += end;
        if end > integral {
            return text.parse().map(PyValue::Float).map_err(|_| Bad::Json);
        }
        if let Ok(small) = text.parse() {
            return Ok(PyValue::Int(small));
        }
        if whole > MAX_DIGITS {
            return Err(Bad::Raises(Raised::Value, "more digits than Python converts"));
        }
        text.parse::<BigInt>().map(integer).map_err(|_| Bad::Json)
    }

    /// A string. One with half a surrogate pair becomes [`PyValue::Other`], since Rust has no such strings.
    fn string(&mut self) -> Result<PyValue, Bad> {
        let open = self.at;
        self.at += 1;
        let mut out = String::new();
        let mut lone = false;
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            let len = rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f)).ok_or(Bad::Json)?;
            out.push_str(&self.text[self.at..self.at + len]);
            self.at += len + 1;
            match rest[len] {
                b'"' if lone => {
                    return Ok(PyValue::Other {
                        kind: OtherKind::Str,
                        repr: self.text[open..self.at].into(),
                    });
                }
                b'"' => return Ok(PyValue::Str(out.into())),
                b'\\' => match char::from_u32(self.escape().ok_or(Bad::Json)?) {
                    Some(c) => out.push(c),
                    None => lone = true,
                },
                _ => return Err(Bad::Json),
            }
        }
    }

    /// After a backslash: the code of a character, or of half a pair.
    fn escape(&mut self) -> Option<u32> {
        let byte = self.peek();
        self.at += 1;
        Some(match byte {
            b'"' | b'\\' | b'/' => u32::from(byte),
            b'b' => 8,
            b'f' => 12,
            b'n' => 10,
            b'r' => 13,
            b't' => 9,
            b'u' => {
                let high = self.hex()?;
                let rest = self.at;
                if (0xd800..0xdc00).contains(&high) && self.text[rest..].starts_with("\\u") {
                    self.at += 2;
                    if let Some(low @ 0xdc00..0xe000) = self.hex() {
                        return Some(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00));
                    }
                    self.at = rest;
                }
                high
            }
            _ => return None,
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let hex =
            self.text.get(self.at..self.at + 4).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
        self.at += 4;
        u32::from_str_radix(hex, 16).ok()
    }
}
