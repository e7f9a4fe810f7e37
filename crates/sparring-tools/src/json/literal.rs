use crate::ParseError;
use serde_json::{Map, Number, Value};

/// Deepest nesting of lists and objects that is read; serde_json stops at the same depth.
pub const MAX_DEPTH: usize = 127;

/// Reads the value that `text` starts with; also says at which byte it ends.
///
/// The grammar is JSON and Python's literals together: what `ast.literal_eval` gives a JSON value for, and
/// JSON's own `true`, `false` and `null`. No `NaN`, no sets, no bytes, no keys but strings.
pub(crate) fn prefix(text: &str) -> Result<(Value, usize), ParseError> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    Ok((value, reader.at))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Skips white space, then `byte` where it is next.
    fn eat(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn unexpected<T>(&self, wanted: &str) -> Result<T, ParseError> {
        let what = match self.text[self.at..].chars().next() {
            Some(found) => format!("found {found:?}, expected {wanted}"),
            None => format!("the text ends, expected {wanted}"),
        };
        Err(ParseError::syntax(self.at, what))
    }

    fn value(&mut self, depth: usize) -> Result<Value, ParseError> {
        if depth > MAX_DEPTH {
            return Err(ParseError::syntax(self.at, format!("nested deeper than {MAX_DEPTH}")));
        }
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => Ok(Value::Array(self.items(b']', depth)?.0)),
            Some(b'(') => {
                let (mut items, trailing) = self.items(b')', depth)?;
                // Python: `(1)` is 1 in parentheses, `(1,)` a tuple.
                if items.len() == 1 && !trailing {
                    return Ok(items.swap_remove(0));
                }
                Ok(Value::Array(items))
            }
            Some(b'"' | b'\'') => self.strings().map(Value::String),
            Some(b'0'..=b'9' | b'-' | b'+' | b'.') => self.number(),
            Some(b'A'..=b'Z' | b'a'..=b'z') => self.word(),
            _ => self.unexpected("a value"),
        }
    }

    /// Comma-separated values up to `close`; whether a comma came before it.
    fn items(&mut self, close: u8, depth: usize) -> Result<(Vec<Value>, bool), ParseError> {
        self.at += 1;
        let mut items = Vec::new();
        let mut comma = false;
        loop {
            if self.eat(close) {
                return Ok((items, comma));
            }
            if !items.is_empty() && !comma {
                return self.unexpected("',' or the closing bracket");
            }
            items.push(self.value(depth + 1)?);
            comma = self.eat(b',');
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, ParseError> {
        self.at += 1;
        let mut map = Map::new();
        let mut comma = true;
        loop {
            if self.eat(b'}') {
                return Ok(Value::Object(map));
            }
            if !comma {
                return self.unexpected("',' or '}'");
            }
            if !matches!(self.peek(), Some(b'"' | b'\'')) {
                return self.unexpected("a quoted key");
            }
            let key = self.strings()?;
            if !self.eat(b':') {
                return self.unexpected("':'");
            }
            let value = self.value(depth + 1)?;
            map.insert(key, value);
            comma = self.eat(b',');
        }
    }

    /// One string, and the ones written right after it, which Python joins.
    fn strings(&mut self) -> Result<String, ParseError> {
        let mut out = String::new();
        loop {
            self.string(&mut out)?;
            let end = self.at;
            self.skip_space();
            if !matches!(self.peek(), Some(b'"' | b'\'')) {
                self.at = end;
                return Ok(out);
            }
        }
    }

    fn string(&mut self, out: &mut String) -> Result<(), ParseError> {
        let open = self.at;
        let quote = self.peek();
        self.at += 1;
        loop {
            let rest = &self.text[self.at..];
            let Some(stop) = rest.find(|c| c == '\\' || Some(c) == quote.map(char::from)) else {
                return Err(ParseError::syntax(open, "this string is never closed"));
            };
            out.push_str(&rest[..stop]);
            self.at += stop + 1;
            if rest.as_bytes()[stop] != b'\\' {
                return Ok(());
            }
            self.escape(out)?;
        }
    }

    /// After a backslash. As in Python, an unknown escape stands for itself.
    fn escape(&mut self, out: &mut String) -> Result<(), ParseError> {
        let Some(c) = self.text[self.at..].chars().next() else {
            return self.unexpected("the rest of an escape");
        };
        self.at += c.len_utf8();
        match c {
            '\n' => {}
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'v' => out.push('\u{b}'),
            'a' => out.push('\u{7}'),
            '0' => out.push('\0'),
            '\\' | '\'' | '"' | '/' => out.push(c),
            'x' => self.code_point(2, out)?,
            'u' => self.code_point(4, out)?,
            'U' => self.code_point(8, out)?,
            _ => out.extend(['\\', c]),
        }
        Ok(())
    }

    fn code_point(&mut self, digits: usize, out: &mut String) -> Result<(), ParseError> {
        let at = self.at;
        let mut code = self.hex(digits)?;
        let high = (0xd800..0xdc00).contains(&code);
        if high && self.text[self.at..].starts_with("\\u") {
            self.at += 2;
            let low = self.hex(4)?;
            if (0xdc00..0xe000).contains(&low) {
                code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            }
        }
        match char::from_u32(code) {
            Some(c) => out.push(c),
            None => return Err(ParseError::syntax(at, "this escape is no Unicode character")),
        }
        Ok(())
    }

    fn hex(&mut self, digits: usize) -> Result<u32, ParseError> {
        let code = self
            .text
            .get(self.at..self.at + digits)
            .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|hex| u32::from_str_radix(hex, 16).ok());
        match code {
            Some(code) => {
                self.at += digits;
                Ok(code)
            }
            None => self.unexpected("hexadecimal digits"),
        }
    }

    fn word(&mut self) -> Result<Value, ParseError> {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let value = match &rest[..end] {
            "true" | "True" => Value::Bool(true),
            "false" | "False" => Value::Bool(false),
            "null" | "None" => Value::Null,
            _ => return self.unexpected("a value (a text needs quotes)"),
        };
        self.at += end;
        Ok(value)
    }

    fn number(&mut self) -> Result<Value, ParseError> {
        let rest = &self.text[self.at..];
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '+' | '-'))
            .unwrap_or(rest.len());
        match read_number(&rest[..end]) {
            Some(number) => {
                self.at += end;
                Ok(Value::Number(number))
            }
            None => self.unexpected("a number (a date or a code needs quotes)"),
        }
    }
}

/// A Python int or float in decimal: `_` between digits, a sign, `.5` and `5.` are fine; `05` is not.
fn read_number(text: &str) -> Option<Number> {
    let bytes = text.as_bytes();
    let lone_underscore = bytes.iter().enumerate().any(|(i, &b)| {
        let digit = |j: Option<usize>| j.and_then(|j| bytes.get(j)).is_some_and(u8::is_ascii_digit);
        b == b'_' && !(digit(i.checked_sub(1)) && digit(Some(i + 1)))
    });
    if lone_underscore {
        return None;
    }
    let plain = text.replace('_', "");
    let unsigned = plain.trim_start_matches(['+', '-']);
    if plain.len() > unsigned.len() + 1 || !unsigned.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    let signed = plain.strip_prefix('+').unwrap_or(&plain);
    if unsigned.bytes().all(|b| b.is_ascii_digit()) {
        if unsigned.len() > 1 && unsigned.starts_with('0') {
            return None;
        }
        if let Ok(i) = signed.parse::<i64>() {
            return Some(i.into());
        }
        if let Ok(u) = signed.parse::<u64>() {
            return Some(u.into());
        }
    }
    signed.parse::<f64>().ok().and_then(Number::from_f64)
}
