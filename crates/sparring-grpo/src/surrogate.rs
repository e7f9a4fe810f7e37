//! The clipped objective of one token.
use serde::{Deserialize, Serialize};

/// Where the probability ratio is clipped.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clip {
    /// ε_low: the ratio is clipped below at 1 − ε_low. In [0, 1].
    pub low: f64,
    /// ε_high: the ratio is clipped above at 1 + ε_high; at least 0. More than ε_low is DAPO's "clip-higher".
    pub high: f64,
    /// δ: a cap on the ratio even where the advantage is negative (INTELLECT-2, arXiv:2505.07291).
    pub cap: Option<f64>,
}

impl Default for Clip {
    fn default() -> Self {
        Self { low: 0.2, high: 0.2, cap: None }
    }
}

/// A value and its derivative.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Dual {
    /// The value.
    pub value: f64,
    /// Its derivative with respect to the log-probability of the token.
    pub slope: f64,
}

/// ℓ = −min(c₁·A, c₂·A) with c₁ = min(r, δ), c₂ = clip(r, 1 − ε_low, 1 + ε_high) and r = exp(log_ratio)
/// (PPO, arXiv:1707.06347, eq. 7; asymmetric as in DAPO, arXiv:2503.14476).
///
/// The slope is −A·r where the chosen branch moves with r, and 0 where it is flat; where both branches have
/// the same value, it is the mean of their slopes, as automatic differentiation of `min` gives.
pub fn clipped_surrogate(log_ratio: f64, advantage: f64, clip: Clip) -> Dual {
    let ratio = log_ratio.exp();
    let (lowest, highest) = (1.0 - clip.low, 1.0 + clip.high);
    let free = (ratio.min(clip.cap.unwrap_or(f64::INFINITY)), clip.cap.is_none_or(|cap| ratio <= cap));
    let clipped = (ratio.max(lowest).min(highest), (lowest..=highest).contains(&ratio));
    let slope_of = |moves: bool| if moves { ratio } else { 0.0 };
    let (a, b) = (free.0 * advantage, clipped.0 * advantage);
    let slope = if a < b {
        slope_of(free.1)
    } else if a > b {
        slope_of(clipped.1)
    } else {
        0.5 * (slope_of(free.1) + slope_of(clipped.1))
    };
    // A ratio that overflows against an advantage of 0 is 0, not ∞ · 0.
    if advantage == 0.0 {
        return Dual::default();
    }
    Dual { value: -a.min(b), slope: -advantage * slope }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hand_computed() {
        let clip = Clip { low: 0.2, high: 0.3, cap: Some(3.0) };
        let at = |ratio: f64, a: f64| clipped_surrogate(ratio.ln(), a, clip);
        let close = |d: Dual, value: f64, slope: f64| {
            assert!((d.value - value).abs() < 1e-12 && (d.slope - slope).abs() < 1e-12, "{d:?}");
        };
        close(at(1.0, 2.0), -2.0, -2.0); // REINFORCE: slope −A
        close(at(1.5, 2.0), -2.6, 0.0); // clipped above at 1.3
        close(at(0.5, 2.0), -1.0, -1.0); // a good token that fell is pulled back
        close(at(0.5, -2.0), 1.6, 0.0); // clipped below at 0.8
        close(at(1.5, -2.0), 3.0, 3.0); // a bad token that rose is pushed down
        close(at(4.0, -2.0), 6.0, 0.0); // … up to the cap
        close(at(4.0, 0.0), 0.0, 0.0);
    }
}
