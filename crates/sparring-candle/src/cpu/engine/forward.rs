//! One block of rows through the layers.

use super::model::EngineModel;
use super::plan::{Block, Rows};
use super::workspace::{Activations, Keep, LayerActivations, Scratch};
use super::{attention, branch, heads, project};
use crate::kernels::{Buffer, Write, gated_forward, scale_in_place};
use crate::model::LayerRanges;

/// Runs `block` through all layers; the result is the last of `acts.inputs` that was written,
/// [`last_output`].
pub(super) fn forward(
    model: EngineModel<'_>,
    block: &Block,
    keep: Keep,
    acts: &mut Activations,
    scratch: &mut Scratch,
) {
    let hidden = model.config.hidden_size;
    let n = block.rows() * hidden;
    acts.recalled = None;
    acts.prepare(keep, model.config.num_hidden_layers);
    let embedding = model.get(&model.layout.embedding);
    let rows = acts.inputs[0].fit(n).chunks_exact_mut(hidden);
    for (row, &token) in rows.zip(&block.tokens) {
        row.copy_from_slice(&embedding[token as usize * hidden..][..hidden]);
    }
    if let Some(factor) = model.config.embedding_scale() {
        scale_in_place(acts.inputs[0].fit(n), factor);
    }
    let slots = acts.inputs.len();
    for (i, ranges) in model.layout.layers.iter().enumerate() {
        let mut output = std::mem::take(&mut acts.inputs[(i + 1) % slots]);
        let input = acts.inputs[i % slots].get(n);
        let mut passing = std::mem::take(&mut scratch.layer);
        let layer = acts.layers.get_mut(i).unwrap_or(&mut passing);
        let reach = Reach::of(model, block, i);
        to_gate(model, block, reach, ranges, input, layer, scratch);
        from_gate(model, reach.rows, ranges, layer, scratch, output.fit(reach.rows.len() * hidden));
        scratch.layer = passing;
        acts.inputs[(i + 1) % slots] = output;
    }
}

/// A layer's number, what its rows see, and which rows it carries beyond its attention.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach<'a> {
    pub(super) layer: usize,
    /// How many positions a row sees at most.
    pub(super) window: usize,
    pub(super) rows: Rows<'a>,
    /// Only the rows that predict: in the last layer nothing reads the others.
    pub(super) live: bool,
}

impl<'a> Reach<'a> {
    pub(super) fn of(model: EngineModel<'_>, block: &'a Block, layer: usize) -> Self {
        let live = layer + 1 == model.config.num_hidden_layers;
        let rows = if live { block.live() } else { block.all() };
        Self { layer, window: model.config.window(layer), rows, live }
    }

    /// The rows of `all` that are carried: all of them, or a copy of some in `buffer`.
    pub(super) fn of_all<'b>(
        self,
        block: &Block,
        all: &'b [f32],
        buffer: &'b mut Buffer,
        width: usize,
    ) -> &'b [f32] {
        if !self.live {
            return all;
        }
        let live = buffer.fit(self.rows.len() * width);
        gather(block, all, live, width);
        live
    }
}

/// Copies the rows that predict.
fn gather(block: &Block, from: &[f32], to: &mut [f32], width: usize) {
    for (row, head) in to.chunks_exact_mut(width).zip(&block.heads) {
        row.copy_from_slice(&from[head.row * width..][..width]);
    }
}

/// Output of the last layer, of the rows that predict: rows × hidden.
pub(super) fn last_output<'a>(model: EngineModel<'_>, block: &Block, acts: &'a Activations) -> &'a [f32] {
    let output = match &acts.recalled {
        Some(_) => &acts.output,
        None => &acts.inputs[model.config.num_hidden_layers % acts.inputs.len()],
    };
    output.get(block.live().len() * model.config.hidden_size)
}

/// A layer up to its gate and up products: all that its backward pass needs.
pub(super) fn to_gate(
    model: EngineModel<'_>,
    block: &Block,
    reach: Reach<'_>,
    ranges: &LayerRanges,
    input: &[f32],
    acts: &mut LayerActivations,
    scratch: &mut Scratch,
) {
    let (rows, config) = (block.rows(), model.config);
    let (hidden, query) = (config.hidden_size, config.query_width());
    let products = &mut scratch.products;

    let normed =
        branch::read(model, &ranges.attention_norm, input, (&mut scratch.normed, &mut scratch.scales));
    let qkv = acts.qkv.fit(rows * config.qkv_width());
    project::forward(model, block.all(), &ranges.qkv, normed, qkv, Write::Replace, products);
    heads::forward(model, block, (reach.layer, ranges), acts);
    let qkv = acts.qkv.get(rows * config.qkv_width());
    let attended = acts.attended.fit(rows * query);
    let lse = acts.lse.fit(rows * config.num_attention_heads);
    attention::forward(config, block, reach, qkv, attended, lse, &mut scratch.attention);
    let n = reach.rows.len();
    let middle = acts.middle.fit(n * hidden);
    if reach.live {
        gather(block, input, middle, hidden);
    } else {
        middle.copy_from_slice(input);
    }
    let attended = reach.of_all(block, attended, &mut scratch.product, query);
    let end = branch::End { linear: &ranges.output, norm: &ranges.attended_norm };
    end.join(model, reach.rows, attended, middle, (&mut scratch.branch, products));

    gate(model, reach.rows, ranges, acts, scratch);
}

/// The gate and up products.
pub(super) fn gate(
    model: EngineModel<'_>,
    rows: Rows<'_>,
    ranges: &LayerRanges,
    acts: &mut LayerActivations,
    scratch: &mut Scratch,
) {
    let (n, hidden) = (rows.len(), model.config.hidden_size);
    let middle = acts.middle.get(n * hidden);
    let normed = branch::read(model, &ranges.mlp_norm, middle, (&mut scratch.normed, &mut scratch.scales));
    let gate_up = acts.gate_up.fit(n * 2 * model.config.intermediate_size);
    project::forward(model, rows, &ranges.gate_up, normed, gate_up, Write::Replace, &mut scratch.products);
}

/// The rest of the layer, to the residual stream after it.
fn from_gate(
    model: EngineModel<'_>,
    rows: Rows<'_>,
    ranges: &LayerRanges,
    acts: &LayerActivations,
    scratch: &mut Scratch,
    output: &mut [f32],
) {
    let (n, ff) = (rows.len(), model.config.intermediate_size);
    let product = scratch.product.fit(n * ff);
    gated_forward(model.config.is_gelu(), acts.gate_up.get(n * 2 * ff), ff, product);
    output.copy_from_slice(acts.middle.get(output.len()));
    let end = branch::End { linear: &ranges.down, norm: &ranges.fed_norm };
    end.join(model, rows, product, output, (&mut scratch.branch, &mut scratch.products));
}
