//! The gradient of one block, layer by layer from the last.

use super::plan::Block;
use super::workspace::{Activations, LayerActivations, Scratch};
use super::{Model, Sink, attention, forward, heads, project};
use crate::kernels::{add, rms_backward, rms_forward, swiglu_backward};
use crate::layout::LayerRanges;

/// Adds the gradient of every trained parameter of the layers and of the embedding to `sink`; `scratch.dx`
/// holds ∂L/∂(output of the last layer) and is used up. Layers that were not kept are computed again.
pub(super) fn backward(
    model: Model<'_>,
    block: &Block,
    acts: &Activations,
    scratch: &mut Scratch,
    sink: &mut Sink<'_>,
) {
    let hidden = model.config.hidden_size;
    for (i, ranges) in model.layout.layers.iter().enumerate().rev() {
        let input = acts.inputs[i].get(block.rows() * hidden);
        let mut again = std::mem::take(&mut scratch.layer);
        let layer = acts.layers.get(i).unwrap_or_else(|| {
            forward::to_gate(model, block, ranges, input, &mut again, scratch);
            &again
        });
        feed_forward(model, block, ranges, layer, scratch, sink);
        attend(model, block, ranges, (input, layer), scratch, sink);
        scratch.layer = again;
    }
    if let Some(d_embedding) = sink.base(&model.layout.embedding) {
        let dx = scratch.dx.get(block.rows() * hidden);
        for (row, &token) in dx.chunks_exact(hidden).zip(&block.tokens) {
            add(&mut d_embedding[token as usize * hidden..][..hidden], row);
        }
    }
}

fn feed_forward(
    model: Model<'_>,
    block: &Block,
    ranges: &LayerRanges,
    acts: &LayerActivations,
    scratch: &mut Scratch,
    sink: &mut Sink<'_>,
) {
    let (rows, hidden, ff) = (block.rows(), model.config.hidden_size, model.config.intermediate_size);
    let dx = scratch.dx.fit(rows * hidden);
    let d_product = scratch.d_product.fit(rows * ff);
    project::input(model, block, &ranges.down, dx, d_product, &mut scratch.low);
    let product = scratch.product.fit(rows * ff);
    let d_gate_up = scratch.d_gate_up.fit(rows * 2 * ff);
    swiglu_backward(acts.gate_up.get(rows * 2 * ff), d_product, ff, d_gate_up, product);
    project::parameters(model, block, &ranges.down, product, dx, sink, &mut scratch.low);

    let middle = acts.middle.get(rows * hidden);
    let norm = model.get(&ranges.mlp_norm);
    let normed = scratch.normed.fit(rows * hidden);
    rms_forward(middle, norm, model.eps(), normed, scratch.scales.fit(rows));
    project::parameters(model, block, &ranges.gate_up, normed, d_gate_up, sink, &mut scratch.low);
    let dh = scratch.dh.fit(rows * hidden);
    project::input(model, block, &ranges.gate_up, d_gate_up, dh, &mut scratch.low);
    let dw = sink.base_or(&ranges.mlp_norm, &mut scratch.discard);
    rms_backward(middle, norm, acts.middle_scales.get(rows), dh, dx, dw);
}

fn attend(
    model: Model<'_>,
    block: &Block,
    ranges: &LayerRanges,
    (input, acts): (&[f32], &LayerActivations),
    scratch: &mut Scratch,
    sink: &mut Sink<'_>,
) {
    let (rows, config) = (block.rows(), model.config);
    let (hidden, width, query) = (config.hidden_size, config.qkv_width(), config.query_width());
    let dx = scratch.dx.fit(rows * hidden);
    let attended = acts.attended.get(rows * query);
    project::parameters(model, block, &ranges.output, attended, dx, sink, &mut scratch.low);
    let d_attended = scratch.d_product.fit(rows * query);
    project::input(model, block, &ranges.output, dx, d_attended, &mut scratch.low);

    let saved = attention::Saved {
        qkv: acts.qkv.get(rows * width),
        out: attended,
        lse: acts.lse.get(rows * config.num_attention_heads),
    };
    let tiles = (&mut scratch.scores, &mut scratch.d_scores);
    attention::backward(config, block, saved, d_attended, scratch.d_qkv.fit(rows * width), tiles);
    heads::backward(model, block, ranges, acts, scratch, sink);

    let norm = model.get(&ranges.attention_norm);
    let normed = scratch.normed.fit(rows * hidden);
    rms_forward(input, norm, model.eps(), normed, scratch.scales.fit(rows));
    let d_qkv = scratch.d_qkv.get(rows * width);
    project::parameters(model, block, &ranges.qkv, normed, d_qkv, sink, &mut scratch.low);
    let dh = scratch.dh.fit(rows * hidden);
    project::input(model, block, &ranges.qkv, d_qkv, dh, &mut scratch.low);
    let dw = sink.base_or(&ranges.attention_norm, &mut scratch.discard);
    let dx = scratch.dx.fit(rows * hidden);
    rms_backward(input, norm, acts.scales.get(rows), dh, dx, dw);
}
