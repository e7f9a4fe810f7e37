use super::cursor::{Ahead, Cursor, Found, Tags};

/// The head of a message in Harmony, gpt-oss's format: `<|channel|>commentary to=functions.f <|constrain|>json`, up to
/// `<|message|>`. The recipient may also stand before the channel.
#[derive(Debug)]
pub(super) struct Message {
    ends: Tags,
    head: String,
    complete: bool,
}

/// Ends of a message; in a head, they show that there was no message.
const ENDS: [&str; 3] = ["<|end|>", "<|call|>", "<|return|>"];

impl Message {
    /// Starts a head that ends with this tag.
    pub(super) fn new(end: &'static str) -> Self {
        Self { ends: Tags::new([end].into_iter().chain(ENDS), &[]), head: String::new(), complete: false }
    }

    /// Reads more of the head, and returns how many bytes it used; `None` if it needs more text.
    pub(super) fn feed(&mut self, cursor: Cursor<'_>) -> Option<usize> {
        let used = match self.ends.find(cursor.rest, 0, cursor.end) {
            Found::Tag(at, tag) => {
                self.head.push_str(&cursor.rest[..at]);
                self.complete = true;
                return Some(at + self.ends.names[tag].len());
            }
            Found::Perhaps(0) => return None,
            Found::Perhaps(at) => at,
            _ if cursor.rest.is_empty() && !cursor.end => return None,
            _ => cursor.rest.len(),
        };
        self.head.push_str(&cursor.rest[..used]);
        Some(used)
    }

    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Returns the tool that the message calls.
    pub(super) fn tool(&self) -> Option<&str> {
        let (_, to) = self.head.split_once("to=")?;
        let name = to.split(|c: char| c.is_whitespace() || c == '<').next()?;
        let name = name.strip_prefix("functions.").unwrap_or(name);
        (!name.is_empty()).then_some(name)
    }

    /// Returns whether it is reasoning, which is on a channel of its own.
    pub(super) fn is_reasoning(&self) -> bool {
        let channel = self.head.rsplit("<|channel|>").next().unwrap_or(&self.head);
        channel.trim_start().starts_with("analysis")
    }
}

/// Returns whether a text begins with a message's recipient: the prompt may end before it.
pub(super) fn at_recipient(text: &str, end: bool) -> Ahead<()> {
    const START: &str = "to=";
    match text.starts_with(START) {
        true => Ahead::Yes(()),
        false if !end && START.starts_with(text) => Ahead::Perhaps,
        false => Ahead::No,
    }
}
