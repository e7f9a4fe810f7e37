use super::coerce::{Typed, tool};
use super::cursor::{Ahead, Cursor, Step, Stops};
use super::emit::Emitter;
use super::normalize::key_twice;
use super::skip::Skip;
use crate::json::{Container, Notation, Scanner, Sink, Status, Tee};
use crate::{ParseError, ToolCall};
use serde_json::Value;
use std::sync::Arc;

/// Length of the longest tool name that is searched for in a text.
const MAX_NAME: usize = 256;

/// Reads calls in Python's notation: `[f(a=1), g()]`, or after a tag `f(a=1)` alone.
#[derive(Debug)]
pub(super) struct PythonBody {
    phase: Phase,
    stops: Arc<Stops>,
    /// Whether the calls are in a list.
    list: bool,
    /// Whether a code fence is open around them.
    fenced: bool,
    /// How tools are called.
    names: Names,
    /// Whether there was a call.
    seen: bool,
    call: Tee,
    /// Reads the values, one after the other.
    scanner: Scanner,
    name: String,
    /// Byte at which the call starts.
    start: usize,
}

#[derive(Debug)]
enum Phase {
    /// Before a call.
    Start,
    /// Before an argument, or the end of the call.
    Key,
    Value,
    AfterValue,
    /// After a broken argument.
    Skip(Skip),
    /// After a call.
    AfterCall,
}

/// What tells a tool's name from other text.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) menu: Arc<[Typed]>,
    /// The end of the names of built-in tools.
    pub(super) method: Option<&'static str>,
    /// Whether any words can be a name: after a tag, but not in a text.
    pub(super) any_words: bool,
}

impl Names {
    /// Returns the tool that is written so.
    fn called<'a>(&self, written: &'a str) -> &'a str {
        match self.method.and_then(|method| written.strip_suffix(method)) {
            Some(name) if tool(&self.menu, written).is_none() => name,
            _ => written,
        }
    }

    /// Returns whether a name with spaces is one.
    fn is_name(&self, words: &str) -> bool {
        self.any_words || tool(&self.menu, words).is_some()
    }
}

impl PythonBody {
    pub(super) fn new(stops: Arc<Stops>, fenced: bool, names: Names) -> Self {
        Self {
            phase: Phase::Start,
            stops,
            list: false,
            fenced,
            names,
            seen: false,
            call: Tee::default(),
            scanner: Scanner::new(Notation::Python),
            name: String::new(),
            start: 0,
        }
    }

    #[inline(never)]
    pub(super) fn step(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> Step {
        if let Phase::Skip(_) = self.phase {
            return self.skip(cursor);
        }
        if let Phase::Value = self.phase {
            return self.in_value(cursor, emitter);
        }
        if cursor.space() > 0 {
            return Step::Took(cursor.space());
        }
        let Some(&byte) = cursor.rest.as_bytes().first() else {
            return self.at_end(cursor, emitter);
        };
        match self.phase {
            Phase::Start => self.start(cursor, byte, emitter),
            Phase::Key => self.key(cursor, byte, emitter),
            Phase::AfterValue => match byte {
                b',' => self.go(Phase::Key, 1),
                b')' => self.end_call(emitter),
                _ => self.fail(cursor, 0, "expected ',' or ')' (values must be literals)", emitter),
            },
            _ => self.after_call(cursor, byte, emitter),
        }
    }

    fn go(&mut self, phase: Phase, used: usize) -> Step {
        self.phase = phase;
        Step::Took(used)
    }

    fn at_end(&self, cursor: Cursor<'_>, emitter: &mut Emitter) -> Step {
        if !cursor.end {
            return Step::Wait;
        }
        let what = match self.phase {
            Phase::Start if !self.list => None,
            Phase::AfterCall if self.list => Some("the text ends, expected ',' or ']'"),
            Phase::AfterCall => None,
            Phase::Start => Some("the text ends, expected a call or ']'"),
            _ => Some("the text ends inside a call"),
        };
        match (what, &self.phase) {
            (Some(what), Phase::AfterCall | Phase::Start) => {
                emitter.repair(ParseError::syntax(cursor.at, what), "the list is closed");
            }
            (Some(what), _) => emitter.abandon(ParseError::syntax(cursor.at, what)),
            _ => {}
        }
        Step::Leave(0)
    }

    fn start(&mut self, cursor: Cursor<'_>, byte: u8, emitter: &mut Emitter) -> Step {
        match byte {
            b'[' if !self.list => {
                self.list = true;
                return Step::Took(1);
            }
            b']' if self.list => {
                self.list = false;
                return self.go(Phase::AfterCall, 1);
            }
            _ => {}
        }
        // In a list that has calls, everything that is called is one.
        let head = if self.seen {
            name_head(cursor.rest, cursor.end, &self.names)
        } else {
            call_head(cursor.rest, cursor.end, &self.names)
        };
        match head {
            Ahead::Perhaps => Step::Wait,
            Ahead::Yes(used) => {
                let written = cursor.rest[..used].trim_end_matches('(').trim_end();
                self.names.called(written).clone_into(&mut self.name);
                self.start = cursor.at;
                self.seen = true;
                emitter.start(&self.name);
                self.call = emitter.tee();
                self.call.begin(Container::Object);
                self.go(Phase::Key, used)
            }
            // Text, and not a call, follows the tag.
            Ahead::No if !self.seen => match self.stops.tags.at(cursor) {
                Ahead::Perhaps => Step::Wait,
                Ahead::Yes(tag) if tag < self.stops.closers.len() => {
                    Step::Leave(self.stops.closers[tag].len())
                }
                _ => Step::Leave(0),
            },
            Ahead::No => {
                emitter.repair(ParseError::syntax(cursor.at, "expected a call such as f(a=1)"), "left out");
                Step::Leave(0)
            }
        }
    }

    fn key(&mut self, cursor: Cursor<'_>, byte: u8, emitter: &mut Emitter) -> Step {
        if byte == b')' {
            return self.end_call(emitter);
        }
        match keyword(cursor.rest, cursor.end) {
            Ahead::Perhaps => Step::Wait,
            Ahead::No => self.fail(cursor, 0, "expected an argument such as a=1, or ')'", emitter),
            Ahead::Yes((name, used)) => {
                self.call.text(name);
                self.call.end_text(true);
                self.scanner.reset();
                self.go(Phase::Value, used)
            }
        }
    }

    fn in_value(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> Step {
        let (used, status) = self.scanner.feed(cursor.rest, cursor.at, &mut self.call);
        emitter.arguments(self.call.take_text());
        let odd = self.scanner.take_odd().map(|(error, action)| emitter.repair(error, action));
        match status {
            Status::Done => self.go(Phase::AfterValue, used),
            // The scanner stopped only to say so.
            Status::More if odd.is_some() => Step::Took(used),
            Status::Bad(error) => {
                let skip = Skip::new(self.scanner.depth() + 1, self.scanner.quote());
                emitter.abandon(error);
                self.go(Phase::Skip(skip), used)
            }
            Status::More if cursor.end => {
                emitter.abandon(ParseError::syntax(cursor.at + used, "the text ends inside a call"));
                Step::Leave(used)
            }
            Status::More if used == 0 => Step::Wait,
            Status::More => Step::Took(used),
        }
    }

    fn fail(&mut self, cursor: Cursor<'_>, used: usize, what: &str, emitter: &mut Emitter) -> Step {
        emitter.abandon(ParseError::syntax(cursor.at, what));
        self.go(Phase::Skip(Skip::new(1, None)), used)
    }

    fn end_call(&mut self, emitter: &mut Emitter) -> Step {
        self.call.end(Container::Object, false);
        emitter.arguments(self.call.take_text());
        let name = std::mem::take(&mut self.name);
        if self.call.built.take_twice() {
            let (error, action) = key_twice(self.start);
            emitter.repair(error, action);
        }
        match self.call.built.take() {
            Some(Value::Object(arguments)) => {
                emitter.end(ToolCall { name, arguments, ..ToolCall::default() });
            }
            _ => emitter.end(ToolCall { name, ..ToolCall::default() }),
        }
        self.go(Phase::AfterCall, 1)
    }

    fn after_call(&mut self, cursor: Cursor<'_>, byte: u8, emitter: &mut Emitter) -> Step {
        if self.list {
            return match byte {
                b',' => self.go(Phase::Start, 1),
                b']' => {
                    self.list = false;
                    Step::Took(1)
                }
                _ => {
                    let error = ParseError::syntax(cursor.at, "expected ',' or ']' after a call");
                    emitter.repair(error, "the list is closed");
                    Step::Leave(0)
                }
            };
        }
        let fence = if self.fenced { cursor.tag(&["```"]) } else { Ahead::No };
        match (self.stops.tags.at(cursor), fence) {
            (Ahead::Yes(tag), _) if tag < self.stops.closers.len() => {
                Step::Leave(self.stops.closers[tag].len())
            }
            (Ahead::Perhaps, _) | (_, Ahead::Perhaps) => Step::Wait,
            (_, Ahead::Yes(_)) => {
                self.fenced = false;
                Step::Took(3)
            }
            (Ahead::Yes(_), _) => Step::Leave(0),
            _ if matches!(byte, b';' | b',') => self.go(Phase::Start, 1),
            // Separate calls, one per line.
            _ if !self.stops.closers.is_empty() => match call_head(cursor.rest, cursor.end, &self.names) {
                Ahead::Perhaps => Step::Wait,
                Ahead::Yes(_) => self.go(Phase::Start, 0),
                Ahead::No => Step::Leave(0),
            },
            _ => Step::Leave(0),
        }
    }

    /// Skips to the end of a broken call.
    fn skip(&mut self, cursor: Cursor<'_>) -> Step {
        let Phase::Skip(skip) = &mut self.phase else { return Step::Leave(0) };
        match (skip.end(cursor.rest), cursor.rest.is_empty(), cursor.end) {
            (Some(used), ..) => self.go(Phase::AfterCall, used),
            (None, _, true) => Step::Leave(cursor.rest.len()),
            (None, true, false) => Step::Wait,
            (None, false, false) => Step::Took(cursor.rest.len()),
        }
    }
}

/// Matches `name(` or `name.name(` before the first call. An argument `a=`, or `)`, must follow, so that words in
/// brackets are not calls. Returns the length of the name with its bracket.
fn call_head(rest: &str, end: bool, names: &Names) -> Ahead<usize> {
    let used = match name_head(rest, end, names) {
        Ahead::Yes(used) => used,
        other => return other,
    };
    let inside = rest[used..].trim_start();
    match (inside.chars().next(), keyword(inside, end)) {
        _ if rest[used..].len() - inside.len() > MAX_NAME => Ahead::No,
        (Some(')'), _) | (_, Ahead::Yes(_)) => Ahead::Yes(used),
        (None, _) if !end => Ahead::Perhaps,
        (_, Ahead::Perhaps) => Ahead::Perhaps,
        _ => Ahead::No,
    }
}

/// Matches `name(` or `name.name (`, and returns its length. Names of tools are not always Python's: they have dashes,
/// slashes and colons, and some have spaces.
fn name_head(rest: &str, end: bool, names: &Names) -> Ahead<usize> {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '/' | ':' | ' ');
    let name = rest.find(|c| !part(c)).unwrap_or(rest.len());
    let words = rest[..name].trim_end_matches(' ');
    if name > MAX_NAME
        || rest.starts_with(|c: char| c.is_numeric() || matches!(c, '.' | '-' | '/' | ':' | ' '))
    {
        return Ahead::No;
    }
    match rest[name..].chars().next() {
        Some('(') if !words.contains(' ') && !words.is_empty() => Ahead::Yes(name + 1),
        Some('(') if !words.contains("  ") && names.is_name(words) => Ahead::Yes(name + 1),
        None if !end => Ahead::Perhaps,
        _ => Ahead::No,
    }
}

/// Matches `[name(` or `[ name (` at the start of a list of calls.
pub(super) fn list_head(rest: &str, end: bool, names: &Names) -> Ahead<()> {
    let Some(inside) = rest.strip_prefix('[') else {
        return if rest.is_empty() && !end { Ahead::Perhaps } else { Ahead::No };
    };
    let spaces = inside.len() - inside.trim_start().len();
    match call_head(&inside[spaces..], end, names) {
        _ if spaces > MAX_NAME => Ahead::No,
        Ahead::Yes(_) => Ahead::Yes(()),
        Ahead::No => Ahead::No,
        Ahead::Perhaps => Ahead::Perhaps,
    }
}

/// Matches `name=`, but not `name==`; returns the name, and the length with white space.
fn keyword(rest: &str, end: bool) -> Ahead<(&str, usize)> {
    let name = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'))).unwrap_or(rest.len());
    if name > MAX_NAME || rest.starts_with(|c: char| c.is_numeric() || c == '-') {
        return Ahead::No;
    }
    let after = &rest[name..];
    let spaces = after.len() - after.trim_start().len();
    let mut following = after[spaces..].chars();
    match following.next() {
        _ if spaces > MAX_NAME => Ahead::No,
        Some('=') if name > 0 => match following.next() {
            Some('=') => Ahead::No,
            None if !end => Ahead::Perhaps,
            _ => Ahead::Yes((&rest[..name], name + spaces + 1)),
        },
        None if !end => Ahead::Perhaps,
        _ => Ahead::No,
    }
}
