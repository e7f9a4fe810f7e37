use crate::{ParseError, ToolCall};
use std::fmt;
use std::sync::Arc;

/// The new content in one more piece of a model's text, as in OpenAI's streaming API.
///
/// The fragments of one `index` make up the JSON text of the arguments. Deltas are never taken back: a call that turns
/// out to be broken ends with its error.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Delta {
    /// Text for the user.
    Text(String),
    /// Text of the reasoning (`<think>...</think>`).
    Thought(String),
    /// A call begins.
    Start {
        /// Index of the call in this text, from 0.
        index: usize,
        /// Complete name of the tool.
        name: String,
    },
    /// The next piece of the arguments, as JSON.
    Arguments {
        /// Index of the call.
        index: usize,
        /// The piece.
        fragment: String,
    },
    /// A call ends.
    End {
        /// Index of the call.
        index: usize,
        /// The complete call, or why it is not one: then a part of it was lost.
        call: Result<Arc<ToolCall>, ParseError>,
    },
}

/// A deviation of a text from its format, and how it was handled.
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

/// A call that could not be read completely.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokenCall {
    /// Its place among all calls of the text, complete ones and broken ones, from 0.
    pub place: usize,
    /// Name of the tool, if it could be read.
    pub name: Option<String>,
    /// What is wrong, and where.
    pub error: ParseError,
}

/// The result of reading a whole text.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Reading {
    /// The complete calls: nothing of them was lost or guessed.
    pub calls: Vec<ToolCall>,
    /// The calls that could not be read completely, in the order of the text.
    pub broken: Vec<BrokenCall>,
    /// The text for the user: everything except calls and reasoning, without white space before calls and at the ends.
    pub content: String,
    /// The reasoning.
    pub thought: String,
    /// Deviations from the format, in the order of the text.
    pub repairs: Vec<Repair>,
}

impl Reading {
    /// Returns the calls if the text keeps to its format.
    ///
    /// # Errors
    /// The first deviation.
    pub fn strict(self) -> Result<Vec<ToolCall>, ParseError> {
        match self.repairs.into_iter().next() {
            Some(repair) => Err(repair.error),
            None => Ok(self.calls),
        }
    }
}

/// Reads a text while it arrives.
///
/// # Contract
/// How the text is split changes neither the [`Reading`] nor, once joined, the deltas.
pub trait CallStream: Send + fmt::Debug {
    /// Reads one more piece.
    fn feed(&mut self, piece: &str) -> Vec<Delta>;

    /// Ends the text and returns the last deltas with the whole reading.
    fn finish(self: Box<Self>) -> (Vec<Delta>, Reading);
}

/// The trait is object-safe.
const _: fn(&dyn CallStream) = |_| {};

/// A [`CallStream`] for bytes, which may be split inside a character.
///
/// Invalid UTF-8 is read as U+FFFD, as in `String::from_utf8_lossy`.
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
    /// The start of an incomplete character; at most three bytes.
    partial: Vec<u8>,
}

impl ByteStream {
    /// Wraps `stream`.
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

    /// Ends the text.
    pub fn finish(mut self) -> (Vec<Delta>, Reading) {
        let mut deltas = if self.partial.is_empty() { Vec::new() } else { self.stream.feed("\u{fffd}") };
        let (last, reading) = self.stream.finish();
        deltas.extend(last);
        (deltas, reading)
    }
}

/// Returns whether more bytes can complete a character.
fn may_go_on(bytes: &[u8]) -> bool {
    !bytes.is_empty() && std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}
