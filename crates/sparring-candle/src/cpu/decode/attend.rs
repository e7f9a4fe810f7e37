//! Attention of a forward pass; shared keys and values are read once for several queries.
//!
//! The rows of a block see the same prompt, so that its keys and values are read once for all of them and for
//! all query heads of a key-value head; rows of one sequence share its own pages, too. Each query's own chain
//! of operations (context, then its own positions, in ascending order) is the same in any block.

use super::cache::{Cache, Pages, value_width};
use super::step::DecodeRow;
use crate::kernels::{PANEL, attend_page, exp_in_place, row_max, scale_row, score_page};
use crate::model::ModelConfig;
use std::ops::Range;
use std::rc::Rc;

/// Queries of a block, few enough that their scores stay in a near cache.
const QUERIES: usize = 24;

/// Rows, their caches, and the pages that hold keys and values of all of them.
#[derive(Clone, Copy)]
pub(super) struct DecodeBatch<'a> {
    pub(super) rows: &'a [DecodeRow],
    pub(super) caches: &'a [&'a Cache],
    pub(super) pages: &'a Pages,
}

/// Buffers of one thread.
#[derive(Debug, Default)]
pub(super) struct Attention {
    queries: Vec<f32>,
    /// Scores, then probabilities up to a factor: one row a query.
    scores: Vec<f32>,
    sums: Vec<f32>,
    /// log Σ exp(score) of each query.
    lse: Vec<f32>,
    out: Vec<f32>,
}

/// Consecutive rows that see the same prompt, few enough for a block.
pub(super) fn blocks(config: &ModelConfig, rows: &[DecodeRow], caches: &[&Cache]) -> Vec<Range<usize>> {
    let most = (QUERIES / (config.num_attention_heads / config.num_key_value_heads)).max(1);
    let context = |row: &DecodeRow| Rc::as_ptr(&caches[row.cache].context);
    let mut from = 0;
    let mut blocks = Vec::new();
    for alike in rows.chunk_by(|a, b| context(a) == context(b)) {
        for block in alike.chunks(most) {
            blocks.push(from..from + block.len());
            from += block.len();
        }
    }
    blocks
}

impl Attention {
    /// Attention of one layer, for the rows of `block` and one key-value head.
    ///
    /// # Shapes
    /// `qkv`: rows × qkv width; `attended`: rows × query width; `lse` (log Σ exp(score)): rows × heads.
    pub(super) fn run(
        &mut self,
        config: &ModelConfig,
        (layer, head): (usize, usize),
        batch: DecodeBatch<'_>,
        qkv: &[f32],
        (attended, lse): (&mut [f32], &mut [f32]),
    ) {
        let (dim, width) = (config.head_dim, value_width(config));
        let heads = config.num_attention_heads / config.num_key_value_heads;
        let Some(first) = batch.rows.first() else { return };
        let context = &batch.caches[first.cache].context;
        let longest = batch.rows.iter().map(|row| row.own + 1).max().unwrap_or(0) + context.len;
        // Scores are written in whole panels.
        let stride = longest + PANEL;
        let at = head * heads * dim;
        self.queries.resize(batch.rows.len() * heads * dim, 0.0);
        let rows = self.queries.chunks_exact_mut(heads * dim).zip(qkv.chunks_exact(config.qkv_width()));
        for (queries, row) in rows {
            scale_row(&row[at..at + heads * dim], 1.0 / (dim as f32).sqrt(), queries);
        }
        self.scores.resize(self.scores.len().max(batch.rows.len() * heads * stride), 0.0);
        for span in spans(batch, heads) {
            let queries = &self.queries[span.queries.start * dim..span.queries.end * dim];
            let mut at = span.queries.start * stride + span.from;
            for (page, n) in span.pages {
                let keys = batch.pages.head(page, layer, head).0;
                score_page(queries, dim, keys, n, (&mut self.scores[at..], stride));
                at += n;
            }
        }
        self.soften(batch, heads, context.len, stride);
        self.out.clear();
        self.out.resize(batch.rows.len() * heads * width, 0.0);
        for span in spans(batch, heads) {
            let out = &mut self.out[span.queries.start * width..span.queries.end * width];
            let mut at = span.queries.start * stride + span.from;
            for (page, n) in span.pages {
                let values = batch.pages.head(page, layer, head).1;
                attend_page((&self.scores[at..], stride), n, values, out, width);
                at += n;
            }
        }
        let sums = self.sums.chunks_exact(heads).zip(self.out.chunks_exact(heads * width));
        for (row, (sums, out)) in attended.chunks_exact_mut(config.query_width()).zip(sums) {
            let row = row[at..at + heads * dim].chunks_exact_mut(dim);
            for ((row, sum), out) in row.zip(sums).zip(out.chunks_exact(width)) {
                scale_row(out, 1.0 / sum, row);
            }
        }
        let rows = lse.chunks_exact_mut(config.num_attention_heads).zip(self.lse.chunks_exact(heads));
        for (row, lse) in rows {
            row[head * heads..(head + 1) * heads].copy_from_slice(lse);
        }
    }

    /// Scores to probabilities times their sum, which is kept. A row that does not see all positions of its
    /// sequence that others of the block see has probability 0 there.
    fn soften(&mut self, batch: DecodeBatch<'_>, heads: usize, context: usize, stride: usize) {
        self.sums.clear();
        self.lse.clear();
        let rows = self.scores.chunks_exact_mut(heads * stride);
        for (row, scores) in batch.rows.iter().zip(rows) {
            for scores in scores.chunks_exact_mut(stride) {
                let (seen, unseen) = scores.split_at_mut(context + row.own + 1);
                let max = row_max(seen);
                let sum = exp_in_place(seen, 1.0, max);
                self.sums.push(sum);
                self.lse.push(max + sum.ln());
                unseen.fill(0.0);
            }
        }
    }
}

/// Queries that see the same pages.
struct Span<P> {
    queries: Range<usize>,
    /// Where the scores of the pages begin in a row of scores.
    from: usize,
    /// Pages and the number of positions on each.
    pages: P,
}

/// The prompt of all, then the own positions of each sequence.
fn spans(
    batch: DecodeBatch<'_>,
    heads: usize,
) -> impl Iterator<Item = Span<impl Iterator<Item = (usize, usize)>>> {
    let context = &batch.caches[batch.rows[0].cache].context;
    let shared = Span { queries: 0..batch.rows.len() * heads, from: 0, pages: context.filled(context.len) };
    let mut done = 0;
    let own = batch.rows.chunk_by(|a, b| a.cache == b.cache).map(move |rows| {
        let from = done * heads;
        done += rows.len();
        let seen = rows.iter().map(|row| row.own + 1).max().unwrap_or(0);
        let pages = batch.caches[rows[0].cache].own.filled(seen);
        Span { queries: from..done * heads, from: context.len, pages }
    });
    std::iter::once(shared).chain(own)
}
