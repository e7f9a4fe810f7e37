//! Divides a batch into shards for threads, and into blocks of packed rows within a shard.
//!
//! Rows are packed without padding. A group's prompt is computed once per block; each of its completions
//! attends to the prompt and to itself, at positions that continue the prompt. The last token of a
//! completion predicts nothing, so it has no row.

use crate::batch::completions;
use sparring_core::{TokenBatch, TokenGroup};
use std::ops::Range;

/// Target number of rows of a block: enough for the matrix products, few enough for the caches.
const BLOCK_ROWS: usize = 768;

/// Neighbouring rows that attend to each other causally, and to all of `context`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) rows: Range<usize>,
    /// Rows of the prompt; empty for the prompt itself.
    pub(crate) context: Range<usize>,
    /// First of the rows that predict something: all of a completion, the last of a prompt.
    pub(crate) live: usize,
}

/// Some rows of a block: their number and their keys.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) keys: &'a [u64],
}

impl Rows<'_> {
    pub(crate) fn len(self) -> usize {
        self.keys.len()
    }
}

/// A row whose logits are needed, and the tokens that it predicts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeadRow {
    pub(crate) row: usize,
    /// Range of [`Block::targets`]: the last row of a prompt predicts the first token of every completion.
    pub(crate) targets: Range<usize>,
}

/// A predicted token and its place in the batch's flat per-token slices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) token: u32,
    pub(crate) flat: usize,
}

/// Rows that run through the decoder together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) tokens: Vec<u32>,
    pub(crate) positions: Vec<usize>,
    /// A unique key of each row in the batch, however it is divided.
    pub(crate) keys: Vec<u64>,
    /// Keys of the rows that predict.
    pub(crate) live_keys: Vec<u64>,
    pub(crate) segments: Vec<Segment>,
    pub(crate) heads: Vec<HeadRow>,
    pub(crate) targets: Vec<Target>,
}

impl Block {
    pub(crate) fn rows(&self) -> usize {
        self.tokens.len()
    }

    /// Every row.
    pub(crate) fn all(&self) -> Rows<'_> {
        Rows { keys: &self.keys }
    }

    /// The rows that predict, in the order of `heads`: after the attention of the last layer nothing reads the others.
    pub(crate) fn live(&self) -> Rows<'_> {
        Rows { keys: &self.live_keys }
    }

    fn push_head(&mut self, row: usize, targets: Range<usize>) {
        self.heads.push(HeadRow { row, targets });
        self.live_keys.push(self.keys[row]);
    }

    fn push_rows(
        &mut self,
        tokens: &[u32],
        first_position: usize,
        first_key: u64,
        context: Range<usize>,
    ) -> Range<usize> {
        let start = self.rows();
        self.tokens.extend_from_slice(tokens);
        self.positions.extend(first_position..first_position + tokens.len());
        self.keys.extend(first_key..first_key + tokens.len() as u64);
        let rows = start..self.rows();
        if !rows.is_empty() {
            let live = if context.is_empty() { rows.end - 1 } else { rows.start };
            self.segments.push(Segment { rows: rows.clone(), context, live });
        }
        rows
    }

    fn push_group(&mut self, part: &PartialGroup<'_>) {
        let prompt = self.push_rows(part.prompt, 0, part.group << 32, 0..0);
        let first = self.targets.len();
        for (completion, flat) in &part.completions {
            self.targets.push(Target { token: completion[0], flat: *flat });
        }
        self.push_head(prompt.end - 1, first..self.targets.len());
        for (completion, flat) in &part.completions {
            let inputs = &completion[..completion.len() - 1];
            let rows = self.push_rows(inputs, part.prompt.len(), COMPLETIONS | *flat as u64, prompt.clone());
            for (i, row) in rows.enumerate() {
                let at = self.targets.len();
                self.targets.push(Target { token: completion[i + 1], flat: flat + i + 1 });
                self.push_head(row, at..at + 1);
            }
        }
    }
}

/// Set in the keys of completions' rows, whose rest is the flat index of the row's token; a prompt's hold its group
/// and position.
const COMPLETIONS: u64 = 1 << 63;

/// A prompt with some of its completions (none empty), each with its flat offset.
struct PartialGroup<'a> {
    group: u64,
    prompt: &'a [u32],
    completions: Vec<(&'a [u32], usize)>,
}

impl<'a> PartialGroup<'a> {
    fn rows(&self) -> usize {
        self.prompt.len() + self.completions.iter().map(|(c, _)| c.len() - 1).sum::<usize>()
    }

    /// Takes completions off the front while they fit into `room` rows, prompt included.
    fn split(&mut self, room: usize) -> Option<PartialGroup<'a>> {
        let mut rows = self.prompt.len();
        let fit = self
            .completions
            .iter()
            .take_while(|(c, _)| {
                rows += c.len() - 1;
                rows <= room
            })
            .count();
        if fit == 0 || fit == self.completions.len() {
            return None;
        }
        let rest = self.completions.split_off(fit);
        let completions = std::mem::replace(&mut self.completions, rest);
        Some(PartialGroup { group: self.group, prompt: self.prompt, completions })
    }
}

/// Divides a batch into `shards` lists of blocks. Depends on the batch and on `shards` only.
pub(crate) fn plan(batch: TokenBatch<'_>, shards: usize) -> Vec<Vec<Block>> {
    let mut parts: std::collections::VecDeque<PartialGroup<'_>> = partial_groups(batch.groups).into();
    let mut rest: usize = parts.iter().map(PartialGroup::rows).sum();
    let mut plan = Vec::with_capacity(shards);
    for left in (1..=shards).rev() {
        let mut shard = Shard::default();
        let share = rest.div_ceil(left);
        while let Some(mut part) = parts.pop_front() {
            let rows = part.rows();
            let room = share.saturating_sub(shard.rows);
            // A part that overshoots the share by a little is cheaper whole than its prompt twice.
            if left == 1 || rows <= room + part.prompt.len().max(share / 16) / 2 {
                rest -= rows;
                shard.push(&part);
                continue;
            }
            if let Some(head) = part.split(room) {
                rest += part.prompt.len();
                rest -= head.rows();
                shard.push(&head);
            } else if shard.rows == 0 || room * 2 >= rows {
                rest -= rows;
                shard.push(&part);
                break;
            }
            parts.push_front(part);
            break;
        }
        plan.push(shard.blocks);
    }
    plan
}

/// Blocks of one shard as they fill.
#[derive(Default)]
struct Shard {
    blocks: Vec<Block>,
    rows: usize,
}

impl Shard {
    fn push(&mut self, part: &PartialGroup<'_>) {
        self.rows += part.rows();
        match self.blocks.last_mut() {
            Some(block) if block.rows() + part.rows() <= BLOCK_ROWS => block.push_group(part),
            _ => {
                let mut block = Block::default();
                block.push_group(part);
                self.blocks.push(block);
            }
        }
    }
}

fn partial_groups<'a>(groups: &'a [TokenGroup<'a>]) -> Vec<PartialGroup<'a>> {
    let mut flat = 0;
    let mut parts = Vec::with_capacity(groups.len());
    for (index, group) in (0..).zip(groups) {
        let completions = completions(group, &mut flat);
        if !completions.is_empty() {
            parts.push(PartialGroup { group: index, prompt: group.prompt, completions });
        }
    }
    parts
}
