//! From a model's text to tool calls, and back.

mod hermes;
mod normalize;
mod tool_r0;

pub use hermes::Hermes;
pub(crate) use normalize::kind;
pub use normalize::{call_from_value, calls_from_value};
pub use tool_r0::ToolR0Tags;

use crate::{ParseError, ToolCall};

/// One way in which models write tool calls.
///
/// # Contract
/// * `parse` never panics, on any text, and takes time linear in it.
/// * No calls (`Ok` and empty) is an answer: the model declines every tool. A text that tries to call and
///   cannot be read whole is an error; calls are never dropped from a list.
/// * `parse(render(calls))` gives `calls` back, for calls whose names are neither empty nor padded with white space.
pub trait CallParser: Send + Sync {
    /// A short, stable name.
    fn name(&self) -> &str;

    /// Reads the calls of one completion.
    ///
    /// # Errors
    /// What is wrong, and at which byte of `text`.
    fn parse(&self, text: &str) -> Result<Vec<ToolCall>, ParseError>;

    /// Writes calls in this format: what a model is trained to say.
    fn render(&self, calls: &[ToolCall]) -> String;
}

impl<P: CallParser + ?Sized> CallParser for Box<P> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn parse(&self, text: &str) -> Result<Vec<ToolCall>, ParseError> {
        (**self).parse(text)
    }

    fn render(&self, calls: &[ToolCall]) -> String {
        (**self).render(calls)
    }
}

impl<P: CallParser + ?Sized> CallParser for &P {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn parse(&self, text: &str) -> Result<Vec<ToolCall>, ParseError> {
        (**self).parse(text)
    }

    fn render(&self, calls: &[ToolCall]) -> String {
        (**self).render(calls)
    }
}

/// The seam is object-safe.
const _: fn(&dyn CallParser) = |_| {};
