use super::coerce::coerce;
use super::cursor::{Ahead, Cursor, Found, Step, Stops, Tags};
use super::emit::Emitter;
use super::grammar::{Typing, Xml};
use super::json_body::JsonBody;
use crate::{ParseError, ToolCall, ToolSpec};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Reads one call whose arguments stand in tags of their own.
#[derive(Debug)]
pub(super) struct XmlBody {
    xml: &'static Xml,
    stops: Arc<Stops>,
    /// What ends the name, a parameter's name, and a value.
    names: Tags,
    keys: Tags,
    values: Tags,
    phase: Phase,
    name: String,
    /// Byte at which the name starts.
    start: usize,
    arguments: Map<String, Value>,
}

#[derive(Debug)]
enum Phase {
    Name,
    /// Between parameters.
    Open,
    Key(String),
    /// Between a parameter's name and its value.
    BeforeValue(String),
    /// The bytes of the value that hold no closing tag, for certain.
    Value {
        key: String,
        typing: Typing,
        text: String,
    },
    /// The arguments are one JSON object.
    Json(Box<JsonBody>),
}

impl XmlBody {
    pub(super) fn new(xml: &'static Xml, stops: Arc<Stops>) -> Self {
        Self {
            xml,
            stops,
            names: Tags::new(xml.name_ends.iter().map(|(tag, _)| *tag), &[]),
            keys: Tags::new(xml.key_ends.iter().map(|(tag, _)| *tag), &[]),
            values: Tags::new([xml.value_close].into_iter().chain(xml.value_breaks.iter().copied()), &[]),
            phase: Phase::Name,
            name: String::new(),
            start: 0,
            arguments: Map::new(),
        }
    }

    pub(super) fn step(&mut self, cursor: Cursor<'_>, tools: &[ToolSpec], emitter: &mut Emitter) -> Step {
        if cursor.rest.is_empty() && !matches!(self.phase, Phase::Json(_)) {
            if !cursor.end {
                return Step::Wait;
            }
            emitter.abandon(ParseError::syntax(cursor.at, "the text ends inside a call"));
            return Step::Leave(0);
        }
        match &mut self.phase {
            Phase::Name => self.in_name(cursor, emitter),
            Phase::Open => self.in_call(cursor, emitter),
            Phase::Key(_) => self.in_key(cursor),
            Phase::BeforeValue(key) => {
                let open = self.xml.value_open.unwrap_or_default();
                match (cursor.space(), cursor.tag(&[open])) {
                    (0, Ahead::Perhaps) => Step::Wait,
                    (0, ahead) => {
                        let (key, typing) = (std::mem::take(key), Typing::Unknown);
                        self.phase = Phase::Value { key, typing, text: String::new() };
                        Step::Took(if ahead == Ahead::No { 0 } else { open.len() })
                    }
                    (space, _) => Step::Took(space),
                }
            }
            Phase::Value { .. } => self.in_value(cursor, tools, emitter),
            Phase::Json(body) => body.step(cursor, emitter),
        }
    }

    fn in_name(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> Step {
        if self.name.is_empty() {
            if cursor.space() > 0 {
                return Step::Took(cursor.space());
            }
            self.start = cursor.at;
        }
        let ends = self.xml.name_ends;
        let found = first_of(cursor, &self.names);
        match found {
            Until::Tag(at, i) => {
                self.name.push_str(&cursor.rest[..at]);
                let name = self.name.trim().to_owned();
                let (tag, closed) = ends[i];
                // Some names end where a parameter, or the call's closing tag, begins: that tag is read next.
                let kept = tag == self.xml.parameter || self.xml.closers.contains(&tag);
                let used = at + if kept { 0 } else { tag.len() };
                let strange = |c: char| c.is_whitespace() || matches!(c, '{' | '[' | '<' | '"');
                if name.is_empty() || name.contains(strange) {
                    emitter.abandon(ParseError::shape(self.start, format!("{name:?} is no name of a tool")));
                    return Step::Leave(used);
                }
                emitter.start(&name);
                self.name = name;
                if closed {
                    self.end(emitter);
                    return Step::Leave(used);
                }
                self.phase = Phase::Open;
                Step::Took(used)
            }
            Until::Certain(n) => {
                self.name.push_str(&cursor.rest[..n]);
                step_of(n)
            }
        }
    }

    fn in_call(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> Step {
        if cursor.space() > 0 {
            return Step::Took(cursor.space());
        }
        let closers = self.xml.closers;
        match (cursor.tag(&[self.xml.parameter]), cursor.tag(closers)) {
            (Ahead::Yes(_), _) => {
                self.phase = Phase::Key(String::new());
                Step::Took(self.xml.parameter.len())
            }
            (_, Ahead::Yes(i)) => {
                self.end(emitter);
                Step::Leave(closers[i].len())
            }
            (Ahead::Perhaps, _) | (_, Ahead::Perhaps) => Step::Wait,
            _ if self.xml.json && self.arguments.is_empty() && cursor.rest.starts_with('{') => {
                let name = std::mem::take(&mut self.name);
                let body = JsonBody::of_arguments(name, cursor.at, Arc::clone(&self.stops), emitter);
                self.phase = Phase::Json(Box::new(body));
                Step::Took(0)
            }
            _ => {
                let what = format!("expected {} or {}", self.xml.parameter, closers[0]);
                emitter.abandon(ParseError::syntax(cursor.at, what));
                Step::Leave(0)
            }
        }
    }

    fn in_key(&mut self, cursor: Cursor<'_>) -> Step {
        let Phase::Key(key) = &mut self.phase else { return Step::Leave(0) };
        let ends = self.xml.key_ends;
        match first_of(cursor, &self.keys) {
            Until::Tag(at, i) => {
                key.push_str(&cursor.rest[..at]);
                let key = key.trim().to_owned();
                let (tag, typing) = ends[i];
                self.phase = match self.xml.value_open {
                    Some(_) => Phase::BeforeValue(key),
                    None => Phase::Value { key, typing, text: String::new() },
                };
                Step::Took(at + tag.len())
            }
            Until::Certain(n) => {
                key.push_str(&cursor.rest[..n]);
                step_of(n)
            }
        }
    }

    fn in_value(&mut self, cursor: Cursor<'_>, tools: &[ToolSpec], emitter: &mut Emitter) -> Step {
        let Phase::Value { key, typing, text } = &mut self.phase else { return Step::Leave(0) };
        match first_of(cursor, &self.values) {
            Until::Tag(at, end) => {
                text.push_str(&cursor.rest[..at]);
                // A tag that ends more than the value is read next.
                let closed = end == 0;
                if !closed {
                    let what = format!("expected {}", self.xml.value_close);
                    emitter.repair(ParseError::syntax(cursor.at + at, what), "the value ends there");
                }
                let text = if self.xml.layout { without_layout(text) } else { text.as_str() };
                let schema = tools.iter().find(|tool| tool.name == self.name);
                let schema = schema.and_then(|tool| tool.parameters.get(key.as_str()));
                let value = coerce(text, *typing, schema);
                let comma = if self.arguments.is_empty() { '{' } else { ',' };
                if emitter.is_streaming() {
                    emitter.arguments(format!("{comma}{}:{value}", Value::from(key.as_str())));
                }
                self.arguments.insert(std::mem::take(key), value);
                self.phase = Phase::Open;
                Step::Took(at + if closed { self.xml.value_close.len() } else { 0 })
            }
            Until::Certain(n) => {
                text.push_str(&cursor.rest[..n]);
                step_of(n)
            }
        }
    }

    fn end(&mut self, emitter: &mut Emitter) {
        if emitter.is_streaming() {
            emitter.arguments(if self.arguments.is_empty() { "{}" } else { "}" }.to_owned());
        }
        emitter.end(ToolCall {
            name: std::mem::take(&mut self.name),
            arguments: std::mem::take(&mut self.arguments),
        });
    }
}

/// How far a text goes without one of the tags.
enum Until {
    /// The tag of this number stands at this byte.
    Tag(usize, usize),
    /// No tag begins before this byte.
    Certain(usize),
}

fn first_of(cursor: Cursor<'_>, tags: &Tags) -> Until {
    match tags.find(cursor.rest, 0, cursor.end) {
        Found::Tag(at, tag) => Until::Tag(at, tag),
        Found::Perhaps(at) => Until::Certain(at),
        _ => Until::Certain(cursor.rest.len()),
    }
}

fn step_of(certain: usize) -> Step {
    if certain == 0 { Step::Wait } else { Step::Took(certain) }
}

/// The value without the newline on either side of it that belongs to the layout.
fn without_layout(text: &str) -> &str {
    let text = text.strip_prefix('\n').unwrap_or(text);
    text.strip_suffix('\n').unwrap_or(text)
}
