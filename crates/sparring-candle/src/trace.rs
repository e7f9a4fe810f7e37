//! What sampling computed of the rows that are learned from next.
//!
//! Decoding runs the same forward pass as learning, to the bit. While the weights stay what they are, learning need not
//! run it again: a trace holds, of each row, what the backward pass reads and what is dear to compute.

mod store;

pub(crate) use store::{Recorder, Traces, Version};

use crate::config::ModelConfig;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is kept of a row in each layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The layer's input: hidden.
    Input,
    /// Queries, keys and values before norms and rotation: (heads + 2·kv_heads)·head_dim.
    Qkv,
    /// Attention's output before the output matrix: heads·head_dim.
    Attended,
    /// log Σ exp(score) of each head.
    Lse,
    /// The residual stream between attention and feed-forward: hidden.
    Middle,
}

/// Where the parts of a row lie: layer after layer, then the output of the last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    layers: usize,
    /// Ends of the parts of a layer.
    ends: [usize; 5],
    hidden: usize,
}

impl Shape {
    pub(crate) fn new(config: &ModelConfig) -> Self {
        let hidden = config.hidden_size;
        let mut ends = [hidden, config.qkv_width(), config.query_width(), config.num_attention_heads, hidden];
        for i in 1..ends.len() {
            ends[i] += ends[i - 1];
        }
        Self { layers: config.num_hidden_layers, ends, hidden }
    }

    /// Numbers of a row.
    fn row(self) -> usize {
        self.layers * self.ends[4] + self.hidden
    }

    fn part(self, layer: usize, part: Part) -> Range<usize> {
        let (at, part) = (layer * self.ends[4], part as usize);
        at + if part == 0 { 0 } else { self.ends[part - 1] }..at + self.ends[part]
    }

    fn output(self) -> Range<usize> {
        self.layers * self.ends[4]..self.row()
    }
}

/// A share of the memory for traces; given back when dropped.
#[derive(Debug)]
struct Share {
    used: Arc<AtomicUsize>,
    bytes: usize,
}

impl Share {
    /// Takes `bytes`, unless more than `limit` would then be used.
    fn take(used: &Arc<AtomicUsize>, bytes: usize, limit: usize) -> Option<Self> {
        let more = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= limit);
        used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Self { used: Arc::clone(used), bytes })
    }

    /// Keeps only so much.
    fn shrink(&mut self, bytes: usize) {
        let less = self.bytes.saturating_sub(bytes);
        self.used.fetch_sub(less, Ordering::Relaxed);
        self.bytes -= less;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Rows of a prompt, or of a completion.
#[derive(Debug)]
pub(crate) struct Trace {
    shape: Shape,
    data: Vec<f32>,
    /// Rows that were written.
    rows: usize,
    share: Share,
}

impl Trace {
    /// Gives back what was not needed.
    fn finish(&mut self) {
        self.data.truncate(self.rows * self.shape.row());
        self.data.shrink_to_fit();
        self.share.shrink(self.data.len() * size_of::<f32>());
    }

    fn slice_mut(&mut self, row: usize, at: Range<usize>) -> &mut [f32] {
        self.rows = self.rows.max(row + 1);
        &mut self.data[row * self.shape.row()..][at]
    }

    /// Writes a part of a row.
    pub(crate) fn put(&mut self, row: usize, layer: usize, part: Part, values: &[f32]) {
        let at = self.shape.part(layer, part);
        self.slice_mut(row, at).copy_from_slice(values);
    }

    /// Writes the output of the last layer.
    pub(crate) fn put_output(&mut self, row: usize, values: &[f32]) {
        let at = self.shape.output();
        self.slice_mut(row, at).copy_from_slice(values);
    }

    /// A part of a row; anything where it was not written.
    pub(crate) fn get(&self, row: usize, layer: usize, part: Part) -> &[f32] {
        &self.data[row * self.shape.row()..][self.shape.part(layer, part)]
    }

    /// The output of the last layer.
    pub(crate) fn output(&self, row: usize) -> &[f32] {
        &self.data[row * self.shape.row()..][self.shape.output()]
    }
}
