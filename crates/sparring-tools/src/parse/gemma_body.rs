use super::cursor::{Cursor, Found, Step, Stops, Tags};
use super::emit::Emitter;
use super::grammar::Gemma;
use crate::json::MAX_DEPTH;
use crate::{ParseError, ToolCall};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Reads one call in Gemma's notation: `call:f{a:QUOTE...QUOTE,b:[1,true]}`. Its text is collected up to the closing
/// tag, outside of texts in quotes, and then read.
#[derive(Debug)]
pub(super) struct GemmaBody {
    gemma: &'static Gemma,
    stops: Arc<Stops>,
    quotes: Tags,
    /// The ends of the call, and quotes.
    ends: Tags,
    text: String,
    /// Byte at which the call starts.
    start: usize,
    in_quotes: bool,
}

impl GemmaBody {
    pub(super) fn new(gemma: &'static Gemma, stops: Arc<Stops>, start: usize) -> Self {
        let ends = [gemma.quote].into_iter().chain(stops.tags.names.iter().copied());
        Self {
            gemma,
            quotes: Tags::new([gemma.quote], &[]),
            ends: Tags::new(ends, &[]),
            stops,
            text: String::new(),
            start,
            in_quotes: false,
        }
    }

    #[inline(never)]
    pub(super) fn step(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> Step {
        let tags = if self.in_quotes { &self.quotes } else { &self.ends };
        match tags.find(cursor.rest, 0, cursor.end) {
            Found::Tag(at, 0) => {
                self.in_quotes = !self.in_quotes;
                let used = at + self.gemma.quote.len();
                self.text.push_str(&cursor.rest[..used]);
                Step::Took(used)
            }
            Found::Tag(at, tag) => {
                self.text.push_str(&cursor.rest[..at]);
                let closers = self.stops.closers;
                let closed = tag - 1 < closers.len();
                if !closed {
                    let what = format!("expected {}", closers[0]);
                    emitter.repair(ParseError::syntax(cursor.at + at, what), "the call ends there");
                }
                self.finish(emitter);
                Step::Leave(at + if closed { closers[tag - 1].len() } else { 0 })
            }
            Found::Perhaps(0) => Step::Wait,
            Found::Perhaps(at) => {
                self.text.push_str(&cursor.rest[..at]);
                Step::Took(at)
            }
            _ if cursor.rest.is_empty() && !cursor.end => Step::Wait,
            _ => {
                self.text.push_str(cursor.rest);
                if cursor.end {
                    if !self.in_quotes && self.text.trim_end().ends_with('}') {
                        let what = format!("the text ends, expected {}", self.gemma.closers[0]);
                        let at = cursor.at + cursor.rest.len();
                        emitter.repair(ParseError::syntax(at, what), "the call ends there");
                    }
                    self.finish(emitter);
                    return Step::Leave(cursor.rest.len());
                }
                Step::Took(cursor.rest.len())
            }
        }
    }

    fn finish(&mut self, emitter: &mut Emitter) {
        let text = std::mem::take(&mut self.text);
        let mut reader = Reader { text: &text, at: 0, quote: self.gemma.quote };
        match reader.call() {
            Ok(call) => emitter.call(call),
            Err(error) => emitter.abandon(error.shifted(self.start)),
        }
    }
}

/// Reads the notation of values.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    quote: &'static str,
}

type Read<T> = Result<T, ParseError>;

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Takes a mark if it is next.
    fn takes(&mut self, mark: &str) -> bool {
        self.space();
        let found = self.rest().starts_with(mark);
        self.at += if found { mark.len() } else { 0 };
        found
    }

    fn expected<T>(&self, what: &str) -> Read<T> {
        Err(ParseError::syntax(self.at, format!("expected {what}")))
    }

    fn call(&mut self) -> Read<ToolCall> {
        if !self.takes("call:") {
            return self.expected("call:NAME{...}");
        }
        self.space();
        let Some(end) = self.rest().find('{') else { return self.expected("'{' after the name") };
        let name = self.rest()[..end].trim().to_owned();
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() && c != ' ') {
            return self.expected("a tool name");
        }
        self.at += end;
        let arguments = self.object(0)?;
        self.space();
        if self.rest().is_empty() {
            Ok(ToolCall { name, arguments, ..ToolCall::default() })
        } else {
            self.expected("the end of the call")
        }
    }

    fn value(&mut self, depth: usize) -> Read<Value> {
        if depth > MAX_DEPTH {
            return self.expected("fewer nested values");
        }
        self.space();
        if self.takes(self.quote) {
            return self.text_in(self.quote).map(Value::from);
        }
        match self.rest().chars().next() {
            Some('{') => self.object(depth).map(Value::from),
            Some('[') => self.list(depth),
            Some('"') => {
                self.at += 1;
                self.text_in("\"").map(Value::from)
            }
            Some(_) => Ok(self.word()),
            None => self.expected("a value"),
        }
    }

    /// Reads to the end of a text in quotes.
    fn text_in(&mut self, quote: &str) -> Read<String> {
        let Some(end) = self.rest().find(quote) else { return self.expected(quote) };
        let text = self.rest()[..end].to_owned();
        self.at += end + quote.len();
        Ok(text)
    }

    /// Reads a number, `true`, `false` or `null`; any other word is a text.
    fn word(&mut self) -> Value {
        let end = self.rest().find([',', '}', ']']).unwrap_or(self.rest().len());
        let word = self.rest()[..end].trim().to_owned();
        self.at += end;
        match word.as_str() {
            "True" => true.into(),
            "False" => false.into(),
            "None" => Value::Null,
            _ => serde_json::from_str(&word).unwrap_or_else(|_| word.into()),
        }
    }

    fn list(&mut self, depth: usize) -> Read<Value> {
        self.at += 1;
        let mut items = Vec::new();
        while !self.takes("]") {
            items.push(self.value(depth + 1)?);
            if !self.takes(",") && !self.rest().trim_start().starts_with(']') {
                return self.expected("',' or ']'");
            }
        }
        Ok(items.into())
    }

    fn object(&mut self, depth: usize) -> Read<Map<String, Value>> {
        self.at += 1;
        let mut map = Map::new();
        while !self.takes("}") {
            let key = self.key()?;
            if map.insert(key, self.value(depth + 1)?).is_some() {
                return self.expected("each key once");
            }
            if !self.takes(",") && !self.rest().trim_start().starts_with('}') {
                return self.expected("',' or '}'");
            }
        }
        Ok(map)
    }

    /// Reads a key, with or without quotes, and the colon after it.
    fn key(&mut self) -> Read<String> {
        for quote in [self.quote, "\""] {
            if self.takes(quote) {
                let key = self.text_in(quote)?;
                return if self.takes(":") { Ok(key) } else { self.expected("':' after a key") };
            }
        }
        let Some(end) = self.rest().find([':', ',', '}']) else { return self.expected("':' after a key") };
        let key = self.rest()[..end].trim().to_owned();
        self.at += end;
        if key.is_empty() || !self.takes(":") { self.expected("a key and ':'") } else { Ok(key) }
    }
}
