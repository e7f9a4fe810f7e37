//! Causal attention over packed segments with shared prompts and shared beginnings of prompts.
//!
//! Keys and values are copied into panels once per key-value head; the queries of all its heads are computed
//! together, a few rows at a time. The backward pass recomputes scores from the kept log-sum-exp
//! (arXiv:2205.14135, section 3.1), for some keys at a time.

use super::forward::Reach;
use super::plan::{Block, Segment};
use crate::kernels::{
    Buffer, Mat, MatMut, PAGE, PANEL, Panels, Start, dot, exp_in_place, pack, packed_len, product, row_max,
    scale_row, softmax_row_backward,
};
use crate::model::ModelConfig;
use std::ops::Range;

/// Queries per tile of scores, over all heads of a key-value head.
const QUERIES: usize = 72;
/// Keys per tile of scores in the backward pass: scores and their gradients stay in the caches.
const KEYS: usize = 128;
/// Distance between rows of such a tile: a power of two would put its columns into few sets of the caches.
const STRIDE: usize = KEYS + PANEL;

/// Buffers of one thread.
#[derive(Debug, Default)]
pub(crate) struct AttentionScratch {
    /// One for each context of a segment. Of a segment that has the beginning of the same context, it is enough to look
    /// at the beginning of this.
    contexts: Vec<KeyValues>,
    own: KeyValues,
    queries: Queries,
    /// ∂L/∂output of the tile's queries.
    gradients: Queries,
    /// Scores, then probabilities; in the forward pass up to a factor.
    p: Buffer,
    dp: Buffer,
    /// One number per query: Σ exp(score − max), or Σ p·dp.
    of_query: Buffer,
    /// The tile's output, or ∂L/∂query.
    out: Buffer,
}

/// Some query rows of a segment.
struct Tile<'a> {
    rows: Range<usize>,
    segment: &'a Segment,
    /// How many positions a row sees at most.
    window: usize,
}

/// Some of what a tile sees: see [`Tile::parts`].
type Part<'a> = (&'a KeyValues, Range<usize>);

impl Tile<'_> {
    /// What its rows see, in the order of positions: packed keys and values, and the rows that they are of.
    fn parts<'a>(&'a self, contexts: &'a [KeyValues], own: &'a KeyValues) -> impl Iterator<Item = Part<'a>> {
        let rows = self.segment.rows.start..self.rows.end;
        let contexts = contexts.iter().zip(&self.segment.contexts);
        contexts.map(|(packed, rows)| (packed, rows.clone())).chain([(own, rows)])
    }

    /// Keys of the segment up to the last query row.
    fn own(&self) -> usize {
        self.rows.end - self.segment.rows.start
    }

    /// The positions that a row sees, among those of the contexts and the segment's own.
    fn seen(&self, row: usize) -> Range<usize> {
        let end = self.segment.context() + row + 1 - self.segment.rows.start;
        end.saturating_sub(self.window)..end
    }

    /// The first position that one of its rows sees.
    fn first(&self) -> usize {
        self.seen(self.rows.start).start
    }
}

/// Tiles of `count` rows of a segment, or of its rows that predict.
fn tiles<'a>(segment: &'a Segment, reach: Reach<'_>, count: usize) -> impl Iterator<Item = Tile<'a>> {
    let (from, window) = (if reach.live { segment.live } else { segment.rows.start }, reach.window);
    (from..segment.rows.end).step_by(count).map(move |start| Tile {
        rows: start..segment.rows.end.min(start + count),
        segment,
        window,
    })
}

/// Where the parts of one key-value head and of its query heads lie in a row.
#[derive(Clone, Copy)]
struct Heads {
    dim: usize,
    /// Query heads of the key-value head, and the first of them.
    count: usize,
    first: usize,
    /// Query heads of all.
    all: usize,
    /// Width of a row of `qkv`.
    width: usize,
    key: usize,
    value: usize,
    /// Factor of scores.
    scale: f32,
}

impl Heads {
    fn new(config: &ModelConfig, index: usize) -> Self {
        let (dim, all, kv) = (config.head_dim, config.num_attention_heads, config.num_key_value_heads);
        Self {
            dim,
            count: all / kv,
            first: index * (all / kv),
            all,
            width: config.qkv_width(),
            key: (all + index) * dim,
            value: (all + kv + index) * dim,
            scale: config.score_scale(),
        }
    }

    fn of(config: &ModelConfig) -> impl Iterator<Item = Self> + '_ {
        (0..config.num_key_value_heads).map(|index| Self::new(config, index))
    }

    /// Rows of a tile.
    fn rows(&self) -> usize {
        (QUERIES / self.count).max(1)
    }

    /// The queries of some rows, one after the other: (row, query head).
    fn queries(self, rows: Range<usize>) -> impl Iterator<Item = (usize, usize)> {
        rows.flat_map(move |row| (self.first..self.first + self.count).map(move |head| (row, head)))
    }

    /// Where a query lies in rows of some width that begin with the query heads.
    fn at(&self, (row, head): (usize, usize), width: usize) -> Range<usize> {
        let from = row * width + head * self.dim;
        from..from + self.dim
    }

    /// Rows of keys or values, from their column on.
    fn column_of<'a>(&self, qkv: &'a [f32], rows: &Range<usize>, column: usize) -> &'a [f32] {
        if rows.is_empty() { &[] } else { &qkv[rows.start * self.width + column..] }
    }
}

/// A factor in panels.
#[derive(Debug, Default)]
struct Factor {
    panels: Buffer,
    k: usize,
    len: usize,
}

impl Factor {
    fn pack(&mut self, b: Mat<'_>, [columns, k]: [usize; 2]) {
        (self.k, self.len) = (k, packed_len(columns, k));
        pack(b, [columns, k], self.panels.fit(self.len));
    }

    fn panels(&self) -> Panels<'_> {
        Panels { data: self.panels.get(self.len), stride: self.k * PANEL }
    }
}

/// Keys and values of one head, of some rows.
#[derive(Debug, Default)]
struct KeyValues {
    /// kᵀ: head_dim × keys.
    keys_across: Factor,
    /// k: keys × head_dim.
    keys: Factor,
    /// vᵀ.
    values_across: Factor,
    /// v.
    values: Factor,
}

impl KeyValues {
    /// What the forward pass needs.
    fn pack_forward(&mut self, heads: Heads, qkv: &[f32], rows: &Range<usize>) {
        let (k, v) = (heads.column_of(qkv, rows, heads.key), heads.column_of(qkv, rows, heads.value));
        self.keys_across.pack(Mat::transposed(k, heads.width), [rows.len(), heads.dim]);
        self.values.pack(Mat::rows(v, heads.width), [heads.dim, rows.len()]);
    }

    /// What the backward pass needs.
    fn pack_backward(&mut self, heads: Heads, qkv: &[f32], rows: &Range<usize>) {
        let (k, v) = (heads.column_of(qkv, rows, heads.key), heads.column_of(qkv, rows, heads.value));
        self.keys_across.pack(Mat::transposed(k, heads.width), [rows.len(), heads.dim]);
        self.keys.pack(Mat::rows(k, heads.width), [heads.dim, rows.len()]);
        self.values_across.pack(Mat::transposed(v, heads.width), [rows.len(), heads.dim]);
    }
}

/// One row of head_dim for each query of a tile.
#[derive(Debug, Default)]
struct Queries {
    rows: Buffer,
    /// The same as a right factor: queries × head_dim.
    panels: Factor,
    len: usize,
}

impl Queries {
    /// Copies them, scaled.
    fn copy(&mut self, heads: Heads, tile: &Tile<'_>, (data, width): (&[f32], usize), scale: f32) {
        self.len = tile.rows.len() * heads.count;
        let rows = self.rows.fit(self.len * heads.dim).chunks_exact_mut(heads.dim);
        for (row, query) in rows.zip(heads.queries(tile.rows.clone())) {
            scale_row(&data[heads.at(query, width)], scale, row);
        }
    }

    /// Packs what was copied.
    fn pack(&mut self, dim: usize) {
        self.panels.pack(Mat::rows(self.rows.get(self.len * dim), dim), [dim, self.len]);
    }

    fn mat(&self, dim: usize) -> Mat<'_> {
        Mat::rows(self.rows.get(self.len * dim), dim)
    }
}

/// Writes each row's attention output and log-sum-exp; those of rows that predict only, if `reach` is of them.
///
/// # Shapes
/// `qkv`: rows × (heads + 2·kv_heads)·head_dim, rotated; `out`: rows × heads·head_dim; `lse`: rows × heads.
pub(super) fn forward(
    config: &ModelConfig,
    block: &Block,
    reach: Reach<'_>,
    qkv: &[f32],
    out: &mut [f32],
    lse: &mut [f32],
    scratch: &mut AttentionScratch,
) {
    each_tile(config, block, reach, qkv, scratch, KeyValues::pack_forward, |heads, tile, scratch| {
        attend(heads, tile, qkv, out, lse, scratch);
    });
}

/// Runs `run` on every tile of every head, with its keys and values packed by `pack`.
fn each_tile(
    config: &ModelConfig,
    block: &Block,
    reach: Reach<'_>,
    qkv: &[f32],
    scratch: &mut AttentionScratch,
    pack: fn(&mut KeyValues, Heads, &[f32], &Range<usize>),
    mut run: impl FnMut(Heads, &Tile<'_>, &mut AttentionScratch),
) {
    for heads in Heads::of(config) {
        let mut packed: Vec<Range<usize>> = Vec::new();
        for segment in &block.segments {
            for (level, rows) in segment.contexts.iter().enumerate() {
                // Neighbours share a prompt, or its beginning, which is the beginning of what is packed.
                if packed.get(level).is_some_and(|p| p.start == rows.start && rows.end <= p.end) {
                    continue;
                }
                packed.truncate(level);
                packed.push(rows.clone());
                scratch.contexts.resize_with(scratch.contexts.len().max(packed.len()), KeyValues::default);
                pack(&mut scratch.contexts[level], heads, qkv, rows);
            }
            pack(&mut scratch.own, heads, qkv, &segment.rows);
            for tile in tiles(segment, reach, heads.rows()) {
                run(heads, &tile, scratch);
            }
        }
    }
}

fn attend(
    heads: Heads,
    tile: &Tile<'_>,
    qkv: &[f32],
    out: &mut [f32],
    lse: &mut [f32],
    scratch: &mut AttentionScratch,
) {
    let AttentionScratch { contexts, own, queries, p, of_query, out: result, .. } = scratch;
    let (dim, context) = (heads.dim, tile.segment.context());
    let (n, keys) = (tile.rows.len() * heads.count, context + tile.own());
    let out_width = heads.all * dim;
    queries.copy(heads, tile, (qkv, heads.width), heads.scale);
    let p = p.fit(n * keys);
    // Keys before it are seen by no row: whole panels and pages of them are left out.
    let first = tile.first();
    let mut column = 0;
    for (part, rows) in tile.parts(contexts, own) {
        let from = first.saturating_sub(column).min(rows.len()) / PANEL * PANEL;
        if from < rows.len() {
            let scores = MatMut::rows(&mut p[column + from..], keys);
            let panels = part.keys_across.panels().from(0, from / PANEL);
            product([n, rows.len() - from, dim], queries.mat(dim), panels, Start::Zero, scores);
        }
        column += rows.len();
    }
    let sums = of_query.fit(n);
    let rows = p.chunks_exact_mut(keys).zip(&mut *sums);
    for ((scores, sum), query) in rows.zip(heads.queries(tile.rows.clone())) {
        let seen = tile.seen(query.0);
        let (before, hidden) = scores.split_at_mut(seen.end);
        let (before, seen) = before.split_at_mut(seen.start);
        before.fill(0.0);
        let max = row_max(seen);
        *sum = exp_in_place(seen, 1.0, max);
        lse[query.0 * heads.all + query.1] = max + sum.ln();
        hidden.fill(0.0);
    }
    let result = result.zeroed(n * dim);
    let mut column = 0;
    for (part, rows) in tile.parts(contexts, own) {
        let start = first.saturating_sub(column).min(rows.len()) / PAGE * PAGE;
        // Summed page by page, as in decoding: both get the same bits.
        for from in (start..rows.len()).step_by(PAGE) {
            let (p, values) = (Mat::rows(&p[column + from..], keys), part.values.panels().from(from, 0));
            let shape = [n, dim, PAGE.min(rows.len() - from)];
            product(shape, p, values, Start::Out, MatMut::rows(result, dim));
        }
        column += rows.len();
    }
    let rows = result.chunks_exact(dim).zip(sums);
    for ((result, sum), query) in rows.zip(heads.queries(tile.rows.clone())) {
        scale_row(result, 1.0 / *sum, &mut out[heads.at(query, out_width)]);
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
    reach: Reach<'_>,
    saved: Saved<'_>,
    d_out: &[f32],
    d_qkv: &mut [f32],
    scratch: &mut AttentionScratch,
) {
    d_qkv.fill(0.0);
    each_tile(config, block, reach, saved.qkv, scratch, KeyValues::pack_backward, |heads, tile, scratch| {
        attend_backward(heads, tile, saved, d_out, d_qkv, scratch);
    });
}

/// `dq = scale·ds·k`, `dk += scale·dsᵀ·q`, `dv += pᵀ·d_out`.
fn attend_backward(
    heads: Heads,
    tile: &Tile<'_>,
    saved: Saved<'_>,
    d_out: &[f32],
    d_qkv: &mut [f32],
    scratch: &mut AttentionScratch,
) {
    let AttentionScratch { contexts, own, queries, gradients, p, dp, of_query, out: d_query } = scratch;
    let (dim, n, out_width) = (heads.dim, tile.rows.len() * heads.count, heads.all * heads.dim);
    queries.copy(heads, tile, (saved.qkv, heads.width), heads.scale);
    queries.pack(dim);
    gradients.copy(heads, tile, (d_out, out_width), 1.0);
    gradients.pack(dim);
    let inner = of_query.fit(n);
    for (inner, query) in inner.iter_mut().zip(heads.queries(tile.rows.clone())) {
        let at = heads.at(query, out_width);
        *inner = dot(&d_out[at.clone()], &saved.out[at]);
    }
    let (p, dp, d_query) = (p.fit(n * STRIDE), dp.fit(n * STRIDE), d_query.zeroed(n * dim));
    let (first, mut column) = (tile.first(), 0);
    for (part, all_keys) in tile.parts(contexts, own) {
        let start = first.saturating_sub(column).min(all_keys.len()) / KEYS * KEYS;
        for from in (start..all_keys.len()).step_by(KEYS) {
            let keys = KEYS.min(all_keys.len() - from);
            // The place of a position among these keys.
            let place = |position: usize| position.saturating_sub(column + from).min(keys);
            let across = |packed: &Factor, x: &Queries, scores: &mut [f32]| {
                let panels = packed.panels().from(0, from / PANEL);
                product([n, keys, dim], x.mat(dim), panels, Start::Zero, MatMut::rows(scores, STRIDE));
            };
            across(&part.keys_across, queries, p);
            across(&part.values_across, gradients, dp);
            for (i, query) in heads.queries(tile.rows.clone()).enumerate() {
                let rows = i * STRIDE..i * STRIDE + keys;
                let (p, dp) = (&mut p[rows.clone()], &mut dp[rows]);
                let seen = tile.seen(query.0);
                let seen = place(seen.start)..place(seen.end);
                let lse = saved.lse[query.0 * heads.all + query.1];
                softmax_row_backward(&mut p[seen.clone()], &mut dp[seen.clone()], lse, inner[i]);
                for x in [p, dp] {
                    x[..seen.start].fill(0.0);
                    x[seen.end..].fill(0.0);
                }
            }
            let panels = part.keys.panels().from(from, 0);
            let shape = [n, dim, keys];
            product(shape, Mat::rows(dp, STRIDE), panels, Start::Out, MatMut::rows(d_query, dim));
            let mut into = |column: usize, a: &[f32], b: &Queries| {
                let rows = &mut d_qkv[(all_keys.start + from) * heads.width + column..];
                let (a, out) = (Mat::transposed(a, STRIDE), MatMut::rows(rows, heads.width));
                product([keys, dim, n], a, b.panels.panels(), Start::Out, out);
            };
            into(heads.key, dp, queries);
            into(heads.value, p, gradients);
        }
        column += all_keys.len();
    }
    for (d_query, query) in d_query.chunks_exact(dim).zip(heads.queries(tile.rows.clone())) {
        scale_row(d_query, heads.scale, &mut d_qkv[heads.at(query, heads.width)]);
    }
}
