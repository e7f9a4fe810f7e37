use super::PairScore;
use crate::{Comparator, ToolCall};
use serde_json::Value;
use std::fmt;

/// One difference between a gold call and its prediction.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Mismatch {
    /// No prediction is left for the gold call.
    NoCall,
    /// Another tool was called.
    WrongName {
        /// The gold name.
        expected: String,
        /// The predicted name.
        found: String,
    },
    /// An argument is missing.
    MissingArgument {
        /// Its name.
        argument: String,
        /// The gold value.
        expected: Value,
    },
    /// An argument that the gold call does not have.
    UnexpectedArgument {
        /// Its name.
        argument: String,
        /// The predicted value.
        found: Value,
    },
    /// An argument has the wrong value.
    WrongValue {
        /// Its name.
        argument: String,
        /// The gold value.
        expected: Value,
        /// The predicted value.
        found: Value,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCall => write!(f, "no call"),
            Self::WrongName { expected, found } => {
                write!(f, "expected the tool {expected:?}, found {found:?}")
            }
            Self::MissingArgument { argument, expected } => {
                write!(f, "{argument}: missing, expected {expected}")
            }
            Self::UnexpectedArgument { argument, found } => {
                write!(f, "{argument}: not expected, found {found}")
            }
            Self::WrongValue { argument, expected, found } => {
                write!(f, "{argument}: expected {expected}, found {found}")
            }
        }
    }
}

/// The result for one gold call.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CallVerdict {
    /// Name of the gold call.
    pub name: String,
    /// Index of the matched prediction; `None` if none scores above 0.
    pub predicted: Option<usize>,
    /// The score of the pair; `None` if `predicted` is.
    pub score: Option<PairScore>,
    /// Every difference; empty for an exact pair.
    pub mismatches: Vec<Mismatch>,
}

impl CallVerdict {
    /// Returns the score of the pair in [0, 1]; 0 without a matched prediction.
    pub fn total(&self) -> f64 {
        self.score.map_or(0.0, |score| score.total)
    }
}

/// The comparison of gold and predicted calls. Its `Display` lists every difference.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MatchReport {
    /// One verdict per gold call, in order.
    pub calls: Vec<CallVerdict>,
    /// Index and name of the predictions without a gold call.
    pub unmatched: Vec<(usize, String)>,
    /// Number of predicted calls.
    pub predicted: usize,
}

impl MatchReport {
    /// Returns whether the predicted calls are the gold calls, in any order.
    pub fn exact(&self) -> bool {
        self.predicted == self.calls.len()
            && self.calls.iter().all(|call| call.score.is_some_and(|score| score.exact))
    }

    /// Returns the mean score of the gold calls, in [0, 1]: `s̄` of arXiv 2602.21320, Eq. 7, without a penalty for
    /// extra predictions.
    ///
    /// Without gold calls it is 1 if nothing was predicted, else 0.
    pub fn mean(&self) -> f64 {
        if self.calls.is_empty() {
            return f64::from(u8::from(self.predicted == 0));
        }
        self.calls.iter().map(CallVerdict::total).sum::<f64>() / self.calls.len() as f64
    }

    /// Returns the number of predictions beyond the number of gold calls.
    pub fn extra(&self) -> usize {
        self.predicted.saturating_sub(self.calls.len())
    }

    /// Returns `mean / (1 + alpha · extra)`, in [0, 1] (arXiv 2602.21320, Eq. 7). For `alpha > 0` it is 1 exactly if
    /// the report is [`exact`](Self::exact).
    pub fn score(&self, alpha: f64) -> f64 {
        self.mean() / (1.0 + alpha * self.extra() as f64)
    }
}

impl fmt::Display for MatchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        for (i, call) in self.calls.iter().enumerate() {
            lines.extend(call.mismatches.iter().map(|m| format!("call {i} ({}): {m}", call.name)));
        }
        if self.predicted > self.calls.len() || self.calls.iter().all(|c| c.predicted.is_some()) {
            lines.extend(
                self.unmatched.iter().map(|(i, name)| format!("prediction {i} ({name}): unexpected")),
            );
        }
        if lines.is_empty() {
            return write!(f, "exact");
        }
        write!(f, "{}", lines.join("\n"))
    }
}

/// Builds the verdicts for all gold calls.
pub(super) fn explain(
    gold: &[ToolCall],
    predicted: &[ToolCall],
    pairs: &[Vec<PairScore>],
    assigned: &[Option<usize>],
    comparator: &dyn Comparator,
) -> MatchReport {
    let left: Vec<usize> = (0..predicted.len()).filter(|i| !assigned.contains(&Some(*i))).collect();
    let mut instead = left.iter();
    let calls = gold
        .iter()
        .zip(assigned)
        .enumerate()
        .map(|(row, (call, column))| CallVerdict {
            name: call.name.clone(),
            predicted: *column,
            score: column.map(|c| pairs[row][c]),
            mismatches: match column {
                Some(c) => differences(call, &predicted[*c], comparator),
                // No prediction matches this call: report what was called instead, if anything.
                None => instead.next().map_or_else(
                    || vec![Mismatch::NoCall],
                    |&i| differences(call, &predicted[i], comparator),
                ),
            },
        })
        .collect();
    let unmatched = left.iter().map(|&i| (i, predicted[i].name.clone())).collect();
    MatchReport { calls, unmatched, predicted: predicted.len() }
}

fn differences(gold: &ToolCall, predicted: &ToolCall, comparator: &dyn Comparator) -> Vec<Mismatch> {
    if gold.name.trim() != predicted.name.trim() {
        return vec![Mismatch::WrongName { expected: gold.name.clone(), found: predicted.name.clone() }];
    }
    let mut out = Vec::new();
    for (argument, expected) in &gold.arguments {
        let (argument, expected) = (argument.clone(), expected.clone());
        match predicted.arguments.get(&argument) {
            None => out.push(Mismatch::MissingArgument { argument, expected }),
            Some(found) if comparator.equal(&expected, found) => {}
            Some(found) => out.push(Mismatch::WrongValue { argument, expected, found: found.clone() }),
        }
    }
    for (argument, found) in &predicted.arguments {
        if !gold.arguments.contains_key(argument) {
            out.push(Mismatch::UnexpectedArgument { argument: argument.clone(), found: found.clone() });
        }
    }
    out
}
