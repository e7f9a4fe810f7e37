//! Layers whose forward pass ran in sampling.

use super::forward::{Reach, gate};
use super::plan::Block;
use super::recalled::Recalled;
use super::workspace::{Activations, LayerActivations, Scratch};
use super::{heads, model::EngineModel};
use crate::cpu::recall::{Part, Recording};
use crate::kernels::Buffer;
use crate::model::LayerRanges;

/// The result of a forward pass for the head and the backward pass.
pub(super) fn forward(model: EngineModel<'_>, block: &Block, recalled: Recalled, acts: &mut Activations) {
    let output = (&mut acts.output, model.config.hidden_size);
    recalled.copy(block, true, Recording::output, output);
    acts.recalled = Some(recalled);
}

/// What [`super::forward::to_gate`] computes for a layer, and the layer's input in `input`.
pub(super) fn to_gate(
    model: EngineModel<'_>,
    block: &Block,
    (layer, ranges, reach): (usize, &LayerRanges, Reach<'_>),
    recalled: &Recalled,
    (acts, input): (&mut LayerActivations, &mut Buffer),
    scratch: &mut Scratch,
) {
    let config = model.config;
    let copy = |live: bool, part: Part, out: (&mut Buffer, usize)| {
        recalled.copy(block, live, |recording, row| recording.get(row, layer, part), out);
    };
    copy(false, Part::Input, (input, config.hidden_size));
    copy(false, Part::Qkv, (&mut acts.qkv, config.qkv_width()));
    copy(false, Part::Attended, (&mut acts.attended, config.query_width()));
    copy(false, Part::Lse, (&mut acts.lse, config.num_attention_heads));
    copy(reach.live, Part::Middle, (&mut acts.middle, config.hidden_size));
    heads::forward(model, block, (layer, ranges), acts);
    gate(model, reach.rows, ranges, acts, scratch);
}
