//! AdamW (arXiv:1711.05101).

use super::math::dot_body;
use super::simd;

/// Constants of one step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AdamStep {
    /// Learning rate.
    pub(crate) lr: f32,
    /// Decay of the first moment.
    pub(crate) beta1: f32,
    /// Decay of the second moment.
    pub(crate) beta2: f32,
    /// 1/(1 − beta1^t).
    pub(crate) correction1: f32,
    /// 1/(1 − beta2^t).
    pub(crate) correction2: f32,
    /// Constant added to the denominator.
    pub(crate) eps: f32,
    /// Decoupled weight decay.
    pub(crate) decay: f32,
    /// Factor of the gradient (clipping).
    pub(crate) grad_scale: f32,
}

simd! {
    /// `p ← p·(1 − lr·decay) − lr·m̂/(√v̂ + eps)`, Algorithm 2 of the paper; `m` and `v` are updated.
    fn adamw(p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], c: AdamStep) {
        let n = p.len();
        let (g, m, v) = (&g[..n], &mut m[..n], &mut v[..n]);
        let keep = 1.0 - c.lr * c.decay;
        for i in 0..n {
            let gi = g[i] * c.grad_scale;
            m[i] = S::fma(c.beta1, m[i], (1.0 - c.beta1) * gi);
            v[i] = S::fma(c.beta2, v[i], (1.0 - c.beta2) * gi * gi);
            let update = m[i] * c.correction1 / ((v[i] * c.correction2).sqrt() + c.eps);
            p[i] = S::fma(p[i], keep, -c.lr * update);
        }
    }
}

simd! {
    /// Σ xᵢ², blocks of 4096 summed in double precision.
    fn sum_of_squares(x: &[f32]) -> f64 {
        x.chunks(4096).map(|c| f64::from(dot_body::<S>(c, c))).sum()
    }
}
