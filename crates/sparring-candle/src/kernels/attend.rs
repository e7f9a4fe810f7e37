//! Attention of queries over pages of a key-value cache.
//!
//! A page holds [`PAGE`] positions of one head: keys in panels of 16 positions (`[PAGE / 16][head_dim][16]`), values in
//! panels of 16 of their numbers (`[width / 16][PAGE][16]`), where `width` is head_dim rounded up to whole panels. All
//! queries that see a page are computed together; the result of a query depends on its own keys only.

use super::product::product;
use super::tile::{Mat, MatMut, PANEL, Panels, Start};

/// Positions per page.
pub(crate) const PAGE: usize = 64;

/// Writes the key and the value of one position.
pub(crate) fn write_position(slot: usize, key: &[f32], keys: &mut [f32], value: &[f32], values: &mut [f32]) {
    let panel = &mut keys[slot / PANEL * key.len() * PANEL..][..key.len() * PANEL];
    for (column, &k) in panel.chunks_exact_mut(PANEL).zip(key) {
        column[slot % PANEL] = k;
    }
    for (panel, v) in values.chunks_exact_mut(PAGE * PANEL).zip(value.chunks(PANEL)) {
        panel[slot * PANEL..][..v.len()].copy_from_slice(v);
    }
}

/// `scores[r][t] = q[r]·k[t]` for the first `n` positions of a page (and, harmlessly, up to the next multiple
/// of 16).
///
/// # Shapes
/// `q`: rows × head_dim; `keys`: those of a page; `scores`: rows × n, its rows `stride` apart.
pub(crate) fn score_page(
    q: &[f32],
    dim: usize,
    keys: &[f32],
    n: usize,
    (scores, stride): (&mut [f32], usize),
) {
    let keys = Panels { data: keys, stride: dim * PANEL };
    let shape = [q.len() / dim, n.next_multiple_of(PANEL), dim];
    product(shape, Mat::rows(q, dim), keys, Start::Zero, MatMut::rows(scores, stride));
}

/// `out[r] += Σ_{t < n} p[r][t]·v[t]`, positions in ascending order. The sum of a page is one chain.
///
/// # Shapes
/// `p`: rows × n, its rows `stride` apart; `values`: those of a page; `out`: rows × width.
pub(crate) fn attend_page(
    (p, stride): (&[f32], usize),
    n: usize,
    values: &[f32],
    out: &mut [f32],
    width: usize,
) {
    let values = Panels { data: values, stride: PAGE * PANEL };
    let shape = [out.len() / width, width, n];
    product(shape, Mat::rows(p, stride), values, Start::Out, MatMut::rows(out, width));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_against_plain_sums() {
        for (rows, dim, n) in [(1, 32, 64), (3, 8, 5), (13, 40, 33)] {
            let width = usize::next_multiple_of(dim, PANEL);
            let q: Vec<f32> = (0..rows * dim).map(|i| (i as f32).sin()).collect();
            let (key, value) = (
                |t: usize, d: usize| (t + 3 * d) as f32 * 0.3,
                |t: usize, d: usize| (5 * t + d) as f32 * 0.7,
            );
            let (mut keys, mut values) = (vec![0.0; dim * PAGE], vec![0.0; width * PAGE]);
            for t in 0..n {
                let k: Vec<f32> = (0..dim).map(|d| key(t, d).cos()).collect();
                let v: Vec<f32> = (0..dim).map(|d| value(t, d).cos()).collect();
                write_position(t, &k, &mut keys, &v, &mut values);
            }
            let (stride, mut scores) = (PAGE + 1, vec![0.0; rows * (PAGE + 1)]);
            score_page(&q, dim, &keys, n, (&mut scores, stride));
            let mut out = vec![1.0; rows * width];
            attend_page((&scores, stride), n, &values, &mut out, width);
            for r in 0..rows {
                let scores = &scores[r * stride..][..n];
                for (t, score) in scores.iter().enumerate() {
                    let want: f32 = (0..dim).map(|d| q[r * dim + d] * key(t, d).cos()).sum();
                    assert!((score - want).abs() < 1e-4);
                }
                for d in 0..dim {
                    let want: f32 = 1.0 + (0..n).map(|t| scores[t] * value(t, d).cos()).sum::<f32>();
                    assert!((out[r * width + d] - want).abs() < 1e-3, "{} {want}", out[r * width + d]);
                }
            }
        }
    }
}
