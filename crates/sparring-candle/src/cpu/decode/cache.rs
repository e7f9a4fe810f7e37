//! The key-value cache: pages of 64 positions for all layers. Prompts are held once per group, and prompts that begin
//! alike have their first pages in common.

use crate::kernels::{PAGE, PANEL, write_position};
use crate::model::ModelConfig;
use std::ops::Range;
use std::rc::Rc;

/// Pages, in use or free for reuse.
#[derive(Debug)]
pub(super) struct Pages {
    data: Vec<Vec<f32>>,
    /// How many runs hold each page.
    uses: Vec<usize>,
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
            uses: Vec::new(),
            free: Vec::new(),
            heads: config.num_key_value_heads,
            layers: config.num_hidden_layers,
            keys: config.head_dim * PAGE,
            values: value_width(config) * PAGE,
        }
    }

    fn take(&mut self) -> usize {
        let page = self.free.pop().unwrap_or_else(|| {
            self.data.push(vec![0.0; self.layers * self.heads * (self.keys + self.values)]);
            self.uses.push(0);
            self.data.len() - 1
        });
        self.uses[page] = 1;
        page
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

    /// The first `len` positions of a run (whole pages) as another run, on the same pages.
    pub(super) fn share(&mut self, run: &Run, len: usize) -> Run {
        let pages = run.pages[..len / PAGE].to_vec();
        for &page in &pages {
            self.uses[page] += 1;
        }
        Run { pages, len }
    }

    /// Returns the pages of a run, of which those are free that no other run holds.
    pub(super) fn release(&mut self, run: &Run) {
        for &page in &run.pages {
            self.uses[page] -= 1;
            if self.uses[page] == 0 {
                self.free.push(page);
            }
        }
    }
}

/// Positions `0..len` on pages.
#[derive(Debug, Default, Clone)]
pub(super) struct Run {
    pub(super) pages: Vec<usize>,
    pub(super) len: usize,
}

impl Run {
    /// The page with some index, and how many of the first `len` positions it holds; `None` if it holds none.
    pub(super) fn page(&self, index: usize, len: usize) -> Option<(usize, usize)> {
        let positions = len.saturating_sub(index * PAGE).min(PAGE);
        self.pages.get(index).filter(|_| positions > 0).map(|&page| (page, positions))
    }

    /// This run and the one that continues it after whole pages.
    pub(super) fn followed_by(mut self, next: Self) -> Self {
        self.pages.extend(next.pages);
        self.len += next.len;
        self
    }

    /// Makes room for `n` more positions.
    pub(super) fn grow(&mut self, n: usize, pages: &mut Pages) {
        self.len += n;
        while self.pages.len() * PAGE < self.len {
            self.pages.push(pages.take());
        }
    }
}

/// The cache of one sequence: the prompt of a completion, or the beginning that a prompt shares with the one before it,
/// and its own positions.
#[derive(Debug)]
pub(super) struct Cache {
    pub(super) context: Rc<Run>,
    pub(super) own: Run,
}
