//! The gradient of one block, layer by layer from the last.

use super::plan::Block;
use super::workspace::{Activations, LayerActivations, Scratch};
use super::{Model, attention};
use crate::kernels::{Mat, MatMut, Write, add, matmul, rms_backward, rms_forward, rope, swiglu_backward};
use crate::layout::LayerRanges;

/// Adds the gradient of every layer and of the embedding to `grad`; `scratch.dx` holds ∂L/∂(output of the
/// last layer) and is used up.
pub(super) fn backward(
    model: Model<'_>,
    block: &Block,
    acts: &Activations,
    scratch: &mut Scratch,
    grad: &mut [f32],
) {
    for (ranges, acts) in model.layout.layers.iter().zip(&acts.layers).rev() {
        feed_forward(model, block.rows(), ranges, acts, scratch, grad);
        attend(model, block, ranges, acts, scratch, grad);
    }
    let hidden = model.config.hidden_size;
    let d_embedding = &mut grad[model.layout.embedding.clone()];
    let dx = scratch.dx.get(block.rows() * hidden);
    for (row, &token) in dx.chunks_exact(hidden).zip(&block.tokens) {
        add(&mut d_embedding[token as usize * hidden..][..hidden], row);
    }
}

/// `dw += dyᵀ·x`, w of outputs × inputs.
fn weight_gradient(dw: &mut [f32], dy: &[f32], x: &[f32], [rows, outputs, inputs]: [usize; 3]) {
    let (dy, x) = (Mat::transposed(dy, outputs), Mat::rows(x, inputs));
    matmul(MatMut::rows(dw, inputs), Write::Add, [outputs, inputs, rows], dy, x, 1.0);
}

/// `dx = dy·w`, w of outputs × inputs.
fn input_gradient(dx: &mut [f32], dy: &[f32], w: &[f32], [rows, outputs, inputs]: [usize; 3]) {
    let (dy, w) = (Mat::rows(dy, outputs), Mat::rows(w, inputs));
    matmul(MatMut::rows(dx, inputs), Write::Replace, [rows, inputs, outputs], dy, w, 1.0);
}

fn feed_forward(
    model: Model<'_>,
    rows: usize,
    ranges: &LayerRanges,
    acts: &LayerActivations,
    scratch: &mut Scratch,
    grad: &mut [f32],
) {
    let (hidden, ff) = (model.config.hidden_size, model.config.intermediate_size);
    let dx = scratch.dx.fit(rows * hidden);
    let d_product = scratch.d_product.fit(rows * ff);
    input_gradient(d_product, dx, model.get(&ranges.down), [rows, hidden, ff]);
    let product = scratch.product.fit(rows * ff);
    let d_gate_up = scratch.d_gate_up.fit(rows * 2 * ff);
    swiglu_backward(acts.gate_up.get(rows * 2 * ff), d_product, ff, d_gate_up, product);
    weight_gradient(&mut grad[ranges.down.clone()], dx, product, [rows, hidden, ff]);

    let middle = acts.middle.get(rows * hidden);
    let norm = model.get(&ranges.mlp_norm);
    let normed = scratch.normed.fit(rows * hidden);
    rms_forward(middle, norm, model.eps(), normed, scratch.scales.fit(rows));
    weight_gradient(&mut grad[ranges.gate_up.clone()], d_gate_up, normed, [rows, 2 * ff, hidden]);
    let dh = scratch.dh.fit(rows * hidden);
    input_gradient(dh, d_gate_up, model.get(&ranges.gate_up), [rows, 2 * ff, hidden]);
    rms_backward(middle, norm, acts.middle_scales.get(rows), dh, dx, &mut grad[ranges.mlp_norm.clone()]);
}

fn attend(
    model: Model<'_>,
    block: &Block,
    ranges: &LayerRanges,
    acts: &LayerActivations,
    scratch: &mut Scratch,
    grad: &mut [f32],
) {
    let (rows, config) = (block.rows(), model.config);
    let (hidden, width, query) = (config.hidden_size, config.qkv_width(), config.query_width());
    let dx = scratch.dx.fit(rows * hidden);
    let attended = acts.attended.get(rows * query);
    weight_gradient(&mut grad[ranges.output.clone()], dx, attended, [rows, hidden, query]);
    let d_attended = scratch.d_product.fit(rows * query);
    input_gradient(d_attended, dx, model.get(&ranges.output), [rows, hidden, query]);

    let saved = attention::Saved {
        qkv: acts.qkv.get(rows * width),
        out: attended,
        lse: acts.lse.get(rows * config.num_attention_heads),
    };
    let d_qkv = scratch.d_qkv.fit(rows * width);
    let tiles = (&mut scratch.scores, &mut scratch.d_scores);
    attention::backward(config, block, saved, d_attended, d_qkv, tiles);
    let turned = query + config.kv_width();
    for (row, &position) in d_qkv.chunks_exact_mut(width).zip(&block.positions) {
        rope(&mut row[..turned], model.rope.at(position), true);
        add(&mut grad[ranges.qkv_bias.clone()], row);
    }

    let input = acts.input.get(rows * hidden);
    let norm = model.get(&ranges.attention_norm);
    let normed = scratch.normed.fit(rows * hidden);
    rms_forward(input, norm, model.eps(), normed, scratch.scales.fit(rows));
    weight_gradient(&mut grad[ranges.qkv.clone()], d_qkv, normed, [rows, width, hidden]);
    let dh = scratch.dh.fit(rows * hidden);
    input_gradient(dh, d_qkv, model.get(&ranges.qkv), [rows, width, hidden]);
    rms_backward(input, norm, acts.scales.get(rows), dh, dx, &mut grad[ranges.attention_norm.clone()]);
}
