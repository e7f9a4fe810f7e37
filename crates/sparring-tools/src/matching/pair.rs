use super::Matcher;
use crate::{Comparator, ToolCall};
use serde::{Deserialize, Serialize};

/// Weights of the parts of a pair's score. They should add up to 1, the score of a perfect pair.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PairWeights {
    /// Weight of an equal name.
    pub name: f64,
    /// Weight of the F1 of the argument names.
    pub keys: f64,
    /// Weight of the share of equal values over the common argument names.
    pub values: f64,
}

impl Default for PairWeights {
    /// 0.2, 0.3 and 0.5 (arXiv 2602.21320, Eq. 7).
    fn default() -> Self {
        Self { name: 0.2, keys: 0.3, values: 0.5 }
    }
}

/// The score of one predicted call against one gold call. Every part is in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct PairScore {
    /// Whether the names are equal.
    pub name: bool,
    /// F1 of the argument names.
    pub keys: f64,
    /// Share of equal values over the common argument names.
    pub values: f64,
    /// Whether name, argument names and values all agree.
    pub exact: bool,
    /// The weighted sum; exactly 1 if `exact` (with weights that add up to 1), and 0 if the name gate rejects the pair.
    pub total: f64,
}

pub(super) fn score(
    matcher: &Matcher,
    gold: &ToolCall,
    predicted: &ToolCall,
    comparator: &dyn Comparator,
) -> PairScore {
    let name = gold.name.trim() == predicted.name.trim();
    let (expected, found) = (&gold.arguments, &predicted.arguments);
    let common = expected.keys().filter(|key| found.contains_key(*key)).count();
    let equal = expected
        .iter()
        .filter(|(key, value)| found.get(*key).is_some_and(|other| comparator.equal(value, other)))
        .count();
    let (keys, values) = if expected.is_empty() && found.is_empty() {
        (1.0, 1.0)
    } else {
        let keys = 2.0 * common as f64 / (expected.len() + found.len()) as f64;
        (keys, if common == 0 { 0.0 } else { equal as f64 / common as f64 })
    };
    let exact = name && equal == expected.len() && expected.len() == found.len();
    let weights = matcher.weights;
    let total = if matcher.gate_on_name && !name {
        0.0
    } else {
        weights.name * f64::from(u8::from(name)) + weights.keys * keys + weights.values * values
    };
    PairScore { name, keys, values, exact, total }
}
