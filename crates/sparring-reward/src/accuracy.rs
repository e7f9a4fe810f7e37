//! Accuracy of a Solver's calls against the gold calls: Tool-R0's dense accuracy (arXiv 2602.21320, Eq. 7).

use serde::{Deserialize, Serialize};
use sparring_core::{BoxError, Reward, RewardContext, Rollout};
use sparring_tools::blocks::{Case, last_block};
use sparring_tools::{CallParser, Comparator, MatchReport, Matcher, RobustComparator, ToolCall, ToolTask};

/// Settings of [`Accuracy`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct AccuracySettings {
    /// Matching: gated on the right tool and optimal by default; greedy and ungated as released.
    pub matcher: Matcher,
    /// α of the penalty `1/(1 + α·extra calls)`, at least 0.
    pub extra_call_penalty: f64,
    /// Whether a completion without a non-empty `<think>` block scores 0.
    pub require_think: bool,
}

impl Default for AccuracySettings {
    /// Corrected: the wrong tool scores 0, the assignment is optimal, α = 0.25, reasoning is optional.
    fn default() -> Self {
        Self { matcher: Matcher::default(), extra_call_penalty: 0.25, require_think: false }
    }
}

impl AccuracySettings {
    /// Returns the behaviour of the released code: greedy, the wrong tool earns up to 0.8, and `<think>` is required.
    pub fn released() -> Self {
        Self { matcher: Matcher::released(), require_think: true, ..Self::default() }
    }

    /// Sets whether a `<think>` block is required.
    #[must_use]
    pub fn with_require_think(mut self, require_think: bool) -> Self {
        self.require_think = require_think;
        self
    }
}

/// Returns `r_acc = s̄ / (1 + α·max(0, |Ĉ| − |C*|))`, in [0, 1], where `s̄` is the mean pair score over the gold calls.
///
/// A task without gold calls is to be declined: 1 for an empty prediction, else 0.
pub fn accuracy(
    gold: &[ToolCall],
    predicted: &[ToolCall],
    settings: &AccuracySettings,
    comparator: &dyn Comparator,
) -> f64 {
    explain(gold, predicted, settings, comparator).score(settings.extra_call_penalty)
}

/// Returns the match report behind [`accuracy`].
pub fn explain(
    gold: &[ToolCall],
    predicted: &[ToolCall],
    settings: &AccuracySettings,
    comparator: &dyn Comparator,
) -> MatchReport {
    settings.matcher.match_calls(gold, predicted, comparator)
}

/// Scores each completion by the [`accuracy`] of its calls. An unreadable completion scores 0.
pub struct Accuracy {
    parser: Box<dyn CallParser>,
    comparator: Box<dyn Comparator>,
    settings: AccuracySettings,
}

impl std::fmt::Debug for Accuracy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accuracy")
            .field("parser", &self.parser.name())
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Accuracy {
    /// Scores calls in this format, with Tool-R0's comparator.
    pub fn new(parser: impl CallParser + 'static, settings: AccuracySettings) -> Self {
        Self { parser: Box::new(parser), comparator: Box::new(RobustComparator), settings }
    }

    /// Sets the comparator of argument values.
    #[must_use]
    pub fn with_comparator(mut self, comparator: impl Comparator + 'static) -> Self {
        self.comparator = Box::new(comparator);
        self
    }

    /// Returns the score of one completion, in [0, 1].
    pub fn of_text(&self, gold: &[ToolCall], text: &str) -> f64 {
        if self.settings.require_think && last_block(text, "think", Case::Insensitive).is_err() {
            return 0.0;
        }
        match self.parser.parse(text) {
            Ok(predicted) => accuracy(gold, &predicted, &self.settings, &*self.comparator),
            Err(_) => 0.0,
        }
    }
}

impl Reward<ToolTask> for Accuracy {
    fn name(&self) -> &'static str {
        "accuracy"
    }

    fn score(
        &self,
        task: &ToolTask,
        group: &[Rollout],
        _: &RewardContext<'_>,
    ) -> Result<Vec<Option<f32>>, BoxError> {
        Ok(group.iter().map(|rollout| Some(self.of_text(&task.calls, &rollout.text) as f32)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use sparring_tools::ToolR0Tags;

    fn calls(value: &serde_json::Value) -> Vec<ToolCall> {
        sparring_tools::calls_from_value(value).unwrap()
    }

    fn score(gold: &serde_json::Value, found: &serde_json::Value, settings: AccuracySettings) -> f64 {
        accuracy(&calls(gold), &calls(found), &settings, &RobustComparator)
    }

    /// Values of the released function, and the corrected ones.
    #[test]
    fn reference_values() {
        let f = json!({"name": "f", "arguments": {"a": 1, "b": "x"}});
        let one = json!({"name": "f", "arguments": {"a": 1}});
        let g = json!({"name": "g", "arguments": {"a": 1, "b": "x"}});
        let (p, q) = (json!({"name": "p", "arguments": {}}), json!({"name": "q", "arguments": {}}));
        let spurious = json!({"name": "f", "arguments": {"a": 1, "b": "x"}});
        for (what, gold, found, released, corrected) in [
            ("exact", json!([f]), json!([f]), 1.0, 1.0),
            ("one extra call", json!([f]), json!([f, p]), 0.8, 0.8),
            ("two extra calls", json!([f]), json!([f, p, q]), 2.0 / 3.0, 2.0 / 3.0),
            ("right name, no arguments", json!([f]), json!([{"name": "f", "arguments": {}}]), 0.2, 0.2),
            ("one of two keys", json!([f]), json!([one]), 0.9, 0.9),
            ("a spurious key", json!([one]), json!([spurious]), 0.9, 0.9),
            ("one of two calls", json!([f, p]), json!([f]), 0.5, 0.5),
            ("wrong name, same arguments", json!([f]), json!([g]), 0.8, 0.0),
            ("wrong name, no arguments", json!([p]), json!([q]), 0.8, 0.0),
            ("nothing", json!([f]), json!([]), 0.0, 0.0),
            ("declined rightly", json!([]), json!([]), 1.0, 1.0),
            ("called where nothing serves", json!([]), json!([f]), 0.0, 0.0),
        ] {
            let got = score(&gold, &found, AccuracySettings::released());
            assert!((got - released).abs() < 1e-9, "released, {what}: {got}, expected {released}");
            let got = score(&gold, &found, AccuracySettings::default());
            assert!((got - corrected).abs() < 1e-9, "corrected, {what}: {got}, expected {corrected}");
        }
    }

    #[test]
    fn text_is_parsed_and_reasoning_required_only_by_the_setting() {
        let gold = calls(&json!([{"name": "f", "arguments": {"a": "wait..."}}]));
        let answer = ToolR0Tags::default().render(&gold);
        let corrected = Accuracy::new(ToolR0Tags::default(), AccuracySettings::default());
        let released = Accuracy::new(ToolR0Tags::default(), AccuracySettings::released());
        assert_eq!(corrected.of_text(&gold, &answer), 1.0);
        assert_eq!(corrected.of_text(&gold, "<tool_call_answer>[oops"), 0.0);
        assert_eq!(released.of_text(&gold, &answer), 0.0);
        assert_eq!(released.of_text(&gold, &format!("<think> </think>{answer}")), 0.0);
        assert_eq!(released.of_text(&gold, &format!("<think>hm</think>{answer}")), 1.0);
    }

    proptest! {
        #[test]
        fn in_the_unit_interval_and_1_only_when_exact(gold in some_calls(), found in some_calls()) {
            for settings in [AccuracySettings::default(), AccuracySettings::released()] {
                let score = accuracy(&gold, &found, &settings, &RobustComparator);
                prop_assert!((0.0..=1.0).contains(&score));
                prop_assert_eq!(score >= 1.0, explain(&gold, &found, &settings, &RobustComparator).exact());
                prop_assert_eq!(accuracy(&gold, &gold, &settings, &RobustComparator), 1.0);
            }
        }
    }

    fn some_calls() -> impl Strategy<Value = Vec<ToolCall>> {
        let arguments =
            prop::collection::btree_map("[ab]", (0..2_i64).prop_map(serde_json::Value::from), 0..3);
        let call = ("[fg]", arguments).prop_map(|(name, arguments)| ToolCall::new(name, arguments));
        prop::collection::vec(call, 0..4)
    }
}
