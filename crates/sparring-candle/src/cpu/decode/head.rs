//! The output head of a decoding step: the logits that the next draws read, and no others.
//!
//! A hook that knows its mask before the logits spares the head: all of a row where one token is allowed, and most of
//! it where few are.

use super::step::Stepper;
use crate::kernels::{PANEL, Write, packed_matmul, packed_panels};
use sparring_core::TokenMask;

/// Where a mask has tokens in fewer than this share of the panels, its row is computed by itself, panel by panel: a
/// panel is then read for one row only. Under a grammar of calls and the vocabulary of SmolLM2, a mask has tokens in
/// less than a fiftieth of the panels or in most of them.
const FEW: usize = 16;

/// The panels of the output matrix that have an allowed token, ascending; `None` if they are not few.
fn panels(mask: &TokenMask, vocab_size: usize) -> Option<Vec<usize>> {
    /// Panels of a word.
    const EACH: usize = 64 / PANEL;
    let words = match mask {
        TokenMask::Only(_) => return Some(Vec::new()),
        TokenMask::Some(words) => words,
        _ => return None,
    };
    let most = vocab_size.div_ceil(PANEL) / FEW;
    let mut panels = Vec::with_capacity(most + 1);
    for (at, word) in words.iter().enumerate().filter(|(_, word)| **word != 0) {
        let within = |panel: &usize| word >> (panel * PANEL) & ((1 << PANEL) - 1) != 0;
        panels.extend((0..EACH).filter(within).map(|panel| at * EACH + panel));
        if panels.len() > most {
            return None;
        }
    }
    Some(panels)
}

impl Stepper<'_> {
    /// Logits of the last rows of the last [`Stepper::forward`], as far as each row's mask allows them; the others may
    /// have any value. They come in another order: returns the place of each row.
    pub(super) fn logits(&mut self, wanted: &[&TokenMask], logits: &mut Vec<f32>) -> Vec<usize> {
        let head = &self.model.weights.head;
        let (vocab_size, hidden) = (head.outputs(), self.model.spec.config.hidden_size);
        let panels: Vec<Option<Vec<usize>>> = wanted.iter().map(|mask| panels(mask, vocab_size)).collect();
        let mut order: Vec<usize> = (0..wanted.len()).collect();
        // Rows that need all logits come first, so that they are one product.
        order.sort_by_key(|&row| panels[row].is_some());
        let whole = panels.iter().filter(|panels| panels.is_none()).count();
        let normed = self.normalise(&order);
        logits.resize(order.len() * vocab_size, 0.0);
        let (all, few) = logits.split_at_mut(whole * vocab_size);
        packed_matmul(&normed[..whole * hidden], head, all, Write::Replace);
        let rows = normed[whole * hidden..].chunks_exact(hidden).zip(few.chunks_exact_mut(vocab_size));
        for (&row, (x, y)) in order[whole..].iter().zip(rows) {
            packed_panels(x, head, panels[row].iter().flatten().copied(), y);
        }
        let mut places = vec![0; order.len()];
        order.iter().enumerate().for_each(|(place, &row)| places[row] = place);
        places
    }
}
