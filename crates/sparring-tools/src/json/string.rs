use crate::ParseError;
use memchr::memchr2;

/// Whether a string continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StringStep {
    Open,
    Closed,
}

/// An escape that the notation does not have, and how it was read.
pub(crate) type Oddity = (ParseError, &'static str);

/// Reads the inside of a quoted string in pieces. Escapes are Python's, where an unknown escape stands for itself, or
/// only JSON's, where every other escape is an oddity.
#[derive(Debug, Default)]
pub(crate) struct StringScanner {
    quote: u8,
    /// Whether the string follows JSON.
    json: bool,
    /// The last escape that JSON does not have.
    odd: Option<Oddity>,
    /// Whether three quotes end the string, and how many of them were just read.
    triple: bool,
    quotes: u8,
    /// Whether the string is empty so far.
    empty: bool,
    /// The current escape, from after its backslash.
    escape: Option<Escape>,
    /// A high surrogate, which must be followed by `\u` and a low one, with its position.
    high: Option<(u32, usize)>,
}

#[derive(Debug, Clone, Copy)]
struct Escape {
    digits: Digits,
    code: u32,
    start: usize,
}

/// The missing part of an escape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Digits {
    /// The letter that identifies the escape.
    Unknown,
    /// Hexadecimal digits, this many.
    Hexadecimal(u8),
    /// At most this many octal digits (Python).
    Octal(u8),
}

impl StringScanner {
    pub(crate) fn begin(&mut self, quote: u8, json: bool) {
        *self = Self { quote, json, empty: true, ..Self::default() };
    }

    /// Returns whether the string follows JSON, which has neither triple quotes nor adjacent strings.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    pub(crate) fn is_odd(&self) -> bool {
        self.odd.is_some()
    }

    pub(crate) fn take_odd(&mut self) -> Option<Oddity> {
        self.odd.take()
    }

    /// Starts a triple-quoted string: called for a quote after an empty string.
    pub(crate) fn begin_triple(&mut self) {
        *self = Self { quote: self.quote, triple: true, ..Self::default() };
    }

    /// Returns whether the string just closed is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.empty
    }

    pub(crate) fn quote(&self) -> char {
        char::from(self.quote)
    }

    /// Reads a run of plain text or a character of an escape, and returns how many bytes were used.
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
        if !(run.is_empty() && escapes) {
            self.end_high(&mut text);
        }
        if !run.is_empty() || escapes {
            self.empty = false;
            self.flush_quotes(&mut text);
            text(run);
        }
        match stop {
            None => Ok((run.len(), StringStep::Open)),
            Some(stop) if escapes => {
                // Most escapes are of one letter.
                if let Some(meant) = rest.as_bytes().get(stop + 1).and_then(|letter| of_letter(*letter)) {
                    self.end_high(&mut text);
                    text(meant);
                    return Ok((stop + 2, StringStep::Open));
                }
                self.escape = Some(Escape { digits: Digits::Unknown, code: 0, start: at + stop + 1 });
                Ok((stop + 1, StringStep::Open))
            }
            Some(stop) if self.triple && self.quotes < 2 => {
                self.quotes += 1;
                Ok((stop + 1, StringStep::Open))
            }
            Some(stop) => Ok((stop + 1, StringStep::Closed)),
        }
    }

    /// Outputs quotes that did not end the string.
    fn flush_quotes(&mut self, mut text: impl FnMut(&str)) {
        for _ in 0..std::mem::take(&mut self.quotes) {
            text(char::from(self.quote).encode_utf8(&mut [0; 4]));
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
        match escape.digits {
            Digits::Unknown => {}
            Digits::Hexadecimal(left) => return self.digit(escape, left, c, at, text),
            Digits::Octal(left) => return Ok(self.octal(escape, left, c, text)),
        }
        if c != 'u' {
            self.end_high(&mut text);
        }
        if let Some(meant) = u8::try_from(c).ok().and_then(of_letter) {
            text(meant);
            return Ok(1);
        }
        if self.json && !matches!(c, '/' | 'u') {
            self.not_of_json(escape.start, c, text);
            return Ok(c.len_utf8());
        }
        match c {
            '\n' => {}
            'v' => text("\u{b}"),
            'a' => text("\u{7}"),
            '0'..='7' => {
                let code = c.to_digit(8).unwrap_or(0);
                self.escape = Some(Escape { digits: Digits::Octal(2), code, ..escape });
            }
            '\'' => text("'"),
            '/' if self.json => text("/"),
            'x' | 'u' | 'U' => {
                let digits = match c {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                self.escape = Some(Escape { digits: Digits::Hexadecimal(digits), start: at + 1, ..escape });
            }
            _ => {
                text("\\");
                text(c.encode_utf8(&mut [0; 4]));
            }
        }
        Ok(c.len_utf8())
    }

    /// Handles an escape that JSON does not have. An apostrophe is clear; the meaning of others is unknown.
    fn not_of_json(&mut self, start: usize, c: char, mut text: impl FnMut(&str)) {
        let apostrophe = c == '\'';
        let action = if apostrophe { "read as an apostrophe" } else { "its backslash is kept" };
        self.odd = Some((ParseError::syntax(start, format!("\\{c} is not a JSON escape")), action));
        if !apostrophe {
            text("\\");
        }
        text(c.encode_utf8(&mut [0; 4]));
    }

    fn digit(
        &mut self,
        mut escape: Escape,
        left: u8,
        c: char,
        at: usize,
        mut text: impl FnMut(&str),
    ) -> Result<usize, ParseError> {
        let Some(value) = c.to_digit(16) else {
            return Err(ParseError::syntax(at, format!("found {c:?}, expected hexadecimal digits")));
        };
        escape.code = escape.code.wrapping_shl(4) | value;
        if left > 1 {
            escape.digits = Digits::Hexadecimal(left - 1);
            self.escape = Some(escape);
        } else if let Some(c) = self.code_point(escape, &mut text)? {
            text(c.encode_utf8(&mut [0; 4]));
        }
        Ok(1)
    }

    /// Reads one more octal digit, or the character after the last.
    fn octal(&mut self, mut escape: Escape, left: u8, c: char, mut text: impl FnMut(&str)) -> usize {
        let digit = c.to_digit(8);
        if let Some(digit) = digit {
            escape.code = escape.code * 8 + digit;
            if left > 1 {
                escape.digits = Digits::Octal(left - 1);
                self.escape = Some(escape);
                return 1;
            }
        }
        // At most 0o777, which is a valid character.
        text(char::from_u32(escape.code).unwrap_or_default().encode_utf8(&mut [0; 4]));
        usize::from(digit.is_some())
    }

    /// Returns the character of a complete escape; `None` for the first half of a surrogate pair.
    fn code_point(&mut self, escape: Escape, mut text: impl FnMut(&str)) -> Result<Option<char>, ParseError> {
        let low = (0xdc00..0xe000).contains(&escape.code);
        let code = match self.high {
            Some((high, _)) if low => {
                self.high = None;
                0x1_0000 + ((high - 0xd800) << 10) + (escape.code - 0xdc00)
            }
            _ => {
                self.end_high(&mut text);
                escape.code
            }
        };
        if (0xd800..0xdc00).contains(&code) {
            self.high = Some((code, escape.start));
            return Ok(None);
        }
        if (0xdc00..0xe000).contains(&code) {
            self.high = Some((code, escape.start));
            self.end_high(text);
            return Ok(None);
        }
        let wrong = || ParseError::syntax(escape.start, "this escape is not a Unicode character");
        char::from_u32(code).map(Some).ok_or_else(wrong)
    }

    /// Outputs U+FFFD for half of a surrogate pair without the other half, as decoders of UTF-8 do.
    #[inline]
    fn end_high(&mut self, mut text: impl FnMut(&str)) {
        if let Some((_, start)) = self.high.take() {
            self.odd = Some(half_of_a_pair(start));
            text("\u{fffd}");
        }
    }
}

/// Returns the meaning of the escapes that JSON and Python share.
fn of_letter(letter: u8) -> Option<&'static str> {
    Some(match letter {
        b'n' => "\n",
        b't' => "\t",
        b'r' => "\r",
        b'b' => "\u{8}",
        b'f' => "\u{c}",
        b'"' => "\"",
        b'\\' => "\\",
        _ => return None,
    })
}

#[cold]
fn half_of_a_pair(start: usize) -> Oddity {
    (ParseError::syntax(start, "this escape is half of a surrogate pair"), "read as U+FFFD")
}
