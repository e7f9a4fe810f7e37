//! One forward pass over rows of any sequences.

use super::DecodeModel;
use super::attend::{Attention, Block, DecodeBatch, blocks};
use super::cache::{Cache, Pages};
use super::weights::DecodePair;
use crate::cpu::recall::{Part, Recording};
use crate::kernels::{PAGE, Packed, Write, packed_matmul, rms_forward, rope, swiglu_forward};
use crate::model::ModelConfig;

/// One token to run through the decoder.
#[derive(Debug, Clone, Copy)]
pub(super) struct DecodeRow {
    pub(super) token: u32,
    /// Which of the caches it belongs to.
    pub(super) cache: usize,
    /// Its index among the cache's own positions.
    pub(super) own: usize,
}

/// Buffers and constants of one thread.
#[derive(Debug)]
pub(super) struct Stepper<'a> {
    pub(super) model: DecodeModel<'a>,
    x: Vec<f32>,
    normed: Vec<f32>,
    scales: Vec<f32>,
    qkv: Vec<f32>,
    attended: Vec<f32>,
    lse: Vec<f32>,
    gate_up: Vec<f32>,
    product: Vec<f32>,
    low: Vec<f32>,
    attention: Attention,
}

impl<'a> Stepper<'a> {
    pub(super) fn new(model: DecodeModel<'a>) -> Self {
        let empty = Vec::new;
        Self {
            model,
            x: empty(),
            normed: empty(),
            scales: empty(),
            qkv: empty(),
            attended: empty(),
            lse: empty(),
            gate_up: empty(),
            product: empty(),
            low: empty(),
            attention: Attention::default(),
        }
    }

    fn config(&self) -> &'a ModelConfig {
        &self.model.spec.config
    }

    /// Runs the rows, writing their keys and values into the cache. A row sees the rows before it that
    /// belong to its sequence. [`Stepper::logits`] can be called for the last `wanted` rows only. What learning will
    /// need is written to the recordings: one per cache, with room for its rows, or none.
    pub(super) fn forward(
        &mut self,
        rows: &[DecodeRow],
        caches: &[&Cache],
        recordings: &mut [Option<&mut Recording>],
        pages: &mut Pages,
        wanted: usize,
    ) {
        let (config, weights) = (self.config(), self.model.weights);
        let hidden = config.hidden_size;
        self.resize(rows.len());
        for (x, row) in self.x.chunks_exact_mut(hidden).zip(rows) {
            // The embedding is the first tensor of the flat buffer.
            x.copy_from_slice(&self.model.flat[row.token as usize * hidden..][..hidden]);
        }
        let eps = config.rms_norm_eps as f32;
        let mut rows = rows;
        let mut alike = blocks(config, rows, caches);
        for (index, layer) in weights.layers.iter().enumerate() {
            note(rows, recordings, index, Part::Input, &self.x);
            rms_forward(&self.x, &layer.attention_norm, eps, &mut self.normed, &mut self.scales);
            let products = self.model.spec.layout.layers[index].products();
            let [qkv, output, gate_up, down] = products.map(|linear| self.model.pair(linear.index));
            project(&self.normed, &layer.qkv, qkv, &mut self.qkv, Write::Replace, &mut self.low);
            note(rows, recordings, index, Part::Qkv, &self.qkv);
            self.remember(index, rows, caches, pages);
            if index + 1 == weights.layers.len() {
                // Of the other rows only keys and values are needed.
                rows = self.drop_rows(rows, wanted);
                alike = blocks(config, rows, caches);
            }
            self.attend(index, DecodeBatch { rows, caches, pages }, &alike);
            note(rows, recordings, index, Part::Attended, &self.attended);
            note(rows, recordings, index, Part::Lse, &self.lse);
            project(&self.attended, &layer.output, output, &mut self.x, Write::Add, &mut self.low);
            note(rows, recordings, index, Part::Middle, &self.x);
            rms_forward(&self.x, &layer.mlp_norm, eps, &mut self.normed, &mut self.scales);
            project(&self.normed, &layer.gate_up, gate_up, &mut self.gate_up, Write::Replace, &mut self.low);
            swiglu_forward(&self.gate_up, config.intermediate_size, &mut self.product);
            project(&self.product, &layer.down, down, &mut self.x, Write::Add, &mut self.low);
        }
        for (row, x) in rows.iter().zip(self.x.chunks_exact(hidden)) {
            if let Some(recording) = &mut recordings[row.cache] {
                recording.put_output(row.own, x);
            }
        }
    }

    /// Makes the buffers as long as `n` rows.
    fn resize(&mut self, n: usize) {
        let (config, ff) = (self.config(), self.config().intermediate_size);
        for (buffer, width) in [
            (&mut self.x, config.hidden_size),
            (&mut self.normed, config.hidden_size),
            (&mut self.scales, 1),
            (&mut self.qkv, config.qkv_width()),
            (&mut self.attended, config.query_width()),
            (&mut self.lse, config.num_attention_heads),
            (&mut self.gate_up, 2 * ff),
            (&mut self.product, ff),
        ] {
            buffer.resize(n * width, 0.0);
        }
    }

    /// Drops all rows but the last `wanted`.
    fn drop_rows<'r>(&mut self, rows: &'r [DecodeRow], wanted: usize) -> &'r [DecodeRow] {
        let dropped = rows.len().saturating_sub(wanted);
        self.x.drain(..dropped * self.config().hidden_size);
        self.qkv.drain(..dropped * self.config().qkv_width());
        self.resize(rows.len() - dropped);
        &rows[dropped..]
    }

    /// Some of the last rows of the last [`Stepper::forward`], given by their order, normalised for the output head.
    pub(super) fn normalise(&mut self, order: &[usize]) -> &[f32] {
        let (hidden, n) = (self.config().hidden_size, order.len());
        let x = &self.x[self.x.len() - n * hidden..];
        self.product.clear();
        for row in order {
            self.product.extend_from_slice(&x[row * hidden..(row + 1) * hidden]);
        }
        self.normed.resize(n * hidden, 0.0);
        self.scales.resize(n, 0.0);
        let eps = self.config().rms_norm_eps as f32;
        rms_forward(&self.product, &self.model.weights.norm, eps, &mut self.normed, &mut self.scales);
        &self.normed
    }

    /// Rotates queries and keys to their positions, and writes keys and values into the cache.
    fn remember(&mut self, layer: usize, rows: &[DecodeRow], caches: &[&Cache], pages: &mut Pages) {
        let (config, dim) = (self.config(), self.config().head_dim);
        let (query, kv) = (config.query_width(), config.kv_width());
        for (qkv, row) in self.qkv.chunks_exact_mut(config.qkv_width()).zip(rows) {
            let cache = caches[row.cache];
            self.model.weights.layers[layer].normalise(&mut qkv[..query + kv], query, config, &mut self.low);
            rope(&mut qkv[..query + kv], self.model.rope.at(cache.context.len + row.own), false);
            let (keys, values) = qkv[query..].split_at(kv);
            let page = cache.own.pages[row.own / PAGE];
            for (head, (k, v)) in keys.chunks_exact(dim).zip(values.chunks_exact(dim)).enumerate() {
                pages.write(page, (layer, head), row.own % PAGE, k, v);
            }
        }
    }

    fn attend(&mut self, layer: usize, batch: DecodeBatch<'_>, blocks: &[Block]) {
        let config = self.config();
        let (qkv, query, heads) = (config.qkv_width(), config.query_width(), config.num_attention_heads);
        for head in 0..config.num_key_value_heads {
            for block in blocks {
                let rows = &block.rows;
                let batch = DecodeBatch { rows: &batch.rows[rows.clone()], ..batch };
                let qkv = &self.qkv[rows.start * qkv..rows.end * qkv];
                let attended = &mut self.attended[rows.start * query..rows.end * query];
                let lse = &mut self.lse[rows.start * heads..rows.end * heads];
                self.attention.run(config, (layer, head), (batch, block), qkv, (attended, lse));
            }
        }
    }
}

/// Records a part of each row.
fn note(
    rows: &[DecodeRow],
    recordings: &mut [Option<&mut Recording>],
    layer: usize,
    part: Part,
    values: &[f32],
) {
    let Some(width) = values.len().checked_div(rows.len()) else { return };
    for (row, values) in rows.iter().zip(values.chunks_exact(width)) {
        if let Some(recording) = &mut recordings[row.cache] {
            recording.put(row.own, layer, part, values);
        }
    }
}

/// `y (+)= x·wᵀ + bias`, and the adapter's share.
fn project(
    x: &[f32],
    w: &Packed,
    pair: Option<&DecodePair>,
    y: &mut [f32],
    write: Write,
    low: &mut Vec<f32>,
) {
    packed_matmul(x, w, y, write);
    if let Some(DecodePair { a, scales, b }) = pair {
        low.resize(y.len() / w.outputs() * a.outputs(), 0.0);
        packed_matmul(x, a, low, Write::Replace);
        for low in low.chunks_exact_mut(scales.len()) {
            low.iter_mut().zip(scales).for_each(|(low, scale)| *low *= scale);
        }
        packed_matmul(low, b, y, Write::Add);
    }
}
