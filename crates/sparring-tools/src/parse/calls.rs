use super::emit::Emitter;
use super::normalize::{ARGUMENT_KEYS, call_of};
use crate::ParseError;
use crate::json::{Atom, Container, JsonText, Sink, Tee};
use serde_json::Value;

/// Makes calls of a JSON value, an object or a list of objects, while it is being read.
///
/// The whole of an object decides what the call is. What can be told before its end is passed on at once: the
/// name, and after it the arguments. An object that then says something else is broken.
#[derive(Debug)]
pub(super) struct CallBuilder {
    /// Byte at which the value starts.
    start: usize,
    value: Tee,
    /// Containers around a call: 1 inside a list, else 0. Known from the value's first character on.
    outer: Option<usize>,
    /// Number of the call in its value.
    element: usize,
    call: Progress,
}

/// What was passed on of the call that is being read.
#[derive(Debug, Default)]
struct Progress {
    name: Option<String>,
    arguments: Arguments,
    /// The arguments came a second time, after the first were passed on.
    twice: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Arguments {
    #[default]
    None,
    Open,
    Complete,
}

impl CallBuilder {
    /// For a value that starts at byte `start`.
    pub(super) fn new(start: usize) -> Self {
        Self { start, value: Tee::default(), outer: None, element: 0, call: Progress::default() }
    }

    /// What was read, to the ones who make use of it.
    pub(super) fn sink<'a>(&'a mut self, emitter: &'a mut Emitter) -> CallSink<'a> {
        CallSink { calls: self, emitter }
    }

    /// Passes on what is certain.
    pub(super) fn flush(&mut self, emitter: &mut Emitter) {
        emitter.arguments(self.value.take_text());
    }

    /// Whether all of the call is there but its last brackets.
    pub(super) fn call_is_complete(&self) -> bool {
        self.outer.is_some_and(|outer| {
            self.value.built.depth() <= outer || self.call.arguments == Arguments::Complete
        })
    }

    fn end_element(&mut self, value: Value, emitter: &mut Emitter) {
        let progress = std::mem::take(&mut self.call);
        let complaint = match call_of(value) {
            Ok(call) => match &progress.name {
                Some(name) if *name != call.name => Some("the name of a call is given twice".to_owned()),
                _ if progress.twice => Some("the arguments of a call are given twice".to_owned()),
                Some(_) => {
                    if progress.arguments == Arguments::None {
                        emitter.arguments_of(&call);
                    }
                    emitter.end(call);
                    None
                }
                None => {
                    emitter.call(call);
                    None
                }
            },
            Err(what) => Some(what),
        };
        if let Some(what) = complaint {
            let place =
                if self.outer == Some(1) { format!("call {}: ", self.element) } else { String::new() };
            emitter.abandon(ParseError::shape(self.start, format!("{place}{what}")));
        }
        self.element += 1;
    }
}

/// A [`CallBuilder`] at work.
pub(super) struct CallSink<'a> {
    calls: &'a mut CallBuilder,
    emitter: &'a mut Emitter,
}

impl CallSink<'_> {
    /// The key whose value comes next, directly inside a call.
    fn key(&self) -> Option<&str> {
        let calls = &*self.calls;
        (Some(calls.value.built.depth()) == calls.outer.map(|outer| outer + 1))
            .then(|| calls.value.built.key())?
    }

    /// A value directly inside a call begins; whether its text is to be passed on.
    fn begin_part(&mut self, container: Option<Container>) {
        if !self.key().is_some_and(|key| ARGUMENT_KEYS.contains(&key)) {
            return;
        }
        let call = &mut self.calls.call;
        match call.arguments {
            Arguments::None if container == Some(Container::Object) && call.name.is_some() => {
                call.arguments = Arguments::Open;
                self.calls.value.text = self.emitter.is_streaming().then(JsonText::default);
            }
            Arguments::None => {}
            _ => call.twice = true,
        }
    }

    /// A value was completed.
    fn end_part(&mut self) {
        let depth = self.calls.value.built.depth();
        let Some(outer) = self.calls.outer else { return };
        if depth == outer + 1 {
            if self.calls.call.arguments == Arguments::Open {
                self.calls.call.arguments = Arguments::Complete;
                self.calls.flush(self.emitter);
                self.calls.value.text = None;
            }
        } else if depth == outer {
            let built = &mut self.calls.value.built;
            let value = if outer == 1 { built.take_item() } else { built.take() };
            if let Some(value) = value {
                self.calls.end_element(value, self.emitter);
            }
        }
    }
}

impl Sink for CallSink<'_> {
    fn begin(&mut self, container: Container) {
        let outer = usize::from(container != Container::Object);
        self.calls.outer.get_or_insert(outer);
        self.begin_part(Some(container));
        self.calls.value.begin(container);
    }

    fn comma_in_paren(&mut self) {
        self.calls.value.comma_in_paren();
    }

    fn end(&mut self, container: Container, tuple: bool) {
        self.calls.value.end(container, tuple);
        // Closing the list around the calls leaves an empty list behind.
        if self.calls.outer == Some(1) && self.calls.value.built.depth() == 0 {
            self.calls.value.built.take();
        } else {
            self.end_part();
        }
    }

    fn text(&mut self, piece: &str) {
        self.calls.value.text(piece);
    }

    fn end_text(&mut self, key: bool) {
        if !key {
            self.calls.outer.get_or_insert(0);
            self.begin_part(None);
            if self.calls.call.name.is_none() && self.key() == Some("name") {
                let name = self.calls.value.built.pending_text().trim();
                if !name.is_empty() {
                    self.emitter.start(name);
                    self.calls.call.name = Some(name.to_owned());
                }
            }
        }
        self.calls.value.end_text(key);
        if !key {
            self.end_part();
        }
    }

    fn atom(&mut self, atom: Atom<'_>) {
        self.calls.outer.get_or_insert(0);
        self.begin_part(None);
        self.calls.value.atom(atom);
        self.end_part();
    }
}
