//! Corrections for a sampler that is not quite the policy that learns.
use serde::{Deserialize, Serialize};

/// Weights w = π_old / π_sampler on the policy term, bounded (TRL's
/// `vllm_importance_sampling_*`, OpenRLHF's `vllm_is_*`). The weights are constants: nothing is differentiated through them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ImportanceCorrection {
    /// Whether a weight belongs to a token or to a sequence.
    pub level: ImportanceLevel,
    /// What becomes of a weight outside of the bounds.
    pub outside: Outside,
    /// Lower bound, at least 0; none by default.
    #[serde(default)]
    pub min: Option<f64>,
    /// Upper bound; none by default.
    #[serde(default)]
    pub max: Option<f64>,
}

/// What an importance weight belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ImportanceLevel {
    /// Each token has its own.
    Token,
    /// The product over the sequence's tokens, for each of them.
    Sequence,
    /// Each token has its own; whether it is within the bounds is decided by the geometric mean of the sequence
    /// (OpenRLHF's `seq-mask-tis`).
    TokenBySequence,
}

/// What becomes of a weight outside of its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outside {
    /// It is moved to the bound.
    Truncate,
    /// It becomes 0: the token, or the sequence, carries no policy gradient.
    Mask,
}

impl ImportanceCorrection {
    /// A correction without bounds.
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

    /// The weight of each token of one sequence; 1 where the token does not count. Differences that are NaN (a token
    /// without a log-probability) count as 0.
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
