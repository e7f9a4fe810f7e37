//! Layers whose forward pass was run in sampling.

use super::forward::{Reach, gate};
use super::plan::{Block, Segment};
use super::workspace::{Activations, LayerActivations, Scratch};
use super::{Model, heads};
use crate::kernels::Buffer;
use crate::layout::LayerRanges;
use crate::recall::{Part, Recording, Recordings, Version};
use std::sync::Arc;

/// Recordings of the segments of a block.
#[derive(Debug)]
pub(crate) struct Recalled(Vec<Arc<Recording>>);

impl Recalled {
    /// What was recorded of a block with those weights, if all of it was.
    pub(crate) fn find(recordings: &Recordings, version: Version, block: &Block) -> Option<Self> {
        let find = |segment: &Segment| {
            let (context, own) =
                (&block.tokens[segment.context.clone()], &block.tokens[segment.rows.clone()]);
            let found = if context.is_empty() {
                recordings.find(version, own, None)
            } else {
                recordings.find(version, context, Some(own))
            };
            found.filter(|recording| recording.rows() == own.len())
        };
        block.segments.iter().map(find).collect::<Option<_>>().map(Self)
    }

    /// Copies something of each row, or of each row that predicts.
    fn copy<'r>(
        &'r self,
        block: &Block,
        live: bool,
        of: impl Fn(&'r Recording, usize) -> &'r [f32],
        (buffer, width): (&mut Buffer, usize),
    ) {
        let rows = if live { block.live().len() } else { block.rows() };
        let mut out = buffer.fit(rows * width).chunks_exact_mut(width);
        for (segment, recording) in block.segments.iter().zip(&self.0) {
            let from = if live { segment.live } else { segment.rows.start };
            for (row, out) in (from..segment.rows.end).zip(&mut out) {
                out.copy_from_slice(of(recording, row - segment.rows.start));
            }
        }
    }
}

/// What a forward pass leaves for the head and for the backward pass.
pub(super) fn forward(model: Model<'_>, block: &Block, recalled: Recalled, acts: &mut Activations) {
    let output = (&mut acts.output, model.config.hidden_size);
    recalled.copy(block, true, Recording::output, output);
    acts.recalled = Some(recalled);
}

/// What [`super::forward::to_gate`] computes for a layer, and the layer's input in `input`.
pub(super) fn to_gate(
    model: Model<'_>,
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
    heads::forward(model, block, ranges, acts);
    gate(model, reach.rows, ranges, acts, scratch);
}
