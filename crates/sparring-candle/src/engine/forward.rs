//! One block of rows through the layers.

use super::plan::Block;
use super::workspace::{Activations, LayerActivations, Scratch};
use super::{Model, attention};
use crate::kernels::{Mat, MatMut, Write, add, matmul, rms_forward, rope, swiglu_forward};
use crate::layout::LayerRanges;

/// Runs `block` through all layers; the result is the input of slot `layers % slots`.
///
/// With as many slots as layers plus one, every layer's activations are kept; with two, they pass.
pub(super) fn forward(
    model: Model<'_>,
    block: &Block,
    slots: usize,
    acts: &mut Activations,
    scratch: &mut Scratch,
) {
    let hidden = model.config.hidden_size;
    let n = block.rows() * hidden;
    acts.layers.resize_with(slots.max(acts.layers.len()), LayerActivations::default);
    let embedding = model.get(&model.layout.embedding);
    let rows = acts.layers[0].input.fit(n).chunks_exact_mut(hidden);
    for (row, &token) in rows.zip(&block.tokens) {
        row.copy_from_slice(&embedding[token as usize * hidden..][..hidden]);
    }
    for (i, ranges) in model.layout.layers.iter().enumerate() {
        let mut output = std::mem::take(&mut acts.layers[(i + 1) % slots].input);
        layer(model, block, ranges, &mut acts.layers[i % slots], scratch, output.fit(n));
        acts.layers[(i + 1) % slots].input = output;
    }
}

fn layer(
    model: Model<'_>,
    block: &Block,
    ranges: &LayerRanges,
    acts: &mut LayerActivations,
    scratch: &mut Scratch,
    output: &mut [f32],
) {
    let (rows, config) = (block.rows(), model.config);
    let (hidden, ff, width) = (config.hidden_size, config.intermediate_size, config.qkv_width());
    let query = config.query_width();
    let input = acts.input.get(rows * hidden);

    let normed = scratch.normed.fit(rows * hidden);
    rms_forward(input, model.get(&ranges.attention_norm), model.eps(), normed, acts.scales.fit(rows));
    let qkv = acts.qkv.fit(rows * width);
    linear(qkv, normed, model.get(&ranges.qkv), [rows, width, hidden], Write::Replace);
    position(model, block, model.get(&ranges.qkv_bias), qkv);
    let attended = acts.attended.fit(rows * query);
    let lse = acts.lse.fit(rows * config.num_attention_heads);
    attention::forward(config, block, qkv, attended, lse, &mut scratch.scores);
    let middle = acts.middle.fit(rows * hidden);
    middle.copy_from_slice(input);
    linear(middle, attended, model.get(&ranges.output), [rows, hidden, query], Write::Add);

    rms_forward(middle, model.get(&ranges.mlp_norm), model.eps(), normed, acts.middle_scales.fit(rows));
    let gate_up = acts.gate_up.fit(rows * 2 * ff);
    linear(gate_up, normed, model.get(&ranges.gate_up), [rows, 2 * ff, hidden], Write::Replace);
    let product = scratch.product.fit(rows * ff);
    swiglu_forward(gate_up, ff, product);
    output.copy_from_slice(middle);
    linear(output, product, model.get(&ranges.down), [rows, hidden, ff], Write::Add);
}

/// `y (+)= x·wᵀ`, w of outputs × inputs.
fn linear(y: &mut [f32], x: &[f32], w: &[f32], [rows, outputs, inputs]: [usize; 3], write: Write) {
    let (x, w) = (Mat::rows(x, inputs), Mat::transposed(w, inputs));
    matmul(MatMut::rows(y, outputs), write, [rows, outputs, inputs], x, w, 1.0);
}

/// Adds the biases and rotates queries and keys to their positions.
fn position(model: Model<'_>, block: &Block, bias: &[f32], qkv: &mut [f32]) {
    let turned = model.config.query_width() + model.config.kv_width();
    for (row, &position) in qkv.chunks_exact_mut(model.config.qkv_width()).zip(&block.positions) {
        add(row, bias);
        rope(&mut row[..turned], model.rope.at(position), false);
    }
}
