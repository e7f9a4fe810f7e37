//! The KL term: its settings, and estimators of KL(π‖π_ref) from one sampled token (Schulman, "Approximating KL
//! Divergence", 2020).
use crate::surrogate::ValueAndGradient;
use serde::{Deserialize, Serialize};

/// An estimator of the KL divergence, with x = logp − logp_ref.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KlEstimator {
    /// x: unbiased, of high variance and either sign. Its gradient is 1 everywhere.
    K1,
    /// x² / 2: never negative; its gradient is x.
    K2,
    /// e^(−x) + x − 1: unbiased, never negative (arXiv:2402.03300, eq. 4).
    #[default]
    K3,
    /// |x|.
    Abs,
    /// The value of k1 with the gradient of k2, whose mean is the gradient of the divergence.
    K1WithGradientOfK2,
    /// The value of k3 with the gradient of k2 (verl's `k3+`).
    K3WithGradientOfK2,
}

/// Where the KL divergence to the reference model is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KlPlacement {
    /// In the loss of every token.
    #[default]
    Loss,
    /// In the reward: β·Σ_t k_t is subtracted before the advantages (PPO for language models, arXiv:1909.08593), but
    /// not in groups of equal rewards, unless [`GrpoConfig::learn_from_shaping`](crate::GrpoConfig) is on.
    Reward,
}

/// The KL term: β times the estimated divergence from the reference model. In TOML,
/// `kl = { coef = 0.01, estimator = "k3" }`. A coefficient of 0, the default, switches the term off.
///
/// ```
/// use sparring_grpo::{GrpoConfig, KlConfig, KlEstimator};
/// let kl = KlConfig::new(0.001).with_estimator(KlEstimator::K2).with_bounded(true);
/// assert!(GrpoConfig::default().with_kl(kl).build().is_ok());
/// // Switched off, the other fields would do nothing.
/// let error = GrpoConfig::default().with_kl(kl.with_coef(0.0)).build().unwrap_err();
/// assert!(error.to_string().starts_with("grpo.kl.estimator"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct KlConfig {
    /// β, at least 0; 0 switches the term off.
    pub coef: f64,
    /// The estimator.
    pub estimator: KlEstimator,
    /// Where the term is applied.
    pub placement: KlPlacement,
    /// Whether the estimate is multiplied by the probability ratio r to the sampling policy, which is differentiated
    /// too (arXiv:2512.02556, eq. 7). In the loss only. Off by default, as in the papers of GRPO.
    ///
    /// The gradient of r·k3 is that of the KL divergence in expectation, also if the sampler is not the current policy.
    /// The gradient of k3 alone is not, not even at r = 1. TRL calls the setting `use_bias_correction_kl`, and has it
    /// on by default since version 1.10.
    pub ratio_weighted: bool,
    /// Whether the estimate is bounded ([`KlEstimator::bounded`]).
    pub bounded: bool,
}

impl KlConfig {
    /// Returns β·k3 in the loss (arXiv:2402.03300, eq. 3 and 4).
    pub fn new(coef: f64) -> Self {
        Self { coef, ..Self::default() }
    }

    /// Sets β.
    #[must_use]
    pub const fn with_coef(mut self, coef: f64) -> Self {
        self.coef = coef;
        self
    }

    /// Sets the estimator.
    #[must_use]
    pub const fn with_estimator(mut self, estimator: KlEstimator) -> Self {
        self.estimator = estimator;
        self
    }

    /// Sets where the term is applied.
    #[must_use]
    pub const fn with_placement(mut self, placement: KlPlacement) -> Self {
        self.placement = placement;
        self
    }

    /// Sets whether the estimate is multiplied by the probability ratio.
    #[must_use]
    pub const fn with_ratio_weighted(mut self, ratio_weighted: bool) -> Self {
        self.ratio_weighted = ratio_weighted;
        self
    }

    /// Sets whether the estimate is bounded.
    #[must_use]
    pub const fn with_bounded(mut self, bounded: bool) -> Self {
        self.bounded = bounded;
        self
    }

    /// Returns the estimate for one token, bounded if so configured, and its gradient with respect to `logp`.
    pub(crate) fn estimate(&self, logp: f64, reference: f64) -> ValueAndGradient {
        if self.bounded {
            self.estimator.bounded(logp, reference)
        } else {
            self.estimator.of(logp, reference)
        }
    }

    pub(crate) fn in_loss(&self) -> bool {
        self.coef > 0.0 && self.placement == KlPlacement::Loss
    }

    pub(crate) fn in_reward(&self) -> bool {
        self.coef > 0.0 && self.placement == KlPlacement::Reward
    }
}

/// Bounds that keep one token from dominating an update (NeMo-RL's; verl has them for k3 alone).
const MAX_LOG_RATIO: f64 = 20.0;
const MAX_ESTIMATE: f64 = 10.0;

impl KlEstimator {
    /// Returns the estimate in nats and its gradient with respect to `logp`.
    pub fn of(self, logp: f64, reference: f64) -> ValueAndGradient {
        let x = logp - reference;
        let k2 = ValueAndGradient { value: 0.5 * x * x, gradient: x };
        // exp_m1 keeps the digits of a small x.
        let k3 = ValueAndGradient { value: (-x).exp_m1() + x, gradient: -(-x).exp_m1() };
        match self {
            Self::K1 => ValueAndGradient { value: x, gradient: 1.0 },
            Self::K2 => k2,
            Self::K3 => k3,
            Self::Abs => {
                ValueAndGradient { value: x.abs(), gradient: if x == 0.0 { 0.0 } else { x.signum() } }
            }
            Self::K1WithGradientOfK2 => ValueAndGradient { value: x, ..k2 },
            Self::K3WithGradientOfK2 => ValueAndGradient { value: k3.value, ..k2 },
        }
    }

    /// Returns the estimate with x clamped to ±20 and the value to ±10. The gradient is 0 at an active bound, except
    /// for the estimators that use the gradient of k2.
    pub fn bounded(self, logp: f64, reference: f64) -> ValueAndGradient {
        let x = logp - reference;
        let kl = self.of(x.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO), 0.0);
        let inside = x.abs() <= MAX_LOG_RATIO && kl.value.abs() <= MAX_ESTIMATE;
        let gradient = match self {
            Self::K1WithGradientOfK2 | Self::K3WithGradientOfK2 => x,
            _ if inside => kl.gradient,
            _ => 0.0,
        };
        ValueAndGradient { value: kl.value.clamp(-MAX_ESTIMATE, MAX_ESTIMATE), gradient }
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;

    #[test]
    fn zero_at_equality_and_hand_computed() {
        for kind in [KlEstimator::K1, KlEstimator::K2, KlEstimator::K3, KlEstimator::Abs] {
            assert_eq!(kind.of(-1.5, -1.5).value, 0.0, "{kind:?}");
        }
        let half = (0.5_f64).ln();
        let k3 = KlEstimator::K3.of(half, 0.0);
        assert!((k3.value - (2.0 + half - 1.0)).abs() < 1e-15 && (k3.gradient + 1.0).abs() < 1e-15);
        assert!((KlEstimator::K2.of(half, 0.0).value - half * half / 2.0).abs() < 1e-15);
        let far = KlEstimator::K3.bounded(-9.0, -1.0);
        assert_eq!((far.value, far.gradient), (10.0, 0.0));
        assert_eq!(KlEstimator::K1.bounded(-90.0, -1.0), ValueAndGradient { value: -10.0, gradient: 0.0 });
    }
}
