use super::{Answer, CallFormat, CallOrder, CallRule, Equality, NoCalls, same_calls};
use serde::{Deserialize, Serialize};
use sparring_tools::{Assignment, Comparator, ToolCall, ToolTask};
use std::collections::BTreeMap;

/// A similarity of two lists of names; each in [0, 1], 1 for equal lists, 0 if only one is empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Similarity {
    /// Of multisets: number of common names over `|a| + |b| - common`.
    #[default]
    Jaccard,
    /// Of multisets: twice the number of common names over `|a| + |b|`.
    F1,
    /// 1 for the same names in the same order, else 0.
    Exact,
}

impl Similarity {
    /// Compares two lists of names, in [0, 1].
    ///
    /// ```
    /// use sparring_reward::calls::Similarity;
    /// let (a, b) = (["f", "g"], ["f", "h", "f"]);
    /// assert_eq!([Similarity::Jaccard, Similarity::F1].map(|s| s.of(&a, &b)), [0.25, 0.4]);
    /// ```
    pub fn of(self, a: &[&str], b: &[&str]) -> f64 {
        if a == b {
            return 1.0;
        }
        let mut left: BTreeMap<&str, usize> = BTreeMap::new();
        for name in a {
            *left.entry(name).or_default() += 1;
        }
        let mut common = 0.0;
        for name in b {
            if let Some(count @ 1..) = left.get_mut(name) {
                *count -= 1;
                common += 1.0;
            }
        }
        let all = (a.len() + b.len()) as f64;
        match self {
            Self::Jaccard => common / (all - common),
            Self::F1 => 2.0 * common / all,
            Self::Exact => 0.0,
        }
    }
}

/// The granularity at which calls are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Detail {
    /// By names, argument names and values.
    #[default]
    Parts,
    /// By names and whole calls: ToolRL's "intermediate".
    Calls,
    /// The whole list, in order, is equal or scores 0: ToolRL's "coarse".
    List,
}

/// Scores the similarity of the predicted calls to the reference calls, in [0, 1]: ToolRL's correctness (arXiv
/// 2504.13958, and its code), as a share of its maximum. Component: `similarity`.
///
/// ```text
/// score = J(names of R, names of P) + Σ_j max over unused p of the same name [ J(keys_j, keys_p) + #(equal values) ]
/// S_max = 1 + Σ_j (1 + |arguments_j|),     share = score / S_max
/// ```
///
/// Extra calls only lower the score of the names. A completion that cannot be read scores 0. The paper's scales are
/// [`Range`](crate::Range)s of it: `R_corr = 6·share - 3`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct CallSimilarity {
    /// The format of calls.
    pub format: CallFormat,
    /// The block that an answer must have; none by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<String>,
    /// The granularity at which calls are compared.
    pub detail: Detail,
    /// How the lists of called names are compared.
    pub names: Similarity,
    /// How the argument names of two calls are compared.
    pub keys: Similarity,
    /// When argument values are equal.
    pub values: Equality,
    /// How predictions are assigned to reference calls.
    pub assignment: Assignment,
    /// How to score tasks without calls.
    pub no_calls: NoCalls,
}

impl Default for CallSimilarity {
    /// ToolRL's: greedy, Jaccard, Python's equality of values; tasks without calls are left to the format reward.
    fn default() -> Self {
        Self {
            format: CallFormat::default(),
            block: None,
            detail: Detail::default(),
            names: Similarity::Jaccard,
            keys: Similarity::Jaccard,
            values: Equality::Python,
            assignment: Assignment::Greedy,
            no_calls: NoCalls::Skip,
        }
    }
}

impl CallSimilarity {
    /// Scores calls in this format.
    pub fn of(format: impl Into<CallFormat>) -> Self {
        Self { format: format.into(), ..Self::default() }
    }

    /// Sets the granularity at which calls are compared.
    #[must_use]
    pub fn with_detail(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }

    /// Sets how names and argument names are compared: [`Similarity::Exact`] for both is ToolRL's "finegrained".
    #[must_use]
    pub fn with_similarity(mut self, names: Similarity, keys: Similarity) -> Self {
        (self.names, self.keys) = (names, keys);
        self
    }

    /// Sets how predictions are assigned to reference calls.
    #[must_use]
    pub fn with_assignment(mut self, assignment: Assignment) -> Self {
        self.assignment = assignment;
        self
    }

    /// Returns the similarity of two lists of calls, in [0, 1]. Without reference calls, 1 if none is predicted, else
    /// 0.
    pub fn share(&self, reference: &[ToolCall], predicted: &[ToolCall]) -> f64 {
        if same_calls(reference, predicted, &self.values, CallOrder::Same) {
            return 1.0;
        }
        if self.detail == Detail::List || reference.is_empty() {
            return 0.0;
        }
        let (expected, found) = (names(reference), names(predicted));
        let pair = |(r, p): (usize, usize)| {
            if expected[r] == found[p] { self.pair(&reference[r], &predicted[p]) } else { 0.0 }
        };
        let scores: Vec<Vec<f64>> =
            (0..reference.len()).map(|r| (0..predicted.len()).map(|p| pair((r, p))).collect()).collect();
        let assigned = self.assignment.solve(&scores, predicted.len());
        let matched: f64 = assigned.iter().zip(&scores).filter_map(|(p, row)| p.map(|p| row[p])).sum();
        let most: f64 = reference.iter().map(|call| self.most(call)).sum();
        (self.names.of(&expected, &found) + matched) / (1.0 + most)
    }

    /// Score of two calls of the same tool.
    fn pair(&self, reference: &ToolCall, predicted: &ToolCall) -> f64 {
        let (expected, found) = (&reference.arguments, &predicted.arguments);
        let equal = |(key, value): &(&String, &serde_json::Value)| {
            found.get(*key).is_some_and(|other| self.values.equal(value, other))
        };
        let equal = expected.iter().filter(equal).count();
        if self.detail == Detail::Calls {
            return if equal == expected.len() && equal == found.len() { 1.0 } else { 0.0 };
        }
        let [a, b] = [expected, found].map(|map| map.keys().map(String::as_str).collect::<Vec<_>>());
        self.keys.of(&a, &b) + equal as f64
    }

    /// The largest score of a reference call.
    fn most(&self, call: &ToolCall) -> f64 {
        if self.detail == Detail::Calls { 1.0 } else { 1.0 + call.arguments.len() as f64 }
    }
}

fn names(calls: &[ToolCall]) -> Vec<&str> {
    calls.iter().map(|call| call.name.trim()).collect()
}

impl CallRule for CallSimilarity {
    fn name(&self) -> &'static str {
        "similarity"
    }

    fn format(&self) -> CallFormat {
        self.format
    }

    fn block(&self) -> Option<&str> {
        self.block.as_deref()
    }

    fn score(&self, task: &ToolTask, answer: &Answer<'_>) -> Option<f64> {
        if task.calls.is_empty() && self.no_calls == NoCalls::Skip {
            return None;
        }
        Some(answer.calls.map_or(0.0, |predicted| self.share(&task.calls, predicted)))
    }
}
