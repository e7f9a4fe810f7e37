//! ToolRL's format reward (arXiv 2504.13958), which depends on the parts of the reference.

use serde::{Deserialize, Serialize};
use sparring_core::{BoxError, Reward, RewardContext, Rollout};
use sparring_tools::ToolTask;

/// The parts of the reference in addition to its reasoning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReferenceParts {
    /// Whether it calls tools.
    pub calls: bool,
    /// Whether it answers with text.
    pub response: bool,
}

/// Returns whether a completion has exactly the parts of the reference, in ToolRL's form: the whole text is
///
/// ```text
/// calls and response   <think>…</think>\n<tool_call>\n…\n</tool_call>\n<response>…</response>
/// calls                <think>…</think>\n<tool_call>\n…\n</tool_call>
/// response             <think>…</think>\n<response>…</response>
/// neither              <think>…</think>
/// ```
///
/// with exactly one `<tool_call>` and `</tool_call>`, `<response>` and `</response>` if they are required. One line
/// break at the end is ignored. The tags of the reasoning are not counted, as in the released code.
///
/// ```
/// use sparring_reward::reference_format::{ReferenceParts, follows};
/// let calls = ReferenceParts { calls: true, response: false };
/// assert!(follows("<think>a</think>\n<tool_call>\n{}\n</tool_call>", calls));
/// assert!(!follows("<think>a</think>\n<response>No.</response>", calls));
/// ```
pub fn follows(text: &str, reference: ReferenceParts) -> bool {
    let once = |tag: &str| {
        text.matches(&format!("<{tag}>")).count() == 1 && text.matches(&format!("</{tag}>")).count() == 1
    };
    if reference.calls && !once("tool_call") || reference.response && !once("response") {
        return false;
    }
    let text = text.strip_suffix('\n').unwrap_or(text);
    let Some(text) = text.strip_prefix("<think>") else { return false };
    let rest = match reference {
        ReferenceParts { calls: true, response: true } => text
            .split_once("</think>\n<tool_call>\n")
            .and_then(|(_, rest)| rest.split_once("\n</tool_call>\n<response>"))
            .and_then(|(_, rest)| rest.strip_suffix("</response>")),
        ReferenceParts { calls: true, response: false } => text
            .split_once("</think>\n<tool_call>\n")
            .and_then(|(_, rest)| rest.strip_suffix("\n</tool_call>")),
        ReferenceParts { calls: false, response: true } => {
            text.split_once("</think>\n<response>").and_then(|(_, rest)| rest.strip_suffix("</response>"))
        }
        ReferenceParts { calls: false, response: false } => text.strip_suffix("</think>"),
    };
    rest.is_some()
}

/// Scores `pass` if a completion [`follows`] the parts of its reference, else `fail`. A task with calls requires calls
/// alone, one without requires a response. Component: `format`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReferenceFormat {
    /// Score of the right parts.
    pub pass: f64,
    /// Score of everything else.
    pub fail: f64,
}

impl Default for ReferenceFormat {
    /// 1 or 0.
    fn default() -> Self {
        Self { pass: 1.0, fail: 0.0 }
    }
}

impl Reward<ToolTask> for ReferenceFormat {
    fn name(&self) -> &'static str {
        "format"
    }

    fn score(
        &self,
        task: &ToolTask,
        group: &[Rollout],
        _: &RewardContext<'_>,
    ) -> Result<Vec<Option<f32>>, BoxError> {
        let parts = ReferenceParts { calls: !task.calls.is_empty(), response: task.calls.is_empty() };
        let score = |text: &str| if follows(text, parts) { self.pass } else { self.fail };
        Ok(group.iter().map(|rollout| Some(score(&rollout.text) as f32)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLS: ReferenceParts = ReferenceParts { calls: true, response: false };
    const RESPONSE: ReferenceParts = ReferenceParts { calls: false, response: true };
    const BOTH: ReferenceParts = ReferenceParts { calls: true, response: true };
    const NEITHER: ReferenceParts = ReferenceParts { calls: false, response: false };

    #[test]
    fn each_pattern_accepts_its_own_form() {
        let texts = [
            ("<think>a</think>\n<tool_call>\n{}\n</tool_call>", CALLS),
            ("<think>a</think>\n<response>b</response>", RESPONSE),
            ("<think>a</think>\n<tool_call>\n{}\n</tool_call>\n<response>b</response>", BOTH),
            ("<think>a</think>", NEITHER),
        ];
        for (text, own) in texts {
            for parts in [CALLS, RESPONSE, BOTH, NEITHER] {
                assert_eq!(follows(text, parts), parts == own, "{text} for {parts:?}");
                assert_eq!(follows(&format!("{text}\n"), parts), parts == own);
            }
        }
    }

    #[test]
    fn what_is_strict_and_what_is_not() {
        for (text, parts, want) in [
            ("<think></think>\n<tool_call>\n\n</tool_call>", CALLS, true),
            ("<think>a</think>b</think>\n<tool_call>\n{}\n</tool_call>", CALLS, true),
            ("<think>a</think><tool_call>\n{}\n</tool_call>", CALLS, false),
            ("<think>a</think>\n<tool_call>{}</tool_call>", CALLS, false),
            ("<think>a</think>\n<tool_call>\n</tool_call>", CALLS, false),
            ("<think>a</think>\n<tool_call>\n{}\n</tool_call>.", CALLS, false),
            (" <think>a</think>\n<tool_call>\n{}\n</tool_call>", CALLS, false),
            ("<think>a <tool_call></think>\n<tool_call>\n{}\n</tool_call>", CALLS, false),
            ("<think>", NEITHER, false),
            ("", NEITHER, false),
        ] {
            assert_eq!(follows(text, parts), want, "{text}");
        }
    }

    #[test]
    fn the_task_determines_the_parts() {
        let mut task =
            ToolTask { question: String::new(), tools: vec![], calls: vec![], domain: String::new() };
        let group =
            ["<think>a</think>\n<response>b</response>", "<think>a</think>\n<tool_call>\n{}\n</tool_call>"]
                .map(Rollout::from_text);
        let format = ReferenceFormat { pass: 0.5, fail: -1.0 };
        let score = |task: &ToolTask| format.score(task, &group, &RewardContext::default()).unwrap();
        assert_eq!(score(&task), [Some(0.5), Some(-1.0)]);
        task.calls.push(sparring_tools::ToolCall::default());
        assert_eq!(score(&task), [Some(-1.0), Some(0.5)]);
    }
}
