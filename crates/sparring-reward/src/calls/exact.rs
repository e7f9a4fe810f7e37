use super::{Answer, CallFormat, CallRule, Equality};
use serde::{Deserialize, Serialize};
use sparring_tools::{Comparator, Matcher, ToolCall, ToolTask};

/// Whether the order of calls matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CallOrder {
    /// The calls are a multiset: any order, with equal counts.
    #[default]
    Any,
    /// The calls are a list.
    Same,
}

/// Returns whether the predicted calls are the reference calls: equal number, names, argument names and values. Two
/// empty lists are equal: declining is an answer.
///
/// `AST(y) ≡ T*` of Tool-Zero (arXiv 2511.01934, Eq. 4). With [`StrictJson`](sparring_tools::StrictJson) and any
/// order, the multiset equality of Tool-N1's code (arXiv 2505.00024).
///
/// ```
/// use sparring_reward::calls::{CallOrder, same_calls};
/// use sparring_tools::{RobustComparator, ToolCall};
/// let [f, g] = ["f", "g"].map(|name| ToolCall::new(name, [("a", 1.into())]));
/// let (reference, turned) = ([f.clone(), g.clone()], [g, f]);
/// assert!(same_calls(&reference, &turned, &RobustComparator, CallOrder::Any));
/// assert!(!same_calls(&reference, &turned, &RobustComparator, CallOrder::Same));
/// ```
pub fn same_calls(
    reference: &[ToolCall],
    predicted: &[ToolCall],
    comparator: &dyn Comparator,
    order: CallOrder,
) -> bool {
    let matcher = Matcher::default();
    reference.len() == predicted.len()
        && match order {
            CallOrder::Any => matcher.match_calls(reference, predicted, comparator).exact(),
            CallOrder::Same => {
                reference.iter().zip(predicted).all(|(r, p)| matcher.pair(r, p, comparator).exact)
            }
        }
}

/// Scores `pass` if the completion makes the task's calls ([`same_calls`]), else `fail`, also if it cannot be read. It
/// applies to every task: a task without calls is passed by making none.
///
/// Tool-Zero's `r_ast` (arXiv 2511.01934, Eq. 4) is 1 or 0; its Fig. 3 shows `fail` as -1. Component: `ast`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct AstMatch {
    /// The format of calls.
    pub format: CallFormat,
    /// The block that an answer must have; none by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<String>,
    /// When argument values are equal.
    pub values: Equality,
    /// Whether the order of calls matters.
    pub order: CallOrder,
    /// Score of the right calls.
    pub pass: f64,
    /// Score of everything else.
    pub fail: f64,
}

impl Default for AstMatch {
    /// 1 or 0, in any order, with values compared by [`Equality::Robust`].
    fn default() -> Self {
        Self {
            format: CallFormat::default(),
            block: None,
            values: Equality::default(),
            order: CallOrder::default(),
            pass: 1.0,
            fail: 0.0,
        }
    }
}

impl AstMatch {
    /// Scores calls in this format.
    pub fn of(format: impl Into<CallFormat>) -> Self {
        Self { format: format.into(), ..Self::default() }
    }

    /// Sets the score of wrong calls.
    #[must_use]
    pub fn with_fail(mut self, fail: f64) -> Self {
        self.fail = fail;
        self
    }

    /// Sets when argument values are equal.
    #[must_use]
    pub fn with_values(mut self, values: Equality) -> Self {
        self.values = values;
        self
    }
}

impl CallRule for AstMatch {
    fn name(&self) -> &'static str {
        "ast"
    }

    fn format(&self) -> CallFormat {
        self.format
    }

    fn block(&self) -> Option<&str> {
        self.block.as_deref()
    }

    fn score(&self, task: &ToolTask, answer: &Answer<'_>) -> Option<f64> {
        let right =
            answer.calls.is_ok_and(|predicted| same_calls(&task.calls, predicted, &self.values, self.order));
        Some(if right { self.pass } else { self.fail })
    }
}
