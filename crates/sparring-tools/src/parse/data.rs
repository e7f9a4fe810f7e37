use super::cursor::{Cursor, Step};
use super::emit::Emitter;
use crate::json::{Atom, Container, Notation, Scanner, Sink, Status};

/// Reads JSON that is not a call, so that nothing inside it is mistaken for one. It is kept as text. A list under the
/// key `tool_calls`, as in xLAM's models and OpenAI's API, contains calls.
#[derive(Debug)]
pub(super) struct Data {
    scanner: Scanner,
    watch: Watch,
    /// The text so far.
    raw: String,
}

/// The result of one step.
pub(super) enum DataStep {
    Step(Step),
    /// This many bytes were used, and a list of calls begins; the string is the text before it.
    Calls(usize, String),
}

impl Default for Data {
    fn default() -> Self {
        Self { scanner: Scanner::new(Notation::Json), watch: Watch::default(), raw: String::new() }
    }
}

impl Data {
    #[inline(never)]
    pub(super) fn step(&mut self, cursor: Cursor<'_>, emitter: &mut Emitter) -> DataStep {
        let (used, status) = self.scanner.feed(cursor.rest, cursor.at, &mut self.watch);
        if self.watch.found {
            // The bracket belongs to the list.
            self.raw.push_str(&cursor.rest[..used - 1]);
            return DataStep::Calls(used - 1, std::mem::take(&mut self.raw));
        }
        // The content of strings does not matter.
        let odd = self.scanner.take_odd().is_some();
        self.raw.push_str(&cursor.rest[..used]);
        DataStep::Step(match status {
            Status::More if odd || !cursor.end => {
                if used == 0 {
                    Step::Wait
                } else {
                    Step::Took(used)
                }
            }
            _ => {
                emitter.text(&self.raw);
                Step::Leave(used)
            }
        })
    }
}

/// Finds a list under the key `tool_calls` of the outermost object.
#[derive(Debug, Default)]
struct Watch {
    depth: usize,
    key: String,
    found: bool,
}

const KEY: &str = "tool_calls";

impl Sink for Watch {
    fn begin(&mut self, container: Container) {
        self.found = self.depth == 1 && container == Container::List && self.key == KEY;
        self.depth += 1;
    }

    fn comma_in_paren(&mut self) {}

    fn end(&mut self, _: Container, _: bool) {
        self.depth -= 1;
        self.key.clear();
    }

    fn text(&mut self, piece: &str) {
        if self.depth == 1 && self.key.len() <= KEY.len() {
            self.key.push_str(piece);
        }
    }

    fn end_text(&mut self, key: bool) {
        if !key {
            self.key.clear();
        }
    }

    fn atom(&mut self, _: Atom<'_>) {
        self.key.clear();
    }

    fn stop(&self) -> bool {
        self.found
    }
}
