//! Importance weights for a sampler that differs slightly from the trained policy.
use serde::{Deserialize, Serialize};

/// Bounded importance weights w = π_old / π_sampler on the policy term (TRL's `vllm_importance_sampling_*`, OpenRLHF's
/// `vllm_is_*`). The weights are constants: no gradient flows through them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ImportanceCorrection {
    /// Whether weights are per token or per sequence.
    pub level: ImportanceLevel,
    /// What happens to a weight outside the bounds.
    pub outside: Outside,
    /// Lower bound, at least 0; none by default.
    #[serde(default)]
    pub min: Option<f64>,
    /// Upper bound; none by default.
    #[serde(default)]
    pub max: Option<f64>,
}

/// Whether importance weights are per token or per sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ImportanceLevel {
    /// Each token has its own weight.
    Token,
    /// Every token has the product over the sequence.
    Sequence,
    /// Each token has its own weight; the geometric mean of the sequence decides whether it is within the bounds
    /// (OpenRLHF's `seq-mask-tis`).
    TokenBySequence,
}

/// What happens to a weight outside its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outside {
    /// It is set to the bound.
    Truncate,
    /// It becomes 0: the token or sequence carries no policy gradient.
    Mask,
}

impl ImportanceCorrection {
    /// Returns a correction without bounds.
    pub const fn new(level: ImportanceLevel, outside: Outside) -> Self {
        Self { level, outside, min: None, max: None }
    }

    /// Sets the lower bound.
    #[must_use]
    pub const fn with_min(mut self, min: Option<f64>) -> Self {
        self.min = min;
        self
    }

    /// Sets the upper bound.
    #[must_use]
    pub const fn with_max(mut self, max: Option<f64>) -> Self {
        self.max = max;
        self
    }

    /// Returns the weight of each token of one sequence; 1 for tokens that do not count. Differences that are NaN (a
    /// token without a log-probability) count as 0.
    pub fn weights(&self, old: &[f64], sampler: &[f64], counts: impl Fn(usize) -> bool) -> Vec<f64> {
        let difference = |t: usize| {
            let d = old[t] - sampler[t];
            if d.is_nan() || !counts(t) { 0.0 } else { d }
        };
        let tokens = 0..old.len();
        let sum: f64 = tokens.clone().map(difference).sum();
        let counted = tokens.clone().filter(|&t| counts(t)).count().max(1) as f64;
        tokens
            .map(|t| match self.level {
                ImportanceLevel::Token => self.bound(difference(t).exp(), difference(t).exp()),
                ImportanceLevel::Sequence => self.bound(sum.exp(), sum.exp()),
                ImportanceLevel::TokenBySequence => self.bound(difference(t).exp(), (sum / counted).exp()),
            })
            .collect()
    }

    fn bound(&self, weight: f64, judged: f64) -> f64 {
        let (min, max) = (self.min.unwrap_or(0.0), self.max.unwrap_or(f64::INFINITY));
        match self.outside {
            Outside::Truncate => weight.max(min).min(max),
            Outside::Mask if (min..=max).contains(&judged) => weight,
            Outside::Mask => 0.0,
        }
    }
}
