//! Leaves rows without a gradient out of a backward pass.
//!
//! A completion whose tokens all have the gradient 0 adds nothing, and so does a prompt whose completions are such:
//! often those of groups without an advantage. What is left of a block is a block.

use super::model::EngineModel;
use super::plan::{Block, HeadRow, Segment, SegmentKind};
use super::workspace::{Activations, LayerActivations};
use crate::kernels::Buffer;
use crate::learn::LossGradients;
use std::collections::HashMap;
use std::ops::Range;

/// What is left of a block, and where it was.
#[derive(Debug)]
pub(super) struct Reduced {
    pub(super) block: Block,
    segments: Vec<usize>,
    rows: Vec<usize>,
    heads: Vec<usize>,
}

/// How many of its first rows each segment needs.
fn needed_rows(block: &Block, heads: &[Range<usize>], wanted: &[bool]) -> Vec<usize> {
    // By the first rows of the segments that others see.
    let mut seen: HashMap<usize, usize> = HashMap::new();
    let mut needed = vec![0; block.segments.len()];
    for (i, segment) in block.segments.iter().enumerate().rev() {
        needed[i] = if wanted[heads[i].clone()].contains(&true) {
            segment.rows.len()
        } else {
            seen.get(&segment.rows.start).copied().unwrap_or(0)
        };
        if needed[i] > 0 {
            for context in &segment.contexts {
                let rows = seen.entry(context.start).or_default();
                *rows = context.len().max(*rows);
            }
        }
    }
    needed
}

impl Reduced {
    /// The rows of a block that have a gradient or are seen by one that has.
    pub(super) fn with_gradient(block: &Block, gradients: &LossGradients) -> Self {
        let zero = |flat: usize| gradients.logp[flat] == 0.0 && gradients.entropy_at(flat) == 0.0;
        Self::new(block, |head| block.targets[head.targets.clone()].iter().any(|target| !zero(target.flat)))
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Whether nothing was left out.
    pub(super) fn is_whole(&self, block: &Block) -> bool {
        (self.heads.len(), self.rows.len()) == (block.heads.len(), block.rows())
    }

    /// The part of a block that some of its heads need. A completion is kept with all of its heads or not at all.
    fn new(block: &Block, wanted: impl Fn(&HeadRow) -> bool) -> Self {
        let wanted: Vec<bool> = block.heads.iter().map(wanted).collect();
        let mut at = 0;
        let heads = block.segments.iter().map(|segment| {
            let from = at;
            at += block.heads[from..].iter().take_while(|head| head.row < segment.rows.end).count();
            from..at
        });
        let heads: Vec<Range<usize>> = heads.collect();
        let needed = needed_rows(block, &heads, &wanted);
        let mut part =
            Self { block: Block::default(), segments: Vec::new(), rows: Vec::new(), heads: Vec::new() };
        let mut places = HashMap::new();
        for (i, segment) in block.segments.iter().enumerate().filter(|(i, _)| needed[*i] > 0) {
            places.insert(segment.rows.start, part.rows.len());
            part.segments.push(i);
            let predicts = wanted[heads[i].clone()].contains(&true);
            let heads = if predicts { heads[i].clone() } else { 0..0 };
            part.push(block, segment, needed[i], heads, &places);
        }
        part
    }

    fn push(
        &mut self,
        block: &Block,
        segment: &Segment,
        needed: usize,
        heads: Range<usize>,
        places: &HashMap<usize, usize>,
    ) {
        let (from, to) = (segment.rows.start, self.rows.len());
        let moved =
            |range: &Range<usize>| places.get(&range.start).map_or(0..0, |&start| start..start + range.len());
        let live = match segment.kind {
            _ if heads.is_empty() => to + needed,
            SegmentKind::Prompt => to + needed - 1,
            SegmentKind::Completion => to,
        };
        let contexts = segment.contexts.iter().map(moved).collect();
        self.block.segments.push(Segment { rows: to..to + needed, contexts, live, kind: segment.kind });
        let rows = from..from + needed;
        self.block.tokens.extend_from_slice(&block.tokens[rows.clone()]);
        self.block.positions.extend_from_slice(&block.positions[rows.clone()]);
        self.block.keys.extend_from_slice(&block.keys[rows.clone()]);
        self.rows.extend(rows);
        for head in heads {
            let HeadRow { row, targets } = &block.heads[head];
            let first = self.block.targets.len();
            self.block.targets.extend_from_slice(&block.targets[targets.clone()]);
            self.block.push_head(row - from + to, first..self.block.targets.len());
            self.heads.push(head);
        }
    }

    /// Moves what a forward pass over the whole block kept to the places of the rows that are left.
    pub(super) fn compact(&self, model: EngineModel<'_>, acts: &mut Activations) {
        let (config, layers) = (model.config, model.config.num_hidden_layers);
        let hidden = config.hidden_size;
        for buffer in [&mut acts.head.scales, &mut acts.head.lse, &mut acts.head.entropy] {
            compact(buffer, &self.heads, 1);
        }
        compact(&mut acts.head.normed, &self.heads, hidden);
        if let Some(recalled) = &mut acts.recalled {
            recalled.keep(&self.segments);
            compact(&mut acts.output, &self.heads, hidden);
            return;
        }
        for (i, input) in acts.inputs.iter_mut().enumerate() {
            compact(input, if i == layers { &self.heads } else { &self.rows }, hidden);
        }
        for (i, layer) in acts.layers.iter_mut().enumerate() {
            let LayerActivations { heads, head_scales, qkv, attended, lse, middle, gate_up } = layer;
            let turned = config.query_width() + config.kv_width();
            if config.qk_norm() {
                compact(heads, &self.rows, turned);
                compact(head_scales, &self.rows, turned / config.head_dim);
            }
            compact(qkv, &self.rows, config.qkv_width());
            compact(attended, &self.rows, config.query_width());
            compact(lse, &self.rows, config.num_attention_heads);
            let after = if i + 1 == layers { &self.heads } else { &self.rows };
            compact(middle, after, hidden);
            compact(gate_up, after, 2 * config.intermediate_size);
        }
    }
}

/// Moves some rows, in ascending order, to the front.
fn compact(buffer: &mut Buffer, rows: &[usize], width: usize) {
    let Some(last) = rows.last() else { return };
    let all = buffer.fit((last + 1) * width);
    for (to, &from) in rows.iter().enumerate().filter(|(to, from)| to != *from) {
        all.copy_within(from * width..(from + 1) * width, to * width);
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::plan;
    use super::*;
    use sparring_core::{TokenBatch, TokenGroup};

    #[test]
    fn what_is_left_is_what_wanted_tokens_see() {
        let prompt = |last: u32| [vec![1; 130], vec![last; 3]].concat();
        let (prompts, completions) = ([2, 3, 4].map(prompt), [[5, 6], [7, 8]]);
        let groups: Vec<_> = (prompts.iter())
            .map(|prompt| TokenGroup::new(prompt, completions.iter().map(|c| &c[..]).collect()))
            .collect();
        let plan = plan(TokenBatch::new(&groups, 1.0), 1, true);
        let block = &plan[0][0];
        // Of each group: the rest of the prompt, after the first, and one row of each completion.
        assert_eq!(block.rows(), 133 + 2 + 2 * (5 + 2));
        let left = |wanted: &[usize]| {
            Reduced::new(block, |head| {
                block.targets[head.targets.clone()].iter().any(|t| wanted.contains(&t.flat))
            })
        };
        // A token of the last group's second completion: the common rows, its prompt's, its own.
        let part = left(&[11]);
        assert_eq!(part.rows, [(0..128).collect::<Vec<_>>(), (142..147).collect(), vec![148]].concat());
        assert_eq!(part.block.segments[2].contexts, [0..128, 128..133]);
        assert_eq!(part.block.segments.iter().map(|s| s.live).collect::<Vec<_>>(), [128, 133, 133]);
        assert_eq!(part.block.heads, [HeadRow { row: 133, targets: 0..1 }]);
        assert_eq!((part.block.targets[0].flat, part.block.positions[133]), (11, 133));
        // A first token: prompts only, of which the last row predicts it.
        let part = left(&[4]);
        assert_eq!(part.rows, [(0..128).collect::<Vec<_>>(), (135..140).collect()].concat());
        assert_eq!(part.block.segments.iter().map(|s| s.live).collect::<Vec<_>>(), [128, 132]);
        assert!(left(&[]).rows.is_empty());
        assert_eq!(left(&[0, 1, 3, 4, 5, 7, 8, 9, 11]).block, *block);
    }
}
