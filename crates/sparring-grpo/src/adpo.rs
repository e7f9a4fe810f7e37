//! Advantage scales and clip bounds that depend on the ambiguity of a task (ADPO of Agent0, arXiv:2511.16043).
use serde::{Deserialize, Serialize};

/// Scales advantages and widens the clip by the self-consistency p of a group: the share of its samples that agree with
/// the majority.
///
/// Pseudo-labels of low p are unreliable, so they get smaller advantages. They are also where the policy has most to
/// learn, so the ratio may move further.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Adpo {
    /// Scale of the advantage if p is 0.3 or less.
    pub min_scale: f64,
    /// Largest increase of ε_high.
    pub extra_clip: f64,
}

impl Default for Adpo {
    fn default() -> Self {
        Self::new(0.6, 0.1)
    }
}

impl Adpo {
    /// Returns these settings.
    pub const fn new(min_scale: f64, extra_clip: f64) -> Self {
        Self { min_scale, extra_clip }
    }

    /// Returns s(p) = s_min + (1 − s_min)·clip((p − 0.3) / 0.5, 0, 1).
    ///
    /// ```
    /// use sparring_grpo::Adpo;
    /// let adpo = Adpo::default();
    /// assert_eq!([0.2, 0.8, 1.0].map(|p| adpo.scale(p)), [0.6, 1.0, 1.0]);
    /// assert!((adpo.clip_high(0.2, 0.3) - 0.3).abs() < 1e-12);
    /// ```
    pub fn scale(self, p: f64) -> f64 {
        self.min_scale + (1.0 - self.min_scale) * ((p - 0.3) / 0.5).clamp(0.0, 1.0)
    }

    /// Returns ε_high(p) = ε + extra·clip((0.8 − p) / 0.5, 0, 1).
    pub fn clip_high(self, epsilon: f64, p: f64) -> f64 {
        epsilon + self.extra_clip * ((0.8 - p) / 0.5).clamp(0.0, 1.0)
    }
}
