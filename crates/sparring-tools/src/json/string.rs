use crate::ParseError;
use memchr::memchr2;

/// Whether a string goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StringStep {
    Open,
    Closed,
}

/// Reads the inside of a quoted string in pieces: JSON's escapes and Python's, an unknown escape standing for
/// itself, as in Python.
#[derive(Debug, Default)]
pub(crate) struct StringScanner {
    quote: u8,
    /// The escape that is being read, from after its backslash.
    escape: Option<Escape>,
    /// A high surrogate, which must be followed by `\u` and a low one, and where it stands.
    high: Option<(u32, usize)>,
}

#[derive(Debug, Clone, Copy)]
struct Escape {
    /// Hexadecimal digits still to come; `None` before the letter.
    digits: Option<u8>,
    code: u32,
    start: usize,
}

impl StringScanner {
    pub(crate) fn begin(&mut self, quote: u8) {
        *self = Self { quote, ..Self::default() };
    }

    pub(crate) fn quote(&self) -> char {
        char::from(self.quote)
    }

    /// Reads one run of plain text, or a character of an escape. Also says how much was used.
    pub(crate) fn feed(
        &mut self,
        rest: &str,
        at: usize,
        mut text: impl FnMut(&str),
    ) -> Result<(usize, StringStep), ParseError> {
        if let Some(escape) = self.escape.take() {
            return Ok((self.escaped(escape, rest, at, text)?, StringStep::Open));
        }
        let stop = memchr2(self.quote, b'\\', rest.as_bytes());
        let run = &rest[..stop.unwrap_or(rest.len())];
        let escapes = stop.is_some_and(|stop| rest.as_bytes()[stop] == b'\\');
        if let Some((_, start)) = self.high.filter(|_| !(run.is_empty() && escapes)) {
            return Err(lone_surrogate(start));
        }
        if !run.is_empty() {
            text(run);
        }
        match stop {
            None => Ok((run.len(), StringStep::Open)),
            Some(stop) if escapes => {
                self.escape = Some(Escape { digits: None, code: 0, start: at + stop + 1 });
                Ok((stop + 1, StringStep::Open))
            }
            Some(stop) => Ok((stop + 1, StringStep::Closed)),
        }
    }

    fn escaped(
        &mut self,
        escape: Escape,
        rest: &str,
        at: usize,
        mut text: impl FnMut(&str),
    ) -> Result<usize, ParseError> {
        let Some(c) = rest.chars().next() else { return Ok(0) };
        if escape.digits.is_some() {
            return self.digit(escape, c, at, text);
        }
        if let Some((_, start)) = self.high.filter(|_| c != 'u') {
            return Err(lone_surrogate(start));
        }
        match c {
            '\n' => {}
            'n' => text("\n"),
            't' => text("\t"),
            'r' => text("\r"),
            'b' => text("\u{8}"),
            'f' => text("\u{c}"),
            'v' => text("\u{b}"),
            'a' => text("\u{7}"),
            '0' => text("\0"),
            '\\' | '\'' | '"' | '/' => text(c.encode_utf8(&mut [0; 4])),
            'x' | 'u' | 'U' => {
                let digits = match c {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                self.escape = Some(Escape { digits: Some(digits), start: at + 1, ..escape });
            }
            _ => {
                text("\\");
                text(c.encode_utf8(&mut [0; 4]));
            }
        }
        Ok(c.len_utf8())
    }

    fn digit(
        &mut self,
        mut escape: Escape,
        c: char,
        at: usize,
        mut text: impl FnMut(&str),
    ) -> Result<usize, ParseError> {
        let Some(value) = c.to_digit(16) else {
            return Err(ParseError::syntax(at, format!("found {c:?}, expected hexadecimal digits")));
        };
        escape.code = escape.code.wrapping_shl(4) | value;
        match escape.digits {
            Some(left) if left > 1 => {
                escape.digits = Some(left - 1);
                self.escape = Some(escape);
            }
            _ => {
                if let Some(c) = self.code_point(escape)? {
                    text(c.encode_utf8(&mut [0; 4]));
                }
            }
        }
        Ok(1)
    }

    /// The character of a complete escape; none for the first half of a surrogate pair.
    fn code_point(&mut self, escape: Escape) -> Result<Option<char>, ParseError> {
        let code = match self.high.take() {
            Some((high, _)) if (0xdc00..0xe000).contains(&escape.code) => {
                0x1_0000 + ((high - 0xd800) << 10) + (escape.code - 0xdc00)
            }
            Some((_, start)) => return Err(lone_surrogate(start)),
            None if (0xd800..0xdc00).contains(&escape.code) => {
                self.high = Some((escape.code, escape.start));
                return Ok(None);
            }
            None => escape.code,
        };
        char::from_u32(code).map(Some).ok_or_else(|| lone_surrogate(escape.start))
    }
}

fn lone_surrogate(at: usize) -> ParseError {
    ParseError::syntax(at, "this escape is no Unicode character")
}
