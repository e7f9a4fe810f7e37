//! Softmax and what is computed from a row of logits.

use super::Fma;
use super::math::{LANES, exp, fold};
use super::simd;

/// Elements per partial sum of [`block_sums`].
const BLOCK: usize = 64;

#[inline(always)]
fn max_body(x: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let mut chunks = x.chunks_exact(LANES);
    for chunk in &mut chunks {
        for i in 0..LANES {
            lanes[i] = if chunk[i] > lanes[i] { chunk[i] } else { lanes[i] };
        }
    }
    chunks.remainder().iter().chain(&lanes).fold(f32::NEG_INFINITY, |m, &v| m.max(v))
}

/// `x ← exp(scale·x − shift)`; returns the sum.
#[inline(always)]
fn exp_sum_body<S: Fma>(x: &mut [f32], scale: f32, shift: f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let mut chunks = x.chunks_exact_mut(LANES);
    for chunk in &mut chunks {
        for i in 0..LANES {
            let e = exp::<S>(S::fma(scale, chunk[i], -shift));
            chunk[i] = e;
            lanes[i] += e;
        }
    }
    let mut tail = 0.0;
    for v in chunks.into_remainder() {
        *v = exp::<S>(S::fma(scale, *v, -shift));
        tail += *v;
    }
    fold(lanes) + tail
}

simd! {
    /// The largest element; −∞ of an empty row.
    fn row_max(x: &[f32]) -> f32 {
        max_body(x)
    }
}

simd! {
    /// `x ← exp(scale·x − shift)`; returns the sum.
    fn exp_in_place(x: &mut [f32], scale: f32, shift: f32) -> f32 {
        exp_sum_body::<S>(x, scale, shift)
    }
}

simd! {
    /// `x ← softmax(x)`; returns log Σ exp(x).
    fn softmax_row(x: &mut [f32]) -> f32 {
        let max = max_body(x);
        let sum = exp_sum_body::<S>(x, 1.0, max);
        let inverse = 1.0 / sum;
        for v in x.iter_mut() {
            *v *= inverse;
        }
        max + sum.ln()
    }
}

simd! {
    /// For one row of attention: scores to probabilities `p ← exp(p − lse)`, and ∂L/∂p to ∂L/∂score
    /// `dp ← p·(dp − inner)`, where `inner` = Σ p·dp.
    fn softmax_row_backward(p: &mut [f32], dp: &mut [f32], lse: f32, inner: f32) {
        let dp = &mut dp[..p.len()];
        for (p, dp) in p.iter_mut().zip(dp) {
            let e = exp::<S>(*p - lse);
            *p = e;
            *dp = e * (*dp - inner);
        }
    }
}

simd! {
    /// log Σ exp(scale·x), without changing x.
    fn log_sum_exp(x: &[f32], scale: f32) -> f32 {
        let shift = max_body(x) * scale;
        let mut lanes = [0.0_f32; LANES];
        let mut chunks = x.chunks_exact(LANES);
        for chunk in &mut chunks {
            for i in 0..LANES {
                lanes[i] += exp::<S>(S::fma(scale, chunk[i], -shift));
            }
        }
        let mut tail = 0.0;
        for v in chunks.remainder() {
            tail += exp::<S>(S::fma(scale, *v, -shift));
        }
        shift + (fold(lanes) + tail).ln()
    }
}

simd! {
    /// Entropy of softmax(scale·x), nats: lse − Σ p·scale·x.
    fn row_entropy(x: &[f32], scale: f32, lse: f32) -> f32 {
        let mut lanes = [0.0_f32; LANES];
        let mut chunks = x.chunks_exact(LANES);
        for chunk in &mut chunks {
            for i in 0..LANES {
                let l = S::fma(scale, chunk[i], -lse);
                lanes[i] = S::fma(exp::<S>(l), l, lanes[i]);
            }
        }
        let mut tail = 0.0;
        for v in chunks.remainder() {
            let l = S::fma(scale, *v, -lse);
            tail = S::fma(exp::<S>(l), l, tail);
        }
        (-(fold(lanes) + tail)).max(0.0)
    }
}

/// Cotangents of one row of logits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadCotangent {
    /// 1/temperature.
    pub(crate) scale: f32,
    /// log Σ exp(scale·logit).
    pub(crate) lse: f32,
    /// Σ of ∂L/∂logp over the tokens that the row predicts.
    pub(crate) logp: f32,
    /// ∂L/∂entropy.
    pub(crate) entropy: f32,
    /// Entropy of the row.
    pub(crate) row_entropy: f32,
}

simd! {
    /// Logits of one row to ∂L/∂logit, without the predicted tokens' own terms:
    /// `x ← −scale·p·(g + h·(log p + H))`, g = ∂L/∂logp and h = ∂L/∂H.
    fn head_cotangent(x: &mut [f32], c: HeadCotangent) {
        if c.entropy == 0.0 {
            let k = -c.scale * c.logp;
            for v in x.iter_mut() {
                *v = k * exp::<S>(S::fma(c.scale, *v, -c.lse));
            }
        } else {
            for v in x.iter_mut() {
                let l = S::fma(c.scale, *v, -c.lse);
                *v = -c.scale * exp::<S>(l) * S::fma(c.entropy, l + c.row_entropy, c.logp);
            }
        }
    }
}

simd! {
    /// Sums of consecutive blocks of 64 elements, for drawing from a distribution.
    fn block_sums(x: &[f32], sums: &mut Vec<f32>) {
        sums.clear();
        for block in x.chunks(BLOCK) {
            let mut lanes = [0.0_f32; LANES];
            let mut chunks = block.chunks_exact(LANES);
            for chunk in &mut chunks {
                for i in 0..LANES {
                    lanes[i] += chunk[i];
                }
            }
            let tail: f32 = chunks.remainder().iter().sum();
            sums.push(fold(lanes) + tail);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(n: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 37 % 101) as f32 - 50.0) / 9.0).collect()
    }

    #[test]
    fn softmax_against_f64() {
        for n in [1, 5, 32, 77] {
            let x = row(n);
            let exact: f64 = x.iter().map(|&v| f64::from(v).exp()).sum();
            let mut p = x.clone();
            let lse = softmax_row(&mut p);
            assert!((f64::from(lse) - exact.ln()).abs() < 1e-5);
            assert!((log_sum_exp(&x, 1.0) - lse).abs() < 1e-5);
            for (p, x) in p.iter().zip(&x) {
                assert!((f64::from(*p) - f64::from(*x).exp() / exact).abs() < 1e-6);
            }
            let h: f64 = p.iter().map(|&p| -f64::from(p) * f64::from(p).ln()).sum();
            assert!((f64::from(row_entropy(&x, 1.0, lse)) - h).abs() < 1e-4);
        }
    }

    #[test]
    fn entropy_cotangent_by_finite_differences() {
        let (x, scale) = (row(9), 0.7);
        let loss = |x: &[f32]| {
            let z: f64 = x.iter().map(|&v| (f64::from(v) * f64::from(scale)).exp()).sum();
            let p = |v: f32| (f64::from(v) * f64::from(scale)).exp() / z;
            let entropy: f64 = x.iter().map(|&v| -p(v) * p(v).ln()).sum();
            1.3 * p(x[4]).ln() + 0.4 * entropy
        };
        let lse = log_sum_exp(&x, scale);
        let mut dx = x.clone();
        let row_entropy = row_entropy(&x, scale, lse);
        head_cotangent(&mut dx, HeadCotangent { scale, lse, logp: 1.3, entropy: 0.4, row_entropy });
        dx[4] += scale * 1.3;
        for i in 0..x.len() {
            let nudged = |by: f32| {
                let mut x = x.clone();
                x[i] += by;
                loss(&x)
            };
            let numeric = (nudged(1e-2) - nudged(-1e-2)) / 2e-2;
            assert!((numeric - f64::from(dx[i])).abs() < 1e-4, "{i}: {numeric} {}", dx[i]);
        }
    }
}
