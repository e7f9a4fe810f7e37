//! Attention of a forward pass; shared keys and values are read once for several queries.
//!
//! Rows of a block that see the same page, such as those of one prompt or of prompts that begin alike, read it
//! together, for all query heads of a key-value head. Each query's own chain of operations (context, then its own
//! positions, in ascending order) is the same in any block.

use super::cache::{Cache, Pages, value_width};
use super::step::DecodeRow;
use crate::kernels::{PAGE, PANEL, attend_page, exp_in_place, row_max, scale_row, score_page};
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

impl DecodeBatch<'_> {
    /// The positions that a row sees.
    fn seen(&self, row: &DecodeRow, window: usize) -> Range<usize> {
        let end = self.caches[row.cache].context.len + row.own + 1;
        end.saturating_sub(window)..end
    }
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

/// Neighbouring rows that are computed together.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) rows: Range<usize>,
    /// What they see. Each row's pages are in ascending order.
    spans: Vec<Span>,
    /// Largest number of positions that one of them sees.
    longest: usize,
}

/// A page and the neighbouring rows of a block that see it.
#[derive(Debug)]
struct Span {
    rows: Range<usize>,
    /// Position of the page's first key.
    from: usize,
    page: usize,
    /// Number of positions on the page.
    len: usize,
}

/// Divides rows into blocks. Rows of one prompt are not spread over more blocks than necessary.
pub(super) fn blocks(config: &ModelConfig, rows: &[DecodeRow], caches: &[&Cache]) -> Vec<Block> {
    let most = (QUERIES / (config.num_attention_heads / config.num_key_value_heads)).max(1);
    let context = |row: &DecodeRow| Rc::as_ptr(&caches[row.cache].context);
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut from = 0;
    for alike in rows.chunk_by(|a, b| context(a) == context(b)) {
        match ranges.last_mut() {
            Some(last) if last.len() + alike.len() <= most => last.end += alike.len(),
            _ => {
                let to = from + alike.len();
                ranges.extend((from..to).step_by(most).map(|start| start..to.min(start + most)));
            }
        }
        from += alike.len();
    }
    ranges.into_iter().map(|range| Block::new(range, rows, caches)).collect()
}

impl Block {
    fn new(range: Range<usize>, rows: &[DecodeRow], caches: &[&Cache]) -> Self {
        let rows = &rows[range.clone()];
        let context = |row: &DecodeRow| &*caches[row.cache].context;
        let longest = rows.iter().map(|row| context(row).len + row.own + 1).max().unwrap_or(0);
        let mut spans = Vec::new();
        for index in 0..longest.div_ceil(PAGE) {
            let page = |row: &DecodeRow| context(row).page(index, context(row).len);
            let mut at = 0;
            for alike in rows.chunk_by(|a, b| page(a) == page(b)) {
                let (rows, from) = (at..at + alike.len(), index * PAGE);
                at = rows.end;
                spans.extend(page(&alike[0]).map(|(page, len)| Span { rows, from, page, len }));
            }
        }
        let mut at = 0;
        for alike in rows.chunk_by(|a, b| a.cache == b.cache) {
            let rows = at..at + alike.len();
            at = rows.end;
            let (own, context) = (&caches[alike[0].cache].own, context(&alike[0]).len);
            let seen = alike.iter().map(|row| row.own + 1).max().unwrap_or(0);
            let pages = (0..).map_while(|index| Some((index, own.page(index, seen)?)));
            let span =
                |(index, (page, len))| Span { rows: rows.clone(), from: context + index * PAGE, page, len };
            spans.extend(pages.map(span));
        }
        Self { rows: range, spans, longest }
    }
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
        (batch, block): (DecodeBatch<'_>, &Block),
        qkv: &[f32],
        (attended, lse): (&mut [f32], &mut [f32]),
    ) {
        let (dim, width) = (config.head_dim, value_width(config));
        let heads = config.num_attention_heads / config.num_key_value_heads;
        // Scores are written in whole panels.
        let stride = block.longest + PANEL;
        let at = head * heads * dim;
        let window = config.window(layer);
        self.queries.resize(batch.rows.len() * heads * dim, 0.0);
        let rows = self.queries.chunks_exact_mut(heads * dim).zip(qkv.chunks_exact(config.qkv_width()));
        for (queries, row) in rows {
            scale_row(&row[at..at + heads * dim], config.score_scale(), queries);
        }
        self.scores.resize(self.scores.len().max(batch.rows.len() * heads * stride), 0.0);
        // Pages before it are seen by no row.
        let first = batch.rows.iter().map(|row| batch.seen(row, window).start).min().unwrap_or(0);
        let spans = || block.spans.iter().filter(|span| span.from + span.len > first);
        for Span { rows, from, page, len } in spans() {
            let queries = &self.queries[rows.start * heads * dim..rows.end * heads * dim];
            let scores = &mut self.scores[rows.start * heads * stride + from..];
            score_page(queries, dim, batch.pages.head(*page, layer, head).0, *len, (scores, stride));
        }
        self.soften(batch, window, heads, stride);
        self.out.clear();
        self.out.resize(batch.rows.len() * heads * width, 0.0);
        for Span { rows, from, page, len } in spans() {
            let out = &mut self.out[rows.start * heads * width..rows.end * heads * width];
            let scores = &self.scores[rows.start * heads * stride + from..];
            attend_page((scores, stride), *len, batch.pages.head(*page, layer, head).1, out, width);
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
    fn soften(&mut self, batch: DecodeBatch<'_>, window: usize, heads: usize, stride: usize) {
        self.sums.clear();
        self.lse.clear();
        let rows = self.scores.chunks_exact_mut(heads * stride);
        for (row, scores) in batch.rows.iter().zip(rows) {
            let range = batch.seen(row, window);
            for scores in scores.chunks_exact_mut(stride) {
                let (before, unseen) = scores.split_at_mut(range.end);
                let (before, seen) = before.split_at_mut(range.start);
                before.fill(0.0);
                let max = row_max(seen);
                let sum = exp_in_place(seen, 1.0, max);
                self.sums.push(sum);
                self.lse.push(max + sum.ln());
                unseen.fill(0.0);
            }
        }
    }
}
