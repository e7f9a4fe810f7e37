use super::coerce::{Schema, coerce};
use super::cursor::{Ahead, Cursor, Found, Step, Stops, Tags};
use super::emit::Emitter;
use super::grammar::{Typing, Xml};
use super::json_body::JsonBody;
use super::normalize::key_twice;
use crate::{ParseError, ToolCall, ToolSpec};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Reads one call whose arguments are in tags.
#[derive(Debug)]
pub(super) struct XmlBody {
    xml: &'static Xml,
    stops: Arc<Stops>,
    /// The ends of the name, of a parameter's name, and of a value.
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
    /// The bytes of the value that certainly contain no closing tag.
    Value {
        key: String,
        typing: Typing,
        text: String,
    },
    /// The arguments are one JSON object.
    Json(Box<JsonBody>),
    /// After an error, up to the next tag.
    Skip,
}

impl XmlBody {
    pub(super) fn new(xml: &'static Xml, stops: Arc<Stops>) -> Self {
        Self {
            xml,
            stops,
            names: Tags::new(xml.name_ends.iter().map(|(tag, _)| *tag), &[]),
            keys: Tags::new(xml.key_ends.iter().map(|(tag, _)| *tag).chain(xml.key_breaks()), &[]),
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
            match self.phase {
                Phase::Skip => return Step::Leave(0),
                // As far as the tags show, the call is complete.
                Phase::Open if !self.arguments.is_empty() => return self.end_early(cursor, emitter),
                _ => {}
            }
            emitter.abandon(ParseError::syntax(cursor.at, "the text ends inside a call"));
            return Step::Leave(0);
        }
        match &mut self.phase {
            Phase::Name => self.in_name(cursor, emitter),
            Phase::Open => self.in_call(cursor, emitter),
            Phase::Key(_) => self.in_key(cursor, emitter),
            Phase::BeforeValue(_) => self.before_value(cursor, emitter),
            Phase::Skip => self.stops.skip(cursor),
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
                    let error = ParseError::shape(self.start, format!("{name:?} is not a tool name"));
                    return self.fail(error, if kept { used } else { at }, emitter);
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
            _ if self.stops.tags.at(cursor) == Ahead::Perhaps => Step::Wait,
            // The end of the turn, or another call, in place of the closing tag.
            _ if self.stops.tags.at(cursor) != Ahead::No => self.end_early(cursor, emitter),
            _ if self.xml.json && self.arguments.is_empty() && cursor.rest.starts_with('{') => {
                let name = std::mem::take(&mut self.name);
                let body = JsonBody::of_arguments(name, cursor.at, Arc::clone(&self.stops), emitter);
                self.phase = Phase::Json(Box::new(body));
                Step::Took(0)
            }
            _ => {
                let what = format!("expected {} or {}", self.xml.parameter, closers[0]);
                self.fail(ParseError::syntax(cursor.at, what), 0, emitter)
            }
        }
    }

    /// Marks the call as broken: everything up to the next tag is lost.
    fn fail(&mut self, error: ParseError, used: usize, emitter: &mut Emitter) -> Step {
        emitter.abandon(error);
        self.phase = Phase::Skip;
        Step::Took(used)
    }

    /// Ends the call without its closing tag.
    fn end_early(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> Step {
        let what = format!("expected {}", self.xml.closers[0]);
        emitter.repair(ParseError::syntax(cursor.at, what), "the call ends there");
        self.end(emitter);
        Step::Leave(0)
    }

    fn in_key(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> Step {
        let Phase::Key(key) = &mut self.phase else { return Step::Leave(0) };
        let found = first_of(cursor, &self.keys);
        match found {
            Until::Tag(at, i) => {
                key.push_str(&cursor.rest[..at]);
                let key = key.trim().to_owned();
                let end = self.xml.key_ends.get(i);
                // A key also ends where its value begins.
                let opened = end.is_none() && self.xml.value_open == Some(self.keys.names[i]);
                if key.is_empty() || key.contains(['<', '\n']) || (end.is_none() && !opened) {
                    let error =
                        ParseError::syntax(cursor.at + at, format!("{key:?} is not a parameter name"));
                    return self.fail(error, at, emitter);
                }
                let Some((tag, typing)) = end else {
                    let what = format!("expected {}", self.xml.key_ends[0].0);
                    emitter.repair(ParseError::syntax(cursor.at + at, what), "the name ends there");
                    self.phase = Phase::BeforeValue(key);
                    return Step::Took(at);
                };
                self.phase = match self.xml.value_open {
                    Some(_) => Phase::BeforeValue(key),
                    None => Phase::Value { key, typing: *typing, text: String::new() },
                };
                Step::Took(at + tag.len())
            }
            Until::Certain(n) => {
                key.push_str(&cursor.rest[..n]);
                step_of(n)
            }
        }
    }

    fn before_value(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> Step {
        let Phase::BeforeValue(key) = &mut self.phase else { return Step::Leave(0) };
        let open = self.xml.value_open.unwrap_or_default();
        if cursor.space() > 0 {
            return Step::Took(cursor.space());
        }
        let used = match (cursor.tag(&[open]), self.values.at(cursor)) {
            (Ahead::Yes(_), _) => open.len(),
            (Ahead::Perhaps, _) | (_, Ahead::Perhaps) => return Step::Wait,
            (_, value_end) => {
                let error = ParseError::syntax(cursor.at, format!("expected {open}"));
                if value_end != Ahead::No {
                    return self.fail(error, 0, emitter);
                }
                emitter.repair(error, "the value begins there");
                0
            }
        };
        self.phase = Phase::Value { key: std::mem::take(key), typing: Typing::Unknown, text: String::new() };
        Step::Took(used)
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
                let schema = tools.iter().find(|tool| tool.name == self.name).and_then(|tool| {
                    let of = tool.parameters.get(key.as_str())?;
                    Some(Schema { of, root: &tool.schema_extra })
                });
                let value = coerce(text, *typing, schema);
                let comma = if self.arguments.is_empty() { '{' } else { ',' };
                if emitter.is_streaming() {
                    emitter.arguments(format!("{comma}{}:{value}", Value::from(key.as_str())));
                }
                if self.arguments.insert(std::mem::take(key), value).is_some() {
                    let (error, action) = key_twice(self.start);
                    emitter.repair(error, action);
                }
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
            ..ToolCall::default()
        });
    }
}

/// How far a text extends before one of the tags.
enum Until {
    /// The tag with this index is at this byte.
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

/// Removes the layout: one newline on either side of the value.
fn without_layout(text: &str) -> &str {
    let text = text.strip_prefix('\n').unwrap_or(text);
    text.strip_suffix('\n').unwrap_or(text)
}
