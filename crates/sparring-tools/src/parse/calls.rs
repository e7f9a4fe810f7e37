use super::emit::Emitter;
use super::normalize::{
    ARGUMENT_KEYS, ARGUMENTS_TWICE, NAME_KEYS, NAME_TWICE, arguments, call_of_entries, key_twice, kind,
};
use crate::json::{Atom, Container, JsonText, Oddity, Sink, Tee};
use crate::{ParseError, ToolCall};
use serde_json::Value;

/// Builds calls from a JSON value, an object or a list of objects, while it is read.
///
/// The complete object decides what the call is. What is known before its end is emitted at once: the name, and after
/// it the arguments. An object whose end contradicts what was emitted is broken.
#[derive(Debug, Default)]
pub(super) struct CallBuilder {
    /// Byte at which the value starts.
    start: usize,
    /// Containers around a call: 1 inside a list, else 0. Known from the first character of the value.
    outer: Option<usize>,
    /// Open containers.
    depth: usize,
    /// Index of the call in its value.
    element: usize,
    /// The complete parts of the call. There are few, so no map is built.
    entries: Vec<(String, Value)>,
    /// The key of the current part; its value follows.
    key: String,
    value: Tee,
    passed_on: PassedOn,
    /// Whether the value has no tag before it: then only an object with arguments is a call.
    bare: bool,
    /// Whether a call is an object whose one key is the name.
    keyed: bool,
    /// Problems with objects that may not be calls at all.
    doubts: Vec<Oddity>,
}

/// Largest number of parts of one call; more are not a call, and looking up each would take too long.
const MAX_PARTS: usize = 256;

/// What was emitted of the current call.
#[derive(Debug, Default)]
struct PassedOn {
    /// The name; empty before it is known.
    name: String,
    /// Whether the name was emitted.
    started: bool,
    arguments: Arguments,
    /// Whether there was a key for the arguments.
    named_arguments: bool,
    /// What was given twice.
    twice: Option<&'static str>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Arguments {
    #[default]
    None,
    Open,
    Complete,
}

impl CallBuilder {
    /// Starts a value at byte `start`; `bare` if no tag is before it.
    pub(super) fn reset(&mut self, start: usize, bare: bool) {
        (self.start, self.outer, self.depth, self.element, self.bare) = (start, None, 0, 0, bare);
        self.doubts.clear();
        self.value.built.reset();
        self.begin_call();
    }

    pub(super) fn set_keyed(&mut self, keyed: bool) {
        self.keyed = keyed;
    }

    /// Connects the builder to the emitter.
    pub(super) fn sink<'a>(&'a mut self, emitter: &'a mut Emitter) -> CallSink<'a> {
        CallSink { calls: self, emitter }
    }

    /// Emits what is certain.
    pub(super) fn flush(&mut self, emitter: &mut Emitter) {
        emitter.arguments(self.value.take_text());
    }

    /// Returns whether the call lacks only its closing brackets.
    pub(super) fn call_is_complete(&self) -> bool {
        self.outer.is_some_and(|outer| self.depth <= outer || self.passed_on.arguments == Arguments::Complete)
    }

    fn begin_call(&mut self) {
        self.entries.clear();
        self.value.text = None;
        let mut name = std::mem::take(&mut self.passed_on.name);
        name.clear();
        self.passed_on = PassedOn { name, ..PassedOn::default() };
    }

    /// Takes the problems with the objects of a bare value.
    pub(super) fn take_doubts(&mut self) -> Vec<Oddity> {
        std::mem::take(&mut self.doubts)
    }

    /// Records a repair, which counts if the value turns out to be calls.
    pub(super) fn repair(&mut self, (error, action): Oddity, emitter: &mut Emitter) {
        if self.bare {
            self.doubts.push((error, action));
        } else {
            emitter.repair(error, action);
        }
    }

    /// Returns whether the next token is directly inside a call.
    fn in_call(&self) -> bool {
        self.outer.is_some_and(|outer| self.depth == outer + 1)
    }

    /// Returns whether the next token is a call, or is in the place of one.
    fn at_call(&self) -> bool {
        self.outer == Some(self.depth)
    }

    /// Ends a call of the form `{"f": {...}}`.
    fn end_keyed(&mut self, emitter: &mut Emitter) {
        let complaint = match (self.entries.pop(), self.entries.pop()) {
            (Some((name, value)), None) if !name.is_empty() => match arguments(value) {
                Ok(arguments) => {
                    emitter.call(ToolCall { name, arguments, ..ToolCall::default() });
                    None
                }
                Err(what) => Some(what),
            },
            _ => Some("a call must be an object with one key, the name".to_owned()),
        };
        self.end_element(complaint, emitter);
    }

    fn end_call(&mut self, emitter: &mut Emitter) {
        if self.keyed {
            return self.end_keyed(emitter);
        }
        let PassedOn { name, started, arguments, named_arguments, twice } = &self.passed_on;
        let wrapper = self.entries.iter().any(|(key, value)| key == "function" && value.is_object());
        let complaint = match call_of_entries(&mut self.entries) {
            Ok(_) if self.bare && !named_arguments && !wrapper => {
                Some("an object without arguments".to_owned())
            }
            Ok(_) if twice.is_some() => twice.map(str::to_owned),
            Ok(call) if !started => {
                emitter.call(call);
                None
            }
            Ok(call) if *name != call.name => Some(NAME_TWICE.to_owned()),
            Ok(call) => {
                if *arguments == Arguments::None {
                    emitter.arguments_of(&call);
                }
                emitter.end(call);
                None
            }
            Err(what) => Some(what),
        };
        self.end_element(complaint, emitter);
    }

    fn end_element(&mut self, complaint: Option<String>, emitter: &mut Emitter) {
        if let Some(what) = complaint {
            let place =
                if self.outer == Some(1) { format!("call {}: ", self.element) } else { String::new() };
            let error = ParseError::shape(self.start, format!("{place}{what}"));
            if self.bare && !self.passed_on.started {
                self.doubts.push((error, "left out"));
            } else {
                emitter.abandon(error);
            }
        }
        self.element += 1;
        self.begin_call();
    }
}

/// A [`CallBuilder`] connected to an emitter.
pub(super) struct CallSink<'a> {
    calls: &'a mut CallBuilder,
    emitter: &'a mut Emitter,
}

impl CallSink<'_> {
    /// Starts a part of a call; arguments are emitted if the name was.
    fn begin_part(&mut self, container: Option<Container>) {
        let calls = &mut *self.calls;
        if calls.keyed || !calls.in_call() || !ARGUMENT_KEYS.contains(&calls.key.as_str()) {
            return;
        }
        let passed_on = &mut calls.passed_on;
        if std::mem::replace(&mut passed_on.named_arguments, true) {
            passed_on.twice = Some(ARGUMENTS_TWICE);
        } else if container == Some(Container::Object) && !passed_on.name.is_empty() {
            if !std::mem::replace(&mut passed_on.started, true) {
                self.emitter.start(&passed_on.name);
            }
            passed_on.arguments = Arguments::Open;
            calls.value.text = self.emitter.is_streaming().then(JsonText::default);
        }
    }

    /// Ends a value: a part of a call, or something in the place of a call.
    fn end_part(&mut self) {
        let calls = &mut *self.calls;
        if calls.in_call() {
            if calls.passed_on.arguments == Arguments::Open {
                calls.passed_on.arguments = Arguments::Complete;
                calls.flush(self.emitter);
                calls.value.text = None;
            }
            let mut again = calls.value.built.take_twice();
            let Some(value) = calls.value.built.take() else { return };
            let key = std::mem::take(&mut calls.key);
            match calls.entries.iter().position(|(known, _)| *known == key) {
                Some(i) if calls.keyed => (calls.entries[i].1, again) = (value, true),
                Some(_) if NAME_KEYS.contains(&key.as_str()) => calls.passed_on.twice = Some(NAME_TWICE),
                // This was noticed when they began.
                Some(_) if ARGUMENT_KEYS.contains(&key.as_str()) => {}
                Some(i) => (calls.entries[i].1, again) = (value, true),
                None if calls.entries.len() == MAX_PARTS => {
                    calls.passed_on.twice = Some("a call has too many parts");
                }
                None => calls.entries.push((key, value)),
            }
            if again {
                calls.repair(key_twice(calls.start), self.emitter);
            }
        } else if calls.at_call() {
            let Some(value) = calls.value.built.take() else { return };
            let what = format!("a call must be an object, found {}", kind(&value));
            calls.end_element(Some(what), self.emitter);
        }
    }
}

impl Sink for CallSink<'_> {
    fn begin(&mut self, container: Container) {
        let outer = *self.calls.outer.get_or_insert(usize::from(container != Container::Object));
        let depth = self.calls.depth;
        // Neither the list of calls nor a call is built, only its parts.
        let part = depth > outer || (depth == outer && container != Container::Object);
        if part {
            self.begin_part(Some(container));
            self.calls.value.begin(container);
        }
        self.calls.depth += 1;
    }

    fn comma_in_paren(&mut self) {
        self.calls.value.comma_in_paren();
    }

    fn end(&mut self, container: Container, tuple: bool) {
        self.calls.depth -= 1;
        if self.calls.value.built.depth() > 0 {
            self.calls.value.end(container, tuple);
            if self.calls.value.built.depth() == 0 {
                self.end_part();
            }
        } else if self.calls.at_call() {
            self.calls.end_call(self.emitter);
        }
    }

    fn text(&mut self, piece: &str) {
        self.calls.value.text(piece);
    }

    fn end_text(&mut self, key: bool) {
        self.calls.outer.get_or_insert(0);
        if key && self.calls.in_call() {
            self.calls.key = self.calls.value.built.take_text();
            return;
        }
        if !key {
            self.begin_part(None);
            let calls = &mut *self.calls;
            if calls.in_call() && !calls.keyed && calls.key == "name" && calls.passed_on.name.is_empty() {
                let name = calls.value.built.pending_text().trim();
                if !name.is_empty() {
                    calls.passed_on.name.push_str(name);
                    if !calls.bare {
                        self.emitter.start(name);
                        calls.passed_on.started = true;
                    }
                }
            }
        }
        self.calls.value.end_text(key);
        if !key && self.calls.value.built.depth() == 0 {
            self.end_part();
        }
    }

    fn atom(&mut self, atom: Atom<'_>) {
        self.calls.outer.get_or_insert(0);
        self.begin_part(None);
        self.calls.value.atom(atom);
        if self.calls.value.built.depth() == 0 {
            self.end_part();
        }
    }
}
