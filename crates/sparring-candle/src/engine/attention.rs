//! Causal attention over packed segments with a shared prompt.
//!
//! Queries, keys and values are read in place from the rows of `qkv`. Scores exist for a few query rows of
//! one head at a time; the backward pass recomputes them from the kept log-sum-exp
//! (arXiv:2205.14135, section 3.1).

use super::plan::{Block, Segment};
use super::workspace::Buffer;
use crate::config::ModelConfig;
use crate::kernels::{Mat, MatMut, Write, dot, matmul, softmax_row, softmax_row_backward};
use std::ops::Range;

/// Query rows per tile of scores.
const TILE: usize = 64;

/// Query rows of a segment with the keys that they see.
struct Tile<'a> {
    /// Query rows.
    rows: Range<usize>,
    /// Keys of the prompt, all visible; empty for the prompt itself.
    context: &'a Range<usize>,
    /// Keys of the segment up to the last query row; causal.
    own: Range<usize>,
}

impl Tile<'_> {
    fn keys(&self) -> usize {
        self.context.len() + self.own.len()
    }

    /// Number of keys that the `r`-th query row sees.
    fn visible(&self, r: usize) -> usize {
        self.context.len() + (self.rows.start - self.own.start) + r + 1
    }

    /// The two ranges of keys with the column of the scores at which each begins.
    fn key_ranges(&self) -> impl Iterator<Item = (usize, Range<usize>)> {
        [(0, self.context.clone()), (self.context.len(), self.own.clone())]
            .into_iter()
            .filter(|(_, keys)| !keys.is_empty())
    }
}

/// Tiles of a segment, or of its rows that predict.
fn tiles(segment: &Segment, live: bool) -> impl Iterator<Item = Tile<'_>> {
    let from = if live { segment.live } else { segment.rows.start };
    (from..segment.rows.end).step_by(TILE).map(|start| {
        let end = segment.rows.end.min(start + TILE);
        Tile { rows: start..end, context: &segment.context, own: segment.rows.start..end }
    })
}

/// Where the parts of one head lie in a row.
#[derive(Clone, Copy)]
struct Head {
    dim: usize,
    /// Width of a row of `qkv`.
    width: usize,
    /// Width of a row of the output.
    out_width: usize,
    index: usize,
    query: usize,
    key: usize,
    value: usize,
    scale: f32,
}

impl Head {
    fn new(config: &ModelConfig, index: usize) -> Self {
        let dim = config.head_dim;
        let kv = index / (config.num_attention_heads / config.num_key_value_heads);
        Self {
            dim,
            width: config.qkv_width(),
            out_width: config.query_width(),
            index,
            query: index * dim,
            key: (config.num_attention_heads + kv) * dim,
            value: (config.num_attention_heads + config.num_key_value_heads + kv) * dim,
            scale: 1.0 / (dim as f32).sqrt(),
        }
    }

    fn at(&self, row: usize, column: usize) -> usize {
        row * self.width + column
    }

    fn out(&self, row: usize) -> usize {
        row * self.out_width + self.index * self.dim
    }

    /// `scores = scale·q·kᵀ` for the keys of the tile.
    fn scores(&self, tile: &Tile<'_>, qkv: &[f32], scores: &mut [f32]) {
        let q = Mat::rows(&qkv[self.at(tile.rows.start, self.query)..], self.width);
        for (column, keys) in tile.key_ranges() {
            let k = Mat::transposed(&qkv[self.at(keys.start, self.key)..], self.width);
            let out = MatMut::rows(&mut scores[column..], tile.keys());
            matmul(out, Write::Replace, [tile.rows.len(), keys.len(), self.dim], q, k, self.scale);
        }
    }
}

/// Writes each row's attention output and log-sum-exp; where `live`, only those of rows that predict.
///
/// # Shapes
/// `qkv`: rows × (heads + 2·kv_heads)·head_dim, rotated; `out`: rows × heads·head_dim; `lse`: rows × heads.
pub(super) fn forward(
    config: &ModelConfig,
    block: &Block,
    live: bool,
    qkv: &[f32],
    out: &mut [f32],
    lse: &mut [f32],
    scores: &mut Buffer,
) {
    let heads = config.num_attention_heads;
    for tile in block.segments.iter().flat_map(|s| tiles(s, live)) {
        for head in (0..heads).map(|h| Head::new(config, h)) {
            let scores = scores.fit(tile.rows.len() * tile.keys());
            head.scores(&tile, qkv, scores);
            for (r, row) in scores.chunks_exact_mut(tile.keys()).enumerate() {
                let (seen, hidden) = row.split_at_mut(tile.visible(r));
                lse[(tile.rows.start + r) * heads + head.index] = softmax_row(seen);
                hidden.fill(0.0);
            }
            for (i, (column, keys)) in tile.key_ranges().enumerate() {
                let p = Mat::rows(&scores[column..], tile.keys());
                let v = Mat::rows(&qkv[head.at(keys.start, head.value)..], head.width);
                let out = MatMut::rows(&mut out[head.out(tile.rows.start)..], head.out_width);
                let write = if i == 0 { Write::Replace } else { Write::Add };
                matmul(out, write, [tile.rows.len(), head.dim, keys.len()], p, v, 1.0);
            }
        }
    }
}

/// What the backward pass reads.
#[derive(Clone, Copy)]
pub(super) struct Saved<'a> {
    pub(super) qkv: &'a [f32],
    pub(super) out: &'a [f32],
    pub(super) lse: &'a [f32],
}

/// Writes ∂L/∂qkv (of rotated queries and keys) given ∂L/∂out, which is not looked at where a row was left out.
/// Shapes as in [`forward`].
pub(super) fn backward(
    config: &ModelConfig,
    block: &Block,
    live: bool,
    saved: Saved<'_>,
    d_out: &[f32],
    d_qkv: &mut [f32],
    (p, dp): (&mut Buffer, &mut Buffer),
) {
    d_qkv.fill(0.0);
    for tile in block.segments.iter().flat_map(|s| tiles(s, live)) {
        let size = tile.rows.len() * tile.keys();
        for head in (0..config.num_attention_heads).map(|h| Head::new(config, h)) {
            let (p, dp) = (p.fit(size), dp.fit(size));
            score_gradients(head, &tile, config.num_attention_heads, saved, d_out, (p, dp));
            accumulate(head, &tile, saved.qkv, d_out, (p, dp), d_qkv);
        }
    }
}

/// Probabilities into `p`, ∂L/∂score into `dp`.
fn score_gradients(
    head: Head,
    tile: &Tile<'_>,
    heads: usize,
    saved: Saved<'_>,
    d_out: &[f32],
    (p, dp): (&mut [f32], &mut [f32]),
) {
    head.scores(tile, saved.qkv, p);
    let g = Mat::rows(&d_out[head.out(tile.rows.start)..], head.out_width);
    for (column, keys) in tile.key_ranges() {
        let v = Mat::transposed(&saved.qkv[head.at(keys.start, head.value)..], head.width);
        let out = MatMut::rows(&mut dp[column..], tile.keys());
        matmul(out, Write::Replace, [tile.rows.len(), keys.len(), head.dim], g, v, 1.0);
    }
    let rows = p.chunks_exact_mut(tile.keys()).zip(dp.chunks_exact_mut(tile.keys()));
    for (r, (p, dp)) in rows.enumerate() {
        let row = tile.rows.start + r;
        let (at, seen) = (head.out(row), tile.visible(r));
        let inner = dot(&d_out[at..at + head.dim], &saved.out[at..at + head.dim]);
        softmax_row_backward(&mut p[..seen], &mut dp[..seen], saved.lse[row * heads + head.index], inner);
        p[seen..].fill(0.0);
        dp[seen..].fill(0.0);
    }
}

/// `dq += scale·dp·k`, `dk += scale·dpᵀ·q`, `dv += pᵀ·d_out`.
fn accumulate(
    head: Head,
    tile: &Tile<'_>,
    qkv: &[f32],
    d_out: &[f32],
    (p, dp): (&[f32], &[f32]),
    d_qkv: &mut [f32],
) {
    let (n, stride) = (tile.rows.len(), tile.keys());
    let q = Mat::rows(&qkv[head.at(tile.rows.start, head.query)..], head.width);
    let g = Mat::rows(&d_out[head.out(tile.rows.start)..], head.out_width);
    let mut into = |row: usize, column: usize, shape: [usize; 3], a: Mat<'_>, b: Mat<'_>, scale: f32| {
        let out = MatMut::rows(&mut d_qkv[head.at(row, column)..], head.width);
        matmul(out, Write::Add, shape, a, b, scale);
    };
    for (column, keys) in tile.key_ranges() {
        let (m, dim) = (keys.len(), head.dim);
        let k = Mat::rows(&qkv[head.at(keys.start, head.key)..], head.width);
        into(tile.rows.start, head.query, [n, dim, m], Mat::rows(&dp[column..], stride), k, head.scale);
        into(keys.start, head.key, [m, dim, n], Mat::transposed(&dp[column..], stride), q, head.scale);
        into(keys.start, head.value, [m, dim, n], Mat::transposed(&p[column..], stride), g, 1.0);
    }
}
