//! Softmax, and other functions of a row of logits.

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

/// Sums of a softmax over a row that comes in pieces.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SoftmaxSums {
    /// Largest scale·x so far.
    max: f32,
    /// Σ e, e = exp(scale·x − max).
    sum: f32,
    /// Σ e·ln e.
    product: f32,
}

impl Default for SoftmaxSums {
    fn default() -> Self {
        Self { max: f32::NEG_INFINITY, sum: 0.0, product: 0.0 }
    }
}

impl SoftmaxSums {
    /// Adds a piece; the products only where an entropy is wanted.
    pub(crate) fn add(&mut self, x: &[f32], scale: f32, entropy: bool) {
        let max = self.max.max(row_max(x) * scale);
        if self.sum > 0.0 && max > self.max {
            let shift = self.max - max;
            let shrink = shift.exp();
            self.product = shrink * (self.product + shift * self.sum);
            self.sum *= shrink;
        }
        self.max = max;
        if entropy {
            let (sum, product) = exp_sums(x, scale, max);
            self.sum += sum;
            self.product += product;
        } else {
            self.sum += exp_sum(x, scale, max);
        }
    }

    /// log Σ exp(scale·x).
    pub(crate) fn log_sum(&self) -> f32 {
        self.max + self.sum.ln()
    }

    /// Entropy of softmax(scale·x), nats: ln Σ e − Σ e·ln e / Σ e.
    pub(crate) fn entropy(&self) -> f32 {
        (self.sum.ln() - self.product / self.sum).max(0.0)
    }
}

simd! {
    /// Σ exp(scale·x − shift), without changing x.
    fn exp_sum(x: &[f32], scale: f32, shift: f32) -> f32 {
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
        fold(lanes) + tail
    }
}

simd! {
    /// Σ e and Σ e·ln e, e = exp(scale·x − shift).
    fn exp_sums(x: &[f32], scale: f32, shift: f32) -> (f32, f32) {
        let (mut sums, mut products) = ([0.0_f32; LANES], [0.0_f32; LANES]);
        let mut chunks = x.chunks_exact(LANES);
        for chunk in &mut chunks {
            for i in 0..LANES {
                let l = S::fma(scale, chunk[i], -shift);
                let e = exp::<S>(l);
                sums[i] += e;
                products[i] = S::fma(e, l, products[i]);
            }
        }
        let (mut sum, mut product) = (0.0, 0.0);
        for v in chunks.remainder() {
            let l = S::fma(scale, *v, -shift);
            let e = exp::<S>(l);
            sum += e;
            product = S::fma(e, l, product);
        }
        (fold(sums) + sum, fold(products) + product)
    }
}

/// The inputs of the gradient of one row of logits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadGradient {
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
    fn head_gradient(x: &mut [f32], c: HeadGradient) {
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
            let max = row_max(&x);
            let sum = exp_in_place(&mut p, 1.0, max);
            let lse = max + sum.ln();
            assert!((f64::from(lse) - exact.ln()).abs() < 1e-5);
            // In one piece and in several, whichever comes first.
            let mut pieces: Vec<&[f32]> = x.chunks(7).collect();
            pieces.reverse();
            let sums = [vec![x.as_slice()], pieces].map(|pieces| {
                let mut sums = SoftmaxSums::default();
                for piece in pieces {
                    sums.add(piece, 1.0, true);
                }
                sums
            });
            assert!(sums.iter().all(|s| (s.log_sum() - lse).abs() < 1e-5));
            for (p, x) in p.iter().zip(&x) {
                assert!((f64::from(p / sum) - f64::from(*x).exp() / exact).abs() < 1e-6);
            }
            let h: f64 = p.iter().map(|&p| f64::from(p / sum)).map(|p| -p * p.ln()).sum();
            assert!(sums.iter().all(|s| (f64::from(s.entropy()) - h).abs() < 1e-4));
        }
    }

    #[test]
    fn entropy_gradient_by_finite_differences() {
        let (x, scale) = (row(9), 0.7);
        let loss = |x: &[f32]| {
            let z: f64 = x.iter().map(|&v| (f64::from(v) * f64::from(scale)).exp()).sum();
            let p = |v: f32| (f64::from(v) * f64::from(scale)).exp() / z;
            let entropy: f64 = x.iter().map(|&v| -p(v) * p(v).ln()).sum();
            1.3 * p(x[4]).ln() + 0.4 * entropy
        };
        let mut sums = SoftmaxSums::default();
        sums.add(&x, scale, true);
        let (lse, row_entropy) = (sums.log_sum(), sums.entropy());
        let mut dx = x.clone();
        head_gradient(&mut dx, HeadGradient { scale, lse, logp: 1.3, entropy: 0.4, row_entropy });
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
