//! One forward pass over rows of any sequences.

use super::DecodeModel;
use super::attend::{Attention, Block, DecodeBatch, blocks};
use super::cache::{Cache, Pages};
use super::weights::DecodePair;
use crate::cpu::recall::{Part, Recording};
use crate::kernels::{
    PAGE, Packed, Write, add, gated_forward, packed_matmul, rms_forward, rope, scale_in_place,
};
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
    branch: Branch,
    attention: Attention,
}

/// Buffers of what attention and the feed-forward part give, before it joins the residual stream.
#[derive(Debug, Default)]
struct Branch {
    raw: Vec<f32>,
    normed: Vec<f32>,
    scales: Vec<f32>,
    low: Vec<f32>,
}

impl Branch {
    /// Adds the product of `x` to `stream`, in the same steps as in learning: both get the same bits.
    fn join(
        &mut self,
        config: &ModelConfig,
        x: &[f32],
        (w, pair): (&Packed, Option<&DecodePair>),
        norm: &[f32],
        stream: &mut [f32],
    ) {
        let factor = config.residual_scale();
        if norm.is_empty() && factor.is_none() {
            return project(x, w, pair, stream, Write::Add, &mut self.low);
        }
        self.raw.resize(stream.len(), 0.0);
        project(x, w, pair, &mut self.raw, Write::Replace, &mut self.low);
        let result = if norm.is_empty() {
            &mut self.raw
        } else {
            self.normed.resize(stream.len(), 0.0);
            self.scales.resize(stream.len() / norm.len(), 0.0);
            rms_forward(&self.raw, norm, config.rms_norm_eps as f32, &mut self.normed, &mut self.scales);
            &mut self.normed
        };
        if let Some(factor) = factor {
            scale_in_place(result, factor);
        }
        add(stream, result);
    }
}

/// What attention or the feed-forward part reads: the rows, normalised if there is a norm.
fn read(x: &[f32], norm: &[f32], eps: f32, (normed, scales): (&mut [f32], &mut [f32])) {
    if norm.is_empty() {
        normed.copy_from_slice(x);
    } else {
        rms_forward(x, norm, eps, normed, scales);
    }
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
            branch: Branch::default(),
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
        if let Some(factor) = config.embedding_scale() {
            scale_in_place(&mut self.x, factor);
        }
        let eps = config.rms_norm_eps as f32;
        let mut rows = rows;
        let mut alike = blocks(config, rows, caches);
        for (index, layer) in weights.layers.iter().enumerate() {
            note(rows, recordings, index, Part::Input, &self.x);
            read(&self.x, &layer.attention_norm, eps, (&mut self.normed, &mut self.scales));
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
            self.branch.join(
                config,
                &self.attended,
                (&layer.output, output),
                &layer.attended_norm,
                &mut self.x,
            );
            note(rows, recordings, index, Part::Middle, &self.x);
            read(&self.x, &layer.mlp_norm, eps, (&mut self.normed, &mut self.scales));
            project(&self.normed, &layer.gate_up, gate_up, &mut self.gate_up, Write::Replace, &mut self.low);
            let ff = config.intermediate_size;
            gated_forward(config.is_gelu(), &self.gate_up, ff, &mut self.product);
            self.branch.join(config, &self.product, (&layer.down, down), &layer.fed_norm, &mut self.x);
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
        if let Some(factor) = self.config().logit_scale() {
            scale_in_place(&mut self.normed, factor);
        }
        &self.normed
    }

    /// Rotates queries and keys to their positions, and writes keys and values into the cache.
    fn remember(&mut self, layer: usize, rows: &[DecodeRow], caches: &[&Cache], pages: &mut Pages) {
        let (config, dim) = (self.config(), self.config().head_dim);
        let (query, kv) = (config.query_width(), config.kv_width());
        let rotation = self.model.rope.of(layer);
        for (qkv, row) in self.qkv.chunks_exact_mut(config.qkv_width()).zip(rows) {
            let cache = caches[row.cache];
            self.model.weights.layers[layer].normalise(&mut qkv[..query + kv], query, config, &mut self.low);
            if let Some(rotation) = rotation {
                rope(&mut qkv[..query + kv], dim, rotation.at(cache.context.len + row.own), false);
            }
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
