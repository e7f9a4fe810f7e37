//! Estimators of KL(π‖π_ref) from one sampled token (Schulman, "Approximating KL Divergence", 2020).
use crate::surrogate::Dual;
use serde::{Deserialize, Serialize};

/// Which estimator of the KL divergence, with x = logp − logp_ref.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KlEstimator {
    /// x: unbiased, of high variance, of either sign. Its slope is 1 everywhere.
    K1,
    /// x² / 2: never negative; its slope is x.
    K2,
    /// e^(−x) + x − 1: unbiased, never negative (arXiv:2402.03300, eq. 4).
    #[default]
    K3,
    /// |x|.
    Abs,
    /// The value of k1 with the slope of k2, whose mean is the slope of the divergence.
    K1WithSlopeOfK2,
    /// The value of k3 with the slope of k2 (verl's `k3+`).
    K3WithSlopeOfK2,
}

/// Bounds that keep one token from deciding an update (NeMo-RL's; verl has them for k3 alone).
const MAX_LOG_RATIO: f64 = 20.0;
const MAX_ESTIMATE: f64 = 10.0;

impl KlEstimator {
    /// The estimate in nats and its slope with respect to `logp`.
    pub fn of(self, logp: f64, reference: f64) -> Dual {
        let x = logp - reference;
        let k2 = Dual { value: 0.5 * x * x, slope: x };
        // exp_m1 keeps the digits of a small x.
        let k3 = Dual { value: (-x).exp_m1() + x, slope: -(-x).exp_m1() };
        match self {
            Self::K1 => Dual { value: x, slope: 1.0 },
            Self::K2 => k2,
            Self::K3 => k3,
            Self::Abs => Dual { value: x.abs(), slope: if x == 0.0 { 0.0 } else { x.signum() } },
            Self::K1WithSlopeOfK2 => Dual { value: x, ..k2 },
            Self::K3WithSlopeOfK2 => Dual { value: k3.value, ..k2 },
        }
    }

    /// The same with x clamped to ±20 and the estimate to ±10; no slope where a bound is active, but for those that
    /// borrow the slope of k2.
    pub fn bounded(self, logp: f64, reference: f64) -> Dual {
        let x = logp - reference;
        let kl = self.of(x.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO), 0.0);
        let inside = x.abs() <= MAX_LOG_RATIO && kl.value.abs() <= MAX_ESTIMATE;
        let slope = match self {
            Self::K1WithSlopeOfK2 | Self::K3WithSlopeOfK2 => x,
            _ if inside => kl.slope,
            _ => 0.0,
        };
        Dual { value: kl.value.clamp(-MAX_ESTIMATE, MAX_ESTIMATE), slope }
    }

    /// The estimate times the probability ratio r = exp(log_ratio) to the policy that sampled, which is
    /// differentiated too: unbiased where the sampler is not the current policy (arXiv:2512.02556, eq. 7).
    pub fn weighted(self, logp: f64, reference: f64, log_ratio: f64) -> Dual {
        let kl = self.of(logp, reference);
        let ratio = log_ratio.exp();
        Dual { value: ratio * kl.value, slope: ratio * (kl.value + kl.slope) }
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
        assert!((k3.value - (2.0 + half - 1.0)).abs() < 1e-15 && (k3.slope + 1.0).abs() < 1e-15);
        assert!((KlEstimator::K2.of(half, 0.0).value - half * half / 2.0).abs() < 1e-15);
        // The slope of r·k3 at r = e^d is r·x: the exponentials of the reference cancel.
        let w = KlEstimator::K3.weighted(-1.0, -2.5, 0.3);
        assert!((w.slope - 0.3_f64.exp() * 1.5).abs() < 1e-12);
        let far = KlEstimator::K3.bounded(-9.0, -1.0);
        assert_eq!((far.value, far.slope), (10.0, 0.0));
        assert_eq!(KlEstimator::K1.bounded(-90.0, -1.0), Dual { value: -10.0, slope: 0.0 });
    }
}
