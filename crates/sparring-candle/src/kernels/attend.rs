//! Attention of one query over pages of a key-value cache.
//!
//! A page holds [`PAGE`] positions of one head: keys as `[head_dim][PAGE]`, values as
//! `[PAGE][head_dim]`. The result of a query depends on its own keys only.

use super::simd;

/// Positions per page.
pub(crate) const PAGE: usize = 64;
/// Keys, or dimensions, worked on at once.
const WIDTH: usize = 32;

simd! {
    /// `out[t] = q·k[t]` for the first `n` positions of a page (and, harmlessly, up to the next multiple
    /// of 32).
    ///
    /// # Shapes
    /// `q`: head_dim; `keys`: head_dim × PAGE; `out`: PAGE.
    fn score_page(q: &[f32], keys: &[f32], n: usize, out: &mut [f32]) {
        for block in 0..n.div_ceil(WIDTH) {
            let from = block * WIDTH;
            let mut sums = [0.0_f32; WIDTH];
            for (&q, keys) in q.iter().zip(keys.chunks_exact(PAGE)) {
                let keys = &keys[from..from + WIDTH];
                for i in 0..WIDTH {
                    sums[i] = S::fma(q, keys[i], sums[i]);
                }
            }
            out[from..from + WIDTH].copy_from_slice(&sums);
        }
    }
}

simd! {
    /// `out += Σ_t p[t]·v[t]`, even and odd positions summed apart.
    ///
    /// # Shapes
    /// `p`: n ≤ PAGE; `values`: PAGE × head_dim; `out`: head_dim.
    fn attend_page(p: &[f32], values: &[f32], out: &mut [f32]) {
        let dim = out.len();
        let whole = dim / WIDTH * WIDTH;
        let mut from = 0;
        while from < whole {
            let (mut even, mut odd) = ([0.0_f32; WIDTH], [0.0_f32; WIDTH]);
            let mut pairs = p.chunks_exact(2);
            for (t, p) in (&mut pairs).enumerate() {
                let a = &values[2 * t * dim + from..2 * t * dim + from + WIDTH];
                let b = &values[(2 * t + 1) * dim + from..(2 * t + 1) * dim + from + WIDTH];
                for i in 0..WIDTH {
                    even[i] = S::fma(p[0], a[i], even[i]);
                    odd[i] = S::fma(p[1], b[i], odd[i]);
                }
            }
            if let [last] = pairs.remainder() {
                let a = &values[(p.len() - 1) * dim + from..(p.len() - 1) * dim + from + WIDTH];
                for i in 0..WIDTH {
                    even[i] = S::fma(*last, a[i], even[i]);
                }
            }
            for (i, out) in out[from..from + WIDTH].iter_mut().enumerate() {
                *out += even[i] + odd[i];
            }
            from += WIDTH;
        }
        for (p, v) in p.iter().zip(values.chunks_exact(dim)) {
            for (out, v) in out[whole..].iter_mut().zip(&v[whole..]) {
                *out = S::fma(*p, *v, *out);
            }
        }
    }
}

simd! {
    /// `x ← k·x`.
    fn scale_row(x: &mut [f32], k: f32) {
        for v in x.iter_mut() {
            *v *= k;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_against_plain_sums() {
        for (dim, n) in [(32, 64), (8, 5), (40, 33)] {
            let q: Vec<f32> = (0..dim).map(|i| (i as f32).sin()).collect();
            let keys: Vec<f32> = (0..dim * PAGE).map(|i| (i as f32 * 0.3).cos()).collect();
            let mut scores = [0.0; PAGE];
            score_page(&q, &keys, n, &mut scores);
            for t in 0..n {
                let want: f32 = (0..dim).map(|d| q[d] * keys[d * PAGE + t]).sum();
                assert!((scores[t] - want).abs() < 1e-4);
            }
            let values = &keys;
            let mut out = vec![1.0; dim];
            attend_page(&scores[..n], values, &mut out);
            for d in 0..dim {
                let want: f32 = 1.0 + (0..n).map(|t| scores[t] * values[t * dim + d]).sum::<f32>();
                assert!((out[d] - want).abs() < 1e-3, "{} {want}", out[d]);
            }
        }
    }
}
