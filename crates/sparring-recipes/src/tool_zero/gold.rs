use crate::tool_r0::{render_answer, render_calls};
use serde::{Deserialize, Serialize};
use sparring_tools::ToolTask;

/// What a gold answer for supervised learning has for a thought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GoldThought {
    /// Nothing, not even the tags: data sets of calls have no thoughts, ToolACE and xLAM among them.
    #[default]
    None,
    /// The tools that are called, as the miniature's own documents plan: `book hotel: book_hotel`. An oracle's
    /// thought, which no data set of calls has: to see what thoughts are worth.
    Plan,
}

/// The completion that supervised learning imitates.
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
