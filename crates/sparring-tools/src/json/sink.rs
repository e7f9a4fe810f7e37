use super::scan::{Atom, Container, Sink};
use serde_json::{Map, Number, Value};
use std::fmt::Write;

/// Builds a value.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    stack: Vec<Frame>,
    text: String,
    done: Option<Value>,
    /// Whether an object has a duplicate key.
    twice: bool,
}

#[derive(Debug)]
enum Frame {
    Object(Map<String, Value>, String),
    List(Vec<Value>),
}

impl Builder {
    /// Takes the value, once it is complete.
    pub(crate) fn take(&mut self) -> Option<Value> {
        self.done.take()
    }

    /// Returns whether an object built since the last call had a duplicate key. The last value wins.
    pub(crate) fn take_twice(&mut self) -> bool {
        std::mem::take(&mut self.twice)
    }

    /// Returns the number of open containers.
    pub(crate) fn depth(&self) -> usize {
        self.stack.len()
    }

    /// Starts another value.
    pub(crate) fn reset(&mut self) {
        self.stack.clear();
        self.text.clear();
        (self.done, self.twice) = (None, false);
    }

    /// Takes the string that is complete and not part of the value.
    pub(crate) fn take_text(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    /// Returns the part of the current string that was read so far.
    pub(crate) fn pending_text(&self) -> &str {
        &self.text
    }

    fn push(&mut self, value: Value) {
        match self.stack.last_mut() {
            Some(Frame::Object(map, key)) => {
                self.twice |= map.insert(std::mem::take(key), value).is_some();
            }
            Some(Frame::List(items)) => items.push(value),
            None => self.done = Some(value),
        }
    }
}

impl Sink for Builder {
    fn begin(&mut self, container: Container) {
        self.stack.push(match container {
            Container::Object => Frame::Object(Map::new(), String::new()),
            Container::List | Container::Paren => Frame::List(Vec::new()),
        });
    }

    fn comma_in_paren(&mut self) {}

    fn end(&mut self, container: Container, tuple: bool) {
        let value = match self.stack.pop() {
            Some(Frame::Object(map, _)) => Value::Object(map),
            Some(Frame::List(mut items)) if container == Container::Paren && !tuple => {
                items.pop().unwrap_or_default()
            }
            Some(Frame::List(items)) => Value::Array(items),
            None => return,
        };
        self.push(value);
    }

    fn text(&mut self, piece: &str) {
        // Most strings are one piece, which is copied without room for more.
        if self.text.capacity() == 0 {
            self.text = String::from(piece);
        } else {
            self.text.push_str(piece);
        }
    }

    fn end_text(&mut self, key: bool) {
        let text = std::mem::take(&mut self.text);
        match self.stack.last_mut() {
            Some(Frame::Object(_, current)) if key => *current = text,
            _ => self.push(Value::String(text)),
        }
    }

    fn atom(&mut self, atom: Atom<'_>) {
        self.push(match atom {
            Atom::Null => Value::Null,
            Atom::Bool(b) => Value::Bool(b),
            Atom::Number(text) => number(text).map_or(Value::Null, Value::Number),
        });
    }
}

/// Converts like serde_json: integers of 64 bits exactly, other numbers to floats.
fn number(text: &str) -> Option<Number> {
    if text.len() < 19 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-') && text != "-0" {
        return text.parse::<i64>().ok().map(Number::from);
    }
    serde_json::from_str(text).ok()
}

/// Room for what one piece of a text adds, so that it is allocated once.
const ROOM: usize = 32;

/// Writes the value as JSON while it is read.
#[derive(Debug, Default)]
pub(crate) struct JsonText {
    out: String,
    /// Open containers: whether they have elements and, for a `(` that may turn out to be no tuple, where its
    /// bracket would be.
    stack: Vec<(bool, Option<usize>)>,
    in_text: bool,
    after_key: bool,
}

impl JsonText {
    /// Takes the final part of what was written since the last call.
    pub(crate) fn take(&mut self) -> String {
        let Some(first) = self.stack.iter().find_map(|(_, slot)| *slot) else {
            let room = if self.out.is_empty() { 0 } else { ROOM };
            return std::mem::replace(&mut self.out, String::with_capacity(room));
        };
        for slot in self.stack.iter_mut().filter_map(|(_, slot)| slot.as_mut()) {
            *slot -= first;
        }
        self.out.drain(..first).collect()
    }

    fn before_item(&mut self) {
        if std::mem::take(&mut self.after_key) {
            return;
        }
        if let Some((filled, _)) = self.stack.last_mut()
            && std::mem::replace(filled, true)
        {
            self.out.push(',');
        }
    }
}

impl Sink for JsonText {
    fn begin(&mut self, container: Container) {
        self.before_item();
        let slot = (container == Container::Paren).then_some(self.out.len());
        self.out.push(match container {
            Container::Object => '{',
            Container::List => '[',
            // If these are plain parentheses, the white space is harmless in JSON.
            Container::Paren => ' ',
        });
        self.stack.push((false, slot));
    }

    fn comma_in_paren(&mut self) {
        if let Some(slot) = self.stack.last_mut().and_then(|(_, slot)| slot.take()) {
            self.out.replace_range(slot..=slot, "[");
        }
    }

    fn end(&mut self, container: Container, tuple: bool) {
        if tuple {
            self.comma_in_paren();
        }
        self.stack.pop();
        match container {
            Container::Object => self.out.push('}'),
            Container::Paren if !tuple => {}
            _ => self.out.push(']'),
        }
    }

    fn text(&mut self, piece: &str) {
        if !self.in_text {
            self.before_item();
            self.out.push('"');
            self.in_text = true;
        }
        escape_into(piece, &mut self.out);
    }

    fn end_text(&mut self, key: bool) {
        self.text("");
        self.in_text = false;
        self.out.push('"');
        if key {
            self.out.push(':');
            self.after_key = true;
        }
    }

    fn atom(&mut self, atom: Atom<'_>) {
        self.before_item();
        match atom {
            Atom::Null => self.out.push_str("null"),
            Atom::Bool(true) => self.out.push_str("true"),
            Atom::Bool(false) => self.out.push_str("false"),
            Atom::Number(text) => self.out.push_str(text),
        }
    }
}

/// Builds the value, and also its text if that is needed.
#[derive(Debug, Default)]
pub(crate) struct Tee {
    pub(crate) built: Builder,
    pub(crate) text: Option<JsonText>,
}

impl Tee {
    /// [`JsonText::take`]
    pub(crate) fn take_text(&mut self) -> String {
        self.text.as_mut().map(JsonText::take).unwrap_or_default()
    }
}

macro_rules! to_both {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {
        impl Sink for Tee {
            $(fn $name(&mut self, $($argument: $kind),*) {
                self.built.$name($($argument),*);
                if let Some(text) = &mut self.text {
                    text.$name($($argument),*);
                }
            })*
        }
    };
}

to_both! {
    begin(container: Container);
    comma_in_paren();
    end(container: Container, tuple: bool);
    text(piece: &str);
    end_text(key: bool);
    atom(atom: Atom<'_>);
}

/// Appends the inside of a JSON string.
fn escape_into(text: &str, out: &mut String) {
    let mut from = 0;
    while let Some(at) = next_escape(&text.as_bytes()[from..]).map(|at| from + at) {
        out.push_str(&text[from..at]);
        from = at + 1;
        match text.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            byte => {
                let _ = write!(out, "\\u{byte:04x}");
            }
        }
    }
    out.push_str(&text[from..]);
}

/// Returns the first byte that JSON escapes in a string.
fn next_escape(text: &[u8]) -> Option<usize> {
    let escaped = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    // A block is compared at once, as long as nothing ends the search inside it.
    let plain = |block: &&[u8; 16]| !block.iter().fold(false, |found, byte| found | escaped(byte));
    let clear = text.as_chunks().0.iter().take_while(plain).count() * 16;
    text[clear..].iter().position(escaped).map(|at| clear + at)
}
