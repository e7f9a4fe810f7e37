use super::bare::MAX_SPACE;
use super::coerce::{Typed, coerce, tool};
use super::cursor::{Ahead, Cursor, Found, Step, Stops, Tags};
use super::emit::Emitter;
use super::grammar::{Typing, Xml};
use super::json_body::JsonBody;
use super::normalize::key_twice;
use crate::{ParseError, ToolCall};
use serde_json::{Map, Value};
use std::sync::Arc;

/// A notation with tags derived from it.
#[derive(Debug)]
pub(super) struct XmlTables {
    xml: &'static Xml,
    menu: Arc<[Typed]>,
    stops: Arc<Stops>,
    /// The ends of the name, of the rest of its tag, of a parameter's name, and of a value.
    names: Tags,
    name_rest: Tags,
    keys: Tags,
    values: Tags,
    /// What may follow a value.
    after: Tags,
}

impl XmlTables {
    pub(super) fn new(xml: &'static Xml, menu: Arc<[Typed]>, stops: Arc<Stops>) -> Self {
        let ends = [xml.value_close].into_iter().chain(xml.value_close_odd.iter().copied());
        let after: Vec<_> =
            [xml.parameter].into_iter().chain(xml.closers.iter().chain(&stops.tags.names).copied()).collect();
        Self {
            xml,
            names: Tags::new(xml.name_ends.iter().map(|(tag, _)| *tag), &[]),
            name_rest: Tags::new(xml.name_rest.into_iter().chain(after.iter().copied()), &[]),
            keys: Tags::new(xml.key_ends.iter().map(|(tag, _)| *tag).chain(xml.key_breaks()), &[]),
            values: Tags::new(ends.chain(xml.value_breaks.iter().copied()), &[]),
            after: Tags::new(after, &[]),
            menu,
            stops,
        }
    }
}

/// Reads one call whose arguments are in tags.
#[derive(Debug)]
pub(super) struct XmlBody {
    tables: Arc<XmlTables>,
    /// The end of the tag around the call, if that tag was there.
    around: Option<&'static str>,
    /// Where a value ended that may go on.
    doubt: Option<usize>,
    phase: Phase,
    name: String,
    /// Byte at which the name starts.
    start: usize,
    arguments: Map<String, Value>,
}

#[derive(Debug)]
enum Phase {
    Name,
    /// In the rest of the name's tag.
    NameRest,
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
    /// After the call, before the end of the tag around it.
    Around(&'static str, ToolCall),
    /// After an error, up to the next tag.
    Skip,
}

impl XmlBody {
    /// `around` is the tag before the call, if there is only white space between them.
    pub(super) fn new(tables: Arc<XmlTables>, around: Option<&'static str>) -> Self {
        let close = tables.xml.around.iter().find(|(open, _)| Some(*open) == around);
        Self {
            around: close.map(|(_, close)| *close),
            tables,
            doubt: None,
            phase: Phase::Name,
            name: String::new(),
            start: 0,
            arguments: Map::new(),
        }
    }

    #[inline(never)]
    pub(super) fn step(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> Step {
        if cursor.rest.is_empty() && !matches!(self.phase, Phase::Json(_)) {
            if !cursor.end {
                return Step::Wait;
            }
            match &self.phase {
                Phase::Around(..) => return self.after_call(cursor, emitter),
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
            Phase::NameRest => self.in_name_rest(cursor, emitter),
            Phase::Around(..) => self.after_call(cursor, emitter),
            Phase::Open => self.in_call(cursor, emitter),
            Phase::Key(_) => self.in_key(cursor, emitter),
            Phase::BeforeValue(_) => self.before_value(cursor, emitter),
            Phase::Skip => self.tables.stops.skip(cursor),
            Phase::Value { .. } => self.in_value(cursor, emitter),
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
        let ends = self.tables.xml.name_ends;
        let found = first_of(cursor, &self.tables.names);
        match found {
            Until::Tag(at, i) => {
                let name = whole(&mut self.name, &cursor.rest[..at]).trim().to_owned();
                let (tag, closed) = ends[i];
                // Some names end where a parameter, or the call's closing tag, begins: that tag is read next.
                let kept = tag == self.tables.xml.parameter || self.tables.xml.closers.contains(&tag);
                let used = at + if kept { 0 } else { tag.len() };
                if !is_name(&name) {
                    let error = ParseError::shape(self.start, format!("{name:?} is not a tool name"));
                    return self.fail(error, if kept { used } else { at }, emitter);
                }
                emitter.start(&name);
                self.name = name;
                if closed {
                    return self.end(used, emitter);
                }
                let more = self.tables.xml.name_rest.is_some();
                self.phase = if more { Phase::NameRest } else { Phase::Open };
                Step::Took(used)
            }
            Until::Certain(n) => {
                self.name.push_str(&cursor.rest[..n]);
                step_of(n)
            }
        }
    }

    /// Skips what follows the name in its tag.
    fn in_name_rest(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> Step {
        let end = self.tables.name_rest.names[0];
        match first_of(cursor, &self.tables.name_rest) {
            Until::Tag(at, 0) => {
                self.phase = Phase::Open;
                Step::Took(at + end.len())
            }
            Until::Tag(at, _) => {
                self.fail(ParseError::syntax(cursor.at + at, format!("expected {end}")), at, emitter)
            }
            Until::Certain(n) => step_of(n),
        }
    }

    fn in_call(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> Step {
        if cursor.space() > 0 {
            return Step::Took(cursor.space());
        }
        let closers = self.tables.xml.closers;
        match (cursor.tag(&[self.tables.xml.parameter]), cursor.tag(closers)) {
            (Ahead::Yes(_), _) => {
                self.phase = Phase::Key(String::new());
                Step::Took(self.tables.xml.parameter.len())
            }
            (_, Ahead::Yes(i)) => self.end(closers[i].len(), emitter),
            (Ahead::Perhaps, _) | (_, Ahead::Perhaps) => Step::Wait,
            _ if self.tables.stops.tags.at(cursor) == Ahead::Perhaps => Step::Wait,
            // The end of the turn, or another call, in place of the closing tag.
            _ if self.tables.stops.tags.at(cursor) != Ahead::No => self.end_early(cursor, emitter),
            _ if self.tables.xml.json && self.arguments.is_empty() && cursor.rest.starts_with('{') => {
                let name = std::mem::take(&mut self.name);
                let menu = Arc::clone(&self.tables.menu);
                let body =
                    JsonBody::of_arguments(name, cursor.at, Arc::clone(&self.tables.stops), menu, emitter);
                self.phase = Phase::Json(Box::new(body));
                Step::Took(0)
            }
            _ => {
                let what = format!("expected {} or {}", self.tables.xml.parameter, closers[0]);
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
        let what = format!("expected {}", self.tables.xml.closers[0]);
        emitter.repair(ParseError::syntax(cursor.at, what), "the call ends there");
        self.around = None;
        self.end(0, emitter)
    }

    fn in_key(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> Step {
        let Phase::Key(key) = &mut self.phase else { return Step::Leave(0) };
        let found = first_of(cursor, &self.tables.keys);
        match found {
            Until::Tag(at, i) => {
                let key = whole(key, &cursor.rest[..at]).trim().to_owned();
                let end = self.tables.xml.key_ends.get(i);
                // A key also ends where its value begins.
                let opened = end.is_none() && self.tables.xml.value_open == Some(self.tables.keys.names[i]);
                if key.is_empty() || key.contains(['<', '\n']) || (end.is_none() && !opened) {
                    let error =
                        ParseError::syntax(cursor.at + at, format!("{key:?} is not a parameter name"));
                    return self.fail(error, at, emitter);
                }
                if let (Some(offset), Some(tool)) = (self.doubt.take(), tool(&self.tables.menu, &self.name))
                    && tool.lacks(&key)
                {
                    let what = format!("the value may not end here: the tool has no parameter {key:?}");
                    return self.fail(ParseError::syntax(offset, what), at, emitter);
                }
                let Some((tag, typing)) = end else {
                    let what = format!("expected {}", self.tables.xml.key_ends[0].0);
                    emitter.repair(ParseError::syntax(cursor.at + at, what), "the name ends there");
                    self.phase = Phase::BeforeValue(key);
                    return Step::Took(at);
                };
                self.phase = match self.tables.xml.value_open {
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
        let open = self.tables.xml.value_open.unwrap_or_default();
        if cursor.space() > 0 {
            return Step::Took(cursor.space());
        }
        let used = match (cursor.tag(&[open]), self.tables.values.at(cursor)) {
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

    fn in_value(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> Step {
        let Phase::Value { text, .. } = &mut self.phase else { return Step::Leave(0) };
        let (at, tag) = match first_of(cursor, &self.tables.values) {
            Until::Tag(at, tag) => (at, tag),
            Until::Certain(n) => {
                text.push_str(&cursor.rest[..n]);
                return step_of(n);
            }
        };
        let tables = &self.tables;
        let closes = tag < 1 + tables.xml.value_close_odd.len();
        let (close, last) = (tables.values.names[tag], &cursor.rest[..at]);
        let first = if text.is_empty() { last } else { text.as_str() };
        let ended = if last.is_empty() { text.as_str() } else { last }.ends_with('\n');
        if closes && tables.xml.layout && first.starts_with('\n') && !ended {
            // The value began on a line of its own. Then so does the tag that ends it, unless it ends the line.
            if at > 0 {
                text.push_str(last);
                return Step::Took(at);
            }
            match follows(cursor, close.len(), &tables.after) {
                Ahead::Perhaps => return Step::Wait,
                Ahead::Yes(()) => self.doubt = Some(cursor.at),
                Ahead::No => {
                    text.push_str(close);
                    return Step::Took(close.len());
                }
            }
        }
        if tag > 0 {
            let what = format!("expected {}", tables.xml.value_close);
            emitter.repair(ParseError::syntax(cursor.at + at, what), "the value ends there");
        }
        self.end_value(last, cursor.at + at, emitter);
        // A tag that ends more than the value is read next.
        Step::Took(at + if closes { close.len() } else { 0 })
    }

    /// Ends the value, with its last part, before byte `at`.
    fn end_value(&mut self, last: &str, at: usize, emitter: &mut Emitter) {
        let Phase::Value { key, typing, mut text } = std::mem::replace(&mut self.phase, Phase::Open) else {
            return;
        };
        let text = whole(&mut text, last);
        let text = if self.tables.xml.layout { without_layout(text) } else { text };
        let schema = tool(&self.tables.menu, &self.name).and_then(|tool| tool.argument(&key));
        let Some(value) = coerce(text, typing, self.tables.xml.python, schema.as_ref()) else {
            self.fail(ParseError::syntax(at, format!("the value of {key:?} is not JSON")), 0, emitter);
            return;
        };
        if emitter.is_streaming() {
            let before = if self.arguments.is_empty() { "{" } else { "," };
            let json = |part| serde_json::to_string(part).unwrap_or_default();
            emitter.arguments([before, &json(&key.as_str().into()), ":", &json(&value)].concat());
        }
        if self.arguments.insert(key, value).is_some() {
            let (error, action) = key_twice(self.start);
            emitter.repair(error, action);
        }
    }

    /// Ends the call with a tag of this length.
    fn end(&mut self, tag: usize, emitter: &mut Emitter) -> Step {
        if emitter.is_streaming() {
            emitter.arguments(if self.arguments.is_empty() { "{}" } else { "}" }.to_owned());
        }
        let call = ToolCall {
            name: std::mem::take(&mut self.name),
            arguments: std::mem::take(&mut self.arguments),
            ..ToolCall::default()
        };
        if let Some(close) = self.around {
            self.phase = Phase::Around(close, call);
            return Step::Took(tag);
        }
        emitter.end(call);
        Step::Leave(tag)
    }

    /// Between the call and the end of the tag around it: text there belongs to a value that was ended too early.
    fn after_call(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> Step {
        if cursor.space() > 0 {
            return Step::Took(cursor.space());
        }
        let ends = cursor.rest.is_empty()
            || match self.tables.stops.tags.at(cursor) {
                Ahead::Perhaps => return Step::Wait,
                Ahead::Yes(_) => true,
                Ahead::No => false,
            };
        let Phase::Around(close, call) = std::mem::replace(&mut self.phase, Phase::Skip) else {
            return Step::Leave(0);
        };
        if !ends {
            let what = format!("expected {close} after {}", self.tables.xml.closers[0]);
            emitter.abandon(ParseError::syntax(cursor.at, what));
            return Step::Took(0);
        }
        emitter.end(call);
        Step::Leave(0)
    }
}

/// Returns whether only white space is between a value's closing tag, of this length, and what may follow it.
fn follows(cursor: Cursor<'_>, close: usize, tags: &Tags) -> Ahead<()> {
    let after = &cursor.rest[close..];
    let rest = after.trim_start();
    if after.len() - rest.len() > MAX_SPACE {
        return Ahead::No;
    }
    match (rest.is_empty(), tags.at(Cursor { rest, ..cursor })) {
        (true, _) if cursor.end => Ahead::Yes(()),
        (true, _) | (_, Ahead::Perhaps) => Ahead::Perhaps,
        (_, Ahead::Yes(_)) => Ahead::Yes(()),
        (_, Ahead::No) => Ahead::No,
    }
}

/// Longest name, and longest name with spaces in it.
const MAX_NAME: usize = 256;
const MAX_WORDS: usize = 64;

/// Returns whether a text can be a tool's name: one word, or a few with single spaces.
fn is_name(text: &str) -> bool {
    let strange = |c: char| matches!(c, '{' | '[' | '(' | '<' | '"') || (c.is_whitespace() && c != ' ');
    let longest = if text.contains(' ') { MAX_WORDS } else { MAX_NAME };
    !text.is_empty() && text.len() <= longest && !text.contains(strange) && !text.contains("  ")
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

/// Returns a text from what was read of it before and its last part.
fn whole<'a>(before: &'a mut String, last: &'a str) -> &'a str {
    if before.is_empty() {
        return last;
    }
    before.push_str(last);
    before
}

/// Removes the layout: one newline on either side of the value.
fn without_layout(text: &str) -> &str {
    let text = text.strip_prefix('\n').unwrap_or(text);
    text.strip_suffix('\n').unwrap_or(text)
}
