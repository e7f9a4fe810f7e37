//! The policy objective of one token, for every loss.
use serde::{Deserialize, Serialize};

/// Where the probability ratio is clipped.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clip {
    /// ε_low: the ratio is clipped below at 1 − ε_low. In [0, 1].
    pub low: f64,
    /// ε_high: the ratio is clipped above at 1 + ε_high; at least 0. More than ε_low is DAPO's "clip-higher".
    pub high: f64,
    /// δ: a cap on the ratio that also holds for negative advantages (INTELLECT-2, arXiv:2505.07291).
    pub cap: Option<f64>,
    /// c, above 1: for a negative advantage, the objective is at least c·A (dual clip, arXiv:1912.09729, eq. 5).
    pub dual: Option<f64>,
}

impl Default for Clip {
    fn default() -> Self {
        Self { low: 0.2, high: 0.2, cap: None, dual: None }
    }
}

/// A value and its derivative.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ValueAndGradient {
    /// The value.
    pub value: f64,
    /// Its derivative with respect to the log-probability of the token.
    pub gradient: f64,
}

/// The policy objective of one token, which replaces −r·A. r is the probability ratio of the token or of its sequence
/// ([`RatioLevel`](crate::RatioLevel)).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Surrogate {
    /// −min(min(r, δ)·A, clip(r, 1 − ε_low, 1 + ε_high)·A), see [`clipped`] (PPO, GRPO, DAPO, GSPO).
    #[default]
    Clipped,
    /// −sg(clip(r, min, max))·A·logp (CISPO, arXiv:2506.13585, eq. 4): no token loses its gradient. TRL has no
    /// lower bound and uses ε_high itself as the maximum; verl clips to \[1 − ε_low, 1 + ε_high\].
    Cispo {
        /// Smallest weight, at least 0.
        #[serde(default)]
        min: f64,
        /// Largest weight.
        max: f64,
    },
    /// −(4/τ)·sigmoid(τ·(r − 1))·A, τ by the sign of A (0 counts as negative): a soft clip (SAPO, arXiv:2511.20347).
    Sapo {
        /// τ if the advantage is positive, above 0.
        positive: f64,
        /// τ otherwise, above 0.
        negative: f64,
    },
    /// −φ·A·logp with φ = e^(λ + k·L − λ·e^L), L the clamped sum of the sequence's log-ratios (VESPO, as in TRL).
    Vespo {
        /// (k, λ) if the advantage is at least 0.
        positive: (f64, f64),
        /// (k, λ) otherwise.
        negative: (f64, f64),
    },
    /// −A·exp(mean of the log-ratios, each clipped to \[−ε_low, ε_high\] on the side where it would help) (GMPO,
    /// arXiv:2507.20673): uses the geometric mean of the sequence's ratios.
    GeometricMean {
        /// Added to the number of tokens (verl's 1e-8); at least 0.
        #[serde(default)]
        epsilon: f64,
    },
    /// −A·logp: the policy gradient without a ratio (GPG, arXiv:2504.02546).
    Reinforce,
    /// −A·r while the policy is within a trust region around the sampler, else 0 (DPPO, arXiv:2602.04879). A token is
    /// left out only if it has moved too far in the direction of its advantage, or in any with `symmetric`.
    TrustRegion {
        /// The distance measure.
        divergence: Divergence,
        /// The largest distance if the advantage is not positive.
        low: f64,
        /// The largest distance if it is.
        high: f64,
        /// If set, the term is −A·sg(min(r, max))·logp, which has the same gradient while r is below the maximum.
        #[serde(default)]
        max_ratio: Option<f64>,
        /// Whether a token also loses its term after a move against the direction of its advantage (prime-rl's IPO:
        /// |π − π_old| is bounded, with [`Divergence::Tv`] and `low = high`).
        #[serde(default)]
        symmetric: bool,
    },
    /// −A·r, plus `coef`·|log r| on the tokens with the largest covariance of log-probability and advantage (KL-Cov,
    /// arXiv:2505.22617, eq. 12). They are chosen within each micro-batch.
    KlCov {
        /// Share of the tokens, in (0, 1].
        share: f64,
        /// Coefficient of the penalty.
        coef: f64,
    },
}

/// A distance between two probabilities of the same token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Divergence {
    /// |π − π_old|: total variation of the binary distribution "this token or another".
    Tv,
    /// KL(π_old‖π) of the binary distribution "this token or another".
    Kl,
}

/// A term of the loss with its two derivatives: one through the ratio, which may involve the log-probabilities of the
/// whole sequence, and one through the token's own log-probability.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Term {
    pub(crate) value: f64,
    pub(crate) by_log_ratio: f64,
    pub(crate) by_logp: f64,
}

/// The inputs of a surrogate for one token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    pub(crate) log_ratio: f64,
    pub(crate) logp: f64,
    /// logp under the policy in the ratio's denominator.
    pub(crate) old: f64,
    pub(crate) advantage: f64,
    /// φ of the sequence, for VESPO.
    pub(crate) phi: f64,
    /// Whether KL-Cov selected this token.
    pub(crate) chosen: bool,
}

impl Surrogate {
    /// Returns whether it uses [`Clip::low`] and [`Clip::high`].
    pub const fn clips(self) -> bool {
        matches!(self, Self::Clipped | Self::GeometricMean { .. })
    }

    /// Returns whether it uses a ratio of the token or the sequence, at the level of [`RatioLevel`](crate::RatioLevel).
    pub(crate) const fn has_ratio(self) -> bool {
        !matches!(self, Self::Vespo { .. } | Self::GeometricMean { .. } | Self::Reinforce)
    }

    /// Returns the ratios beyond which the update is bounded in the direction of the advantage; infinite without
    /// bounds.
    pub(crate) const fn bounds(self, clip: Clip) -> (f64, f64) {
        match self {
            Self::Clipped | Self::GeometricMean { .. } => (1.0 - clip.low, 1.0 + clip.high),
            Self::Cispo { min, max } => (min, max),
            _ => (0.0, f64::INFINITY),
        }
    }

    pub(crate) fn at(self, clip: Clip, point: Point) -> Term {
        let Point { log_ratio, logp, advantage, .. } = point;
        // A ratio that overflows times an advantage of 0 is 0, not ∞ · 0.
        if advantage == 0.0 && !matches!(self, Self::KlCov { .. }) {
            return Term::default();
        }
        let ratio = log_ratio.exp();
        // −sg(weight)·A·logp
        let score = |weight: f64| Term {
            value: -weight * advantage * logp,
            by_logp: -weight * advantage,
            by_log_ratio: 0.0,
        };
        let through_ratio =
            |ValueAndGradient { value, gradient }| Term { value, by_log_ratio: gradient, by_logp: 0.0 };
        match self {
            Self::Clipped => through_ratio(clipped(log_ratio, advantage, clip)),
            Self::Cispo { min, max } => score(ratio.max(min).min(max)),
            Self::Sapo { positive, negative } => through_ratio(soft_clipped(
                ratio,
                advantage,
                if advantage > 0.0 { positive } else { negative },
            )),
            Self::Vespo { .. } => score(point.phi),
            // The sequence computes the mean of the clipped log-ratios.
            Self::GeometricMean { .. } => {
                through_ratio(ValueAndGradient { value: -advantage * ratio, gradient: -advantage * ratio })
            }
            Self::Reinforce => score(1.0),
            Self::TrustRegion { divergence, low, high, max_ratio, symmetric } => {
                let toward = divergence.within(logp, point.old, advantage, low, high);
                let against = !symmetric || divergence.within(logp, point.old, -advantage, low, high);
                if !(toward && against) {
                    Term::default()
                } else if let Some(max) = max_ratio {
                    score(ratio.min(max))
                } else {
                    through_ratio(ValueAndGradient {
                        value: -advantage * ratio,
                        gradient: -advantage * ratio,
                    })
                }
            }
            Self::KlCov { coef, .. } => {
                let pull = if point.chosen { coef } else { 0.0 };
                let reinforced = if advantage == 0.0 { 0.0 } else { advantage * ratio };
                through_ratio(ValueAndGradient {
                    value: pull * log_ratio.abs() - reinforced,
                    gradient: pull * sign(log_ratio) - reinforced,
                })
            }
        }
    }

    /// The effective log-ratio of one token of [`Surrogate::GeometricMean`], and its gradient.
    pub(crate) fn geometric(clip: Clip, log_ratio: f64, advantage: f64) -> ValueAndGradient {
        let clamped = log_ratio.clamp(-clip.low, clip.high);
        let helps = if advantage > 0.0 { log_ratio > clamped } else { log_ratio < clamped };
        if advantage != 0.0 && helps {
            ValueAndGradient { value: clamped, gradient: 0.0 }
        } else {
            ValueAndGradient { value: log_ratio, gradient: 1.0 }
        }
    }
}

/// −1, 0 or 1.
fn sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

impl Divergence {
    fn within(self, logp: f64, old: f64, advantage: f64, low: f64, high: f64) -> bool {
        let (p, q) = (logp.exp(), old.exp());
        match self {
            Self::Tv if advantage > 0.0 => p - q <= high,
            Self::Tv => p - q >= -low,
            Self::Kl => {
                // The constant keeps a token of probability 1 finite (verl's value).
                let tiny = 1e-8;
                let kl = q * (old - logp) + (1.0 - q) * ((1.0 - q + tiny) / (1.0 - p + tiny)).ln();
                if advantage > 0.0 { kl <= high || p <= q } else { kl <= low || p >= q }
            }
        }
    }
}

/// Returns ℓ = −min(c₁·A, c₂·A) with c₁ = min(r, δ), c₂ = clip(r, 1 − ε_low, 1 + ε_high) and r = exp(log_ratio)
/// (PPO, arXiv:1707.06347, eq. 7; asymmetric as in DAPO, arXiv:2503.14476, eq. 8). With a dual clip c and a negative
/// advantage, ℓ is at most −c·A. The gradient is with respect to `log_ratio`.
///
/// The gradient is −A·r if the chosen branch depends on r, and 0 if it is constant. If both branches are equal, it is
/// the mean of their gradients, as automatic differentiation of `min` gives.
///
/// ```
/// use sparring_grpo::surrogate::{Clip, clipped};
/// // A good token that has become 1.5 times as likely is clipped at 1.2, and has no gradient any more.
/// let l = clipped(1.5_f64.ln(), 2.0, Clip::default());
/// assert!((l.value + 2.4).abs() < 1e-12 && l.gradient == 0.0);
/// ```
pub fn clipped(log_ratio: f64, advantage: f64, clip: Clip) -> ValueAndGradient {
    // A ratio that overflows times an advantage of 0 is 0, not ∞ · 0.
    if advantage == 0.0 {
        return ValueAndGradient::default();
    }
    let ratio = log_ratio.exp();
    let (lowest, highest) = (1.0 - clip.low, 1.0 + clip.high);
    let free = (ratio.min(clip.cap.unwrap_or(f64::INFINITY)), clip.cap.is_none_or(|cap| ratio <= cap));
    let bounded = (ratio.max(lowest).min(highest), (lowest..=highest).contains(&ratio));
    let gradient_of = |moves: bool| if moves { ratio } else { 0.0 };
    let (a, b) = (free.0 * advantage, bounded.0 * advantage);
    let gradient = if a < b {
        gradient_of(free.1)
    } else if a > b {
        gradient_of(bounded.1)
    } else {
        0.5 * (gradient_of(free.1) + gradient_of(bounded.1))
    };
    let loss = ValueAndGradient { value: -a.min(b), gradient: -advantage * gradient };
    match clip.dual {
        Some(c) if advantage < 0.0 && loss.value > -c * advantage => {
            ValueAndGradient { value: -c * advantage, gradient: 0.0 }
        }
        _ => loss,
    }
}

/// Returns ℓ = −(4/τ)·sigmoid(τ·(r − 1))·A and its gradient with respect to log r (SAPO, arXiv:2511.20347).
pub fn soft_clipped(ratio: f64, advantage: f64, tau: f64) -> ValueAndGradient {
    let gate = 1.0 / (1.0 + (-tau * (ratio - 1.0)).exp());
    let bell = gate * (1.0 - gate);
    // Once the gate has closed, an infinite ratio has no effect.
    let moved = if bell == 0.0 { 0.0 } else { bell * ratio };
    ValueAndGradient { value: -4.0 / tau * gate * advantage, gradient: -4.0 * advantage * moved }
}

/// Returns ℓ = −A·f(π) with f(p) = p / (p + γ), or f(p) = p without γ, for a token that an expert wrote; the expert's
/// probability is taken as 1 (LUFFY, arXiv:2504.14945, eq. 5). The gradient is with respect to `logp`.
pub fn shaped(logp: f64, advantage: f64, gamma: Option<f64>) -> ValueAndGradient {
    let p = logp.exp();
    let (f, gradient) = match gamma {
        Some(gamma) => (p / (p + gamma), gamma * p / (p + gamma).powi(2)),
        None => (p, p),
    };
    ValueAndGradient { value: -advantage * f, gradient: -advantage * gradient }
}

#[cfg(test)]
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;

    #[test]
    fn hand_computed() {
        let clip = Clip { low: 0.2, high: 0.3, cap: Some(3.0), dual: None };
        let at = |ratio: f64, a: f64| clipped(ratio.ln(), a, clip);
        let close = |d: ValueAndGradient, value: f64, gradient: f64| {
            assert!((d.value - value).abs() < 1e-12 && (d.gradient - gradient).abs() < 1e-12, "{d:?}");
        };
        close(at(1.0, 2.0), -2.0, -2.0); // REINFORCE: gradient −A
        close(at(1.5, 2.0), -2.6, 0.0); // clipped above at 1.3
        close(at(0.5, 2.0), -1.0, -1.0); // a good token that fell is pulled back
        close(at(0.5, -2.0), 1.6, 0.0); // clipped below at 0.8
        close(at(1.5, -2.0), 3.0, 3.0); // a bad token that rose is pushed down
        close(at(4.0, -2.0), 6.0, 0.0); // … up to the cap
        close(at(4.0, 0.0), 0.0, 0.0);
        let dual = |ratio: f64, a: f64| clipped(ratio.ln(), a, Clip { dual: Some(3.0), ..Clip::default() });
        close(dual(5.0, -2.0), 6.0, 0.0);
        close(dual(2.0, -2.0), 4.0, 4.0);
        close(dual(5.0, 2.0), -2.4, 0.0);
        // At ratio 1, SAPO is REINFORCE for every τ.
        close(soft_clipped(1.0, 2.0, 1.05), -4.0 / 1.05, -2.0);
        close(soft_clipped(f64::INFINITY, 2.0, 1.0), -8.0, 0.0);
        close(shaped(0.1_f64.ln(), 2.0, Some(0.1)), -1.0, -0.5);
    }

    /// |π − π_old| = 0.3 is outside of a region of 0.2, whatever the sign of the advantage.
    #[test]
    fn a_symmetric_trust_region_bounds_both_directions() {
        let of = |symmetric: bool, p: f64, advantage: f64| {
            let surrogate = Surrogate::TrustRegion {
                divergence: Divergence::Tv,
                low: 0.2,
                high: 0.2,
                max_ratio: None,
                symmetric,
            };
            let (logp, old) = (p.ln(), 0.4_f64.ln());
            let point = Point { log_ratio: logp - old, logp, old, advantage, phi: 1.0, chosen: false };
            surrogate.at(Clip::default(), point).by_log_ratio
        };
        for (p, advantage, one_sided) in
            [(0.7, 1.0, false), (0.7, -1.0, true), (0.1, 1.0, true), (0.1, -1.0, false)]
        {
            let gradient = -advantage * p / 0.4;
            assert!((of(false, p, advantage) - if one_sided { gradient } else { 0.0 }).abs() < 1e-12);
            assert_eq!(of(true, p, advantage), 0.0);
            assert!((of(true, 0.5, advantage) + advantage * 1.25).abs() < 1e-12);
        }
    }
}
