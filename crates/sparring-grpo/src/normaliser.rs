//! What the sum over tokens is divided by: the whole difference between GRPO, BNPO, Dr. GRPO and DAPO.
use serde::{Deserialize, Serialize};

/// How token losses are averaged. The totals are those of one optimiser step, whatever the micro-batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LossKind {
    /// Mean over the tokens of each completion, then over completions: 1 / (n_i·B) (arXiv:2402.03300, eq. 3).
    #[default]
    Grpo,
    /// Mean over the tokens of the optimiser step's batch: 1 / Σn (TRL's `bnpo`, whose "local batch" is
    /// this step's batch).
    Bnpo,
    /// A constant length instead of the completion's own: 1 / (B·L_max) (arXiv:2503.20783).
    DrGrpo,
    /// Mean over the tokens of the whole rollout batch: steps / Σn_all (arXiv:2503.14476). With one
    /// optimiser step an epoch it equals [`LossKind::Bnpo`].
    Dapo,
}

/// The totals that a normaliser needs, of one optimiser step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Totals {
    /// B: completions of the step, the empty and the masked included.
    pub completions: usize,
    /// Σn: unmasked completion tokens of the step.
    pub tokens: usize,
    /// Unmasked completion tokens of the whole rollout batch, divided by its number of optimiser steps.
    pub tokens_per_step: f64,
    /// L_max: most tokens that a completion may have; for [`LossKind::DrGrpo`].
    pub max_tokens: usize,
}

impl LossKind {
    /// The weight of every token of a completion with `tokens` unmasked tokens; finite and positive.
    pub fn token_weight(self, tokens: usize, totals: &Totals) -> f64 {
        let rows = totals.completions.max(1) as f64;
        match self {
            Self::Grpo => 1.0 / (tokens.max(1) as f64 * rows),
            Self::Bnpo => 1.0 / totals.tokens.max(1) as f64,
            Self::DrGrpo => 1.0 / (rows * totals.max_tokens.max(1) as f64),
            Self::Dapo => 1.0 / totals.tokens_per_step.max(1.0),
        }
    }
}
