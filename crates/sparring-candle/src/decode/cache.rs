//! The key-value cache: pages of 64 positions for all layers, with prompts held once per group.

use crate::config::ModelConfig;
use crate::kernels::PAGE;
use std::rc::Rc;

/// Pages, those in use and those to be used again.
#[derive(Debug)]
pub(super) struct Pages {
    data: Vec<Vec<f32>>,
    free: Vec<usize>,
    head: usize,
    heads: usize,
    size: usize,
}

impl Pages {
    pub(super) fn new(config: &ModelConfig) -> Self {
        let head = config.head_dim * PAGE;
        let heads = config.num_key_value_heads;
        Self {
            data: Vec::new(),
            free: Vec::new(),
            head,
            heads,
            size: config.num_hidden_layers * heads * head * 2,
        }
    }

    fn take(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.data.push(vec![0.0; self.size]);
            self.data.len() - 1
        })
    }

    fn at(&self, layer: usize, head: usize) -> usize {
        (layer * self.heads + head) * self.head * 2
    }

    /// Keys `[head_dim][PAGE]` and values `[PAGE][head_dim]` of one head.
    pub(super) fn head(&self, page: usize, layer: usize, head: usize) -> (&[f32], &[f32]) {
        let at = self.at(layer, head);
        self.data[page][at..at + 2 * self.head].split_at(self.head)
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
        let at = self.at(layer, head);
        let (keys, values) = self.data[page][at..at + 2 * self.head].split_at_mut(self.head);
        for (column, &k) in keys.chunks_exact_mut(PAGE).zip(key) {
            column[slot] = k;
        }
        values[slot * value.len()..(slot + 1) * value.len()].copy_from_slice(value);
    }

    /// Gives pages back.
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
    /// Makes room for `n` more positions.
    pub(super) fn grow(&mut self, n: usize, pages: &mut Pages) {
        self.len += n;
        while self.pages.len() * PAGE < self.len {
            self.pages.push(pages.take());
        }
    }
}

/// The cache of one sequence: a prompt that others share, and positions of its own.
#[derive(Debug)]
pub(super) struct Cache {
    pub(super) context: Rc<Run>,
    pub(super) own: Run,
}

impl Cache {
    /// Pages that hold the context and the first `own` positions, with the number of positions on each.
    pub(super) fn pages(&self, own: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        let filled =
            |len: usize| move |(i, &page): (usize, &usize)| (page, len.saturating_sub(i * PAGE).min(PAGE));
        self.context
            .pages
            .iter()
            .enumerate()
            .map(filled(self.context.len))
            .chain(self.own.pages.iter().enumerate().map(filled(own)))
            .filter(|(_, n)| *n > 0)
    }
}
