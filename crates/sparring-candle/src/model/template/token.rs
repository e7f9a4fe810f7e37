//! The tokens within a tag.

use super::syntax::Fault;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(String),
    /// A string, without its quotes and escapes.
    Text(String),
    /// A number, as Rust writes it.
    Number(String),
    Sign(&'static str),
}

/// Longer ones first.
const SIGNS: [&str; 26] = [
    "**", "//", "==", "!=", ">=", "<=", "+", "-", "*", "/", "%", "~", "(", ")", "[", "]", "{", "}", ">", "<",
    "=", ".", ":", "|", ",", ";",
];

/// Reads the tokens up to `close`, which is not part of a bracket; returns them with the length of what was read. The
/// fault's line counts from the beginning of the text.
pub(super) fn tokens(text: &str, close: &str) -> Result<(Vec<Token>, usize), Fault> {
    let mut reader = Reader { text, at: 0, tokens: Vec::new() };
    let mut open = Vec::new();
    loop {
        reader.skip_space();
        let rest = &text[reader.at..];
        if let Some(length) = closing(rest, close).filter(|_| open.is_empty()) {
            return Ok((reader.tokens, reader.at + length));
        }
        let Some(first) = rest.chars().next() else {
            return Err(reader.fault(format!("has a tag without its end, {close}")));
        };
        match first {
            '"' | '\'' => reader.string(first)?,
            '0'..='9' => reader.number()?,
            _ if first == '_' || first.is_alphabetic() => reader.name(),
            _ => reader.sign(&mut open)?,
        }
    }
}

/// The length of the end of a tag, if the text begins with one.
fn closing(text: &str, close: &str) -> Option<usize> {
    let signed = text.strip_prefix('-').or_else(|| text.strip_prefix('+').filter(|_| close == "%}"));
    match signed {
        Some(rest) if rest.starts_with(close) => Some(close.len() + 1),
        _ => text.starts_with(close).then_some(close.len()),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
}

impl Reader<'_> {
    fn fault(&self, what: String) -> Fault {
        Fault { line: self.text[..self.at].matches('\n').count(), what }
    }

    fn skip_space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn name(&mut self) {
        let rest = &self.text[self.at..];
        let length = rest.find(|c: char| !(c == '_' || c.is_alphanumeric())).unwrap_or(rest.len());
        self.tokens.push(Token::Name(rest[..length].to_owned()));
        self.at += length;
    }

    fn sign(&mut self, open: &mut Vec<&'static str>) -> Result<(), Fault> {
        let rest = &self.text[self.at..];
        let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) else {
            let found = rest.chars().next().unwrap_or_default();
            return Err(
                self.fault(format!("has the character {found:?} in a tag, which means nothing there"))
            );
        };
        match sign {
            "(" => open.push(")"),
            "[" => open.push("]"),
            "{" => open.push("}"),
            ")" | "]" | "}" if open.pop() != Some(sign) => {
                return Err(self.fault(format!("has a {sign} that closes nothing")));
            }
            _ => {}
        }
        self.tokens.push(Token::Sign(sign));
        self.at += sign.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), Fault> {
        let rest = &self.text[self.at..];
        let after_dot = self.tokens.last() == Some(&Token::Sign(".")) && self.text[..self.at].ends_with('.');
        let (length, token) = number(rest, after_dot)
            .ok_or_else(|| self.fault("has a number that is too large, or not a number".to_owned()))?;
        self.tokens.push(token);
        self.at += length;
        Ok(())
    }

    fn string(&mut self, quote: char) -> Result<(), Fault> {
        let rest = &self.text[self.at + 1..];
        let mut escaped = false;
        let end = rest.find(|c: char| {
            let ends = c == quote && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let end = end.ok_or_else(|| self.fault(format!("has a string without its end, {quote}")))?;
        let text = unescape(&rest[..end])
            .ok_or_else(|| self.fault("has a string with an unknown escape after \\".to_owned()))?;
        self.tokens.push(Token::Text(text));
        self.at += end + 2;
        Ok(())
    }
}

/// A number at the beginning of a text, and its length. After a dot, only digits are read: `list.0.1`.
fn number(text: &str, after_dot: bool) -> Option<(usize, Token)> {
    let bytes = text.as_bytes();
    let digits = |from: usize, radix: u32| {
        let part = text.get(from..).unwrap_or_default();
        from + part.find(|c: char| !(c == '_' || c.is_digit(radix))).unwrap_or(part.len())
    };
    for (prefix, radix) in [("0x", 16), ("0X", 16), ("0o", 8), ("0O", 8), ("0b", 2), ("0B", 2)] {
        if !after_dot && text.starts_with(prefix) {
            let end = digits(2, radix);
            let value = i128::from_str_radix(&text[2..end].replace('_', ""), radix).ok()?;
            return Some((end, Token::Number(value.to_string())));
        }
    }
    let whole = digits(0, 10);
    let mut end = whole;
    if !after_dot {
        if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
            end = digits(end + 1, 10);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            if bytes.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
                end = digits(end + 1 + sign, 10);
            }
        }
    }
    let written = text[..end].replace('_', "");
    let token = if end == whole {
        written.parse::<i128>().ok()?.to_string()
    } else {
        let value: f64 = written.parse().ok().filter(|value: &f64| value.is_finite())?;
        // With a point, for the next reader.
        let mut plain = format!("{value}");
        if !plain.contains('.') {
            plain.push_str(".0");
        }
        plain
    };
    Some((end, Token::Number(token)))
}

/// The text of a string literal of Python.
fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let hex = |chars: &mut std::str::Chars<'_>, length: usize| {
            let code = chars.as_str().get(..length)?;
            *chars = chars.as_str()[length..].chars();
            u32::from_str_radix(code, 16).ok()
        };
        match chars.next()? {
            '\n' => {}
            'a' => out.push('\x07'),
            'b' => out.push('\x08'),
            'f' => out.push('\x0c'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'v' => out.push('\x0b'),
            'x' => out.push(char::from_u32(hex(&mut chars, 2)?)?),
            'u' => {
                let first = hex(&mut chars, 4)?;
                let paired = (0xd800..0xdc00).contains(&first) && chars.as_str().starts_with("\\u");
                let second = if paired {
                    chars = chars.as_str()[2..].chars();
                    hex(&mut chars, 4)?.checked_sub(0xdc00)?
                } else {
                    0
                };
                let code = if paired { 0x10000 + ((first - 0xd800) << 10) + second } else { first };
                out.push(char::from_u32(code)?);
            }
            'U' => out.push(char::from_u32(hex(&mut chars, 8)?)?),
            digit @ '0'..='7' => {
                let more = chars.as_str().chars().take(2).take_while(|c| c.is_digit(8)).count();
                let code = format!("{digit}{}", &chars.as_str()[..more]);
                chars = chars.as_str()[more..].chars();
                out.push(char::from_u32(u32::from_str_radix(&code, 8).ok()?)?);
            }
            quoted @ ('\\' | '\'' | '"') => out.push(quoted),
            other => out.extend(['\\', other]),
        }
    }
    Some(out)
}
