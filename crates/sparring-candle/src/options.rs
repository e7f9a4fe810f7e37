//! Settings of a policy.

use serde::{Deserialize, Serialize};
use sparring_core::PolicyError;

/// AdamW (arXiv:1711.05101). Matrices decay; norms and biases do not.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct AdamWConfig {
    /// Decay of the first moment, in [0, 1).
    pub beta1: f64,
    /// Decay of the second moment, in [0, 1).
    pub beta2: f64,
    /// Added to the root of the second moment, above 0.
    pub eps: f64,
    /// Decoupled weight decay, at least 0.
    pub weight_decay: f64,
    /// Largest global L2 norm of the gradient; a larger one is scaled down to it. `None` never clips.
    pub grad_clip: Option<f64>,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0, grad_clip: Some(1.0) }
    }
}

impl AdamWConfig {
    /// Sets both decays of the moments.
    #[must_use]
    pub fn with_betas(mut self, beta1: f64, beta2: f64) -> Self {
        (self.beta1, self.beta2) = (beta1, beta2);
        self
    }

    /// Sets what is added to the denominator.
    #[must_use]
    pub fn with_eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// Sets the weight decay.
    #[must_use]
    pub fn with_weight_decay(mut self, decay: f64) -> Self {
        self.weight_decay = decay;
        self
    }

    /// Sets the clipping threshold.
    #[must_use]
    pub fn with_grad_clip(mut self, norm: Option<f64>) -> Self {
        self.grad_clip = norm;
        self
    }
}

/// Settings of a [`CandlePolicy`](crate::CandlePolicy).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct PolicyOptions {
    /// Threads at work; results do not depend on it. Learning and scoring use at most `shards` of them.
    pub threads: usize,
    /// Parts that a batch is split into for learning and scoring. Gradients are summed by part in a fixed order, so
    /// this number, unlike `threads`, changes results in the last bits. Each part holds a gradient of its own.
    /// Set it once to the largest number of cores that will ever be used.
    pub shards: usize,
    /// Sequences that each thread decodes at a time.
    pub decode_rows: usize,
    /// The optimiser.
    pub adamw: AdamWConfig,
}

impl Default for PolicyOptions {
    /// Every core, two shards, 64 sequences a thread.
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { threads, shards: 2, decode_rows: 64, adamw: AdamWConfig::default() }
    }
}

impl PolicyOptions {
    /// Sets the number of threads.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Sets the number of shards.
    #[must_use]
    pub fn with_shards(mut self, shards: usize) -> Self {
        self.shards = shards;
        self
    }

    /// Sets how many sequences each thread decodes at a time.
    #[must_use]
    pub fn with_decode_rows(mut self, rows: usize) -> Self {
        self.decode_rows = rows;
        self
    }

    /// Sets the optimiser.
    #[must_use]
    pub fn with_adamw(mut self, adamw: AdamWConfig) -> Self {
        self.adamw = adamw;
        self
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] names the field that is out of range.
    pub fn validate(&self) -> Result<(), PolicyError> {
        let bad = |field: &str, why: &str| Err(PolicyError::invalid(format!("options.{field} {why}")));
        for (field, value) in
            [("threads", self.threads), ("shards", self.shards), ("decode_rows", self.decode_rows)]
        {
            if value == 0 || value > 4096 {
                return bad(field, "must be in 1..=4096");
            }
        }
        let AdamWConfig { beta1, beta2, eps, weight_decay, grad_clip } = self.adamw;
        for (field, beta) in [("adamw.beta1", beta1), ("adamw.beta2", beta2)] {
            if !(0.0..1.0).contains(&beta) {
                return bad(field, "must be in [0, 1)");
            }
        }
        if !(eps > 0.0 && eps.is_finite()) {
            return bad("adamw.eps", "must be a number above 0");
        }
        if !(weight_decay >= 0.0 && weight_decay.is_finite()) {
            return bad("adamw.weight_decay", "must be a number of at least 0");
        }
        if grad_clip.is_some_and(|c| !(c > 0.0 && c.is_finite())) {
            return bad("adamw.grad_clip", "must be a number above 0, or null");
        }
        Ok(())
    }
}
