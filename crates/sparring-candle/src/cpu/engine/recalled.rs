//! The activations of a block recorded in sampling.

use super::plan::{Block, Segment};
use crate::cpu::recall::{Recording, Recordings, Version};
use crate::kernels::Buffer;
use std::sync::Arc;

/// Recordings of the segments of a block.
#[derive(Debug)]
pub(crate) struct Recalled(Vec<Arc<Recording>>);

impl Recalled {
    /// The recordings of a block with these weights, if it was recorded completely.
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

    /// Copies a part of each row, or of each predicting row.
    pub(super) fn copy<'r>(
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
