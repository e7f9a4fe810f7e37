use super::calls::CallBuilder;
use super::cursor::{Ahead, Cursor, Found, Step, Tags};
use super::emit::Emitter;
use super::grammar::Named;
use super::normalize::arguments;
use crate::json::{Scanner, Status, Tee};
use crate::{ParseError, ToolCall};

/// Reads calls whose arguments are JSON: whole objects, or a name and an object.
#[derive(Debug)]
pub(super) struct JsonBody {
    phase: Phase,
    named: Option<&'static Named>,
    closers: &'static [&'static str],
    /// Tags that end the calls, first those that close them, then those that begin others.
    stops: Tags,
    /// Whether no tag began the calls.
    bare: bool,
}

#[derive(Debug)]
enum Phase {
    /// In the text before the arguments: the name so far, and the part that is being read.
    Name(Option<String>, String),
    /// Before the first value.
    Before,
    /// In the information string of a code fence.
    Fence,
    Value(Box<ValueReader>),
    /// The value went wrong: what comes now decides what can be saved.
    Broken(Box<ValueReader>, ParseError),
    /// After a value.
    Between,
    /// After an error, up to the next tag.
    Skip,
}

/// Reads one value, and makes calls of it.
#[derive(Debug)]
struct ValueReader {
    scanner: Scanner,
    target: Target,
}

#[derive(Debug)]
enum Target {
    Calls(CallBuilder),
    Arguments { name: String, value: Tee, start: usize },
}

impl ValueReader {
    fn calls(start: usize) -> Self {
        Self { scanner: Scanner::new(), target: Target::Calls(CallBuilder::new(start)) }
    }

    /// The name was passed on.
    fn arguments(name: String, start: usize, emitter: &Emitter) -> Self {
        let value = emitter.tee();
        Self { scanner: Scanner::new(), target: Target::Arguments { name, value, start } }
    }

    fn feed(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> (usize, Status) {
        let (rest, at) = (cursor.rest, cursor.at);
        match &mut self.target {
            Target::Calls(calls) => {
                let fed = self.scanner.feed(rest, at, &mut calls.sink(emitter));
                calls.flush(emitter);
                fed
            }
            Target::Arguments { value, .. } => {
                let fed = self.scanner.feed(rest, at, value);
                emitter.arguments(value.take_text());
                fed
            }
        }
    }

    fn finish(&mut self, at: usize, emitter: &mut Emitter) -> Result<(), ParseError> {
        match &mut self.target {
            Target::Calls(calls) => self.scanner.finish(at, &mut calls.sink(emitter)),
            Target::Arguments { value, .. } => self.scanner.finish(at, value),
        }
    }

    /// The value is complete: so is a call whose arguments it is.
    fn complete(&mut self, emitter: &mut Emitter) {
        if let Target::Arguments { name, value, start } = &mut self.target {
            match value.built.take().map(arguments) {
                Some(Ok(arguments)) => emitter.end(ToolCall { name: std::mem::take(name), arguments }),
                Some(Err(what)) => emitter.abandon(ParseError::shape(*start, what)),
                None => {}
            }
        }
    }

    /// Ends what is open.
    fn close(&mut self, emitter: &mut Emitter) {
        match &mut self.target {
            Target::Calls(calls) => {
                self.scanner.close(&mut calls.sink(emitter));
                calls.flush(emitter);
            }
            Target::Arguments { value, .. } => {
                self.scanner.close(value);
                emitter.arguments(value.take_text());
            }
        }
        self.complete(emitter);
    }

    /// Whether only closing brackets are missing where the text ends.
    fn lacks_only_brackets(&self) -> bool {
        match &self.target {
            Target::Calls(calls) => self.scanner.after_value() && calls.call_is_complete(),
            Target::Arguments { .. } => false,
        }
    }
}

impl JsonBody {
    /// After a tag.
    pub(super) fn tagged(closers: &'static [&'static str], openers: &[&'static str]) -> Self {
        let stops = Tags::new(closers.iter().chain(openers).copied(), &[]);
        Self { phase: Phase::Before, named: None, closers, stops, bare: false }
    }

    /// Without one.
    pub(super) fn bare() -> Self {
        Self { bare: true, ..Self::tagged(&[], &[]) }
    }

    pub(super) fn named(named: &'static Named, openers: &[&'static str]) -> Self {
        let phase = Phase::Name(None, String::new());
        Self { phase, named: Some(named), ..Self::tagged(named.closers, openers) }
    }

    /// The arguments of a call whose name was passed on.
    pub(super) fn arguments_of(
        name: String,
        at: usize,
        closers: &'static [&'static str],
        openers: &[&'static str],
        emitter: &Emitter,
    ) -> Self {
        let value = ValueReader::arguments(name, at, emitter);
        Self { phase: Phase::Value(Box::new(value)), ..Self::tagged(closers, openers) }
    }

    pub(super) fn step(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> Step {
        match &mut self.phase {
            Phase::Name(..) => self.in_name(cursor, emitter),
            Phase::Before => self.before(cursor, emitter),
            Phase::Fence => self.in_fence(cursor),
            Phase::Value(_) => self.in_value(cursor, emitter),
            Phase::Broken(..) => self.broken(cursor, emitter),
            Phase::Between => self.between(cursor, emitter),
            Phase::Skip => self.skip(cursor),
        }
    }

    fn in_name(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> Step {
        let (Phase::Name(name, part), Some(named)) = (&mut self.phase, self.named) else {
            return Step::Leave(0);
        };
        let Some(c) = cursor.rest.chars().next() else {
            if cursor.end {
                emitter.abandon(ParseError::syntax(cursor.at, "the text ends, expected a call's arguments"));
                return Step::Leave(0);
            }
            return Step::Wait;
        };
        let stop = cursor.tag(named.separators);
        let closed = self.stops.at(cursor);
        if let Ahead::Yes(i) = stop {
            named.end_part(name, part);
            return Step::Took(named.separators[i].len());
        }
        if stop == Ahead::Perhaps || closed == Ahead::Perhaps {
            return Step::Wait;
        }
        if c == '{' || (c == '[' && named.lists && name.is_none() && part.trim().is_empty()) {
            named.end_part(name, part);
            let start = cursor.at;
            let reader = match name.take() {
                Some(name) if name.contains(char::is_whitespace) => {
                    emitter.abandon(ParseError::shape(start, format!("{name:?} is no name of a tool")));
                    self.phase = Phase::Skip;
                    return Step::Took(0);
                }
                Some(name) => {
                    emitter.start(&name);
                    ValueReader::arguments(name, start, emitter)
                }
                None if named.lists => ValueReader::calls(start),
                None => {
                    emitter.abandon(ParseError::shape(start, "arguments without a name"));
                    self.phase = Phase::Skip;
                    return Step::Took(0);
                }
            };
            self.phase = Phase::Value(Box::new(reader));
            return Step::Took(0);
        }
        if let Ahead::Yes(_) = closed {
            emitter.abandon(ParseError::syntax(cursor.at, "expected a call's arguments before the tag"));
            self.phase = Phase::Skip;
            return Step::Took(0);
        }
        part.push(c);
        Step::Took(c.len_utf8())
    }

    fn before(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> Step {
        match cursor.space() {
            0 => {}
            space => return Step::Took(space),
        }
        match (self.stops.at(cursor), cursor.tag(&["```"])) {
            (Ahead::Yes(tag), _) => {
                emitter.repair(self.empty(cursor.at), "nothing to call");
                Step::Leave(if tag < self.closers.len() { self.closers[tag].len() } else { 0 })
            }
            (Ahead::Perhaps, _) | (_, Ahead::Perhaps) if !(cursor.end || cursor.rest.is_empty()) => {
                Step::Wait
            }
            (_, Ahead::Yes(_)) => {
                self.phase = Phase::Fence;
                Step::Took(3)
            }
            _ if cursor.rest.is_empty() && cursor.end => {
                emitter.repair(self.empty(cursor.at), "nothing to call");
                Step::Leave(0)
            }
            _ if cursor.rest.is_empty() => Step::Wait,
            _ => {
                self.phase = Phase::Value(Box::new(ValueReader::calls(cursor.at)));
                Step::Took(0)
            }
        }
    }

    fn empty(&self, offset: usize) -> ParseError {
        let tag = self.closers.first().unwrap_or(&"").trim_matches(['<', '/', '>', '|', '[', ']']);
        ParseError::EmptyBlock { tag: tag.to_owned(), offset }
    }

    fn in_fence(&mut self, cursor: Cursor<'_>) -> Step {
        let info = cursor.rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(cursor.rest.len());
        if info < cursor.rest.len() || cursor.end {
            self.phase = Phase::Before;
        }
        if info == 0 && cursor.rest.is_empty() && !cursor.end { Step::Wait } else { Step::Took(info) }
    }

    fn in_value(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> Step {
        let Phase::Value(value) = &mut self.phase else { return Step::Leave(0) };
        let (used, status) = value.feed(cursor, emitter);
        match status {
            Status::Done => {
                value.complete(emitter);
                self.phase = Phase::Between;
            }
            Status::Bad(error) => {
                if let Phase::Value(value) = std::mem::replace(&mut self.phase, Phase::Skip) {
                    self.phase = Phase::Broken(value, error);
                }
            }
            Status::More if !cursor.end => {
                return if used == 0 { Step::Wait } else { Step::Took(used) };
            }
            Status::More => {
                match value.finish(cursor.at + used, emitter) {
                    Ok(()) => value.complete(emitter),
                    Err(error) if value.lacks_only_brackets() => {
                        value.close(emitter);
                        emitter.repair(error, "its brackets are closed");
                    }
                    Err(error) => emitter.abandon(error),
                }
                return Step::Leave(used);
            }
        }
        Step::Took(used)
    }

    fn broken(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> Step {
        let stop = self.stops.at(cursor);
        if stop == Ahead::Perhaps {
            return Step::Wait;
        }
        let Phase::Broken(value, error) = std::mem::replace(&mut self.phase, Phase::Skip) else {
            return Step::Leave(0);
        };
        let mut value = value;
        if matches!(stop, Ahead::Yes(_)) && value.scanner.after_value() {
            value.close(emitter);
            emitter.repair(error, "its brackets are closed");
            self.phase = Phase::Between;
        } else {
            emitter.abandon(error);
        }
        if self.bare { Step::Leave(0) } else { Step::Took(0) }
    }

    fn between(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> Step {
        let Some(&byte) = cursor.rest.as_bytes().first() else {
            return if cursor.end { Step::Leave(0) } else { Step::Wait };
        };
        if cursor.space() > 0 {
            return Step::Took(cursor.space());
        }
        match (self.stops.at(cursor), cursor.tag(&["```"])) {
            (Ahead::Yes(tag), _) if tag < self.closers.len() => Step::Leave(self.closers[tag].len()),
            (Ahead::Yes(_), _) => Step::Leave(0),
            (Ahead::Perhaps, _) | (_, Ahead::Perhaps) => Step::Wait,
            (_, Ahead::Yes(_)) => Step::Took(3),
            _ if matches!(byte, b';' | b',') => Step::Took(1),
            _ if self.closers.is_empty() || self.bare => Step::Leave(0),
            _ if matches!(byte, b'{' | b'[') && self.named.is_none() => {
                self.phase = Phase::Value(Box::new(ValueReader::calls(cursor.at)));
                Step::Took(0)
            }
            _ => {
                let what = format!("expected {} after the call", self.closers[0]);
                emitter.repair(ParseError::syntax(cursor.at, what), "ignored up to the next tag");
                self.phase = Phase::Skip;
                Step::Took(0)
            }
        }
    }

    fn skip(&self, cursor: Cursor<'_>) -> Step {
        match self.stops.find(cursor.rest, 0, cursor.end) {
            Found::Tag(at, tag) if tag < self.closers.len() => Step::Leave(at + self.closers[tag].len()),
            Found::Tag(at, _) => Step::Leave(at),
            Found::Perhaps(0) => Step::Wait,
            Found::Perhaps(at) => Step::Took(at),
            _ if cursor.end => Step::Leave(cursor.rest.len()),
            _ if cursor.rest.is_empty() => Step::Wait,
            _ => Step::Took(cursor.rest.len()),
        }
    }
}

impl Named {
    /// A part of the text before the arguments is complete.
    fn end_part(&self, name: &mut Option<String>, part: &mut String) {
        let text = (self.clean)(part.trim());
        if !text.is_empty() && (self.last || name.is_none()) {
            *name = Some(text.to_owned());
        }
        part.clear();
    }
}
