//! The combined grammar of JSON and Python literals, read in pieces of any size.

use super::number::json_number;
use super::string::{Oddity, StringScanner, StringStep};
use crate::ParseError;

/// Largest nesting depth of lists and objects that is read; the same as serde_json's.
pub const MAX_DEPTH: usize = 127;

/// The kind of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    /// `{...}`
    Object,
    /// `[...]`
    List,
    /// `(...)`: a tuple if it contains a comma or is empty, else plain parentheses.
    Paren,
}

/// A value without parts, other than a string.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Atom<'a> {
    Null,
    Bool(bool),
    /// A number in JSON's notation.
    Number(&'a str),
}

/// The notation of a value's strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notation {
    /// JSON in double quotes and Python in single ones; or only Python if the first string is in single quotes.
    Json,
    /// Python.
    Python,
}

/// Receives the parts of a value in textual order.
pub(crate) trait Sink {
    fn begin(&mut self, container: Container);
    /// The first comma directly inside the innermost `(`.
    fn comma_in_paren(&mut self);
    /// `tuple` is false for a `(...)` that only puts one value in parentheses.
    fn end(&mut self, container: Container, tuple: bool);
    /// A piece of the current string, with escapes resolved.
    fn text(&mut self, piece: &str);
    /// The current string is complete.
    fn end_text(&mut self, key: bool);
    fn atom(&mut self, atom: Atom<'_>);
    /// Returns whether to stop reading.
    fn stop(&self) -> bool {
        false
    }
}

/// The state after a piece of text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Status {
    /// The value is not complete.
    More,
    /// The value is complete.
    Done,
    /// The text is not a value from here on.
    Bad(ParseError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A value must follow.
    Value,
    /// A value or the closing bracket.
    ValueOrEnd,
    /// A key or the closing bracket.
    KeyOrEnd,
    Colon,
    /// A comma or the closing bracket.
    AfterValue,
    /// Inside a string; `key` says which kind.
    Text {
        key: bool,
    },
    /// After a string, which another one may continue.
    AfterText {
        key: bool,
    },
    /// Inside a number or a word.
    Token,
    Done,
}

/// Reads one value.
///
/// The grammar combines JSON and Python literals: lists, tuples, dicts, strings in single or triple quotes, decimal
/// numbers, `True`, `False`, `None`, and JSON's own words. It excludes from `ast.literal_eval` sets, bytes, prefixed
/// strings, other radices, comments, and keys that are not strings; and `NaN`.
#[derive(Debug)]
pub(crate) struct Scanner {
    notation: Notation,
    /// Whether double quotes follow Python; known from the first string on.
    python: Option<bool>,
    state: State,
    stack: Vec<Container>,
    /// Which of the open `(` contain a comma; the innermost is the lowest bit.
    commas: u128,
    string: StringScanner,
    /// Whether an empty string has just been closed.
    just_empty: bool,
    token: String,
    token_start: usize,
}

impl Scanner {
    pub(crate) fn new(notation: Notation) -> Self {
        Self {
            notation,
            python: None,
            state: State::Value,
            stack: Vec::new(),
            commas: 0,
            string: StringScanner::default(),
            just_empty: false,
            token: String::new(),
            token_start: 0,
        }
    }

    /// Starts another value.
    pub(crate) fn reset(&mut self) {
        self.state = State::Value;
        self.python = None;
        self.stack.clear();
        self.commas = 0;
        self.just_empty = false;
        self.token.clear();
    }

    /// Returns whether a value is complete and its container is not, so that closing it here loses nothing.
    pub(crate) fn after_value(&self) -> bool {
        !self.stack.is_empty() && matches!(self.state, State::AfterValue | State::AfterText { key: false })
    }

    /// Returns the number of open containers.
    pub(crate) fn depth(&self) -> usize {
        self.stack.len()
    }

    /// Returns the quote of the current string.
    pub(crate) fn quote(&self) -> Option<char> {
        matches!(self.state, State::Text { .. }).then(|| self.string.quote())
    }

    /// Takes the escape at which the last `feed` stopped because the notation does not have it.
    pub(crate) fn take_odd(&mut self) -> Option<Oddity> {
        self.string.take_odd()
    }

    /// Reads more text; `at` is the position of `text` in the whole. Returns how many bytes were used.
    pub(crate) fn feed(&mut self, text: &str, at: usize, sink: &mut impl Sink) -> (usize, Status) {
        let mut used = 0;
        while used < text.len() {
            match self.step(&text[used..], at + used, sink) {
                Ok(n) => used += n,
                Err(error) => return (used, Status::Bad(error)),
            }
            if self.state == State::Done {
                return (used, Status::Done);
            }
            if self.string.is_odd() || sink.stop() {
                return (used, Status::More);
            }
        }
        (used, Status::More)
    }

    /// Ends the text, at byte `at`.
    pub(crate) fn finish(&mut self, at: usize, sink: &mut impl Sink) -> Result<(), ParseError> {
        match self.state {
            State::Token => self.end_token(sink)?,
            State::AfterText { key: false } => self.end_string(false, sink),
            State::Text { .. } => {
                return Err(ParseError::syntax(self.token_start, "this string is never closed"));
            }
            _ => {}
        }
        if self.state == State::Done { Ok(()) } else { Err(self.unexpected(None, at)) }
    }

    /// Closes every open container.
    pub(crate) fn close(&mut self, sink: &mut impl Sink) {
        if self.state == (State::AfterText { key: false }) {
            self.end_string(false, sink);
        }
        while !self.stack.is_empty() {
            self.end_container(sink);
        }
        self.state = State::Done;
    }

    /// Reads one token or a part of one: at least one byte, unless the value is complete.
    fn step(&mut self, rest: &str, at: usize, sink: &mut impl Sink) -> Result<usize, ParseError> {
        match self.state {
            State::Text { key } => return self.in_text(rest, at, key, sink),
            State::Token => return self.in_token(rest, sink),
            _ => {}
        }
        let Some(&byte) = rest.as_bytes().first() else { return Ok(0) };
        if std::mem::take(&mut self.just_empty) && byte == self.string.quote() as u8 {
            self.string.begin_triple();
            if let State::AfterText { key } = self.state {
                self.state = State::Text { key };
            }
            return Ok(1);
        }
        if byte.is_ascii_whitespace() {
            return Ok(rest.bytes().take_while(u8::is_ascii_whitespace).count());
        }
        if !byte.is_ascii()
            && let Some(space) = rest.chars().next().filter(|c| c.is_whitespace())
        {
            return Ok(space.len_utf8());
        }
        match self.state {
            State::AfterText { .. } if matches!(byte, b'"' | b'\'') => self.begin_string(byte, at),
            State::AfterText { key } => {
                self.end_string(key, sink);
                return Ok(0);
            }
            State::ValueOrEnd | State::KeyOrEnd | State::AfterValue if Some(byte) == self.closer() => {
                self.end_container(sink);
            }
            State::Value | State::ValueOrEnd => self.value(rest, byte, at, sink)?,
            State::KeyOrEnd if matches!(byte, b'"' | b'\'') => self.begin_key(byte, at),
            State::Colon if byte == b':' => self.state = State::Value,
            State::AfterValue if byte == b',' => self.comma(sink),
            _ => return Err(self.unexpected(Some(rest), at)),
        }
        // The first byte of a token is read as part of the token.
        Ok(usize::from(self.state != State::Token))
    }

    fn value(&mut self, rest: &str, byte: u8, at: usize, sink: &mut impl Sink) -> Result<(), ParseError> {
        match byte {
            b'{' | b'[' | b'(' => {
                if self.stack.len() >= MAX_DEPTH {
                    return Err(ParseError::syntax(at, format!("nested deeper than {MAX_DEPTH}")));
                }
                let container = match byte {
                    b'{' => Container::Object,
                    b'[' => Container::List,
                    _ => Container::Paren,
                };
                self.commas <<= u32::from(container == Container::Paren);
                self.stack.push(container);
                sink.begin(container);
                self.state = if byte == b'{' { State::KeyOrEnd } else { State::ValueOrEnd };
            }
            b'"' | b'\'' => {
                self.begin_string(byte, at);
                self.state = State::Text { key: false };
            }
            b'0'..=b'9' | b'-' | b'+' | b'.' | b'A'..=b'Z' | b'a'..=b'z' => {
                self.token.clear();
                self.token_start = at;
                self.state = State::Token;
            }
            _ => return Err(self.unexpected(Some(rest), at)),
        }
        Ok(())
    }

    fn begin_key(&mut self, quote: u8, at: usize) {
        self.begin_string(quote, at);
        self.state = State::Text { key: true };
    }

    fn begin_string(&mut self, quote: u8, at: usize) {
        let python = self.notation == Notation::Python || quote == b'\'';
        let python = *self.python.get_or_insert(python);
        self.string.begin(quote, quote == b'"' && !python);
        self.token_start = at;
        if let State::AfterText { key } = self.state {
            self.state = State::Text { key };
        }
    }

    fn in_text(
        &mut self,
        rest: &str,
        at: usize,
        key: bool,
        sink: &mut impl Sink,
    ) -> Result<usize, ParseError> {
        let (used, step) = self.string.feed(rest, at, |piece| sink.text(piece))?;
        if step == StringStep::Closed && self.string.is_json() {
            self.end_string(key, sink);
        } else if step == StringStep::Closed {
            self.state = State::AfterText { key };
            self.just_empty = self.string.is_empty();
        }
        Ok(used)
    }

    fn end_string(&mut self, key: bool, sink: &mut impl Sink) {
        sink.end_text(key);
        self.state = if key { State::Colon } else { self.after_value_state() };
    }

    fn after_value_state(&self) -> State {
        if self.stack.is_empty() { State::Done } else { State::AfterValue }
    }

    fn comma(&mut self, sink: &mut impl Sink) {
        self.state = match self.stack.last() {
            Some(Container::Object) => State::KeyOrEnd,
            Some(Container::Paren) => {
                if self.commas & 1 == 0 {
                    self.commas |= 1;
                    sink.comma_in_paren();
                }
                State::ValueOrEnd
            }
            _ => State::ValueOrEnd,
        };
    }

    fn closer(&self) -> Option<u8> {
        self.stack.last().map(|container| match container {
            Container::Object => b'}',
            Container::List => b']',
            Container::Paren => b')',
        })
    }

    fn end_container(&mut self, sink: &mut impl Sink) {
        let Some(container) = self.stack.pop() else { return };
        let mut tuple = false;
        if container == Container::Paren {
            // `()` is a tuple, `(1)` is 1 in parentheses, `(1,)` is a tuple again.
            tuple = self.commas & 1 == 1 || self.state == State::ValueOrEnd;
            self.commas >>= 1;
        }
        sink.end(container, tuple);
        self.state = self.after_value_state();
    }

    /// A token is checked at its end, so that the split of the text does not matter.
    fn in_token(&mut self, rest: &str, sink: &mut impl Sink) -> Result<usize, ParseError> {
        let end = rest.find(|c: char| !in_token(c)).unwrap_or(rest.len());
        self.token.push_str(&rest[..end]);
        if end == 0 {
            self.end_token(sink)?;
        }
        Ok(end)
    }

    fn end_token(&mut self, sink: &mut impl Sink) -> Result<(), ParseError> {
        let token = std::mem::take(&mut self.token);
        let done = self.token_value(&token, sink);
        // Reuse the buffer.
        self.token = token;
        done
    }

    fn token_value(&mut self, token: &str, sink: &mut impl Sink) -> Result<(), ParseError> {
        match token {
            "true" | "True" => sink.atom(Atom::Bool(true)),
            "false" | "False" => sink.atom(Atom::Bool(false)),
            "null" | "None" => sink.atom(Atom::Null),
            _ => match json_number(token) {
                Some(number) => sink.atom(Atom::Number(&number)),
                None => return Err(not_a_token(token, self.token_start)),
            },
        }
        self.state = self.after_value_state();
        Ok(())
    }

    fn unexpected(&self, rest: Option<&str>, at: usize) -> ParseError {
        let wanted = match (self.state, self.closer()) {
            (State::Value, _) => "a value".to_owned(),
            (State::KeyOrEnd, _) => "a quoted key".to_owned(),
            (State::Colon | State::AfterText { key: true }, _) => "':'".to_owned(),
            (State::AfterValue, Some(closer)) => format!("',' or {:?}", char::from(closer)),
            (_, Some(closer)) => format!("a value or {:?}", char::from(closer)),
            _ => "a value".to_owned(),
        };
        match rest.and_then(|rest| rest.chars().next()) {
            Some(found) => ParseError::syntax(at, format!("found {found:?}, expected {wanted}")),
            None => ParseError::syntax(at, format!("the text ends, expected {wanted}")),
        }
    }
}

/// Returns whether a character continues a number or a word, including characters that make it invalid.
fn in_token(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_' | '+' | '-')
}

fn not_a_token(token: &str, at: usize) -> ParseError {
    let found = token.chars().next().unwrap_or(' ');
    let wanted = match found {
        'A'..='Z' | 'a'..='z' => "a value (a text needs quotes)",
        _ => "a number (a date or a code needs quotes)",
    };
    ParseError::syntax(at, format!("found {found:?}, expected {wanted}"))
}
