//! Drawing a token from a row of logits.

use crate::kernels::{block_sums, exp_in_place, row_max};
use rand::Rng;
use sparring_core::SamplingParams;

/// Elements per block of the search.
const BLOCK: usize = 64;

/// Weights below this come from logits of −∞, or so far below the largest that they are never drawn: the exponential is
/// clamped at e^−87 = 1.65e-38.
const NEVER: f32 = 1.7e-38;

/// Scratch memory of [`draw`].
#[derive(Debug, Default)]
pub(crate) struct DrawScratch {
    sums: Vec<f32>,
    keys: Vec<u64>,
}

/// Draws a token and returns it with its log-probability (nats) under the distribution it was drawn from.
///
/// At temperature 0 the largest logit wins, the lowest id among equals, and the log-probability is that
/// of temperature 1. `logits` is overwritten.
pub(super) fn draw(
    logits: &mut [f32],
    params: &SamplingParams,
    rng: &mut impl Rng,
    scratch: &mut DrawScratch,
) -> (u32, f32) {
    let max = row_max(logits);
    if params.temperature == 0.0 {
        let best = logits.iter().position(|&v| v >= max).unwrap_or(0);
        let total = f64::from(exp_in_place(logits, 1.0, max));
        // Not −0 where one token is left.
        return (best as u32, (0.0 - total.ln()) as f32);
    }
    let scale = 1.0 / params.temperature;
    exp_in_place(logits, scale, max * scale);
    let weights = logits;
    for w in weights.iter_mut() {
        *w = if *w < NEVER { 0.0 } else { *w };
    }
    params.filter(weights, &mut scratch.keys);
    let (token, total) = search(weights, rng.random(), &mut scratch.sums);
    (token as u32, (f64::from(weights[token]) / total).ln() as f32)
}

/// Takes the random numbers that [`draw`] takes, where there is nothing to choose.
pub(super) fn skip(params: &SamplingParams, rng: &mut impl Rng) {
    if params.temperature != 0.0 {
        let _: f64 = rng.random();
    }
}

/// Inverse of the cumulative distribution at `u` in [0, 1); returns the token and the sum of all weights.
fn search(weights: &[f32], u: f64, sums: &mut Vec<f32>) -> (usize, f64) {
    block_sums(weights, sums);
    let total: f64 = sums.iter().map(|&s| f64::from(s)).sum();
    let mut left = u * total;
    let mut last = 0;
    for (block, &sum) in sums.iter().enumerate() {
        let from = block * BLOCK;
        if left >= f64::from(sum) && block + 1 < sums.len() {
            left -= f64::from(sum);
            continue;
        }
        for (i, &w) in weights.iter().enumerate().skip(from) {
            if w > 0.0 {
                last = i;
                if left < f64::from(w) {
                    return (i, total);
                }
                left -= f64::from(w);
            }
        }
    }
    // Rounding used up the last weight.
    (last, total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sparring_core::Seed;

    fn frequencies(params: &SamplingParams, logits: &[f32], draws: usize) -> (Vec<f64>, Vec<f32>) {
        let mut rng = Seed::new(3).rng();
        let (mut counts, mut logps) = (vec![0.0; logits.len()], vec![f32::NAN; logits.len()]);
        for _ in 0..draws {
            let (token, logp) = draw(&mut logits.to_vec(), params, &mut rng, &mut DrawScratch::default());
            counts[token as usize] += 1.0 / draws as f64;
            logps[token as usize] = logp;
        }
        (counts, logps)
    }

    #[test]
    fn draws_follow_the_softmax() {
        let logits: Vec<f32> = (0..150).map(|i| (i as f32 * 1.7).sin() * 2.0).collect();
        for temperature in [0.7, 1.0, 1.5] {
            let z: f64 = logits.iter().map(|&l| f64::from(l / temperature).exp()).sum();
            let params = SamplingParams::default().with_temperature(temperature);
            let n = 60_000;
            let (seen, logp) = frequencies(&params, &logits, n);
            let mut chi2 = 0.0;
            for i in 0..logits.len() {
                let p = f64::from(logits[i] / temperature).exp() / z;
                chi2 += n as f64 * (seen[i] - p).powi(2) / p;
                assert!(logp[i].is_nan() || (f64::from(logp[i]) - p.ln()).abs() < 1e-5);
            }
            // 149 degrees of freedom: mean 149, standard deviation 17.3.
            assert!(chi2 < 149.0 + 5.0 * 17.3, "χ² = {chi2}");
        }
    }

    #[test]
    fn a_nucleus_keeps_the_smallest_set() {
        // Probabilities 0.5, 0.3, 0.15, 0.05.
        let logits = [0.15_f32.ln(), 0.5_f32.ln(), 0.05_f32.ln(), 0.3_f32.ln()];
        let (seen, logp) = frequencies(&SamplingParams::default().with_top_p(0.7), &logits, 20_000);
        assert!(seen[0] == 0.0 && seen[2] == 0.0);
        assert!((seen[1] - 0.625).abs() < 0.02 && (logp[1] - 0.625_f32.ln()).abs() < 1e-5);
    }

    #[test]
    fn what_is_forbidden_is_never_drawn() {
        let mut logits = vec![f32::NEG_INFINITY; 200];
        (logits[70], logits[131]) = (1.0, 1.0 + 3.0_f32.ln());
        let (seen, logp) = frequencies(&SamplingParams::default(), &logits, 20_000);
        assert!((seen[70] - 0.25).abs() < 0.02 && (seen[131] - 0.75).abs() < 0.02);
        assert!((logp[70] - 0.25_f32.ln()).abs() < 1e-6);
    }

    #[test]
    fn temperature_zero_takes_the_first_of_the_largest() {
        let mut logits = [1.0, 3.0, 3.0, 0.0];
        let mut rng = Seed::new(1).rng();
        let (token, logp) =
            draw(&mut logits, &SamplingParams::greedy(), &mut rng, &mut DrawScratch::default());
        let z: f64 = [1.0_f64, 3.0, 3.0, 0.0].iter().map(|l| l.exp()).sum();
        assert_eq!(token, 1);
        assert!((f64::from(logp) - (3.0 - z.ln())).abs() < 1e-6);
    }

    #[test]
    fn the_last_token_can_be_drawn_and_rounding_is_safe() {
        let weights = vec![0.1_f32; 130];
        let (token, _) = search(&weights, 1.0 - f64::EPSILON, &mut Vec::new());
        assert_eq!(token, 129);
        assert_eq!(search(&[0.5, 0.0], 0.999_999_999, &mut Vec::new()).0, 0);
    }
}
