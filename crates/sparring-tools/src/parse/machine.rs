use super::bare::{MAX_SPACE, fence, json_head};
use super::cursor::{Ahead, Cursor, Found, Step, Stops, Tags};
use super::data::{Data, DataStep};
use super::emit::Emitter;
use super::grammar::{Body, Grammar};
use super::json_body::JsonBody;
use super::python_body::{PythonBody, list_head};
use super::stream::{CallStream, Delta, Reading};
use super::xml_body::XmlBody;
use crate::{ParseError, ToolSpec};
use std::sync::Arc;

/// A grammar with tables derived from it.
#[derive(Debug)]
pub(super) struct GrammarTables {
    grammar: &'static Grammar,
    tools: Vec<ToolSpec>,
    /// All tags to search for.
    tags: Tags,
    /// The ends of calls after each opening tag.
    stops: Vec<Arc<Stops>>,
    /// The ends of calls without a tag.
    bare: Arc<Stops>,
    /// The end of the reasoning.
    thought_end: Tags,
    /// Whether texts start inside the reasoning.
    in_thought: bool,
}

impl GrammarTables {
    pub(super) fn new(grammar: &'static Grammar, tools: Vec<ToolSpec>) -> Self {
        let openers: Vec<_> = grammar.openers.iter().map(|(tag, _)| *tag).collect();
        let bytes: &[u8] = match grammar.bare {
            Some(Body::Python(_)) => b"[`",
            Some(_) => b"[{`",
            None => b"",
        };
        let thoughts = grammar.thoughts.iter().flat_map(|(open, close)| [*open, *close]);
        let tags = Tags::new(openers.iter().chain(grammar.frame).copied().chain(thoughts), bytes);
        let others: Vec<_> = openers.iter().chain(grammar.frame).copied().collect();
        let stops = |body: &Body| Arc::new(Stops::new(body.closers(), &others));
        let bare = grammar.bare.as_ref().map_or_else(|| Arc::new(Stops::new(&[], &[])), stops);
        Self {
            grammar,
            tools,
            tags,
            stops: grammar.openers.iter().map(|(_, body)| stops(body)).collect(),
            bare,
            thought_end: Tags::new(grammar.thoughts.iter().map(|(_, close)| *close), &[]),
            in_thought: false,
        }
    }

    /// Returns the tag that ends the reasoning in which texts start.
    pub(super) fn thought_end(&self) -> Option<&'static str> {
        self.in_thought.then(|| self.grammar.thoughts[0].1)
    }

    /// For texts that start inside the reasoning because the prompt opened it.
    pub(super) fn in_thought(self) -> Self {
        Self { in_thought: true, ..self }
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
    /// Text that was received and not yet used.
    text: String,
    /// Position of `text` in the whole text.
    start: usize,
}

#[derive(Debug)]
enum State {
    Text,
    /// Reasoning that began at this byte.
    Thought(usize),
    /// JSON or Python, depending on the next character.
    Either(Arc<Stops>),
    Json,
    Xml(Box<XmlBody>),
    Python(Box<PythonBody>),
    /// JSON that is not a call.
    Data(Box<Data>),
}

impl Machine {
    pub(super) fn new(tables: Arc<GrammarTables>, emitter: Emitter) -> Self {
        let json = JsonBody::new(Arc::clone(&tables.bare));
        let state = if tables.in_thought { State::Thought(0) } else { State::Text };
        Self { tables, state, json, emitter, text: String::new(), start: 0 }
    }

    /// Reads a whole text.
    pub(super) fn read(mut self, text: &str) -> Reading {
        let used = self.run(text, 0, false);
        let used = used + self.run(&text[used..], used, true);
        self.end(text.len().max(used)).1
    }

    /// Steps until the text is used up or more is needed; returns how many bytes were used.
    fn run(&mut self, text: &str, start: usize, end: bool) -> usize {
        let mut used = 0;
        loop {
            let cursor = Cursor { rest: &text[used..], at: start + used, end };
            let in_text = matches!(self.state, State::Text | State::Thought(_));
            if cursor.rest.is_empty() && (!end || in_text) {
                return used;
            }
            let step = match &mut self.state {
                State::Text => self.in_text(cursor),
                State::Thought(_) => self.in_thought(cursor),
                State::Either(stops) => {
                    let stops = Arc::clone(stops);
                    self.either(cursor, stops)
                }
                State::Json => self.json.step(cursor, &mut self.emitter),
                State::Xml(body) => body.step(cursor, &self.tables.tools, &mut self.emitter),
                State::Python(body) => body.step(cursor, &mut self.emitter),
                State::Data(data) => match data.step(cursor, &mut self.emitter) {
                    DataStep::Step(step) => step,
                    DataStep::Calls(used, before) => {
                        self.begin_bare(false, "", &before);
                        Step::Took(used)
                    }
                },
            };
            match step {
                Step::Took(n) => used += n,
                Step::Leave(n) => {
                    used += n;
                    self.state = State::Text;
                }
                Step::Wait => return used,
            }
        }
    }

    fn in_text(&mut self, cursor: Cursor<'_>) -> Step {
        let (rest, end) = (cursor.rest, cursor.end);
        let mut from = 0;
        loop {
            let certain = match self.tables.tags.find(rest, from, end) {
                Found::Tag(at, tag) => {
                    self.emitter.text(&rest[..at]);
                    return Step::Took(at + self.open(tag, cursor.at + at));
                }
                Found::Byte(at) => match self.bare_head(&rest[at..], end) {
                    Ahead::Yes((python, skip)) => {
                        self.emitter.text(&rest[..at]);
                        self.begin_bare(python, &rest[at..at + skip], "");
                        return Step::Took(at + skip);
                    }
                    Ahead::No if rest.as_bytes()[at] == b'`' => {
                        from = at + 1;
                        continue;
                    }
                    // No call begins inside other JSON.
                    Ahead::No => {
                        self.emitter.text(&rest[..at]);
                        self.state = State::Data(Box::default());
                        return Step::Took(at);
                    }
                    Ahead::Perhaps => at,
                },
                Found::Perhaps(at) => at,
                Found::Nothing => rest.len(),
            };
            self.emitter.text(&rest[..certain]);
            return if certain == 0 { Step::Wait } else { Step::Took(certain) };
        }
    }

    /// Handles a tag at byte `at`; returns its length.
    fn open(&mut self, tag: usize, at: usize) -> usize {
        let name = self.tables.tags.names[tag];
        if let Some((_, body)) = self.tables.grammar.openers.get(tag) {
            let stops = Arc::clone(&self.tables.stops[tag]);
            self.begin(*body, stops);
        } else if self.tables.grammar.thoughts.iter().any(|(open, _)| *open == name) {
            if self.emitter.calls() > 0 {
                self.emitter.text(name);
            } else {
                self.state = State::Thought(at);
            }
        }
        // The last bracket of a tag is the first of the value.
        name.len() - usize::from(name.ends_with('['))
    }

    fn begin(&mut self, body: Body, stops: Arc<Stops>) {
        self.state = match body {
            Body::Json(_) => {
                self.json.begin(stops);
                State::Json
            }
            Body::Named(named) => {
                self.json.begin_named(named, stops);
                State::Json
            }
            Body::Xml(xml) => State::Xml(Box::new(XmlBody::new(xml, stops))),
            Body::Python(_) => State::Python(Box::new(PythonBody::new(stops, false))),
            Body::Either(_) => State::Either(stops),
        };
    }

    /// Starts calls without a tag, in Python's notation or in JSON, after a code fence and the JSON before them.
    fn begin_bare(&mut self, python: bool, fence: &str, before: &str) {
        let stops = Arc::clone(&self.tables.bare);
        self.state = if python {
            State::Python(Box::new(PythonBody::new(stops, !fence.is_empty())))
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
            Some(Body::Python(_) | Body::Either(_)) => list_head(&rest[fence..], end),
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
        self.begin(if json { Body::Json(stops.closers) } else { Body::Python(stops.closers) }, stops);
        Step::Took(0)
    }

    fn in_thought(&mut self, cursor: Cursor<'_>) -> Step {
        match self.tables.thought_end.find(cursor.rest, 0, cursor.end) {
            Found::Tag(at, i) => {
                self.emitter.thought(&cursor.rest[..at]);
                Step::Leave(at + self.tables.thought_end.names[i].len())
            }
            Found::Perhaps(0) => Step::Wait,
            Found::Perhaps(at) => {
                self.emitter.thought(&cursor.rest[..at]);
                Step::Took(at)
            }
            _ => {
                self.emitter.thought(cursor.rest);
                Step::Took(cursor.rest.len())
            }
        }
    }

    /// Ends the text, possibly with unfinished reasoning.
    fn end(mut self, at: usize) -> (Vec<Delta>, Reading) {
        if let State::Thought(offset) = self.state {
            let tag = self.tables.grammar.thoughts[0].0.trim_matches(['<', '>']).to_owned();
            let error = ParseError::NoBlock { tag, offset: offset.min(at) };
            self.emitter.repair(error, "the text ends without an answer");
        }
        self.emitter.finish()
    }
}

impl CallStream for Machine {
    fn feed(&mut self, piece: &str) -> Vec<Delta> {
        let mut text = std::mem::take(&mut self.text);
        text.push_str(piece);
        let used = self.run(&text, self.start, false);
        self.start += used;
        text.drain(..used);
        self.text = text;
        self.emitter.take_deltas()
    }

    fn finish(mut self: Box<Self>) -> (Vec<Delta>, Reading) {
        let text = std::mem::take(&mut self.text);
        let used = self.run(&text, self.start, true);
        let end = self.start + used;
        self.end(end)
    }
}
