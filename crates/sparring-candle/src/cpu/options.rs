//! Settings of a policy on the CPU.

use crate::learn::{AdamWConfig, MOST_SHARDS};
use serde::{Deserialize, Serialize};
use sparring_core::PolicyError;

/// Settings of a [`CandlePolicy`](crate::CandlePolicy).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct PolicyOptions {
    /// Number of threads; results do not depend on it. Learning and scoring use at most `shards` of them.
    pub threads: usize,
    /// Number of parts of a batch in learning and scoring. Gradients are summed by part in a fixed order, so this
    /// number, unlike `threads`, changes results in the last bits. Each part holds a gradient. Set it once, to the
    /// largest number of cores that will ever be used.
    pub shards: usize,
    /// Number of sequences that each thread decodes at a time.
    pub decode_rows: usize,
    /// Whether prompts of several requests, or groups, that begin alike have their common beginning computed once, in
    /// whole pages of 64 tokens: in sampling once per thread, in learning and scoring once per block. Completions and
    /// scores do not depend on this setting; gradients are summed in another order.
    pub share_prefixes: bool,
    /// Gradient checkpointing (arXiv:1604.06174): keep only each layer's input between forward and backward, and
    /// recompute the rest. A third more work, a fraction of the memory, the same bits. Rows with recorded activations
    /// keep little either way.
    pub checkpoint_layers: bool,
    /// Memory limit, in MiB, for the activations that sampling records. Learning from the same rollouts before the
    /// next step then skips their forward pass. A recording takes about 4·layers·(2·hidden + qkv + attention) bytes
    /// per token, with each prompt and completion rounded up to 16 tokens. As many sampler calls are recorded as came
    /// before the last steps. What does not fit is recomputed, earlier calls first. With 0, or an adapter with
    /// dropout, nothing is recorded. Results do not depend on this setting.
    pub recall_mib: usize,
    /// The optimiser.
    pub adamw: AdamWConfig,
}

impl Default for PolicyOptions {
    /// All cores, two shards, 64 sequences a thread, 512 MiB for recorded activations.
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            shards: 2,
            decode_rows: 64,
            share_prefixes: true,
            checkpoint_layers: false,
            recall_mib: 512,
            adamw: AdamWConfig::default(),
        }
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

    /// Sets whether common beginnings of prompts are computed once.
    #[must_use]
    pub fn with_share_prefixes(mut self, share: bool) -> Self {
        self.share_prefixes = share;
        self
    }

    /// Sets whether layers are computed again in the backward pass.
    #[must_use]
    pub fn with_checkpoint_layers(mut self, again: bool) -> Self {
        self.checkpoint_layers = again;
        self
    }

    /// Sets the memory limit for recorded activations.
    #[must_use]
    pub fn with_recall_mib(mut self, mib: usize) -> Self {
        self.recall_mib = mib;
        self
    }

    /// Sets the optimiser.
    #[must_use]
    pub fn with_adamw(mut self, adamw: AdamWConfig) -> Self {
        self.adamw = adamw;
        self
    }

    pub(crate) fn recall_bytes(&self) -> usize {
        self.recall_mib.saturating_mul(1 << 20)
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
            if value == 0 || value > MOST_SHARDS {
                return bad(field, "must be in 1..=4096");
            }
        }
        self.adamw.validate()
    }
}
