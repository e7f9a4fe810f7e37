use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// A learning-rate schedule over the steps of a phase.
///
/// ```
/// use sparring_grpo::LrSchedule;
/// let linear = LrSchedule::linear();
/// assert_eq!(linear.at(0, 50, 1e-6), 1e-6);
/// assert!((linear.at(49, 50, 1e-6) - 2e-8).abs() < 1e-20);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum LrSchedule {
    /// The base rate throughout.
    Constant {
        /// Steps over which the rate rises from base / warmup to base.
        #[serde(default)]
        warmup: usize,
    },
    /// A straight line from the base rate towards `to` × base.
    Linear {
        /// Steps over which the rate rises from base / warmup to base.
        #[serde(default)]
        warmup: usize,
        /// Share of the base rate that the step after the last would have; in [0, 1].
        #[serde(default)]
        to: f64,
    },
    /// Half a cosine from the base rate towards `to` × base (arXiv:1608.03983, eq. 5, without restarts).
    Cosine {
        /// Steps over which the rate rises from base / warmup to base.
        #[serde(default)]
        warmup: usize,
        /// Share of the base rate that the step after the last would have; in [0, 1].
        #[serde(default)]
        to: f64,
    },
}

impl Default for LrSchedule {
    fn default() -> Self {
        Self::constant()
    }
}

impl LrSchedule {
    /// Returns a constant schedule without warm-up.
    pub const fn constant() -> Self {
        Self::Constant { warmup: 0 }
    }

    /// Returns linear decay to 0 without warm-up.
    pub const fn linear() -> Self {
        Self::Linear { warmup: 0, to: 0.0 }
    }

    /// Returns cosine decay to 0 without warm-up.
    pub const fn cosine() -> Self {
        Self::Cosine { warmup: 0, to: 0.0 }
    }

    /// Sets the number of warm-up steps.
    #[must_use]
    pub const fn with_warmup(self, warmup: usize) -> Self {
        match self {
            Self::Constant { .. } => Self::Constant { warmup },
            Self::Linear { to, .. } => Self::Linear { warmup, to },
            Self::Cosine { to, .. } => Self::Cosine { warmup, to },
        }
    }

    /// Returns the rate of step `step` (from 0) of `total`, for the base rate `base`.
    pub fn at(self, step: usize, total: usize, base: f64) -> f64 {
        let (Self::Constant { warmup } | Self::Linear { warmup, .. } | Self::Cosine { warmup, .. }) = self;
        if step < warmup {
            return base * (step + 1) as f64 / warmup as f64;
        }
        let span = total.saturating_sub(warmup).max(1) as f64;
        let progress = ((step - warmup) as f64 / span).min(1.0);
        let share = match self {
            Self::Constant { .. } => 1.0,
            Self::Linear { to, .. } => 1.0 - progress * (1.0 - to),
            Self::Cosine { to, .. } => to + (1.0 - to) * 0.5 * (1.0 + (PI * progress).cos()),
        };
        base * share
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let warm = LrSchedule::cosine().with_warmup(4);
        assert_eq!(warm.at(0, 12, 2.0), 0.5);
        assert_eq!(warm.at(3, 12, 2.0), 2.0);
        assert_eq!(warm.at(4, 12, 2.0), 2.0);
        assert!((warm.at(8, 12, 2.0) - 1.0).abs() < 1e-15);
        assert_eq!(LrSchedule::Linear { warmup: 0, to: 0.5 }.at(5, 10, 1.0), 0.75);
        assert_eq!(LrSchedule::constant().at(99, 10, 0.3), 0.3);
        assert_eq!(LrSchedule::linear().at(99, 10, 0.3), 0.0);
    }

    #[test]
    fn reads_from_a_file() {
        let read: LrSchedule = serde_json::from_str(r#"{"kind": "linear", "warmup": 3}"#).unwrap();
        assert_eq!(read, LrSchedule::linear().with_warmup(3));
        assert!(serde_json::from_str::<LrSchedule>(r#"{"kind": "linear", "warmpu": 3}"#).is_err());
    }
}
