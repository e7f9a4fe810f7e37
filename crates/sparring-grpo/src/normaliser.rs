//! The named losses, and the normalisers of losses.
use crate::surrogate::Surrogate;
use serde::{Deserialize, Serialize};

/// The losses of the papers by name. Each is a surrogate, a level of the ratio and a normaliser.
///
/// | name | surrogate | ratio of | [`Aggregation`] | source |
/// |---|---|---|---|---|
/// | `grpo` | clipped | token | mean of completions' means | arXiv:2402.03300, eq. 3 |
/// | `bnpo` | clipped | token | mean of the step's tokens | TRL |
/// | `dr_grpo` | clipped | token | constant length | arXiv:2503.20783 |
/// | `dapo` | clipped | token | mean of the batch's tokens | arXiv:2503.14476, eq. 8 |
/// | `luspo` | clipped | sequence | sum of a completion's tokens | arXiv:2602.05261 |
/// | `gspo` | clipped | sequence | mean of completions' means | arXiv:2507.18071, eq. 5 |
/// | `gspo_token` | clipped | sequence, gradient of the token | mean of completions' means | arXiv:2507.18071, eq. 13 |
/// | `cispo` | weighted score, at most 5 | token | mean of the batch's tokens | arXiv:2506.13585, eq. 4 |
/// | `sapo` | soft gate, τ 1 and 1.05 | token | mean of completions' means | arXiv:2511.20347 |
/// | `vespo` | φ-weighted score | sequence | mean of the batch's tokens | arXiv:2602.10693, as in TRL |
/// | `gmpo` | geometric mean | sequence | mean of completions | arXiv:2507.20673 |
/// | `gpg` | REINFORCE | none | mean of the batch's tokens | arXiv:2504.02546 |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[allow(missing_docs, reason = "the table has them")]
pub enum LossKind {
    #[default]
    Grpo,
    Bnpo,
    DrGrpo,
    Dapo,
    Luspo,
    Gspo,
    GspoToken,
    Cispo,
    Sapo,
    Vespo,
    Gmpo,
    Gpg,
}

impl LossKind {
    /// All losses.
    pub const ALL: [Self; 12] = [
        Self::Grpo,
        Self::Bnpo,
        Self::DrGrpo,
        Self::Dapo,
        Self::Luspo,
        Self::Gspo,
        Self::GspoToken,
        Self::Cispo,
        Self::Sapo,
        Self::Vespo,
        Self::Gmpo,
        Self::Gpg,
    ];

    /// Returns the surrogate, with the constants that its authors (or TRL) use.
    pub const fn surrogate(self) -> Surrogate {
        match self {
            Self::Cispo => Surrogate::Cispo { min: 0.0, max: 5.0 },
            Self::Sapo => Surrogate::Sapo { positive: 1.0, negative: 1.05 },
            Self::Vespo => Surrogate::Vespo { positive: (2.0, 3.0), negative: (3.0, 2.0) },
            Self::Gmpo => Surrogate::GeometricMean { epsilon: 0.0 },
            Self::Gpg => Surrogate::Reinforce,
            _ => Surrogate::Clipped,
        }
    }

    /// Returns the level of the ratio.
    pub const fn level(self) -> RatioLevel {
        match self {
            Self::Gspo | Self::Luspo => RatioLevel::Sequence,
            Self::GspoToken => RatioLevel::SequenceToken,
            _ => RatioLevel::Token,
        }
    }

    /// Returns the normaliser.
    pub const fn aggregation(self) -> Aggregation {
        match self {
            Self::Grpo | Self::Gspo | Self::GspoToken | Self::Sapo | Self::Gmpo => {
                Aggregation::CompletionMean
            }
            Self::Bnpo => Aggregation::StepTokenMean,
            Self::DrGrpo => Aggregation::ConstantLength,
            Self::Luspo => Aggregation::CompletionSum,
            Self::Dapo | Self::Cispo | Self::Vespo | Self::Gpg => Aggregation::BatchTokenMean,
        }
    }
}

/// Whether the probability ratio is per token or per sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RatioLevel {
    /// r_t = π(token) / π_old(token).
    #[default]
    Token,
    /// s = (π(completion) / π_old(completion))^(1/n), differentiated through the whole sequence.
    Sequence,
    /// The value of s, with the gradient of the token's own ratio.
    SequenceToken,
}

/// How token losses are averaged. Totals are over one optimiser step, regardless of micro-batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Aggregation {
    /// Mean over the tokens of each completion, then over completions: 1 / (n_i·B).
    #[default]
    CompletionMean,
    /// Sum over the tokens of each completion, mean over completions: 1 / B.
    CompletionSum,
    /// Mean over the tokens of the optimiser step's batch: 1 / Σn.
    StepTokenMean,
    /// Mean over the tokens of the whole rollout batch: steps / Σn_all. With one optimiser step per epoch it equals
    /// [`Aggregation::StepTokenMean`].
    BatchTokenMean,
    /// A constant length instead of the completion's own: 1 / (B·L_max).
    ConstantLength,
}

/// The totals of one optimiser step that a normaliser needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Totals {
    /// B: completions of the step, including empty and masked ones.
    pub completions: usize,
    /// Σn: unmasked completion tokens of the step.
    pub tokens: usize,
    /// Unmasked completion tokens of the whole rollout batch, divided by its number of optimiser steps.
    pub tokens_per_step: f64,
    /// L_max: largest number of tokens in a completion, for [`Aggregation::ConstantLength`].
    pub max_tokens: usize,
}

impl Aggregation {
    /// Returns the weight of every token of a completion with `tokens` unmasked tokens; finite and positive.
    pub fn token_weight(self, tokens: usize, totals: &Totals) -> f64 {
        let rows = totals.completions.max(1) as f64;
        match self {
            Self::CompletionMean => 1.0 / (tokens.max(1) as f64 * rows),
            Self::CompletionSum => 1.0 / rows,
            Self::StepTokenMean => 1.0 / totals.tokens.max(1) as f64,
            Self::BatchTokenMean => 1.0 / totals.tokens_per_step.max(1.0),
            Self::ConstantLength => 1.0 / (rows * totals.max_tokens.max(1) as f64),
        }
    }
}
