use crate::{ParseError, ToolCall};
use std::fmt;

/// What one more piece of a model's text adds, in the manner of OpenAI's streaming API.
///
/// The fragments of one `index` make up the arguments' JSON text. Deltas are never taken back: a call that
/// turns out to be broken ends with `whole: false`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delta {
    /// Text for the user.
    Text(String),
    /// Text of the reasoning (`<think>...</think>`).
    Thought(String),
    /// A call begins.
    Start {
        /// Number of the call in this text, from 0.
        index: usize,
        /// Name of the tool, whole.
        name: String,
    },
    /// The next piece of the arguments, as JSON.
    Arguments {
        /// Number of the call.
        index: usize,
        /// The piece.
        fragment: String,
    },
    /// A call ends.
    End {
        /// Number of the call.
        index: usize,
        /// Whether it can be made. Where not, something of it was lost, and [`Reading::repairs`] says what.
        whole: bool,
    },
}

/// Something in a text that its format does not allow, and what was made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Repair {
    /// What is wrong, and where.
    pub error: ParseError,
    /// What was done about it.
    pub action: &'static str,
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error, self.action)
    }
}

/// A text, read to its end.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Reading {
    /// The calls that can be made: nothing of them was lost, and nothing of them was guessed.
    pub calls: Vec<ToolCall>,
    /// The text for the user: what is neither call nor reasoning, without white space before calls and at the ends.
    pub content: String,
    /// The reasoning.
    pub thought: String,
    /// What was wrong, in the order of the text; empty for a text that keeps to its format.
    pub repairs: Vec<Repair>,
}

impl Reading {
    /// The calls of a text that keeps to its format.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn strict(self) -> Result<Vec<ToolCall>, ParseError> {
        match self.repairs.into_iter().next() {
            Some(repair) => Err(repair.error),
            None => Ok(self.calls),
        }
    }
}

/// A text that is being read as it comes in.
///
/// # Contract
/// How the text is cut into pieces changes neither the [`Reading`] nor, joined, the deltas.
pub trait CallStream: Send + fmt::Debug {
    /// Reads one more piece.
    fn feed(&mut self, piece: &str) -> Vec<Delta>;

    /// The text is complete: the last deltas, and all that was read.
    fn finish(self: Box<Self>) -> (Vec<Delta>, Reading);
}

/// The seam is object-safe.
const _: fn(&dyn CallStream) = |_| {};

/// A [`CallStream`] that takes bytes, cut anywhere: also inside a character.
///
/// What is no UTF-8 is read as U+FFFD, as `String::from_utf8_lossy` does.
///
/// ```
/// use sparring_tools::{ByteStream, CallParser, Format};
/// let text = "<tool_call>{\"name\": \"find\", \"arguments\": {\"city\": \"Malmö\"}}</tool_call>".as_bytes();
/// let mut stream = ByteStream::new(Format::Hermes.parser().stream());
/// for byte in text {
///     stream.feed(std::slice::from_ref(byte));
/// }
/// assert_eq!(stream.finish().1.calls[0].arguments["city"], "Malmö");
/// ```
#[derive(Debug)]
pub struct ByteStream {
    stream: Box<dyn CallStream>,
    /// The start of a character that is not complete; at most three bytes.
    partial: Vec<u8>,
}

impl ByteStream {
    /// Puts bytes in front of `stream`.
    pub fn new(stream: Box<dyn CallStream>) -> Self {
        Self { stream, partial: Vec::new() }
    }

    /// Reads one more piece.
    pub fn feed(&mut self, piece: &[u8]) -> Vec<Delta> {
        self.partial.extend_from_slice(piece);
        let bytes = std::mem::take(&mut self.partial);
        let mut deltas = Vec::new();
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            if !chunk.valid().is_empty() {
                deltas.extend(self.stream.feed(chunk.valid()));
            }
            let invalid = chunk.invalid();
            if chunks.peek().is_none() && may_go_on(invalid) {
                self.partial = invalid.to_vec();
            } else if !invalid.is_empty() {
                deltas.extend(self.stream.feed("\u{fffd}"));
            }
        }
        deltas
    }

    /// The text is complete.
    pub fn finish(mut self) -> (Vec<Delta>, Reading) {
        let mut deltas = if self.partial.is_empty() { Vec::new() } else { self.stream.feed("\u{fffd}") };
        let (last, reading) = self.stream.finish();
        deltas.extend(last);
        (deltas, reading)
    }
}

/// Whether more bytes can make these a character.
fn may_go_on(bytes: &[u8]) -> bool {
    !bytes.is_empty() && std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}
