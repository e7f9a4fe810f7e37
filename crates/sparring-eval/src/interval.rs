//! Confidence intervals of shares.

use serde::{Deserialize, Serialize};

/// The 0.975 quantile of the normal distribution: two-sided 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// A 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The Wilson score interval of `valid` of `total` at 95 % (E. B. Wilson, 1927), with p̂ = valid / total, n = total
/// and z = 1.96:
///
/// ```text
/// (p̂ + z²/2n ± z·√(p̂(1−p̂)/n + z²/4n²)) / (1 + z²/n)
/// ```
///
/// It is within [0, 1] and never empty, even at 0 and at `total`. Without items it is [0, 1].
///
/// ```
/// let i = sparring_eval::wilson(8, 10);
/// assert!((i.low - 0.4902).abs() < 1e-4 && (i.high - 0.9433).abs() < 1e-4);
/// ```
pub fn wilson(valid: usize, total: usize) -> Interval {
    if total == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let (n, z2) = (total as f64, Z * Z);
    let p = valid as f64 / n;
    let centre = p + z2 / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    // At the ends the formula gives exactly p; rounding must not exclude it.
    Interval { low: ((centre - half) / scale).clamp(0.0, p), high: ((centre + half) / scale).clamp(p, 1.0) }
}

/// The interval of a weighted sum Σ wᵢ·pᵢ of independent shares, computed from theirs (MOVER: Zou and Donner, 2008),
/// for weights of at least 0:
///
/// ```text
/// low = θ̂ − √Σ wᵢ²(p̂ᵢ − lᵢ)²,   high = θ̂ + √Σ wᵢ²(uᵢ − p̂ᵢ)²
/// ```
///
/// With one share of weight 1 it is that share's interval.
pub(crate) fn combine(parts: &[(f64, f64, Interval)]) -> Interval {
    let sum: f64 = parts.iter().map(|(weight, share, _)| weight * share).sum();
    let root = |side: fn(f64, Interval) -> f64| {
        parts.iter().map(|(weight, share, i)| (weight * side(*share, *i)).powi(2)).sum::<f64>().sqrt()
    };
    Interval { low: sum - root(|share, i| share - i.low), high: sum + root(|share, i| i.high - share) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(i: Interval, low: f64, high: f64) {
        assert!((i.low - low).abs() < 5e-5 && (i.high - high).abs() < 5e-5, "{i:?}");
    }

    /// R's `prop.test(x, n, correct = FALSE)$conf.int`; at 0 of n the upper end is z²/(n + z²).
    #[test]
    fn known_values() {
        close(wilson(0, 10), 0.0, 0.2775);
        close(wilson(10, 10), 0.7225, 1.0);
        close(wilson(5, 10), 0.2366, 0.7634);
        close(wilson(15, 148), 0.0624, 0.1605);
        assert_eq!(wilson(0, 0), Interval { low: 0.0, high: 1.0 });
    }

    #[test]
    fn a_mean_is_surer_than_its_parts() {
        let one = wilson(8, 10);
        assert_eq!(combine(&[(1.0, 0.8, one)]), one);
        let two = combine(&[(0.5, 0.8, one), (0.5, 0.8, one)]);
        assert!((0.8 - two.low) < (0.8 - one.low) && two.high < one.high);
        // √2 · 0.5 · the distance of one part.
        assert!(((0.8 - two.low) - (0.8 - one.low) / 2f64.sqrt()).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn it_holds_the_share_and_mirrors(total in 1usize..3000, part in 0.0..=1.0) {
            let valid = (total as f64 * part) as usize;
            let (i, share) = (wilson(valid, total), valid as f64 / total as f64);
            prop_assert!(0.0 <= i.low && i.low <= share && share <= i.high && i.high <= 1.0);
            let mirror = wilson(total - valid, total);
            prop_assert!((1.0 - mirror.high - i.low).abs() < 1e-12);
        }
    }
}
