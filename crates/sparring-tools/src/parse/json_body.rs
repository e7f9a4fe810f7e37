use super::calls::CallBuilder;
use super::coerce::{Typed, tool};
use super::cursor::{Ahead, Cursor, Step, Stops};
use super::emit::Emitter;
use super::grammar::Named;
use super::normalize::{arguments, key_twice};
use super::skip::Skip;
use crate::json::{Notation, Scanner, Status, Tee};
use crate::{ParseError, ToolCall};
use serde_json::Value;
use std::sync::Arc;

/// Reads calls with JSON arguments: whole objects, or a name and an object. One reader reads several calls in
/// sequence.
#[derive(Debug)]
pub(super) struct JsonBody {
    phase: Phase,
    named: Option<&'static Named>,
    stops: Arc<Stops>,
    /// Whether the calls have no tag.
    bare: bool,
    value: ValueReader,
    /// Whether a code fence, and an object, is open around the calls.
    fenced: bool,
    wrapped: bool,
    /// The raw text of calls without a tag, which may turn out to be text.
    raw: String,
    /// Number of calls before it.
    calls_before: usize,
    /// The tools that can be called.
    menu: Arc<[Typed]>,
    /// Where the value starts.
    start: usize,
    /// Where the last value starts that was broken, until it is asked for.
    failed: Option<usize>,
}

#[derive(Debug)]
enum Phase {
    /// In the text before the arguments: the name so far, and the current part.
    Name(Option<String>, String),
    /// Before the first value.
    Before,
    /// In the information string of a code fence.
    Fence,
    Value,
    /// The value is broken: what follows decides what can be saved.
    Broken(ParseError),
    /// After a value.
    Between,
    /// After an error, up to the next tag.
    Skip,
    /// After an error without a tag to come: to the end of the value.
    SkipValue(Skip),
}

/// Reads one value and builds calls from it.
#[derive(Debug)]
struct ValueReader {
    scanner: Scanner,
    calls: CallBuilder,
    /// The call whose arguments the value is; if `None`, the value itself is calls.
    call: Option<(ToolCall, Tee, usize)>,
    /// Whether the arguments may hold the call's name, so that it is emitted after them.
    held: bool,
}

impl ValueReader {
    fn begin_calls(&mut self, start: usize, bare: bool) {
        self.scanner.reset();
        self.calls.reset(start, bare);
        self.call = None;
    }

    /// Starts the arguments of a call whose name was emitted, unless it is `held`.
    fn begin_arguments(&mut self, call: ToolCall, held: bool, start: usize, emitter: &Emitter) {
        self.scanner.reset();
        self.held = held;
        let value = if held { Tee::default() } else { emitter.tee() };
        self.call = Some((call, value, start));
    }

    fn feed(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> (usize, Status) {
        let mut used = 0;
        loop {
            let (rest, at) = (&cursor.rest[used..], cursor.at + used);
            let (n, status) = if let Some((_, value, _)) = &mut self.call {
                let fed = self.scanner.feed(rest, at, value);
                emitter.arguments(value.take_text());
                fed
            } else {
                let fed = self.scanner.feed(rest, at, &mut self.calls.sink(emitter));
                self.calls.flush(emitter);
                fed
            };
            used += n;
            match self.scanner.take_odd() {
                Some(odd) if self.call.is_none() => self.calls.repair(odd, emitter),
                Some((error, action)) => emitter.repair(error, action),
                None => return (used, status),
            }
        }
    }

    fn finish(&mut self, at: usize, emitter: &mut Emitter) -> Result<(), ParseError> {
        match &mut self.call {
            None => self.scanner.finish(at, &mut self.calls.sink(emitter)),
            Some((_, value, _)) => self.scanner.finish(at, value),
        }
    }

    /// Ends the value, and with it the call whose arguments it is.
    fn complete(&mut self, menu: &[Typed], emitter: &mut Emitter) {
        if let Some((call, mut value, start)) = self.call.take() {
            if value.built.take_twice() {
                let (error, action) = key_twice(start);
                emitter.repair(error, action);
            }
            match value.built.take().map(arguments) {
                Some(Ok(arguments)) if self.held => {
                    emitter.call(named_inside(ToolCall { arguments, ..call }, menu));
                }
                Some(Ok(arguments)) => emitter.end(ToolCall { arguments, ..call }),
                Some(Err(what)) => emitter.abandon(ParseError::shape(start, what)),
                None => {}
            }
        }
    }

    /// Closes what is open.
    fn close(&mut self, menu: &[Typed], emitter: &mut Emitter) {
        match &mut self.call {
            None => {
                self.scanner.close(&mut self.calls.sink(emitter));
                self.calls.flush(emitter);
            }
            Some((_, value, _)) => {
                self.scanner.close(value);
                emitter.arguments(value.take_text());
            }
        }
        self.complete(menu, emitter);
    }

    /// Returns whether only closing brackets are missing at the end of the text.
    fn lacks_only_brackets(&self) -> bool {
        self.call.is_none() && self.scanner.after_value() && self.calls.call_is_complete()
    }
}

impl JsonBody {
    pub(super) fn new(stops: Arc<Stops>, menu: Arc<[Typed]>) -> Self {
        let value = ValueReader {
            scanner: Scanner::new(Notation::Json),
            calls: CallBuilder::default(),
            call: None,
            held: false,
        };
        Self {
            phase: Phase::Before,
            named: None,
            stops,
            bare: false,
            fenced: false,
            wrapped: false,
            value,
            raw: String::new(),
            calls_before: 0,
            menu,
            start: 0,
            failed: None,
        }
    }

    /// Returns the byte at which the current value starts, if it is in a tag.
    pub(super) fn value_start(&self) -> Option<usize> {
        let reads = matches!(self.phase, Phase::Value | Phase::Broken(_));
        (reads && !self.bare).then_some(self.start)
    }

    /// Returns where the value starts if it just turned out to be broken.
    pub(super) fn take_failed(&mut self) -> Option<usize> {
        self.failed.take()
    }

    /// Returns the closing tags.
    pub(super) fn closers(&self) -> &'static [&'static str] {
        self.stops.closers
    }

    /// Starts after a tag.
    pub(super) fn begin(&mut self, stops: Arc<Stops>) {
        (self.phase, self.named, self.bare, self.stops) = (Phase::Before, None, false, stops);
        (self.fenced, self.wrapped) = (false, false);
        self.value.calls.set_keyed(false);
    }

    /// Starts after a tag that is followed by objects whose key is the name.
    pub(super) fn begin_keyed(&mut self, stops: Arc<Stops>) {
        self.begin(stops);
        self.value.calls.set_keyed(true);
    }

    /// Starts without a tag, after a code fence or after the beginning of an object that contains the calls.
    pub(super) fn begin_bare(&mut self, stops: Arc<Stops>, fence: &str, before: &str) {
        // One fence may surround several values.
        let fenced = self.fenced || !fence.is_empty();
        self.begin(stops);
        (self.bare, self.fenced, self.wrapped) = (true, fenced, !before.is_empty());
        self.raw.clear();
        self.raw.push_str(fence);
        self.raw.push_str(before);
    }

    /// Starts after a tag that is followed by a name.
    pub(super) fn begin_named(&mut self, named: &'static Named, stops: Arc<Stops>) {
        self.begin(stops);
        (self.phase, self.named) = (Phase::Name(None, String::new()), Some(named));
    }

    /// Reads the arguments of a call whose name was emitted.
    pub(super) fn of_arguments(
        name: String,
        at: usize,
        stops: Arc<Stops>,
        menu: Arc<[Typed]>,
        emitter: &Emitter,
    ) -> Self {
        let mut body = Self::new(stops, menu);
        body.value.begin_arguments(ToolCall { name, ..ToolCall::default() }, false, at, emitter);
        (body.phase, body.start) = (Phase::Value, at);
        body
    }

    pub(super) fn step(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> Step {
        match &mut self.phase {
            Phase::Name(..) => self.in_name(cursor, emitter),
            Phase::Before => self.before(cursor, emitter),
            Phase::Fence => self.in_fence(cursor),
            Phase::Value => self.in_value(cursor, emitter),
            Phase::Broken(_) => self.broken(cursor, emitter),
            Phase::Between => self.between(cursor, emitter),
            Phase::Skip => self.stops.skip(cursor),
            Phase::SkipValue(_) => self.skip_value(cursor, emitter),
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
        let closed = self.stops.tags.at(cursor);
        if let Ahead::Yes(i) = stop {
            named.end_part(name, part);
            self.fenced |= named.separators[i].starts_with("```");
            return Step::Took(named.separators[i].len());
        }
        if stop == Ahead::Perhaps || closed == Ahead::Perhaps {
            return Step::Wait;
        }
        if c == '{' || (c == '[' && named.lists && name.is_none() && part.trim().is_empty()) {
            named.end_part(name, part);
            let start = cursor.at;
            match name.take() {
                Some(name) if name.contains(char::is_whitespace) => {
                    emitter.abandon(ParseError::shape(start, format!("{name:?} is not a tool name")));
                    self.phase = Phase::Skip;
                    return Step::Took(0);
                }
                Some(written) => {
                    let call = named.call(written, &self.menu);
                    let held = named.ids && !self.menu.is_empty() && tool(&self.menu, &call.name).is_none();
                    if !held {
                        emitter.start(&call.name);
                    }
                    self.value.begin_arguments(call, held, start, emitter);
                }
                None if named.lists => self.value.begin_calls(start, false),
                None => {
                    emitter.abandon(ParseError::shape(start, "arguments without a name"));
                    self.phase = Phase::Skip;
                    return Step::Took(0);
                }
            }
            (self.phase, self.start) = (Phase::Value, start);
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
        match (self.stops.tags.at(cursor), cursor.tag(&["```"])) {
            (Ahead::Yes(tag), _) => {
                emitter.repair(self.empty(cursor.at), "nothing to call");
                Step::Leave(if tag < self.stops.closers.len() { self.stops.closers[tag].len() } else { 0 })
            }
            (Ahead::Perhaps, _) | (_, Ahead::Perhaps) if !(cursor.end || cursor.rest.is_empty()) => {
                Step::Wait
            }
            (_, Ahead::Yes(_)) => {
                self.fenced = true;
                self.phase = Phase::Fence;
                Step::Took(3)
            }
            _ if cursor.rest.is_empty() && cursor.end => {
                emitter.repair(self.empty(cursor.at), "nothing to call");
                Step::Leave(0)
            }
            _ if cursor.rest.is_empty() => Step::Wait,
            _ => {
                self.value.begin_calls(cursor.at, self.bare);
                self.calls_before = emitter.calls();
                (self.phase, self.start) = (Phase::Value, cursor.at);
                Step::Took(0)
            }
        }
    }

    fn empty(&self, offset: usize) -> ParseError {
        let tag = self.stops.closers.first().unwrap_or(&"").trim_matches(['<', '/', '>', '|', '[', ']']);
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
        let (used, status) = self.value.feed(cursor, emitter);
        if self.bare {
            self.raw.push_str(&cursor.rest[..used]);
        }
        match status {
            Status::Done => {
                self.value.complete(&self.menu, emitter);
                self.phase = Phase::Between;
                if self.bare && self.settle(emitter) {
                    return Step::Leave(used);
                }
            }
            Status::Bad(error) => self.phase = Phase::Broken(error),
            Status::More if !cursor.end => {
                return if used == 0 { Step::Wait } else { Step::Took(used) };
            }
            Status::More => {
                match self.value.finish(cursor.at + used, emitter) {
                    Ok(()) => self.value.complete(&self.menu, emitter),
                    Err(error) if self.value.lacks_only_brackets() => {
                        self.value.close(&self.menu, emitter);
                        emitter.repair(error, "its brackets are closed");
                    }
                    Err(_) if self.may_be_text(emitter) => {}
                    Err(error) => {
                        self.failed = (!self.bare).then_some(self.start);
                        emitter.abandon(error);
                    }
                }
                if self.bare {
                    self.settle(emitter);
                }
                return Step::Leave(used);
            }
        }
        Step::Took(used)
    }

    fn broken(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> Step {
        let stop = self.stops.tags.at(cursor);
        if stop == Ahead::Perhaps {
            return Step::Wait;
        }
        let Phase::Broken(error) = std::mem::replace(&mut self.phase, Phase::Skip) else {
            return Step::Leave(0);
        };
        if self.bare {
            if !self.may_be_text(emitter) {
                emitter.abandon(error);
            }
            self.phase = Phase::SkipValue(Skip::new(self.value.scanner.depth(), self.value.scanner.quote()));
            return Step::Took(0);
        }
        if matches!(stop, Ahead::Yes(_)) && self.value.scanner.after_value() {
            self.value.close(&self.menu, emitter);
            emitter.repair(error, "its brackets are closed");
            self.phase = Phase::Between;
        } else {
            self.failed = Some(self.start);
            emitter.abandon(error);
        }
        Step::Took(0)
    }

    /// Returns whether nothing shows that a value without a tag is calls.
    fn may_be_text(&self, emitter: &Emitter) -> bool {
        self.bare && emitter.calls() == self.calls_before
    }

    /// At the end of a value without a tag: without a call in it, it is text. Returns whether it was.
    fn settle(&mut self, emitter: &mut Emitter) -> bool {
        let doubts = self.value.calls.take_doubts();
        let text = self.may_be_text(emitter);
        if text {
            emitter.text(&self.raw);
        } else {
            for (error, action) in doubts {
                emitter.repair(error, action);
            }
        }
        self.raw.clear();
        text
    }

    fn skip_value(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> Step {
        let Phase::SkipValue(skip) = &mut self.phase else { return Step::Leave(0) };
        let end = skip.end(cursor.rest);
        let used = end.unwrap_or(cursor.rest.len());
        self.raw.push_str(&cursor.rest[..used]);
        if end.is_some() || cursor.end {
            self.settle(emitter);
            return Step::Leave(used);
        }
        if used == 0 { Step::Wait } else { Step::Took(used) }
    }

    fn between(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> Step {
        let Some(&byte) = cursor.rest.as_bytes().first() else {
            return if cursor.end { Step::Leave(0) } else { Step::Wait };
        };
        if cursor.space() > 0 {
            // Text may follow calls without a closing tag.
            if self.bare {
                emitter.text(&cursor.rest[..cursor.space()]);
            }
            return Step::Took(cursor.space());
        }
        let fence = if self.fenced { cursor.tag(&["```"]) } else { Ahead::No };
        match (self.stops.tags.at(cursor), fence) {
            (Ahead::Yes(tag), _) if tag < self.stops.closers.len() => {
                Step::Leave(self.stops.closers[tag].len())
            }
            (Ahead::Yes(_), _) => Step::Leave(0),
            (Ahead::Perhaps, _) | (_, Ahead::Perhaps) => Step::Wait,
            (_, Ahead::Yes(_)) => {
                self.fenced = false;
                Step::Took(3)
            }
            _ if self.wrapped && byte == b'}' => {
                self.wrapped = false;
                Step::Took(1)
            }
            _ if matches!(byte, b';' | b',') => Step::Took(1),
            _ if self.stops.closers.is_empty() || self.bare => Step::Leave(0),
            _ if matches!(byte, b'{' | b'[') && self.named.is_none() => {
                self.value.begin_calls(cursor.at, self.bare);
                self.raw.clear();
                self.calls_before = emitter.calls();
                (self.phase, self.start) = (Phase::Value, cursor.at);
                Step::Took(0)
            }
            _ => {
                let what = format!("expected {} after the call", self.stops.closers[0]);
                emitter.repair(ParseError::syntax(cursor.at, what), "ignored up to the next tag");
                self.phase = Phase::Skip;
                Step::Took(0)
            }
        }
    }
}

impl Named {
    /// Ends a part of the text before the arguments.
    fn end_part(&self, name: &mut Option<String>, part: &mut String) {
        let text = part.trim();
        if !(self.clean)(text).is_empty() && (self.last || name.is_none()) {
            *name = Some(text.to_owned());
        }
        part.clear();
    }

    /// Returns the call, without arguments, from its written name or an id that contains the name.
    fn call(&self, written: String, menu: &[Typed]) -> ToolCall {
        let clean = (self.clean)(&written);
        let name = if self.ids && !menu.is_empty() { in_id(clean, menu) } else { clean }.to_owned();
        ToolCall { id: (name != written).then_some(written), name, ..ToolCall::default() }
    }
}

/// Returns the tool's name in an id that is not of the form `functions.f:0`: `functions_f_0`, `functionsf0`.
fn in_id<'a>(id: &'a str, menu: &[Typed]) -> &'a str {
    let known = |name: &&str| tool(menu, name).is_some();
    let digits = |name: &'a str| {
        name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(['_', ':', '.', '-'])
    };
    let short = id.strip_prefix("functions").unwrap_or(id).trim_start_matches(['_', '.', ':']);
    [id, digits(id), short, digits(short)].into_iter().find(known).unwrap_or(id)
}

/// Returns the call whose name is one of its arguments, if its own name is no tool's.
fn named_inside(mut call: ToolCall, menu: &[Typed]) -> ToolCall {
    let inside = call.arguments.get("name").and_then(Value::as_str);
    if let Some(name) = inside.filter(|name| tool(menu, name).is_some()).map(str::to_owned) {
        call.arguments.shift_remove("name");
        call.id.get_or_insert(std::mem::replace(&mut call.name, name));
    }
    call
}
