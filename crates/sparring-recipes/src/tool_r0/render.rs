use super::tags;
use super::tool_list::ToolListStyle;
use sparring_tools::{ToolCall, ToolTask};

/// Writes the Generator's completion that [`ToolR0Game`](super::ToolR0Game) reads as this task: the four
/// blocks, one a line, with JSON on one line.
///
/// The domain is not written: the game takes it from the specification. A plan or a question that itself
/// holds one of the four tags does not survive the round trip.
pub fn render_proposal(task: &ToolTask, think: &str) -> String {
    let blocks = [
        block(tags::THINK, think),
        block(tags::QUESTION, &task.question),
        block(tags::TOOLS, &hide_tags(ToolListStyle::Compact.write(&task.tools))),
        block(tags::ANSWER, &calls_json(&task.calls)),
    ];
    blocks.join("\n")
}

/// Writes the Solver's completion that answers with these calls: a think block and an answer block.
pub fn render_answer(calls: &[ToolCall], think: &str) -> String {
    [block(tags::THINK, think), block(tags::ANSWER, &calls_json(calls))].join("\n")
}

/// The answer block alone, without a thought.
pub(crate) fn render_calls(calls: &[ToolCall]) -> String {
    block(tags::ANSWER, &calls_json(calls))
}

fn block(tag: &str, content: &str) -> String {
    format!("<{tag}>{content}</{tag}>")
}

/// The calls as compact JSON; maps with string keys always serialise.
fn calls_json(calls: &[ToolCall]) -> String {
    hide_tags(serde_json::to_string(calls).unwrap_or_default())
}

/// In JSON, `<` stands only inside strings, so its escape is safe, and hides a tag that a string mentions.
fn hide_tags(json: String) -> String {
    let folded = json.to_ascii_lowercase();
    if tags::PROPOSAL.iter().any(|tag| folded.contains(&format!("{tag}>"))) {
        json.replace('<', "\\u003c")
    } else {
        json
    }
}
