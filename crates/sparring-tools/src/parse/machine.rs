use super::bare::{MAX_SPACE, fence, json_head};
use super::coerce::{Typed, typed};
use super::cursor::{Ahead, Cursor, Found, Step, Stops, Tags};
use super::data::{Data, DataStep};
use super::emit::Emitter;
use super::gemma_body::GemmaBody;
use super::grammar::{Body, Grammar};
use super::json_body::JsonBody;
use super::mention::is_mention;
use super::message::{Message, at_recipient};
use super::python_body::{Names, PythonBody, list_head};
use super::stream::{CallStream, Delta, Reading};
use super::xml_body::{XmlBody, XmlTables};
use crate::{ParseError, ToolSpec};
use std::sync::Arc;

/// A grammar with tables derived from it.
#[derive(Debug)]
pub(super) struct GrammarTables {
    grammar: &'static Grammar,
    menu: Arc<[Typed]>,
    /// All tags to search for, and what they are.
    tags: Tags,
    kinds: Vec<TagKind>,
    /// The ends of calls after each opening tag.
    stops: Vec<Arc<Stops>>,
    /// The tags inside calls after each opening tag.
    inside: Vec<Option<Arc<XmlTables>>>,
    /// The ends of calls without a tag.
    bare: Arc<Stops>,
    /// The end of the reasoning, then the tags that begin calls.
    in_thought: Tags,
    /// Whether texts start inside the reasoning.
    starts_in_thought: bool,
}

/// What a tag does.
#[derive(Debug, Clone, Copy)]
enum TagKind {
    /// It begins calls.
    Opener(usize),
    /// It begins the reasoning.
    Thought,
    /// It has no meaning of its own.
    Frame,
}

impl GrammarTables {
    pub(super) fn new(grammar: &'static Grammar, tools: Vec<ToolSpec>) -> Self {
        let bytes: &[u8] = match grammar.bare {
            _ if grammar.bare_first => b"",
            Some(Body::Python(_)) => b"[`",
            Some(_) => b"[{`",
            None => b"",
        };
        let thoughts = grammar.thoughts.iter().map(|(open, _)| (*open, TagKind::Thought));
        let openers = grammar.openers.iter().enumerate().map(|(i, (tag, _))| (*tag, TagKind::Opener(i)));
        let closers = grammar.thoughts.iter().map(|(_, close)| *close);
        let frame = closers.clone().chain(grammar.frame.iter().copied()).map(|tag| (tag, TagKind::Frame));
        let (names, kinds): (Vec<_>, Vec<_>) = thoughts.chain(openers.clone()).chain(frame).unzip();
        let others: Vec<_> =
            openers.clone().map(|(tag, _)| tag).chain(grammar.frame.iter().copied()).collect();
        let stops = |body: &Body| Arc::new(Stops::new(body.closers(), &others));
        let bare = grammar.bare.as_ref().map_or_else(|| Arc::new(Stops::new(&[], &[])), stops);
        let stops: Vec<_> = grammar.openers.iter().map(|(_, body)| stops(body)).collect();
        let menu: Arc<[Typed]> = typed(tools).into();
        let inside = grammar.openers.iter().zip(&stops).map(|((_, body), stops)| match body {
            Body::Xml(xml) => Some(Arc::new(XmlTables::new(xml, Arc::clone(&menu), Arc::clone(stops)))),
            _ => None,
        });
        Self {
            grammar,
            inside: inside.collect(),
            menu,
            tags: Tags::new(names, bytes),
            kinds,
            stops,
            bare,
            in_thought: Tags::new(closers.chain(openers.map(|(tag, _)| tag)), &[]),
            starts_in_thought: false,
        }
    }

    /// Returns the tag that ends the reasoning in which texts start.
    pub(super) fn thought_end(&self) -> Option<&'static str> {
        self.starts_in_thought.then(|| self.grammar.thoughts[0].1)
    }

    /// For texts that start inside the reasoning because the prompt opened it.
    pub(super) fn in_thought(self) -> Self {
        Self { starts_in_thought: true, ..self }
    }

    fn names(&self, any_words: bool) -> Names {
        Names { menu: Arc::clone(&self.menu), method: self.grammar.method, any_words }
    }
}

/// Reads a text in pieces. Every step depends on the text and never on how it was split: if the available text does not
/// decide, the step waits for more.
#[derive(Debug)]
pub(super) struct Machine {
    tables: Arc<GrammarTables>,
    state: State,
    json: JsonBody,
    emitter: Emitter,
    /// The last tag, if only white space followed it.
    last_tag: Option<&'static str>,
    /// Up to this byte, no broken value is searched for further calls again.
    searched: usize,
    /// Text that was received and may still be needed.
    text: String,
    /// Position of `text` in the whole text, and how much of it was used.
    start: usize,
    used: usize,
}

#[derive(Debug)]
enum State {
    Text,
    Thought(Thought),
    /// JSON or Python, depending on the next character.
    Either(Arc<Stops>),
    /// JSON, if it is next.
    IfJson(Arc<Stops>),
    Json,
    Xml(Box<XmlBody>),
    Python(Box<PythonBody>),
    Gemma(Box<GemmaBody>),
    /// The head of a message.
    Message(Box<Message>),
    /// JSON that is not a call.
    Data(Box<Data>),
}

/// Reasoning.
#[derive(Debug)]
struct Thought {
    /// The byte at which it began.
    start: usize,
    /// From the first tag that begins a call on, the text is held back: if the reasoning never ends, the call ends it.
    held: Option<(usize, String)>,
}

impl Thought {
    fn at(start: usize) -> State {
        State::Thought(Self { start, held: None })
    }
}

impl Machine {
    pub(super) fn new(tables: Arc<GrammarTables>, emitter: Emitter) -> Self {
        let json = JsonBody::new(Arc::clone(&tables.bare), Arc::clone(&tables.menu));
        let state = if tables.starts_in_thought { Thought::at(0) } else { State::Text };
        // A short value is kept without growing.
        let text = String::with_capacity(if emitter.is_streaming() { 256 } else { 0 });
        Self { tables, state, json, emitter, last_tag: None, searched: 0, text, start: 0, used: 0 }
    }

    /// Reads a whole text.
    pub(super) fn read(mut self, text: &str) -> Reading {
        let used = self.run(text, 0, 0, false);
        let used = self.run(text, used, 0, true);
        self.end(text.len().max(used)).1
    }

    /// Steps from byte `used` of a text that begins at `start`, until the text is used up or more is needed; returns
    /// how many bytes were used.
    fn run(&mut self, text: &str, mut used: usize, start: usize, end: bool) -> usize {
        loop {
            let cursor = Cursor { rest: &text[used..], at: start + used, end };
            let in_text = matches!(self.state, State::Text | State::Thought(_));
            if cursor.rest.is_empty() && (!end || in_text) {
                return used;
            }
            let step = self.step(cursor);
            let waits = step == Step::Wait;
            match step {
                Step::Took(n) => used += n,
                Step::Leave(n) => {
                    used += n;
                    self.state = State::Text;
                }
                Step::Wait => {}
            }
            if let Some(value) = self.json.take_failed() {
                used = self.next_call(text, start, value, used);
            } else if waits {
                return used;
            }
        }
    }

    /// Reads on in the received text; returns from which byte on it is still needed.
    fn run_on(&mut self, text: &str) -> usize {
        self.used = self.run(text, self.used, self.start, false);
        // A value that turns out to be broken is searched for the next call.
        let value = matches!(self.state, State::Json).then(|| self.json.value_start()).flatten();
        let kept = value.map_or(self.used, |value| self.used.min(value - self.start));
        self.start += kept;
        self.used -= kept;
        kept
    }

    /// The readers' own steps are never inlined: so the code that runs most stays in the processor's cache.
    fn step(&mut self, cursor: Cursor<'_>) -> Step {
        match &mut self.state {
            State::Text => self.in_text(cursor),
            State::Thought(_) => self.in_thought(cursor),
            State::Either(stops) => {
                let stops = Arc::clone(stops);
                self.either(cursor, stops)
            }
            State::IfJson(stops) => {
                let stops = Arc::clone(stops);
                self.if_json(cursor, stops)
            }
            State::Json => self.json.step(cursor, &mut self.emitter),
            State::Xml(body) => body.step(cursor, &mut self.emitter),
            State::Python(body) => body.step(cursor, &mut self.emitter),
            State::Gemma(body) => body.step(cursor, &mut self.emitter),
            State::Message(_) => self.in_message(cursor),
            State::Data(data) => match data.step(cursor, &mut self.emitter) {
                DataStep::Step(step) => step,
                DataStep::Calls(used, before) => {
                    self.begin_bare(false, "", &before);
                    Step::Took(used)
                }
            },
        }
    }

    /// Returns where to go on after a value that is broken. A quote that is missing makes the next calls part of a
    /// string: if the value has a closing tag with an opening tag after it, the next call begins there.
    fn next_call(&mut self, text: &str, start: usize, value: usize, used: usize) -> usize {
        let Some(inside) = value.checked_sub(start).and_then(|from| text.get(from..used)) else {
            return used;
        };
        if value < self.searched {
            return used;
        }
        self.searched = start + used;
        let openers = self.tables.grammar.openers;
        for closer in self.json.closers() {
            for (at, _) in inside.match_indices(closer) {
                let after = at + closer.len();
                let rest = inside[after..].trim_start();
                if openers.iter().any(|(tag, _)| rest.starts_with(tag)) {
                    self.state = State::Text;
                    return used - inside.len() + after;
                }
            }
        }
        used
    }

    fn in_text(&mut self, cursor: Cursor<'_>) -> Step {
        let (rest, end) = (cursor.rest, cursor.end);
        if self.tables.grammar.bare_first && self.emitter.is_blank() {
            match self.at_start(cursor) {
                Ahead::Yes(used) => return Step::Took(used),
                Ahead::Perhaps => return Step::Wait,
                Ahead::No => {}
            }
        }
        let mut from = 0;
        loop {
            let certain = match self.tables.tags.find(rest, from, end) {
                Found::Tag(at, tag) => {
                    let name = self.tables.tags.names[tag];
                    match self.mentions(tag, &rest[at + name.len()..], end) {
                        Ahead::Yes(()) => {
                            from = at + name.len();
                            continue;
                        }
                        Ahead::Perhaps => at,
                        Ahead::No => {
                            self.plain(&rest[..at]);
                            return Step::Took(at + self.open(tag, cursor.at + at));
                        }
                    }
                }
                Found::Byte(at) => match self.bare_head(&rest[at..], end) {
                    Ahead::Yes((python, skip)) => {
                        self.plain(&rest[..at]);
                        self.begin_bare(python, &rest[at..at + skip], "");
                        return Step::Took(at + skip);
                    }
                    Ahead::No if rest.as_bytes()[at] == b'`' => {
                        from = at + 1;
                        continue;
                    }
                    // No call begins inside other JSON.
                    Ahead::No => {
                        self.plain(&rest[..at]);
                        self.state = State::Data(Box::default());
                        return Step::Took(at);
                    }
                    Ahead::Perhaps => at,
                },
                Found::Perhaps(at) => at,
                Found::Nothing => rest.len(),
            };
            self.plain(&rest[..certain]);
            return if certain == 0 { Step::Wait } else { Step::Took(certain) };
        }
    }

    /// Emits text for the user.
    fn plain(&mut self, text: &str) {
        if !text.trim_start().is_empty() {
            self.last_tag = None;
        }
        self.emitter.text(text);
    }

    fn mentions(&self, tag: usize, after: &str, end: bool) -> Ahead<()> {
        match self.tables.kinds[tag] {
            TagKind::Opener(i) => {
                let (name, body) = &self.tables.grammar.openers[i];
                is_mention(name, body, after, end)
            }
            _ => Ahead::No,
        }
    }

    /// Returns whether calls without a tag begin the answer, and starts them: how many bytes it used.
    fn at_start(&mut self, cursor: Cursor<'_>) -> Ahead<usize> {
        let (space, rest) = (cursor.space(), cursor.rest.trim_start());
        if let Some(Body::Message(end)) = self.tables.grammar.bare {
            return match at_recipient(rest, cursor.end) {
                Ahead::Yes(()) => {
                    self.state = State::Message(Box::new(Message::new(end)));
                    Ahead::Yes(space)
                }
                Ahead::No => Ahead::No,
                Ahead::Perhaps => Ahead::Perhaps,
            };
        }
        // White space alone decides nothing; nor does it matter before the first text.
        if !rest.starts_with(['{', '[', '`']) {
            return Ahead::No;
        }
        match self.bare_head(rest, cursor.end) {
            Ahead::Yes((python, skip)) => {
                self.begin_bare(python, &rest[..skip], "");
                Ahead::Yes(space + skip)
            }
            Ahead::Perhaps => Ahead::Perhaps,
            Ahead::No => Ahead::No,
        }
    }

    /// Handles a tag at byte `at`; returns its length.
    fn open(&mut self, tag: usize, at: usize) -> usize {
        let name = self.tables.tags.names[tag];
        let before = self.last_tag.replace(name);
        match self.tables.kinds[tag] {
            TagKind::Opener(i) => {
                let (_, body) = self.tables.grammar.openers[i];
                match (body, &self.tables.inside[i]) {
                    (Body::Message(end), _) => {
                        self.state = State::Message(Box::new(Message::new(end)));
                        return 0;
                    }
                    (_, Some(tables)) => {
                        self.state = State::Xml(Box::new(XmlBody::new(Arc::clone(tables), before)));
                    }
                    _ => self.begin(body, Arc::clone(&self.tables.stops[i]), at + name.len()),
                }
            }
            TagKind::Thought if self.emitter.calls() > 0 => self.plain(name),
            TagKind::Thought => self.state = Thought::at(at),
            TagKind::Frame => return name.len(),
        }
        // The last bracket of a tag is the first of the value.
        name.len() - usize::from(name.ends_with('['))
    }

    fn begin(&mut self, body: Body, stops: Arc<Stops>, at: usize) {
        self.state = match body {
            Body::Json(_) => {
                self.json.begin(stops);
                State::Json
            }
            Body::Keyed(_) => {
                self.json.begin_keyed(stops);
                State::Json
            }
            Body::Named(named) => {
                self.json.begin_named(named, stops);
                State::Json
            }
            Body::Python(_) => {
                State::Python(Box::new(PythonBody::new(stops, false, self.tables.names(true))))
            }
            Body::Gemma(gemma) => State::Gemma(Box::new(GemmaBody::new(gemma, stops, at))),
            Body::Either(_) => State::Either(stops),
            Body::IfJson(_) => State::IfJson(stops),
            // These begin in `open`, with what is theirs alone.
            Body::Xml(_) | Body::Message(_) => return,
        };
    }

    /// Starts calls without a tag, in Python's notation or in JSON, after a code fence and the JSON before them.
    fn begin_bare(&mut self, python: bool, fence: &str, before: &str) {
        let stops = Arc::clone(&self.tables.bare);
        self.state = if python {
            let names = self.tables.names(false);
            State::Python(Box::new(PythonBody::new(stops, !fence.is_empty(), names)))
        } else {
            self.json.begin_bare(stops, fence, before);
            State::Json
        };
    }

    /// Returns whether calls without a tag begin here: whether in Python's notation, and the length of the code fence
    /// before them.
    fn bare_head(&self, rest: &str, end: bool) -> Ahead<(bool, usize)> {
        let fence = match fence(rest, end) {
            Ahead::Yes(fence) => fence,
            Ahead::No => return Ahead::No,
            Ahead::Perhaps => return Ahead::Perhaps,
        };
        let bare = self.tables.grammar.bare;
        let python = match bare {
            Some(Body::Python(_) | Body::Either(_)) => {
                list_head(&rest[fence..], end, &self.tables.names(false))
            }
            _ => Ahead::No,
        };
        let json = match bare {
            Some(Body::Python(_)) => Ahead::No,
            _ => json_head(&rest[fence..], end),
        };
        match (python, json) {
            (Ahead::Yes(()), _) => Ahead::Yes((true, fence)),
            (Ahead::Perhaps, _) | (_, Ahead::Perhaps) => Ahead::Perhaps,
            (_, Ahead::Yes(())) => Ahead::Yes((false, fence)),
            _ => Ahead::No,
        }
    }

    /// Chooses JSON if a brace comes first, in a list or not; else Python.
    fn either(&mut self, cursor: Cursor<'_>, stops: Arc<Stops>) -> Step {
        if cursor.space() > 0 {
            return Step::Took(cursor.space());
        }
        let list = cursor.rest.strip_prefix('[').unwrap_or(cursor.rest);
        let inside = list.trim_start();
        let near = list.len() - inside.len() <= MAX_SPACE;
        if inside.is_empty() && near && !cursor.end {
            return Step::Wait;
        }
        let json = near && inside.starts_with(['{', '`']);
        let body = if json { Body::Json(stops.closers) } else { Body::Python(stops.closers) };
        self.begin(body, stops, cursor.at);
        Step::Took(0)
    }

    /// Starts JSON if it follows the tag; else the tag only surrounds other calls, or is mentioned.
    fn if_json(&mut self, cursor: Cursor<'_>, stops: Arc<Stops>) -> Step {
        let rest = cursor.rest.trim_start();
        if !cursor.end && (rest.is_empty() || (rest.len() < 3 && "```".starts_with(rest))) {
            return if cursor.space() > MAX_SPACE { Step::Leave(0) } else { Step::Wait };
        }
        if rest.starts_with(['{', '[']) || rest.starts_with("```") {
            self.begin(Body::Json(stops.closers), stops, cursor.at);
            return Step::Took(0);
        }
        Step::Leave(0)
    }

    /// Reads the head of a message, which says what the message is.
    fn in_message(&mut self, cursor: Cursor<'_>) -> Step {
        let State::Message(message) = &mut self.state else { return Step::Leave(0) };
        let Some(used) = message.feed(cursor) else { return Step::Wait };
        if !message.is_complete() {
            if cursor.end && used == cursor.rest.len() {
                let error = ParseError::syntax(cursor.at + used, "the text ends inside a message's head");
                self.emitter.abandon(error);
                return Step::Leave(used);
            }
            return Step::Took(used);
        }
        let at = cursor.at + used;
        self.state = match message.tool() {
            Some(name) => {
                let (name, menu) = (name.to_owned(), Arc::clone(&self.tables.menu));
                self.emitter.start(&name);
                self.json =
                    JsonBody::of_arguments(name, at, Arc::clone(&self.tables.bare), menu, &self.emitter);
                State::Json
            }
            None if message.is_reasoning() => Thought::at(at),
            None => State::Text,
        };
        Step::Took(used)
    }

    fn in_thought(&mut self, cursor: Cursor<'_>) -> Step {
        let State::Thought(thought) = &mut self.state else { return Step::Leave(0) };
        let closers = self.tables.grammar.thoughts.len();
        let (used, step) = match self.tables.in_thought.find(cursor.rest, 0, cursor.end) {
            Found::Tag(at, i) if i < closers => (at, Step::Leave(at + self.tables.in_thought.names[i].len())),
            Found::Tag(at, i) => {
                if thought.held.is_none() {
                    self.emitter.thought(&cursor.rest[..at]);
                    thought.held = Some((cursor.at + at, String::new()));
                    return Step::Took(at);
                }
                let used = at + self.tables.in_thought.names[i].len();
                (used, Step::Took(used))
            }
            Found::Perhaps(0) => return Step::Wait,
            Found::Perhaps(at) => (at, Step::Took(at)),
            _ => (cursor.rest.len(), Step::Took(cursor.rest.len())),
        };
        match &mut thought.held {
            Some((_, held)) => held.push_str(&cursor.rest[..used]),
            None => self.emitter.thought(&cursor.rest[..used]),
        }
        if let (Step::Leave(_), Some((_, held))) = (step, &thought.held) {
            self.emitter.thought(held);
        }
        step
    }

    /// Ends the text, possibly with unfinished reasoning.
    fn end(mut self, at: usize) -> (Vec<Delta>, Reading) {
        if let State::Thought(thought) = &mut self.state {
            let (offset, held) = (thought.start.min(at), thought.held.take());
            let tag = self.tables.grammar.thoughts[0].0.trim_matches(['<', '>', '|']).to_owned();
            let error = ParseError::NoBlock { tag, offset };
            match held {
                Some((start, held)) if self.has_calls(&held) => {
                    self.emitter.repair(error, "a call ends the reasoning");
                    self.state = State::Text;
                    self.run(&held, 0, start, true);
                    return self.end(at);
                }
                held => {
                    self.emitter.thought(&held.map(|(_, held)| held).unwrap_or_default());
                    self.emitter.repair(error, "the text ends without an answer");
                }
            }
        }
        self.emitter.finish()
    }

    /// Returns whether a text that begins with a tag has a call in it.
    fn has_calls(&self, text: &str) -> bool {
        let mut machine = Self::new(Arc::clone(&self.tables), Emitter::default());
        machine.state = State::Text;
        // What follows may open the reasoning again, but not end in a search like this one.
        machine.run(text, 0, 0, true);
        machine.emitter.has_calls()
    }
}

impl CallStream for Machine {
    fn feed(&mut self, piece: &str) -> Vec<Delta> {
        let mut text = std::mem::take(&mut self.text);
        if text.is_empty() {
            // Nothing was kept, so the piece is read where it is.
            let kept = self.run_on(piece);
            text.push_str(&piece[kept..]);
        } else {
            text.push_str(piece);
            let kept = self.run_on(&text);
            text.drain(..kept);
        }
        self.text = text;
        self.emitter.take_deltas()
    }

    fn finish(mut self: Box<Self>) -> (Vec<Delta>, Reading) {
        let text = std::mem::take(&mut self.text);
        let used = self.run(&text, self.used, self.start, true);
        let end = self.start + used;
        self.end(end)
    }
}
