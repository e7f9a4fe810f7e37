use rand::seq::SliceRandom;
use sparring_core::Seed;
use sparring_tools::{ToolSpec, ToolTask};

/// The same request with a menu that cannot serve it: every called tool is taken off, the answer is no call.
///
/// `None` where the task has no call, no other tool remains, or a remaining tool has the name or the
/// description of a called one, for it might serve the request after all. The remaining tools are shuffled,
/// so that their order does not show where a tool is missing.
///
/// Tool-R0 has no such tasks, and its Solver forgets to abstain: in a reproduction, accuracy on irrelevant
/// menus fell from 28.8 % to 2.1 %.
pub fn without_called_tools(task: &ToolTask, seed: Seed) -> Option<ToolTask> {
    if task.calls.is_empty() {
        return None;
    }
    let called = |tool: &ToolSpec| task.calls.iter().any(|call| same_name(&call.name, &tool.name));
    let (served, mut rest): (Vec<ToolSpec>, Vec<ToolSpec>) = task.tools.iter().cloned().partition(called);
    let twin = |tool: &ToolSpec| {
        let described = !tool.description.trim().is_empty();
        described && served.iter().any(|s| same_name(&s.description, &tool.description))
    };
    if served.is_empty() || rest.is_empty() || rest.iter().any(twin) {
        return None;
    }
    rest.shuffle(&mut seed.rng());
    Some(ToolTask {
        question: task.question.clone(),
        tools: rest,
        calls: Vec::new(),
        domain: task.domain.clone(),
    })
}

/// Whether two texts are the same but for case, blanks and separators (`getWeather`, `get_weather`).
fn same_name(a: &str, b: &str) -> bool {
    let letters = |text: &str| {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>()
    };
    letters(a) == letters(b)
}
