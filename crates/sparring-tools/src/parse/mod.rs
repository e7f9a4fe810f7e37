//! Parsing of tool calls in a model's text, and rendering.

mod bare;
mod calls;
mod coerce;
mod cursor;
mod data;
mod emit;
mod format;
mod gemma_body;
mod grammar;
mod grammars;
mod json_body;
mod machine;
mod mention;
mod message;
mod normalize;
mod python_body;
mod render;
mod skip;
mod stream;
mod tool_r0;
mod xml_body;

pub use format::{Format, UnknownFormat};
pub(crate) use normalize::kind;
pub use normalize::{call_from_value, calls_from_value};
pub use stream::{BrokenCall, ByteStream, CallStream, Delta, Reading, Repair};
pub use tool_r0::ToolR0Tags;

use crate::{ParseError, ToolCall};

/// Parses and renders one tool-call format.
///
/// # Contract
/// * No method panics on any text, and reading takes linear time.
/// * [`read`](Self::read) and [`stream`](Self::stream) agree, however the text is split.
/// * No calls (`Ok` and empty) is an answer: the model declines every tool. A text that tries to call and cannot be
///   read completely is an error of `parse`; `read` still returns the complete calls.
/// * Rendering what was read and reading it again gives the same: `parse(render(parse(text))) == parse(text)`. If the
///   format states the types of values, then for names and values that it can represent, `parse(render(calls))`
///   returns any `calls`.
pub trait CallParser: Send + Sync {
    /// Returns a short, stable name.
    fn name(&self) -> &str;

    /// Starts reading a text that comes in pieces.
    fn stream(&self) -> Box<dyn CallStream>;

    /// Writes calls in this format, as a model is trained to.
    fn render(&self, calls: &[ToolCall]) -> String;

    /// Reads one completion leniently: everything that can be saved without guessing.
    ///
    /// ```
    /// use sparring_tools::{CallParser, Format};
    /// let text = "<tool_call>{\"name\": \"f\", \"arguments\": {}}}</tool_call>\n<tool_call>{\"name\": \"g\", \"arg";
    /// let reading = Format::Hermes.parser().read(text);
    /// assert_eq!(reading.calls.len(), 1, "the second call is cut off");
    /// let repairs: Vec<_> = reading.repairs.iter().map(ToString::to_string).collect();
    /// assert_eq!(repairs[0], "byte 41: expected </tool_call> after the call: ignored up to the next tag");
    /// assert!(Format::Hermes.parser().parse(text).is_err());
    /// ```
    fn read(&self, text: &str) -> Reading {
        let mut stream = self.stream();
        stream.feed(text);
        stream.finish().1
    }

    /// Reads the calls of one completion strictly.
    ///
    /// # Errors
    /// What is wrong, and at which byte of `text`.
    fn parse(&self, text: &str) -> Result<Vec<ToolCall>, ParseError> {
        self.read(text).strict()
    }
}

impl<P: CallParser + ?Sized> CallParser for Box<P> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn stream(&self) -> Box<dyn CallStream> {
        (**self).stream()
    }

    fn render(&self, calls: &[ToolCall]) -> String {
        (**self).render(calls)
    }

    fn read(&self, text: &str) -> Reading {
        (**self).read(text)
    }

    fn parse(&self, text: &str) -> Result<Vec<ToolCall>, ParseError> {
        (**self).parse(text)
    }
}

impl<P: CallParser + ?Sized> CallParser for &P {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn stream(&self) -> Box<dyn CallStream> {
        (**self).stream()
    }

    fn render(&self, calls: &[ToolCall]) -> String {
        (**self).render(calls)
    }

    fn read(&self, text: &str) -> Reading {
        (**self).read(text)
    }

    fn parse(&self, text: &str) -> Result<Vec<ToolCall>, ParseError> {
        (**self).parse(text)
    }
}

/// The trait is object-safe.
const _: fn(&dyn CallParser) = |_| {};
