//! The key-value cache: pages of 64 positions for all layers, with prompts held once per group.

use crate::kernels::{PAGE, PANEL, write_position};
use crate::model::ModelConfig;
use std::ops::Range;
use std::rc::Rc;

/// Pages, in use or free for reuse.
#[derive(Debug)]
pub(super) struct Pages {
    data: Vec<Vec<f32>>,
    free: Vec<usize>,
    heads: usize,
    layers: usize,
    /// Numbers of the keys and of the values of one head.
    keys: usize,
    values: usize,
}

/// Numbers of a position's values: head_dim in whole panels, the rest 0.
pub(super) fn value_width(config: &ModelConfig) -> usize {
    config.head_dim.next_multiple_of(PANEL)
}

impl Pages {
    pub(super) fn new(config: &ModelConfig) -> Self {
        Self {
            data: Vec::new(),
            free: Vec::new(),
            heads: config.num_key_value_heads,
            layers: config.num_hidden_layers,
            keys: config.head_dim * PAGE,
            values: value_width(config) * PAGE,
        }
    }

    fn take(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.data.push(vec![0.0; self.layers * self.heads * (self.keys + self.values)]);
            self.data.len() - 1
        })
    }

    fn range(&self, layer: usize, head: usize) -> Range<usize> {
        let size = self.keys + self.values;
        let at = (layer * self.heads + head) * size;
        at..at + size
    }

    /// Keys and values of one head.
    pub(super) fn head(&self, page: usize, layer: usize, head: usize) -> (&[f32], &[f32]) {
        self.data[page][self.range(layer, head)].split_at(self.keys)
    }

    /// Writes the key and the value of one position.
    pub(super) fn write(
        &mut self,
        page: usize,
        (layer, head): (usize, usize),
        slot: usize,
        key: &[f32],
        value: &[f32],
    ) {
        let range = self.range(layer, head);
        let (keys, values) = self.data[page][range].split_at_mut(self.keys);
        write_position(slot, key, keys, value, values);
    }

    /// Returns pages.
    pub(super) fn release(&mut self, pages: &[usize]) {
        self.free.extend_from_slice(pages);
    }
}

/// Positions `0..len` on pages.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) pages: Vec<usize>,
    pub(super) len: usize,
}

impl Run {
    /// Pages that hold the first `len` positions, with the number of positions on each.
    pub(super) fn filled(&self, len: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        let filled = move |(i, &page): (usize, &usize)| (page, len.saturating_sub(i * PAGE).min(PAGE));
        self.pages.iter().enumerate().map(filled).take_while(|(_, n)| *n > 0)
    }

    /// Makes room for `n` more positions.
    pub(super) fn grow(&mut self, n: usize, pages: &mut Pages) {
        self.len += n;
        while self.pages.len() * PAGE < self.len {
            self.pages.push(pages.take());
        }
    }
}

/// The cache of one sequence: a shared prompt and its own positions.
#[derive(Debug)]
pub(super) struct Cache {
    pub(super) context: Rc<Run>,
    pub(super) own: Run,
}
