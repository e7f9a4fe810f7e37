use super::{Answer, CallFormat, CallRule, Equality};
use serde::{Deserialize, Serialize};
use sparring_tools::{Assignment, Comparator, Matcher, Mismatch, ToolCall, ToolTask};

/// Returns the number of invalid parameter values: predicted arguments whose value differs from that of the matched
/// reference call, or that this call does not have. A predicted call without a reference call, because its tool is
/// wrong or it is extra, counts one. Missing arguments count nothing.
///
/// Calls are matched by name first, then by similarity. This is the "number of invalid parameter values" of Tool-Zero
/// (arXiv 2511.01934, Eq. 5), which the paper does not define; its Fig. 3 counts one for a wrong tool.
///
/// ```
/// use sparring_reward::calls::invalid_values;
/// use sparring_tools::{Assignment, RobustComparator, ToolCall};
/// let count = |found: &[ToolCall]| {
///     let reference = [ToolCall::new("f", [("a", 1.into()), ("b", 2.into())])];
///     invalid_values(&reference, found, &RobustComparator, Assignment::Optimal)
/// };
/// assert_eq!(count(&[ToolCall::new("f", [("a", 1.into()), ("b", 3.into())])]), 1);
/// assert_eq!(count(&[ToolCall::new("f", [("c", 1.into()), ("b", 3.into())])]), 2);
/// assert_eq!(count(&[ToolCall::new("g", [("a", 1.into()), ("b", 2.into())])]), 1);
/// assert_eq!(count(&[]), 0);
/// ```
pub fn invalid_values(
    reference: &[ToolCall],
    predicted: &[ToolCall],
    comparator: &dyn Comparator,
    assignment: Assignment,
) -> usize {
    let report = Matcher::default().with_assignment(assignment).match_calls(reference, predicted, comparator);
    let invalid = |mismatch: &&Mismatch| {
        matches!(mismatch, Mismatch::WrongValue { .. } | Mismatch::UnexpectedArgument { .. })
    };
    let wrong = report.calls.iter().flat_map(|call| &call.mismatches).filter(invalid).count();
    wrong + report.unmatched.len()
}

/// Scores `-each · min(invalid values, cap)`, at most 0: Tool-Zero's `-0.3·(#invalid parameter values)` (arXiv
/// 2511.01934, Eq. 5; see [`invalid_values`]). Component: `value_penalty`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ValuePenalty {
    /// The format of calls.
    pub format: CallFormat,
    /// When argument values are equal.
    pub values: Equality,
    /// How predictions are assigned to reference calls.
    pub assignment: Assignment,
    /// The penalty of one invalid value; at least 0.
    pub each: f64,
    /// The largest number that counts; unlimited by default. Fig. 3 is consistent with 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap: Option<usize>,
    /// The number for an unreadable completion; 0 by default, as it has no values.
    pub unreadable: usize,
}

impl Default for ValuePenalty {
    /// 0.3 each, without a cap, with the optimal assignment.
    fn default() -> Self {
        Self {
            format: CallFormat::default(),
            values: Equality::default(),
            assignment: Assignment::Optimal,
            each: 0.3,
            cap: None,
            unreadable: 0,
        }
    }
}

impl ValuePenalty {
    /// Scores calls in this format.
    pub fn of(format: impl Into<CallFormat>) -> Self {
        Self { format: format.into(), ..Self::default() }
    }

    /// Sets the largest number of invalid values that counts.
    #[must_use]
    pub fn with_cap(mut self, cap: impl Into<Option<usize>>) -> Self {
        self.cap = cap.into();
        self
    }
}

impl CallRule for ValuePenalty {
    fn name(&self) -> &'static str {
        "value_penalty"
    }

    fn format(&self) -> CallFormat {
        self.format
    }

    fn score(&self, task: &ToolTask, answer: &Answer<'_>) -> Option<f64> {
        let count = match answer.calls {
            Ok(predicted) => invalid_values(&task.calls, predicted, &self.values, self.assignment),
            Err(_) => self.unreadable,
        };
        let count = self.cap.map_or(count, |cap| count.min(cap));
        // Not -0, which would look different in a report.
        Some(if count == 0 { 0.0 } else { -self.each * count as f64 })
    }
}
