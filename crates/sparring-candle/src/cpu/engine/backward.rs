//! The gradient of one block, layer by layer from the last.

use super::forward::Reach;
use super::model::{EngineModel, Sink};
use super::plan::{Block, Rows};
use super::workspace::{Activations, LayerActivations, Scratch};
use super::{attention, branch, forward, heads, project, recall};
use crate::kernels::{Buffer, add, gated_backward, gated_forward, scale_in_place};
use crate::model::LayerRanges;

/// Adds the gradient of every trained parameter of the layers and of the embedding to `sink`; `scratch.dx`
/// holds ∂L/∂(output of the last layer) and is used up. Layers that were not kept are computed again.
pub(super) fn backward(
    model: EngineModel<'_>,
    block: &Block,
    acts: &Activations,
    scratch: &mut Scratch,
    sink: &mut Sink<'_>,
) {
    let hidden = model.config.hidden_size;
    for (i, ranges) in model.layout.layers.iter().enumerate().rev() {
        let reach = Reach::of(model, block, i);
        let mut again = (std::mem::take(&mut scratch.layer), std::mem::take(&mut scratch.input));
        let (input, layer) = layer(model, block, (i, ranges, reach), acts, &mut again, scratch);
        feed_forward(model, reach.rows, ranges, layer, scratch, sink);
        attend(model, block, reach, ranges, (input, layer), scratch, sink);
        (scratch.layer, scratch.input) = again;
    }
    if let Some(d_embedding) = sink.base(&model.layout.embedding) {
        let dx = scratch.dx.fit(block.rows() * hidden);
        if let Some(factor) = model.config.embedding_scale() {
            scale_in_place(dx, factor);
        }
        for (row, &token) in dx.chunks_exact(hidden).zip(&block.tokens) {
            add(&mut d_embedding[token as usize * hidden..][..hidden], row);
        }
    }
}

/// The input of a layer and what its backward pass needs: from the forward pass, recalled, or computed again.
fn layer<'a>(
    model: EngineModel<'_>,
    block: &Block,
    (i, ranges, reach): (usize, &LayerRanges, Reach<'_>),
    acts: &'a Activations,
    (again, input): &'a mut (LayerActivations, Buffer),
    scratch: &mut Scratch,
) -> (&'a [f32], &'a LayerActivations) {
    if let Some(recalled) = &acts.recalled {
        recall::to_gate(model, block, (i, ranges, reach), recalled, (again, input), scratch);
        return (input.get(block.rows() * model.config.hidden_size), again);
    }
    let input = acts.inputs[i].get(block.rows() * model.config.hidden_size);
    let kept = acts.layers.get(i).unwrap_or_else(|| {
        forward::to_gate(model, block, reach, ranges, input, again, scratch);
        again
    });
    (input, kept)
}

/// Moves rows that predict to their places among all rows, and sets the others to 0.
fn spread(block: &Block, x: &mut [f32], width: usize) {
    let mut live = block.heads.len();
    // From the end: a row is never to the left of its place.
    for row in (0..block.rows()).rev() {
        if live > 0 && block.heads[live - 1].row == row {
            live -= 1;
            x.copy_within(live * width..(live + 1) * width, row * width);
        } else {
            x[row * width..(row + 1) * width].fill(0.0);
        }
    }
}

fn feed_forward(
    model: EngineModel<'_>,
    rows: Rows<'_>,
    ranges: &LayerRanges,
    acts: &LayerActivations,
    scratch: &mut Scratch,
    sink: &mut Sink<'_>,
) {
    let (n, hidden, ff) = (rows.len(), model.config.hidden_size, model.config.intermediate_size);
    let gelu = model.config.is_gelu();
    let (gate_up, product) = (acts.gate_up.get(n * 2 * ff), scratch.product.fit(n * ff));
    let end = branch::End { linear: &ranges.down, norm: &ranges.fed_norm };
    if !end.is_plain(model) {
        gated_forward(gelu, gate_up, ff, product);
    }
    let (dx, buffers) = (scratch.dx.get(n * hidden), (&mut scratch.branch, &mut scratch.products));
    let d_down = end.gradient(model, rows, product, dx, buffers, sink);
    let d_product = scratch.d_product.fit(n * ff);
    project::input(model, rows, &ranges.down, d_down, d_product, &mut scratch.products);
    let d_gate_up = scratch.d_gate_up.fit(n * 2 * ff);
    gated_backward(gelu, gate_up, d_product, ff, d_gate_up, product);
    project::parameters(model, rows, &ranges.down, product, d_down, sink, &mut scratch.products);

    let middle = acts.middle.get(n * hidden);
    let normed = branch::read(model, &ranges.mlp_norm, middle, (&mut scratch.normed, &mut scratch.scales));
    project::parameters(model, rows, &ranges.gate_up, normed, d_gate_up, sink, &mut scratch.products);
    let dh = scratch.dh.fit(n * hidden);
    project::input(model, rows, &ranges.gate_up, d_gate_up, dh, &mut scratch.products);
    branch::read_backward(model, &ranges.mlp_norm, middle, scratch, sink);
}

fn attend(
    model: EngineModel<'_>,
    block: &Block,
    reach: Reach<'_>,
    ranges: &LayerRanges,
    (input, acts): (&[f32], &LayerActivations),
    scratch: &mut Scratch,
    sink: &mut Sink<'_>,
) {
    let (rows, config) = (block.rows(), model.config);
    let (hidden, width, query) = (config.hidden_size, config.qkv_width(), config.query_width());
    output(model, block, reach, ranges, acts, scratch, sink);
    let saved = attention::Saved {
        qkv: acts.qkv.get(rows * width),
        out: acts.attended.get(rows * query),
        lse: acts.lse.get(rows * config.num_attention_heads),
    };
    let (d_attended, d_qkv) = (scratch.d_product.get(rows * query), scratch.d_qkv.fit(rows * width));
    attention::backward(config, block, reach, saved, d_attended, d_qkv, &mut scratch.attention);
    heads::backward(model, block, (reach.layer, ranges), acts, scratch, sink);

    let normed =
        branch::read(model, &ranges.attention_norm, input, (&mut scratch.normed, &mut scratch.scales));
    let d_qkv = scratch.d_qkv.get(rows * width);
    project::parameters(model, block.all(), &ranges.qkv, normed, d_qkv, sink, &mut scratch.products);
    let dh = scratch.dh.fit(rows * hidden);
    project::input(model, block.all(), &ranges.qkv, d_qkv, dh, &mut scratch.products);
    branch::read_backward(model, &ranges.attention_norm, input, scratch, sink);
}

/// The output matrix: writes ∂L/∂(attention's output) of all rows to `scratch.d_product`, and makes `scratch.dx` one
/// of all rows.
fn output(
    model: EngineModel<'_>,
    block: &Block,
    reach: Reach<'_>,
    ranges: &LayerRanges,
    acts: &LayerActivations,
    scratch: &mut Scratch,
    sink: &mut Sink<'_>,
) {
    let (rows, n, hidden) = (block.rows(), reach.rows.len(), model.config.hidden_size);
    let query = model.config.query_width();
    let attended = reach.of_all(block, acts.attended.get(rows * query), &mut scratch.product, query);
    let (dx, buffers) = (scratch.dx.get(n * hidden), (&mut scratch.branch, &mut scratch.products));
    let end = branch::End { linear: &ranges.output, norm: &ranges.attended_norm };
    let d_output = end.gradient(model, reach.rows, attended, dx, buffers, sink);
    project::parameters(model, reach.rows, &ranges.output, attended, d_output, sink, &mut scratch.products);
    let d_attended = scratch.d_product.fit(rows * query);
    let out = &mut d_attended[..n * query];
    project::input(model, reach.rows, &ranges.output, d_output, out, &mut scratch.products);
    if reach.live {
        spread(block, d_attended, query);
        spread(block, scratch.dx.fit(rows * hidden), hidden);
    }
}
