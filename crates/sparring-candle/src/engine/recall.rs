//! Layers whose forward pass was run in sampling.

use super::forward::{Reach, gate};
use super::workspace::{Activations, Buffer, Keep, LayerActivations, Scratch};
use super::{Model, heads, plan::Block};
use crate::layout::LayerRanges;
use crate::trace::{Part, Trace};
use std::sync::Arc;

/// Traces of the segments of a block.
#[derive(Debug)]
pub(crate) struct Recalled(pub(crate) Vec<Arc<Trace>>);

/// Copies something of each row, or of each row that predicts.
fn copy<'t>(
    block: &Block,
    Recalled(traces): &'t Recalled,
    live: bool,
    of: impl Fn(&'t Trace, usize) -> &'t [f32],
    out: &mut [f32],
    width: usize,
) {
    let mut out = out.chunks_exact_mut(width);
    for (segment, trace) in block.segments.iter().zip(traces) {
        let from = if live { segment.live } else { segment.rows.start };
        for (row, out) in (from..segment.rows.end).zip(&mut out) {
            out.copy_from_slice(of(trace, row - segment.rows.start));
        }
    }
}

/// What a forward pass leaves for the head.
pub(super) fn forward(model: Model<'_>, block: &Block, acts: &mut Activations) {
    let (layers, hidden) = (model.config.num_hidden_layers, model.config.hidden_size);
    acts.prepare(Keep::Output, layers);
    let Some(traces) = &acts.recalled else { return };
    let output = acts.inputs[0].fit(block.heads.len() * hidden);
    copy(block, traces, true, Trace::output, output, hidden);
}

/// The input of a layer.
pub(super) fn input<'b>(
    model: Model<'_>,
    block: &Block,
    (traces, layer): (&Recalled, usize),
    buffer: &'b mut Buffer,
) -> &'b [f32] {
    let hidden = model.config.hidden_size;
    let input = buffer.fit(block.rows() * hidden);
    copy(block, traces, false, |trace, row| trace.get(row, layer, Part::Input), input, hidden);
    input
}

/// What [`super::forward::to_gate`] computes.
pub(super) fn to_gate(
    model: Model<'_>,
    block: &Block,
    reach: Reach<'_>,
    ranges: &LayerRanges,
    (traces, layer): (&Recalled, usize),
    acts: &mut LayerActivations,
    scratch: &mut Scratch,
) {
    let (config, rows) = (model.config, block.rows());
    let part = |live: bool, part: Part, buffer: &mut Buffer, width: usize| {
        let rows = if live { reach.rows.len() } else { rows };
        let out = buffer.fit(rows * width);
        copy(block, traces, live, |trace, row| trace.get(row, layer, part), out, width);
    };
    part(false, Part::Qkv, &mut acts.qkv, config.qkv_width());
    part(false, Part::Attended, &mut acts.attended, config.query_width());
    part(false, Part::Lse, &mut acts.lse, config.num_attention_heads);
    part(reach.live, Part::Middle, &mut acts.middle, config.hidden_size);
    heads::forward(model, block, ranges, acts);
    gate(model, reach.rows, ranges, acts, scratch);
}
