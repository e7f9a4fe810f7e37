//! Penalties for completions that are too long.
use serde::{Deserialize, Serialize};

/// A penalty, added to the reward, that grows over the last tokens before the limit (DAPO's soft overlong punishment,
/// arXiv:2503.14476, eq. 13): 0 up to `max − cache` tokens, (max − cache − L) / cache up to `max`, −1 beyond. Groups of
/// equal rewards are not penalised, unless [`GrpoConfig::learn_from_shaping`](crate::GrpoConfig) is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SoftOverlong {
    /// L_max, tokens.
    pub max: usize,
    /// L_cache, tokens, in [1, `max`]: how long before `max` the penalty begins.
    pub cache: usize,
}

impl SoftOverlong {
    /// Returns the penalty up to `max` tokens that begins `cache` tokens before.
    pub const fn new(max: usize, cache: usize) -> Self {
        Self { max, cache }
    }

    /// Returns the penalty of a completion of this length, in [−1, 0].
    ///
    /// ```
    /// use sparring_grpo::SoftOverlong;
    /// let soft = SoftOverlong::new(100, 20);
    /// assert_eq!([80, 90, 100, 500].map(|length| soft.of(length)), [0.0, -0.5, -1.0, -1.0]);
    /// ```
    pub fn of(self, length: usize) -> f64 {
        let free = self.max.saturating_sub(self.cache);
        if length > self.max {
            -1.0
        } else if length <= free {
            0.0
        } else {
            -((length - free) as f64) / self.cache.max(1) as f64
        }
    }
}
