use super::emit::Emitter;
use super::{CallParser, CallStream, Delta, Reading, calls_from_value, render};
use crate::blocks::{Case, last_block};
use crate::{ParseError, ToolCall, json};

/// The tag of the block with the calls.
pub(crate) const TAG: &str = "tool_call_answer";

/// Tool-R0's format (arXiv 2602.21320, Section 5.1 of the solver's interface): the last `<tool_call_answer>` block, in
/// any case, contains a list of `{"name", "arguments"}`.
///
/// It reads whole texts: nothing is emitted before the end, which decides which block is the last. There is no content,
/// and one broken call makes all fail, as in training.
///
/// The content is read by [`json::relaxed`] and each call by [`call_from_value`](super::call_from_value); `[]` is no
/// call. A `<think>` block is not required.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct ToolR0Tags;

impl CallParser for ToolR0Tags {
    fn name(&self) -> &'static str {
        "tool_r0"
    }

    /// Only the end of the text decides which block is the last, so nothing is emitted before it.
    fn stream(&self) -> Box<dyn CallStream> {
        Box::new(Gathered::default())
    }

    fn read(&self, text: &str) -> Reading {
        gather(text, Emitter::default()).1
    }

    fn parse(&self, text: &str) -> Result<Vec<ToolCall>, ParseError> {
        let block = last_block(text, TAG, Case::Insensitive)?;
        let value = json::relaxed(block.content).map_err(|e| e.shifted(block.start))?;
        calls_from_value(&value).map_err(|what| ParseError::shape(block.start, what))
    }

    fn render(&self, calls: &[ToolCall]) -> String {
        let mut list = render::json_list(calls);
        if list.to_ascii_lowercase().contains(TAG) {
            // In JSON, `<` occurs only inside strings, so escaping it is safe and hides the tag.
            list = list.replace('<', "\\u003c");
        }
        format!("<{TAG}>{list}</{TAG}>")
    }
}

/// Collects a text and reads it once it is complete.
#[derive(Debug, Default)]
struct Gathered(String);

impl CallStream for Gathered {
    fn feed(&mut self, piece: &str) -> Vec<Delta> {
        self.0.push_str(piece);
        Vec::new()
    }

    fn finish(self: Box<Self>) -> (Vec<Delta>, Reading) {
        gather(&self.0, Emitter::streaming())
    }
}

/// Reads a whole text into an emitter.
fn gather(text: &str, mut emitter: Emitter) -> (Vec<Delta>, Reading) {
    match ToolR0Tags.parse(text) {
        Ok(calls) => calls.into_iter().for_each(|call| emitter.call(call)),
        Err(error) => emitter.abandon(error),
    }
    emitter.finish()
}
