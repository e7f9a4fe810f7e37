use super::tags;
use super::tool_list::ToolListStyle;
use sparring_tools::{ToolCall, ToolTask};

/// Writes the Generator's completion that [`ToolR0Game`](super::ToolR0Game) reads as this task: the four blocks, one
/// per line, each with JSON on one line.
///
/// The domain is not written: the game takes it from the specification. Reasoning or a question that contains one of
/// the four tags cannot be read back.
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

/// Writes the answer block alone, without reasoning.
pub(crate) fn render_calls(calls: &[ToolCall]) -> String {
    block(tags::ANSWER, &calls_json(calls))
}

fn block(tag: &str, content: &str) -> String {
    format!("<{tag}>{content}</{tag}>")
}

/// Writes the calls as compact JSON; maps with string keys always serialise.
fn calls_json(calls: &[ToolCall]) -> String {
    hide_tags(serde_json::to_string(calls).unwrap_or_default())
}

/// Escapes `<`, which occurs only inside strings in JSON, to hide tags that a string mentions.
fn hide_tags(json: String) -> String {
    let folded = json.to_ascii_lowercase();
    if tags::PROPOSAL.iter().any(|tag| folded.contains(&format!("{tag}>"))) {
        json.replace('<', "\\u003c")
    } else {
        json
    }
}
