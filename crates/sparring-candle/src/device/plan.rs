//! Dividing a batch into passes of bounded size.

use crate::batch::completions;
use sparring_core::TokenBatch;
use std::cmp::Reverse;

/// A completion and the part of its prompt that is not shared.
#[derive(Debug, Clone, Copy)]
pub(super) struct PassRow<'a> {
    /// At least the prompt's last token: it predicts the completion's first.
    pub(super) head: &'a [u32],
    pub(super) completion: &'a [u32],
    /// Place of the completion's first token among all of the batch.
    pub(super) flat: usize,
}

impl PassRow<'_> {
    /// Number of input tokens; the last token is not one, since nothing follows it.
    pub(super) fn len(&self) -> usize {
        self.head.len() + self.completion.len() - 1
    }
}

/// Completions that are computed together, after a context that all of them share.
#[derive(Debug)]
pub(super) struct PassPlan<'a> {
    pub(super) context: &'a [u32],
    pub(super) rows: Vec<PassRow<'a>>,
}

/// Passes of at most `tokens` tokens including padding, unless a single row is longer. Rows of similar length are
/// adjacent, to minimise padding. A group of several completions computes its prompt once per pass.
pub(super) fn plan(batch: TokenBatch<'_>, tokens: usize) -> Vec<PassPlan<'_>> {
    let mut flat = 0;
    let (mut passes, mut single) = (Vec::new(), Vec::new());
    for group in batch.groups {
        let completions = completions(group, &mut flat);
        let shared = group.prompt.len() - 1;
        if completions.len() > 1 && shared > 0 {
            let (context, head) = group.prompt.split_at(shared);
            let rows = completions.iter().map(|&(completion, flat)| PassRow { head, completion, flat });
            cut(context, rows.collect(), tokens, &mut passes);
        } else {
            let head = group.prompt;
            single.extend(completions.iter().map(|&(completion, flat)| PassRow { head, completion, flat }));
        }
    }
    cut(&[], single, tokens, &mut passes);
    passes
}

fn cut<'a>(context: &'a [u32], mut rows: Vec<PassRow<'a>>, tokens: usize, passes: &mut Vec<PassPlan<'a>>) {
    rows.sort_by_key(|row| Reverse(row.len()));
    let mut rest = rows.as_slice();
    while let Some(longest) = rest.first().map(PassRow::len) {
        let room = tokens.saturating_sub(context.len()) / longest;
        let (now, later) = rest.split_at(room.clamp(1, rest.len()));
        passes.push(PassPlan { context, rows: now.to_vec() });
        rest = later;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sparring_core::TokenGroup;

    proptest! {
        #[test]
        fn every_token_is_predicted_once_and_passes_are_bounded(
            shapes in prop::collection::vec((1_usize..9, prop::collection::vec(0_usize..7, 0..6)), 0..6),
            tokens in 1_usize..40,
        ) {
            let ids: Vec<u32> = (0..9).collect();
            let group = |(prompt, lengths): &(usize, Vec<usize>)| {
                TokenGroup::new(&ids[..*prompt], lengths.iter().map(|&n| &ids[..n]).collect())
            };
            let groups: Vec<_> = shapes.iter().map(group).collect();
            let batch = TokenBatch::new(&groups, 1.0);
            let mut seen = vec![0; batch.completion_tokens()];
            for pass in plan(batch, tokens) {
                let longest = pass.rows.iter().map(PassRow::len).max().unwrap();
                prop_assert!(pass.rows.len() == 1 || pass.context.len() + pass.rows.len() * longest <= tokens);
                for row in &pass.rows {
                    (row.flat..row.flat + row.completion.len()).for_each(|flat| seen[flat] += 1);
                    prop_assert!(!row.head.is_empty());
                }
            }
            prop_assert!(seen.iter().all(|&times| times == 1));
        }
    }
}
