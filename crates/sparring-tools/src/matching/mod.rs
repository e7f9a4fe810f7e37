//! Matching of predicted calls with gold calls.

mod assign;
mod pair;
mod report;

pub use assign::Assignment;
pub use pair::{PairScore, PairWeights};
pub use report::{CallVerdict, MatchReport, Mismatch};

use crate::{Comparator, RobustComparator, ToolCall};
use serde::{Deserialize, Serialize};

/// How calls are matched.
///
/// The default is corrected Tool-R0: a pair with the wrong tool scores 0, and the assignment is optimal.
/// [`Matcher::released`] is the behaviour of the released code.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Matcher {
    /// Weights of the name, the keys and the values in a pair's score.
    pub weights: PairWeights,
    /// Whether a pair with different names scores 0. Otherwise the wrong tool with the right arguments scores 0.8.
    pub gate_on_name: bool,
    /// How predictions are assigned to gold calls.
    pub assignment: Assignment,
}

impl Default for Matcher {
    fn default() -> Self {
        Self { weights: PairWeights::default(), gate_on_name: true, assignment: Assignment::Optimal }
    }
}

impl Matcher {
    /// Returns greedy matching without the name gate, as in Tool-R0's released code (arXiv 2602.21320).
    pub fn released() -> Self {
        Self { gate_on_name: false, assignment: Assignment::Greedy, ..Self::default() }
    }

    /// Sets the assignment.
    #[must_use]
    pub fn with_assignment(mut self, assignment: Assignment) -> Self {
        self.assignment = assignment;
        self
    }

    /// Sets the name gate.
    #[must_use]
    pub fn with_gate_on_name(mut self, gate_on_name: bool) -> Self {
        self.gate_on_name = gate_on_name;
        self
    }

    /// Returns the score of one pair, in [0, 1]:
    /// `s = w_name·1[names equal] + w_keys·F1(keys) + w_values·(share of equal values over common keys)`
    /// (arXiv 2602.21320, the terms of Eq. 7).
    ///
    /// Names are trimmed and compared case-sensitively. If neither call has arguments, the key and value terms are 1;
    /// if only one has, they are 0. Without a common key the value term is 0.
    pub fn pair(&self, gold: &ToolCall, predicted: &ToolCall, comparator: &dyn Comparator) -> PairScore {
        pair::score(self, gold, predicted, comparator)
    }

    /// Matches predicted calls with gold calls. Pairs with score 0 are never matched.
    pub fn match_calls(
        &self,
        gold: &[ToolCall],
        predicted: &[ToolCall],
        comparator: &dyn Comparator,
    ) -> MatchReport {
        let pairs: Vec<Vec<PairScore>> =
            gold.iter().map(|g| predicted.iter().map(|p| self.pair(g, p, comparator)).collect()).collect();
        let totals: Vec<Vec<f64>> = pairs.iter().map(|row| row.iter().map(|s| s.total).collect()).collect();
        let assigned = self.assignment.solve(&totals, predicted.len());
        report::explain(gold, predicted, &pairs, &assigned, comparator)
    }
}

/// Matches predicted calls with gold calls under the default [`Matcher`] (wrong tools score 0) and this assignment.
///
/// ```
/// use sparring_tools::{match_calls, Assignment, RobustComparator, ToolCall};
/// let gold = [ToolCall::new("f", [("city", "Paris".into())])];
/// let found = [ToolCall::new("f", [("city", "Lyon".into())])];
/// let report = match_calls(&gold, &found, &RobustComparator, Assignment::Greedy);
/// assert!(!report.exact());
/// assert_eq!(report.to_string(), "call 0 (f): city: expected \"Paris\", found \"Lyon\"");
/// ```
pub fn match_calls(
    gold: &[ToolCall],
    predicted: &[ToolCall],
    comparator: &dyn Comparator,
    assignment: Assignment,
) -> MatchReport {
    Matcher::default().with_assignment(assignment).match_calls(gold, predicted, comparator)
}

/// Returns whether the calls are the same, in any order: [`MatchReport::exact`] under [`RobustComparator`].
pub fn same_calls(gold: &[ToolCall], predicted: &[ToolCall]) -> bool {
    gold.len() == predicted.len()
        && match_calls(gold, predicted, &RobustComparator, Assignment::Optimal).exact()
}
