//! Attention of queries over pages of a key-value cache.
//!
//! A page holds [`PAGE`] positions of one head: keys as `[head_dim][PAGE]`, values as `[PAGE][width]`, where
//! `width` is head_dim rounded up to whole panels. All queries that see a page are computed together; the
//! result of a query depends on its own keys only.

use super::simd;
use super::tile::{PANEL, Start, Strided, panel};

/// Positions per page.
pub(crate) const PAGE: usize = 64;

/// `scores[r][t] = q[r]·k[t]` for the first `n` positions of a page (and, harmlessly, up to the next multiple
/// of 16).
///
/// # Shapes
/// `q`: rows × head_dim; `keys`: head_dim × PAGE; `scores`: rows × n, its rows `stride` apart.
pub(crate) fn score_page(q: Strided<'_>, keys: &[f32], n: usize, (scores, stride): (&mut [f32], usize)) {
    let shape = [q.data.len() / q.stride, q.stride];
    for from in (0..n).step_by(PANEL) {
        let keys = Strided { data: &keys[from..], stride: PAGE };
        panel(shape, q, keys, Start::Zero, (&mut scores[from..], stride));
    }
}

/// `out[r] += Σ_{t < n} p[r][t]·v[t]`, positions in ascending order.
///
/// # Shapes
/// `p`: rows × n; `values`: PAGE × width; `out`: rows × width.
pub(crate) fn attend_page(p: Strided<'_>, n: usize, values: &[f32], out: &mut [f32], width: usize) {
    let shape = [out.len() / width, n];
    for from in (0..width).step_by(PANEL) {
        let values = Strided { data: &values[from..], stride: width };
        panel(shape, p, values, Start::Out, (&mut out[from..], width));
    }
}

simd! {
    /// `out = k·x`.
    fn scale_row(x: &[f32], k: f32, out: &mut [f32]) {
        for (out, x) in out.iter_mut().zip(x) {
            *out = x * k;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_against_plain_sums() {
        for (rows, dim, n) in [(1, 32, 64), (3, 8, 5), (13, 40, 33)] {
            let width = usize::next_multiple_of(dim, PANEL);
            let q: Vec<f32> = (0..rows * dim).map(|i| (i as f32).sin()).collect();
            let keys: Vec<f32> = (0..dim * PAGE).map(|i| (i as f32 * 0.3).cos()).collect();
            let (stride, mut scores) = (PAGE + 1, vec![0.0; rows * (PAGE + 1)]);
            score_page(Strided { data: &q, stride: dim }, &keys, n, (&mut scores, stride));
            let values: Vec<f32> = (0..PAGE * width).map(|i| (i as f32 * 0.7).cos()).collect();
            let mut out = vec![1.0; rows * width];
            attend_page(Strided { data: &scores, stride }, n, &values, &mut out, width);
            for r in 0..rows {
                let scores = &scores[r * stride..][..n];
                for (t, score) in scores.iter().enumerate() {
                    let want: f32 = (0..dim).map(|d| q[r * dim + d] * keys[d * PAGE + t]).sum();
                    assert!((score - want).abs() < 1e-4);
                }
                for d in 0..dim {
                    let want: f32 = 1.0 + (0..n).map(|t| scores[t] * values[t * width + d]).sum::<f32>();
                    assert!((out[r * width + d] - want).abs() < 1e-3, "{} {want}", out[r * width + d]);
                }
            }
        }
    }
}
