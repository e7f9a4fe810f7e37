use crate::Interval;
use serde::{Deserialize, Serialize};
use sparring_core::Seed;

/// The difference between two models' accuracies on the same items.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PairedDifference {
    /// Accuracy of the second minus that of the first.
    pub mean: f64,
    /// Its 95 % interval over resampled items (the 2.5 and 97.5 percentiles).
    pub interval: Interval,
    /// Its standard error over resampled items.
    pub standard_error: f64,
}

/// Resamples of the items.
const RESAMPLES: u64 = 4000;

/// Compares two models on the same items by a paired bootstrap over items (Efron and Tibshirani, 1993): in each
/// resample, items are drawn with replacement, and with each item both verdicts. `None` without items, or if the
/// lengths differ.
///
/// ```
/// let (before, after) = ([false, false, true, false], [true, false, true, true]);
/// let difference = sparring_eval::paired_bootstrap(&before, &after, sparring_core::Seed::new(1)).unwrap();
/// assert_eq!(difference.mean, 0.5);
/// assert!(difference.interval.low >= 0.0 && difference.interval.high <= 1.0);
/// ```
pub fn paired_bootstrap(first: &[bool], second: &[bool], seed: Seed) -> Option<PairedDifference> {
    if first.is_empty() || first.len() != second.len() {
        return None;
    }
    let n = first.len();
    let gain = |i: usize| i64::from(second[i]) - i64::from(first[i]);
    let mean = (0..n).map(gain).sum::<i64>() as f64 / n as f64;
    let resample = |r: u64| {
        let mut rng = seed.index(r).rng();
        (0..n).map(|_| gain(rng.below(n))).sum::<i64>() as f64 / n as f64
    };
    let mut means: Vec<f64> = (0..RESAMPLES).map(resample).collect();
    means.sort_by(f64::total_cmp);
    let at = |share: f64| means[((means.len() - 1) as f64 * share).round() as usize];
    let centre = means.iter().sum::<f64>() / means.len() as f64;
    let variance = means.iter().map(|m| (m - centre).powi(2)).sum::<f64>() / (means.len() - 1) as f64;
    Some(PairedDifference {
        mean,
        interval: Interval { low: at(0.025), high: at(0.975) },
        standard_error: variance.sqrt(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For independent verdicts, the bootstrap's standard error is near √((p₁q₁ + p₂q₂)/n); equal models do not differ.
    #[test]
    fn errors_are_those_of_the_binomial() {
        let mut rng = Seed::new(4).rng();
        let mut draw = |p: f64| -> Vec<bool> { (0..400).map(|_| rng.unit() < p).collect() };
        let (a, b) = (draw(0.3), draw(0.5));
        let difference = paired_bootstrap(&a, &b, Seed::new(1)).unwrap();
        let expected = ((0.3 * 0.7 + 0.5 * 0.5) / 400.0_f64).sqrt();
        assert!((difference.standard_error / expected - 1.0).abs() < 0.15, "{difference:?}");
        assert!(difference.interval.low < difference.mean && difference.mean < difference.interval.high);
        let same = paired_bootstrap(&a, &a, Seed::new(1)).unwrap();
        assert_eq!((same.mean, same.standard_error), (0.0, 0.0));
        assert_eq!(paired_bootstrap(&a, &b[1..], Seed::new(1)), None);
    }
}
