//! The activations of a block recorded in sampling.

use super::plan::{Block, Segment, SegmentKind};
use crate::cpu::recall::{Recording, Recordings, Version};
use crate::kernels::Buffer;
use std::ops::Range;
use std::sync::Arc;

/// Recordings of the segments of a block, each with the recorded row of the segment's first.
#[derive(Debug)]
pub(crate) struct Recalled(Vec<(Arc<Recording>, usize)>);

impl Recalled {
    /// The recordings of a block with these weights, if it was recorded completely.
    pub(crate) fn find(recordings: &Recordings, version: Version, block: &Block) -> Option<Self> {
        let find = |segment: &Segment| {
            let tokens = |rows: &Range<usize>| &block.tokens[rows.clone()];
            let mut prompt: Vec<u32> = segment.contexts.iter().flat_map(tokens).copied().collect();
            let (own, context) = (tokens(&segment.rows), prompt.len());
            let (found, first) = match segment.kind {
                SegmentKind::Prompt => {
                    prompt.extend_from_slice(own);
                    (recordings.find(version, &prompt, None), context)
                }
                SegmentKind::Completion => (recordings.find(version, &prompt, Some(own)), 0),
            };
            let found = found.filter(|recording| recording.rows() == first + own.len());
            found.map(|recording| (recording, first))
        };
        block.segments.iter().map(find).collect::<Option<_>>().map(Self)
    }

    /// Keeps the recordings of some segments, given in ascending order.
    pub(super) fn keep(&mut self, segments: &[usize]) {
        self.0 = segments.iter().map(|&segment| self.0[segment].clone()).collect();
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
        for (segment, (recording, first)) in block.segments.iter().zip(&self.0) {
            let from = if live { segment.live } else { segment.rows.start };
            for (row, out) in (from..segment.rows.end).zip(&mut out) {
                out.copy_from_slice(of(recording, first + row - segment.rows.start));
            }
        }
    }
}
