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
}

impl KlEstimator {
    /// The estimate in nats and its slope with respect to `logp`.
    pub fn of(self, logp: f64, reference: f64) -> Dual {
        let x = logp - reference;
        match self {
            Self::K1 => Dual { value: x, slope: 1.0 },
            Self::K2 => Dual { value: 0.5 * x * x, slope: x },
            // exp_m1 keeps the digits of a small x.
            Self::K3 => Dual { value: (-x).exp_m1() + x, slope: -(-x).exp_m1() },
        }
    }

    /// The estimate times the probability ratio r = exp(log_ratio) to the policy that sampled, which is
    /// differentiated too: unbiased where the sampler is not the current policy (arXiv:2512.02556).
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
        for kind in [KlEstimator::K1, KlEstimator::K2, KlEstimator::K3] {
            assert_eq!(kind.of(-1.5, -1.5).value, 0.0, "{kind:?}");
        }
        let half = (0.5_f64).ln();
        let k3 = KlEstimator::K3.of(half, 0.0);
        assert!((k3.value - (2.0 + half - 1.0)).abs() < 1e-15 && (k3.slope + 1.0).abs() < 1e-15);
        assert!((KlEstimator::K2.of(half, 0.0).value - half * half / 2.0).abs() < 1e-15);
        // The slope of r·k3 at r = e^d is r·x: the exponentials of the reference cancel.
        let w = KlEstimator::K3.weighted(-1.0, -2.5, 0.3);
        assert!((w.slope - 0.3_f64.exp() * 1.5).abs() < 1e-12);
    }
}
