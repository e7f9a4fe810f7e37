//! Divides a batch into shards for threads, and into blocks of packed rows within a shard.
//!
//! Rows are packed without padding. A group's prompt is computed once per block; each of its completions
//! attends to the prompt and to itself, at positions that continue the prompt. The last token of a
//! completion predicts nothing, so it has no row. Groups whose prompts begin alike are neighbours, whatever their order
//! in the batch, and have the rows of the common beginning once per block.

use crate::batch::completions;
use crate::cpu::prefix::Prefixes;
use sparring_core::{TokenBatch, TokenGroup};
use std::collections::VecDeque;
use std::ops::Range;

/// Target number of rows of a block: enough for the matrix products, few enough for the caches.
const BLOCK_ROWS: usize = 768;
/// Number of rows that a block may have if its prompts begin alike: what is saved is worth more than the caches.
const SHARED_ROWS: usize = 4 * BLOCK_ROWS;

/// Neighbouring rows that attend to each other causally, and to all rows of `contexts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) rows: Range<usize>,
    /// The positions before: the prompt of a completion, and the beginning of a prompt that another one has computed.
    /// Each range begins where a segment does.
    pub(crate) contexts: Vec<Range<usize>>,
    /// First of the rows that predict something: all of a completion, the last of a prompt.
    pub(crate) live: usize,
    pub(crate) kind: SegmentKind,
}

/// What the rows of a segment are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SegmentKind {
    /// A prompt, or the rest of it after what it shares.
    Prompt,
    /// A completion, without its last token.
    Completion,
}

impl Segment {
    /// Number of positions before.
    pub(crate) fn context(&self) -> usize {
        self.contexts.iter().map(Range::len).sum()
    }
}

/// The first `len` rows of some ranges.
fn beginning(ranges: &[Range<usize>], mut len: usize) -> Vec<Range<usize>> {
    let part = |range: &Range<usize>| {
        let taken = range.len().min(len);
        len -= taken;
        range.start..range.start + taken
    };
    ranges.iter().map(part).filter(|range| !range.is_empty()).collect()
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

    pub(crate) fn push_head(&mut self, row: usize, targets: Range<usize>) {
        self.heads.push(HeadRow { row, targets });
        self.live_keys.push(self.keys[row]);
    }

    fn push_rows(
        &mut self,
        tokens: &[u32],
        keys: impl Iterator<Item = u64>,
        contexts: &[Range<usize>],
        kind: SegmentKind,
    ) -> Range<usize> {
        let start = self.rows();
        let rows = start..start + tokens.len();
        let live = match kind {
            SegmentKind::Prompt => rows.end - 1,
            SegmentKind::Completion => rows.start,
        };
        let segment = Segment { rows: rows.clone(), contexts: contexts.to_vec(), live, kind };
        self.tokens.extend_from_slice(tokens);
        self.positions.extend((segment.context()..).take(tokens.len()));
        self.keys.extend(keys);
        if !rows.is_empty() {
            self.segments.push(segment);
        }
        rows
    }

    /// Adds a group whose prompt begins with the rows `before`; returns the rows of all of its prompt.
    fn push_group(
        &mut self,
        part: &PartialGroup<'_>,
        before: &[Range<usize>],
        prefixes: &Prefixes,
    ) -> Vec<Range<usize>> {
        let shared = before.iter().map(Range::len).sum();
        let key = |position| (prefixes.owner(part.group, position) as u64) << 32 | position as u64;
        let keys = (shared..part.prompt.len()).map(key);
        let own = self.push_rows(&part.prompt[shared..], keys, before, SegmentKind::Prompt);
        let first = self.targets.len();
        for (completion, flat) in &part.completions {
            self.targets.push(Target { token: completion[0], flat: *flat });
        }
        self.push_head(own.end - 1, first..self.targets.len());
        let prompt = [before, &[own]].concat();
        for (completion, flat) in &part.completions {
            let inputs = &completion[..completion.len() - 1];
            let keys = (COMPLETIONS | *flat as u64..).take(inputs.len());
            let rows = self.push_rows(inputs, keys, &prompt, SegmentKind::Completion);
            for (i, row) in rows.enumerate() {
                let at = self.targets.len();
                self.targets.push(Target { token: completion[i + 1], flat: flat + i + 1 });
                self.push_head(row, at..at + 1);
            }
        }
        prompt
    }
}

/// Set in the keys of completions' rows, whose rest is the flat index of the row's token. A prompt's hold the position
/// and its group, or, where prompts begin alike, the first of their groups: whether the rows are shared or not.
const COMPLETIONS: u64 = 1 << 63;

/// A prompt with some of its completions (none empty), each with its flat offset.
struct PartialGroup<'a> {
    group: usize,
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

/// Divides a batch into `shards` lists of blocks, in which prompts that begin alike may share rows. Depends on the
/// arguments only.
pub(crate) fn plan(batch: TokenBatch<'_>, shards: usize, share_prefixes: bool) -> Vec<Vec<Block>> {
    let prefixes = Prefixes::new(batch.groups.iter().map(|group| group.prompt), share_prefixes);
    let mut parts = partial_groups(batch.groups, &prefixes);
    let mut plan = Vec::with_capacity(shards);
    for left in (1..=shards).rev() {
        let mut shard = Shard { prefixes: &prefixes, blocks: Vec::new(), rows: 0, last: None };
        let share = rows(&parts, &prefixes).div_ceil(left);
        while let Some(mut part) = parts.pop_front() {
            let shared = shard.shared(&part);
            let rows = part.rows() - shared;
            let room = share.saturating_sub(shard.rows);
            // A part that overshoots the share by a little is cheaper whole than its prompt twice.
            if left == 1 || rows <= room + (part.prompt.len() - shared).max(share / 16) / 2 {
                shard.push(&part);
                continue;
            }
            if let Some(head) = part.split(room + shared) {
                shard.push(&head);
            } else if shard.rows == 0 || room * 2 >= rows {
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

/// Rows of all parts, each of which shares with the one before it what it can.
fn rows(parts: &VecDeque<PartialGroup<'_>>, prefixes: &Prefixes) -> usize {
    let shared = parts.iter().zip(parts.iter().skip(1)).map(|(a, b)| prefixes.shared(a.group, b.group));
    parts.iter().map(PartialGroup::rows).sum::<usize>() - shared.sum::<usize>()
}

/// Blocks of one shard as they fill.
struct Shard<'a> {
    prefixes: &'a Prefixes,
    blocks: Vec<Block>,
    rows: usize,
    /// The last group, and the rows of its prompt in the last block.
    last: Option<(usize, Vec<Range<usize>>)>,
}

impl Shard<'_> {
    /// How many rows of a part's prompt the last block has, if the part fits into it.
    fn shared(&self, part: &PartialGroup<'_>) -> usize {
        let (Some((last, _)), Some(block)) = (&self.last, self.blocks.last()) else { return 0 };
        let shared = self.prefixes.shared(*last, part.group);
        if block.rows() + part.rows() - shared <= SHARED_ROWS { shared } else { 0 }
    }

    fn push(&mut self, part: &PartialGroup<'_>) {
        let shared = self.shared(part);
        let before = self.last.as_ref().map_or(Vec::new(), |(_, prompt)| beginning(prompt, shared));
        let room = self.blocks.last().map_or(0, |block| BLOCK_ROWS.saturating_sub(block.rows()));
        if shared == 0 && part.rows() > room {
            self.blocks.push(Block::default());
        }
        let Some(block) = self.blocks.last_mut() else { return };
        self.rows += part.rows() - shared;
        self.last = Some((part.group, block.push_group(part, &before, self.prefixes)));
    }
}

/// The groups that have something to predict, those that begin alike next to each other.
fn partial_groups<'a>(groups: &'a [TokenGroup<'a>], prefixes: &Prefixes) -> VecDeque<PartialGroup<'a>> {
    let mut flat = 0;
    let part = |(group, of): (usize, &'a TokenGroup<'a>)| {
        let completions = completions(of, &mut flat);
        (!completions.is_empty()).then_some(PartialGroup { group, prompt: of.prompt, completions })
    };
    let mut parts: Vec<_> = groups.iter().enumerate().map(part).collect();
    prefixes.order().into_iter().filter_map(|group| parts[group].take()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    type Group = (Vec<u32>, Vec<Vec<u32>>);

    fn plan_of(groups: &[Group], shards: usize) -> Vec<Vec<Block>> {
        let borrowed: Vec<_> = (groups.iter())
            .map(|(prompt, completions)| {
                TokenGroup::new(prompt, completions.iter().map(Vec::as_slice).collect())
            })
            .collect();
        plan(TokenBatch::new(&borrowed, 1.0), shards, true)
    }

    /// Prompts of `common` equal tokens and `rest` of their own, with completions of `length` other tokens.
    fn groups(count: u32, [common, rest, completions, length]: [usize; 4]) -> Vec<Group> {
        let group = |i: u32| {
            let prompt = [vec![0; common], vec![i + 1; rest]].concat();
            let completion = |c: u32| (0..length as u32).map(|t| 1000 * (i + 1) + 100 * c + t).collect();
            (prompt, (0..completions as u32).map(completion).collect())
        };
        (0..count).map(group).collect()
    }

    fn rows(blocks: &[Block]) -> usize {
        blocks.iter().map(Block::rows).sum()
    }

    #[test]
    fn segments_continue_their_contexts_and_everything_is_predicted_once() {
        let mut groups = groups(5, [150, 40, 3, 20]);
        groups.extend(self::groups(4, [64, 1, 2, 9]));
        groups.extend(self::groups(3, [0, 70, 2, 1]));
        groups.push((vec![0; 64], vec![vec![7], vec![], vec![8, 9]]));
        groups.swap(1, 9);
        let tokens: usize = groups.iter().flat_map(|(_, c)| c).map(Vec::len).sum();
        for shards in 1..6 {
            let (mut predicted, mut owners) = (Vec::new(), HashMap::new());
            for block in plan_of(&groups, shards).iter().flatten() {
                assert!(block.heads.is_sorted_by_key(|head| head.row));
                predicted.extend(block.targets.iter().map(|target| target.flat));
                for segment in &block.segments {
                    let ranges = segment.contexts.iter().chain([&segment.rows]);
                    let rows: Vec<usize> = ranges.flat_map(Clone::clone).collect();
                    assert!(rows.iter().map(|&row| block.positions[row]).eq(0..rows.len()));
                    let read: Vec<u32> = rows.iter().map(|&row| block.tokens[row]).collect();
                    assert!(groups.iter().any(|(prompt, completions)| match segment.kind {
                        SegmentKind::Prompt => read == *prompt,
                        SegmentKind::Completion => completions.iter().any(|c| {
                            read.len() + 1 == prompt.len() + c.len()
                                && [prompt, &c[..]].concat().starts_with(&read)
                        }),
                    }));
                    // A key stands for the same tokens in every division.
                    for (i, &row) in rows.iter().enumerate() {
                        let before = owners.entry(block.keys[row]).or_insert_with(|| read[..=i].to_vec());
                        assert_eq!(before[..], read[..=i]);
                    }
                }
            }
            predicted.sort_unstable();
            assert!(predicted.into_iter().eq(0..tokens));
        }
    }

    #[test]
    fn a_common_beginning_is_computed_once_a_block() {
        let groups = groups(12, [400, 200, 2, 100]);
        for shards in 1..4 {
            let plan = plan_of(&groups, shards);
            let blocks: usize = plan.iter().map(Vec::len).sum();
            let all: usize = plan.iter().map(|blocks| rows(blocks)).sum();
            assert_eq!(all, 12 * (600 + 2 * 99) - (12 - blocks) * 384);
            assert!(blocks <= 1 + shards, "{shards} shards, {blocks} blocks");
            let most = plan.iter().map(|blocks| rows(blocks)).max().unwrap_or(0);
            assert!(most <= all / shards + 384 + 300, "{most} of {all}");
        }
    }

    #[test]
    fn what_has_nothing_in_common_is_divided_in_order() {
        let plan = plan_of(&groups(8, [0, 60, 4, 30]), 2);
        assert_eq!(plan.iter().map(|blocks| rows(blocks)).collect::<Vec<_>>(), [4 * 176; 2]);
        let segments = plan.iter().flatten().flat_map(|block| &block.segments);
        assert!(segments.filter(|s| s.kind == SegmentKind::Prompt).all(|s| s.contexts.is_empty()));
    }
}
