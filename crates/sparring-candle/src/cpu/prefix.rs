//! Which prompts begin alike, so that their common beginnings are computed once.
//!
//! Prompts share whole pages of [`PAGE`] positions. Attention sums values page by page, so a shared page enters the
//! same sums as one that is not shared: no bit of a prompt's activations depends on what it shares. The last token of
//! a prompt is never shared, since its row predicts.

use crate::kernels::PAGE;
use std::collections::HashMap;

/// The tree of the prompts' beginnings.
#[derive(Debug)]
pub(crate) struct Prefixes {
    /// For each page that a prompt may share, the first prompt with the same tokens up to the page's end; then the
    /// prompt itself. Two prompts begin alike as far as these are equal.
    owners: Vec<Vec<usize>>,
}

impl Prefixes {
    /// The tree of these prompts; without `share`, one in which each prompt stands alone.
    pub(crate) fn new<'a>(prompts: impl Iterator<Item = &'a [u32]>, share: bool) -> Self {
        let mut first = HashMap::new();
        let owners = prompts.enumerate().map(|(prompt, tokens)| {
            let shareable = if share { tokens.len().saturating_sub(1) } else { 0 };
            let pages = tokens[..shareable].chunks_exact(PAGE);
            let mut owners = Vec::with_capacity(pages.len() + 1);
            for (depth, page) in pages.enumerate() {
                let parent = owners.last().copied();
                owners.push(*first.entry((depth, parent, page)).or_insert(prompt));
            }
            owners.push(prompt);
            owners
        });
        Self { owners: owners.collect() }
    }

    /// The first prompt with the same tokens up to the end of a position's page, or the prompt itself.
    pub(crate) fn owner(&self, prompt: usize, position: usize) -> usize {
        let owners = &self.owners[prompt];
        owners[(position / PAGE).min(owners.len() - 1)]
    }

    /// How many positions two prompts share: a multiple of [`PAGE`], less than the length of either.
    pub(crate) fn shared(&self, a: usize, b: usize) -> usize {
        let (a, b) = (&self.owners[a], &self.owners[b]);
        let alike = a.iter().zip(b).take_while(|(a, b)| a == b).count();
        PAGE * alike.min(a.len() - 1).min(b.len() - 1)
    }

    /// All prompts, so that each one follows the one that it shares most with: the tree, depth first, otherwise in the
    /// given order.
    pub(crate) fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.owners.len()).collect();
        order.sort_by(|&a, &b| self.owners[a].cmp(&self.owners[b]));
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prompts of pages of one token each, and the length of the rest.
    fn prefixes(prompts: &[(&[u32], usize)]) -> Prefixes {
        let tokens = |(pages, rest): &(&[u32], usize)| -> Vec<u32> {
            let pages = pages.iter().flat_map(|&token| [token; PAGE]);
            pages.chain(std::iter::repeat_n(9, *rest)).collect()
        };
        let prompts: Vec<_> = prompts.iter().map(tokens).collect();
        Prefixes::new(prompts.iter().map(Vec::as_slice), true)
    }

    #[test]
    fn prompts_share_whole_pages_but_not_their_last_token() {
        let prefixes =
            prefixes(&[(&[1, 2, 3], 1), (&[1, 2, 3], 0), (&[1, 2, 4], 5), (&[2, 2], 1), (&[1], 63)]);
        let shared = |a, b| prefixes.shared(a, b) / PAGE;
        assert_eq!([shared(0, 1), shared(1, 0), shared(1, 2), shared(0, 3), shared(3, 2)], [2, 2, 2, 0, 0]);
        assert_eq!([shared(0, 0), shared(1, 1), shared(0, 4), shared(4, 4)], [3, 2, 1, 1]);
    }

    #[test]
    fn the_order_is_that_of_the_tree_and_keeps_what_shares_nothing() {
        let prompts: [(&[u32], usize); 8] = [
            (&[1, 2], 1),
            (&[], 1),
            (&[5], 1),
            (&[1, 3], 9),
            (&[1], 4),
            (&[1, 2, 7], 1),
            (&[5, 5], 1),
            (&[], 1),
        ];
        let prefixes = prefixes(&prompts);
        assert_eq!(prefixes.order(), [0, 5, 3, 4, 1, 2, 6, 7]);
    }

    #[test]
    fn a_position_belongs_to_the_first_prompt_with_its_page() {
        let prefixes = prefixes(&[(&[1, 2], 1), (&[1, 3], 1), (&[1, 3], 7), (&[2], 0)]);
        let owners = [0, PAGE - 1, PAGE, 2 * PAGE].map(|position| prefixes.owner(2, position));
        assert_eq!(owners, [0, 0, 1, 2]);
        assert_eq!(prefixes.owner(3, 5), 3);
    }
}
