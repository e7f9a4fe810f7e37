use super::stream::{BrokenCall, Delta, Reading, Repair};
use crate::json::{JsonText, Tee};
use crate::{ParseError, ToolCall};
use serde_json::Value;

/// Collects what is read: the reading, and the deltas if they are needed.
#[derive(Debug, Default)]
pub(super) struct Emitter {
    reading: Reading,
    deltas: Option<Vec<Delta>>,
    /// White space that counts only if text follows.
    space: String,
    /// Index of the next call.
    next: usize,
    /// Whether the last call is still open.
    open: bool,
    /// Name of the last call.
    name: String,
}

impl Emitter {
    pub(super) fn streaming() -> Self {
        Self { deltas: Some(Vec::new()), ..Self::default() }
    }

    pub(super) fn is_streaming(&self) -> bool {
        self.deltas.is_some()
    }

    /// For arguments that are emitted while they are read.
    pub(super) fn tee(&self) -> Tee {
        Tee { text: self.is_streaming().then(JsonText::default), ..Tee::default() }
    }

    pub(super) fn take_deltas(&mut self) -> Vec<Delta> {
        self.deltas.as_mut().map(std::mem::take).unwrap_or_default()
    }

    pub(super) fn finish(self) -> (Vec<Delta>, Reading) {
        (self.deltas.unwrap_or_default(), self.reading)
    }

    /// Returns the number of calls that have begun.
    pub(super) fn calls(&self) -> usize {
        self.next
    }

    /// Returns whether there is a complete call.
    pub(super) fn has_calls(&self) -> bool {
        !self.reading.calls.is_empty()
    }

    /// Returns whether there is no text for the user so far.
    pub(super) fn is_blank(&self) -> bool {
        self.reading.content.is_empty()
    }

    pub(super) fn text(&mut self, piece: &str) {
        let body = piece.trim_end();
        if !body.is_empty() {
            let mut text = std::mem::take(&mut self.space);
            // Leading white space before the first text is dropped.
            if self.reading.content.is_empty() {
                text.clear();
                text.push_str(body.trim_start());
            } else {
                text.push_str(body);
            }
            self.reading.content.push_str(&text);
            if let Some(deltas) = &mut self.deltas {
                match deltas.last_mut() {
                    Some(Delta::Text(last)) => last.push_str(&text),
                    _ => deltas.push(Delta::Text(text)),
                }
            }
        }
        self.space.push_str(&piece[body.len()..]);
    }

    pub(super) fn thought(&mut self, piece: &str) {
        self.reading.thought.push_str(piece);
        match &mut self.deltas {
            Some(deltas) if !piece.is_empty() => match deltas.last_mut() {
                Some(Delta::Thought(last)) => last.push_str(piece),
                _ => deltas.push(Delta::Thought(piece.to_owned())),
            },
            _ => {}
        }
    }

    /// Begins a call.
    pub(super) fn start(&mut self, name: &str) {
        self.space.clear();
        self.open = true;
        name.clone_into(&mut self.name);
        let index = self.next;
        self.next += 1;
        if let Some(deltas) = &mut self.deltas {
            deltas.push(Delta::Start { index, name: name.to_owned() });
        }
    }

    /// Emits more of the open call's arguments.
    pub(super) fn arguments(&mut self, fragment: String) {
        if let Some(deltas) = self.deltas.as_mut().filter(|_| self.open && !fragment.is_empty()) {
            let index = self.next - 1;
            match deltas.last_mut() {
                Some(Delta::Arguments { index: last, fragment: text }) if *last == index => {
                    text.push_str(&fragment);
                }
                _ => deltas.push(Delta::Arguments { index, fragment }),
            }
        }
    }

    /// Ends the open call.
    pub(super) fn end(&mut self, call: ToolCall) {
        if self.is_streaming() {
            self.close(Ok(call.clone()));
        }
        self.open = false;
        self.reading.calls.push(call);
    }

    /// Emits a whole call.
    pub(super) fn call(&mut self, call: ToolCall) {
        self.start(&call.name);
        self.arguments_of(&call);
        self.end(call);
    }

    /// Emits all arguments of the open call.
    pub(super) fn arguments_of(&mut self, call: &ToolCall) {
        if self.is_streaming() {
            self.arguments(Value::from(call.arguments.clone()).to_string());
        }
    }

    /// Records a loss, and ends the open call, if any, as broken.
    pub(super) fn abandon(&mut self, error: ParseError) {
        let place = self.reading.calls.len() + self.reading.broken.len();
        let name = self.open.then(|| self.name.clone());
        self.reading.broken.push(BrokenCall { place, name, error: error.clone() });
        if std::mem::take(&mut self.open) {
            self.close(Err(error.clone()));
        }
        self.repair(error, "left out");
    }

    fn close(&mut self, call: Result<ToolCall, ParseError>) {
        if let Some(deltas) = &mut self.deltas {
            deltas.push(Delta::End { index: self.next - 1, call });
        }
    }

    pub(super) fn repair(&mut self, error: ParseError, action: &'static str) {
        self.reading.repairs.push(Repair { error, action });
    }
}
