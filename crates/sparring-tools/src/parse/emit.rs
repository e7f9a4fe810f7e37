use super::stream::{BrokenCall, Delta, Reading, Repair};
use crate::json::{JsonText, Tee};
use crate::{ParseError, ToolCall};
use std::sync::Arc;

/// Collects what is read: the reading, and the deltas if they are needed.
#[derive(Debug, Default)]
pub(super) struct Emitter {
    reading: Reading,
    stream: Option<Streamed>,
    /// White space that counts only if text follows.
    space: String,
    /// Index of the next call.
    next: usize,
    /// Whether the last call is still open.
    open: bool,
    /// Name of the last call.
    name: String,
}

/// What a stream collects.
#[derive(Debug, Default)]
struct Streamed {
    deltas: Vec<Delta>,
    /// The complete calls of the reading, which the deltas share.
    calls: Vec<Arc<ToolCall>>,
}

impl Emitter {
    pub(super) fn streaming() -> Self {
        Self { stream: Some(Streamed::default()), ..Self::default() }
    }

    pub(super) fn is_streaming(&self) -> bool {
        self.stream.is_some()
    }

    /// For arguments that are emitted while they are read.
    pub(super) fn tee(&self) -> Tee {
        Tee { text: self.is_streaming().then(JsonText::default), ..Tee::default() }
    }

    pub(super) fn take_deltas(&mut self) -> Vec<Delta> {
        match &mut self.stream {
            Some(Streamed { deltas, .. }) if !deltas.is_empty() => {
                std::mem::replace(deltas, Vec::with_capacity(4))
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn finish(mut self) -> (Vec<Delta>, Reading) {
        let Some(stream) = self.stream else { return (Vec::new(), self.reading) };
        // A call is copied only if a delta still holds it.
        self.reading.calls = stream.calls.into_iter().map(Arc::unwrap_or_clone).collect();
        (stream.deltas, self.reading)
    }

    /// Returns the number of calls that have begun.
    pub(super) fn calls(&self) -> usize {
        self.next
    }

    /// Returns the number of complete calls.
    fn complete(&self) -> usize {
        self.stream.as_ref().map_or(self.reading.calls.len(), |stream| stream.calls.len())
    }

    /// Returns whether there is a complete call.
    pub(super) fn has_calls(&self) -> bool {
        self.complete() > 0
    }

    /// Returns whether there is no text for the user so far.
    pub(super) fn is_blank(&self) -> bool {
        self.reading.content.is_empty()
    }

    pub(super) fn text(&mut self, piece: &str) {
        let body = piece.trim_end();
        let after = &piece[body.len()..];
        if !body.is_empty() {
            // Leading white space before the first text is dropped.
            let (space, body) =
                if self.is_blank() { ("", body.trim_start()) } else { (self.space.as_str(), body) };
            self.reading.content.push_str(space);
            self.reading.content.push_str(body);
            if let Some(Streamed { deltas, .. }) = &mut self.stream {
                match deltas.last_mut() {
                    Some(Delta::Text(last)) => last.extend([space, body]),
                    _ => deltas.push(Delta::Text([space, body].concat())),
                }
            }
            self.space.clear();
        }
        self.space.push_str(after);
    }

    pub(super) fn thought(&mut self, piece: &str) {
        self.reading.thought.push_str(piece);
        match &mut self.stream {
            Some(Streamed { deltas, .. }) if !piece.is_empty() => match deltas.last_mut() {
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
        if let Some(stream) = &mut self.stream {
            stream.deltas.push(Delta::Start { index, name: name.to_owned() });
        }
    }

    /// Emits more of the open call's arguments.
    pub(super) fn arguments(&mut self, fragment: String) {
        if let Some(Streamed { deltas, .. }) = &mut self.stream
            && self.open
            && !fragment.is_empty()
        {
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
        self.open = false;
        let Some(stream) = &mut self.stream else { return self.reading.calls.push(call) };
        let call = Arc::new(call);
        stream.deltas.push(Delta::End { index: self.next - 1, call: Ok(Arc::clone(&call)) });
        stream.calls.push(call);
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
            self.arguments(serde_json::to_string(&call.arguments).unwrap_or_default());
        }
    }

    /// Records a loss, and ends the open call, if any, as broken.
    pub(super) fn abandon(&mut self, error: ParseError) {
        let place = self.complete() + self.reading.broken.len();
        let open = std::mem::take(&mut self.open);
        let name = open.then(|| self.name.clone());
        self.reading.broken.push(BrokenCall { place, name, error: error.clone() });
        if let Some(stream) = self.stream.as_mut().filter(|_| open) {
            stream.deltas.push(Delta::End { index: self.next - 1, call: Err(error.clone()) });
        }
        self.repair(error, "left out");
    }

    pub(super) fn repair(&mut self, error: ParseError, action: &'static str) {
        self.reading.repairs.push(Repair { error, action });
    }
}
