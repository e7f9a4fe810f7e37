//! Root-mean-square normalisation (arXiv:1910.07467).

use super::math::{LANES, dot_body, fold};
use super::simd;

simd! {
    /// `y = x·w/√(mean(x²) + eps)` for each row.
    ///
    /// # Shapes
    /// `x`, `y`: rows × width; `w`: width; `scales`: rows, receives 1/√(mean(x²) + eps).
    fn rms_forward(x: &[f32], w: &[f32], eps: f32, y: &mut [f32], scales: &mut [f32]) {
        let width = w.len();
        for ((x, y), scale) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)).zip(scales) {
            let s = 1.0 / (dot_body::<S>(x, x) / width as f32 + eps).sqrt();
            *scale = s;
            for i in 0..width {
                y[i] = x[i] * s * w[i];
            }
        }
    }
}

simd! {
    /// Adds ∂L/∂x to `dx` and ∂L/∂w to `dw`, given ∂L/∂y in `dy` and the scales of the forward pass:
    /// `dx = s·w·dy − x·s³·mean(x·w·dy)`.
    ///
    /// # Shapes
    /// `x`, `dy`, `dx`: rows × width; `w`, `dw`: width; `scales`: rows.
    fn rms_backward(x: &[f32], w: &[f32], scales: &[f32], dy: &[f32], dx: &mut [f32], dw: &mut [f32]) {
        let width = w.len();
        let rows = x.chunks_exact(width).zip(dy.chunks_exact(width)).zip(dx.chunks_exact_mut(width));
        for (((x, dy), dx), &s) in rows.zip(scales) {
            let mut lanes = [0.0_f32; LANES];
            let whole = width / LANES * LANES;
            let mut at = 0;
            while at < whole {
                let (x, dy, w) = (&x[at..at + LANES], &dy[at..at + LANES], &w[at..at + LANES]);
                for i in 0..LANES {
                    lanes[i] = S::fma(x[i] * w[i], dy[i], lanes[i]);
                }
                at += LANES;
            }
            let mut tail = 0.0;
            for i in whole..width {
                tail = S::fma(x[i] * w[i], dy[i], tail);
            }
            let k = (fold(lanes) + tail) * s * s * s / width as f32;
            let dw = &mut dw[..width];
            for i in 0..width {
                dx[i] += S::fma(s * w[i], dy[i], -k * x[i]);
                dw[i] = S::fma(dy[i] * s, x[i], dw[i]);
            }
        }
    }
}
