use crate::tool_r0::{render_answer, render_calls};
use serde::{Deserialize, Serialize};
use sparring_tools::ToolTask;

/// The reasoning in a gold answer for supervised learning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GoldThought {
    /// None, not even the tags: data sets of calls have no reasoning, ToolACE and xLAM among them.
    #[default]
    None,
    /// The called tools, in the form of the miniature's own documents: `book hotel: book_hotel`. No data set of calls
    /// has such oracle reasoning; it measures what reasoning would be worth.
    Plan,
}

/// Returns the completion that supervised learning imitates.
///
/// ```
/// use sparring_recipes::tool_zero::{GoldThought, gold_answer};
/// use sparring_tools::{ToolCall, ToolTask};
/// let calls = vec![ToolCall::new("open_door", [("person", "Eve".into())])];
/// let task = ToolTask { question: "Open it for Eve.".into(), tools: vec![], calls, domain: String::new() };
/// assert!(gold_answer(&task, GoldThought::None).starts_with("<tool_call_answer>"));
/// assert!(gold_answer(&task, GoldThought::Plan).starts_with("<think>open door: open_door</think>"));
/// ```
pub fn gold_answer(task: &ToolTask, thought: GoldThought) -> String {
    match thought {
        GoldThought::None => render_calls(&task.calls),
        GoldThought::Plan => {
            let plan: Vec<String> = task
                .calls
                .iter()
                .map(|call| format!("{}: {}", call.name.replace('_', " "), call.name))
                .collect();
            let plan = if plan.is_empty() { "none".to_owned() } else { plan.join(", ") };
            render_answer(&task.calls, &plan)
        }
    }
}
