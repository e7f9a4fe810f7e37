//! Tool-R0's format rewards: whether a completion has the required form, regardless of content.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sparring_core::{BoxError, Reward, RewardContext, Rollout};
use sparring_tools::blocks::{Case, last_block};
use sparring_tools::{call_from_value, json};

/// The Generator's format reward (arXiv 2602.21320, Eq. 1).
///
/// `r_fmt = (1[tags] + 1[tools] + 1[calls]) / 3`, in [0, 1]: the paper's sum, normalised as in the released code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct GeneratorFormat {
    /// Whether a non-empty `<think>` block is required.
    pub require_think: bool,
    /// Whether an empty list of calls is valid: a task that no tool serves.
    pub allow_no_calls: bool,
    /// Least number of characters of a question; a shorter one scores 0.
    pub min_question_chars: usize,
    /// Phrases, in lower case, that show a question copied from the prompt; it scores 0.
    pub echoes: Vec<String>,
}

impl Default for GeneratorFormat {
    /// Corrected: as released, except that a task may have no calls.
    fn default() -> Self {
        Self { allow_no_calls: true, ..Self::released() }
    }
}

/// The parts of [`GeneratorFormat`]'s score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an indicator of Eq. 1")]
pub struct GeneratorFormatParts {
    /// Every tag is present and not empty. If not, the other parts do not count.
    pub tags: bool,
    /// The tools are a non-empty list of objects with names.
    pub tools: bool,
    /// The calls are readable.
    pub calls: bool,
    /// The question is long enough and not copied from the prompt. If not, the score is 0.
    pub question: bool,
}

impl GeneratorFormatParts {
    /// Returns the score, in [0, 1].
    pub fn score(self) -> f64 {
        if !(self.tags && self.question) {
            return 0.0;
        }
        f64::from(1 + u8::from(self.tools) + u8::from(self.calls)) / 3.0
    }
}

impl GeneratorFormat {
    /// Returns the released code's rules: `<think>` and at least one call are required.
    pub fn released() -> Self {
        let echoes = [
            "control spec",
            "rules to satisfy",
            "private reasoning",
            "generate a new tool-calling task",
            "generated user question",
        ];
        Self {
            require_think: true,
            allow_no_calls: false,
            min_question_chars: 8,
            echoes: echoes.map(str::to_owned).to_vec(),
        }
    }

    /// Sets whether a `<think>` block is required.
    #[must_use]
    pub fn with_require_think(mut self, require_think: bool) -> Self {
        self.require_think = require_think;
        self
    }

    /// Returns the parts for one completion. The last block of each tag counts; text outside them does not.
    pub fn parts(&self, text: &str) -> GeneratorFormatParts {
        let block = |tag| last_block(text, tag, Case::Sensitive).ok();
        let question = block("question").map(|b| b.content.trim());
        let (tools, calls) = (block("available_tools"), block("tool_call_answer"));
        let thought = !self.require_think || block("think").is_some();
        GeneratorFormatParts {
            tags: thought && question.is_some() && tools.is_some() && calls.is_some(),
            tools: tools.is_some_and(|b| json::relaxed(b.content).is_ok_and(|v| is_tool_list(&v))),
            calls: calls.is_some_and(|b| json::relaxed(b.content).is_ok_and(|v| self.are_calls(&v))),
            question: question.is_none_or(|q| self.is_question(q)),
        }
    }

    fn is_question(&self, question: &str) -> bool {
        let lower = question.to_lowercase();
        question.chars().count() >= self.min_question_chars
            && !self.echoes.iter().any(|echo| lower.contains(&echo.to_lowercase()))
    }

    fn are_calls(&self, value: &Value) -> bool {
        match value {
            Value::Array(items) if items.is_empty() => self.allow_no_calls,
            Value::Array(items) => items.iter().all(|item| call_from_value(item).is_ok()),
            _ => call_from_value(value).is_ok(),
        }
    }
}

/// Returns whether this is a non-empty list of objects with non-empty names, whose `parameters`, if any, are objects.
fn is_tool_list(value: &Value) -> bool {
    let named = |tool: &Value| {
        let name = tool.get("name").and_then(Value::as_str).is_some_and(|name| !name.trim().is_empty());
        name && tool.get("parameters").is_none_or(Value::is_object)
    };
    value.as_array().is_some_and(|tools| !tools.is_empty() && tools.iter().all(named))
}

impl<T: ?Sized> Reward<T> for GeneratorFormat {
    fn name(&self) -> &'static str {
        "format"
    }

    fn score(&self, _: &T, group: &[Rollout], _: &RewardContext<'_>) -> Result<Vec<Option<f32>>, BoxError> {
        Ok(group.iter().map(|rollout| Some(self.parts(&rollout.text).score() as f32)).collect())
    }
}

/// The Solver's format reward (arXiv 2602.21320, Eq. 6): `0.3·1[tag] + 0.3·1[parse] + 0.4·1[norm]`, in [0, 1].
///
/// `tag`: the last `<tool_call_answer>` block, in any case, is not empty. `parse`: it contains JSON or a Python
/// literal. `norm`: it contains a call. Each part requires the previous one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct SolverFormat {
    /// Weight of the block.
    pub tag: f64,
    /// Weight of being readable.
    pub parse: f64,
    /// Weight of containing calls.
    pub norm: f64,
    /// Whether `[]`, which declines, gets the full score. In the released code it gets 0.6, and a Solver trained with
    /// that never declines.
    pub allow_no_calls: bool,
    /// Whether one readable call among unreadable ones is enough for `norm`, as in the released code.
    pub lenient: bool,
}

impl Default for SolverFormat {
    /// Corrected: `[]` is an answer, and every element of the list must be a call.
    fn default() -> Self {
        Self { tag: 0.3, parse: 0.3, norm: 0.4, allow_no_calls: true, lenient: false }
    }
}

impl SolverFormat {
    /// Returns the rules of the released code.
    pub fn released() -> Self {
        Self { allow_no_calls: false, lenient: true, ..Self::default() }
    }

    /// Returns the score of one completion.
    pub fn of_text(&self, text: &str) -> f64 {
        let Ok(block) = last_block(text, "tool_call_answer", Case::Insensitive) else { return 0.0 };
        let Ok(value) = json::relaxed(block.content) else { return self.tag };
        let norm = match &value {
            Value::Array(items) if items.is_empty() => self.allow_no_calls,
            Value::Array(items) if self.lenient => items.iter().any(|item| call_from_value(item).is_ok()),
            Value::Array(items) => items.iter().all(|item| call_from_value(item).is_ok()),
            single => call_from_value(single).is_ok(),
        };
        self.tag + self.parse + if norm { self.norm } else { 0.0 }
    }
}

impl<T: ?Sized> Reward<T> for SolverFormat {
    fn name(&self) -> &'static str {
        "format"
    }

    fn score(&self, _: &T, group: &[Rollout], _: &RewardContext<'_>) -> Result<Vec<Option<f32>>, BoxError> {
        Ok(group.iter().map(|rollout| Some(self.of_text(&rollout.text) as f32)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of the released function.
    #[test]
    fn solver_reference_values() {
        for (content, released, corrected) in [
            ("[{\"name\": \"f\", \"arguments\": {}}]", 1.0, 1.0),
            ("[{'name': 'f', 'arguments': {'a': None}}]", 1.0, 1.0),
            ("[{\"name\": \"\", \"arguments\": {}}]", 0.6, 0.6),
            ("7", 0.6, 0.6),
            ("[]", 0.6, 1.0),
            ("[{\"name\": \"f\"}, 3]", 1.0, 0.6),
            ("garbage", 0.3, 0.3),
            (" ", 0.0, 0.0),
        ] {
            let text = format!("<TOOL_CALL_ANSWER>{content}</tool_call_answer>");
            assert!((SolverFormat::released().of_text(&text) - released).abs() < 1e-9, "released, {content}");
            assert!(
                (SolverFormat::default().of_text(&text) - corrected).abs() < 1e-9,
                "corrected, {content}"
            );
        }
        assert_eq!(SolverFormat::default().of_text("no tag"), 0.0);
    }

    fn proposal(question: &str, tools: &str, calls: &str) -> String {
        format!(
            "<think>hm</think><question>{question}</question><available_tools>{tools}</available_tools>\
             <tool_call_answer>{calls}</tool_call_answer>"
        )
    }

    #[test]
    fn generator_parts() {
        let (tool_list, calls) = (r#"[{"name": "f", "parameters": {}}]"#, r#"[{"name": "f"}]"#);
        let format = GeneratorFormat::default();
        let score = |text: &str| format.parts(text).score();
        let good = proposal("Is it raining?", tool_list, calls);
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(close(score(&good), 1.0));
        assert!(close(score(&good.replace("<think>hm</think>", "")), 0.0));
        assert!(close(score(&proposal("Is it raining?", "[{}]", calls)), 2.0 / 3.0));
        assert!(close(score(&proposal("Is it raining?", "[]", "oops")), 1.0 / 3.0));
        assert!(close(score(&proposal("Hi", tool_list, calls)), 0.0));
        assert!(close(score(&proposal("The CONTROL SPEC says so", tool_list, calls)), 0.0));
        assert!(close(score(&proposal("", tool_list, calls)), 0.0));
        let none = proposal("Is it raining?", tool_list, "[]");
        assert!(close(score(&none), 1.0));
        assert!(close(GeneratorFormat::released().parts(&none).score(), 2.0 / 3.0));
        let bare = GeneratorFormat::default().with_require_think(false);
        assert!(close(bare.parts(&good.replace("<think>hm</think>", "")).score(), 1.0));
    }
}
