//! The decoder's forward and backward passes, written by hand over packed rows.
//!
//! No operation graph: each layer keeps what its backward pass needs (inputs, rotated queries and keys,
//! attention outputs, gate and up) and recomputes the rest; of rows that were just sampled it recalls most of that.
//! Shards share nothing but the weights, so a thread runs one from the beginning to the end without waiting for
//! another.

mod attention;
mod backward;
mod forward;
mod head;
mod heads;
pub(crate) mod plan;
mod project;
mod recall;
mod workspace;

pub(crate) use plan::{Block, Rows};
pub(crate) use recall::Recalled;
pub(crate) use workspace::{Activations, Keep, Workspace};

use crate::config::ModelConfig;
use crate::kernels::{Buffer, RopeTable};
use crate::layout::Layout;
use crate::lora::AdapterView;
use std::ops::Range;

/// What every pass reads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Model<'a> {
    pub(crate) config: &'a ModelConfig,
    pub(crate) layout: &'a Layout,
    pub(crate) weights: &'a [f32],
    pub(crate) rope: &'a RopeTable,
    /// Low-rank adapters; the base is then frozen.
    pub(crate) adapter: Option<AdapterView<'a>>,
}

impl<'a> Model<'a> {
    fn get(&self, range: &Range<usize>) -> &'a [f32] {
        &self.weights[range.clone()]
    }

    fn eps(&self) -> f32 {
        self.config.rms_norm_eps as f32
    }
}

/// Where gradients go: to the parameters that are trained, in one flat buffer.
#[derive(Debug)]
pub(crate) enum Sink<'a> {
    /// All parameters of the base.
    Base(&'a mut [f32]),
    /// The factors of the adapters.
    Adapter(&'a mut [f32]),
}

impl Sink<'_> {
    /// The gradient of a parameter of the base, unless that is frozen.
    fn base(&mut self, range: &Range<usize>) -> Option<&mut [f32]> {
        match self {
            Self::Base(gradient) => Some(&mut gradient[range.clone()]),
            Self::Adapter(_) => None,
        }
    }

    /// The gradient of a parameter of the base, or a buffer that nobody reads.
    fn base_or<'s>(&'s mut self, range: &Range<usize>, discard: &'s mut Buffer) -> &'s mut [f32] {
        match self {
            Self::Base(gradient) => &mut gradient[range.clone()],
            Self::Adapter(_) => discard.fit(range.len()),
        }
    }

    /// The gradient of a factor; empty where the base is trained.
    fn adapter(&mut self, range: &Range<usize>) -> &mut [f32] {
        match self {
            Self::Base(_) => &mut [],
            Self::Adapter(gradient) => &mut gradient[range.clone()],
        }
    }
}

/// What the output head does with a row of logits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadSettings {
    pub(crate) temperature: f32,
    pub(crate) entropy: bool,
}

/// Per-token results of one block, with their flat indices.
#[derive(Debug, Default)]
pub(crate) struct TokenResults {
    pub(crate) logp: Vec<(usize, f32)>,
    pub(crate) entropy: Vec<(usize, f32)>,
}

/// ∂L/∂logp and ∂L/∂entropy, flat over the batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cotangents<'a> {
    pub(crate) logp: &'a [f32],
    pub(crate) entropy: Option<&'a [f32]>,
}

impl Cotangents<'_> {
    fn entropy_at(&self, flat: usize) -> f32 {
        self.entropy.map_or(0.0, |e| e[flat])
    }

    /// Whether no token of the block has a gradient: its gradient is then exactly 0.
    fn vanish_on(&self, block: &Block) -> bool {
        block.targets.iter().all(|t| self.logp[t.flat] == 0.0 && self.entropy_at(t.flat) == 0.0)
    }
}

/// Runs the blocks of a shard forward, keeping what [`backward_shard`] needs; not those that `recall` has.
pub(crate) fn forward_shard(
    model: Model<'_>,
    blocks: &[Block],
    head: HeadSettings,
    keep: Keep,
    recall: impl Fn(&Block) -> Option<Recalled>,
    workspace: &mut Workspace,
) -> TokenResults {
    let mut results = TokenResults::default();
    workspace.kept.resize_with(blocks.len().max(workspace.kept.len()), Activations::default);
    for (block, acts) in blocks.iter().zip(&mut workspace.kept) {
        match recall(block) {
            Some(recalled) => recall::forward(model, block, recalled, acts),
            None => forward::forward(model, block, keep, acts, &mut workspace.scratch),
        }
        head::forward(model, block, head, acts, &mut workspace.scratch, &mut results);
    }
    results
}

/// Runs the blocks of a shard forward only.
pub(crate) fn score_shard(
    model: Model<'_>,
    blocks: &[Block],
    head: HeadSettings,
    workspace: &mut Workspace,
) -> TokenResults {
    let mut results = TokenResults::default();
    for block in blocks {
        let acts = &mut workspace.passing;
        forward::forward(model, block, Keep::Nothing, acts, &mut workspace.scratch);
        head::forward(model, block, head, acts, &mut workspace.scratch, &mut results);
    }
    results
}

/// Adds the gradient of a shard, last run by [`forward_shard`], to `sink`.
pub(crate) fn backward_shard(
    model: Model<'_>,
    blocks: &[Block],
    head: HeadSettings,
    gradients: Cotangents<'_>,
    workspace: &mut Workspace,
    sink: &mut Sink<'_>,
) {
    for (block, acts) in blocks.iter().zip(&workspace.kept) {
        if !gradients.vanish_on(block) {
            head::backward(model, block, head, gradients, acts, &mut workspace.scratch, sink);
            backward::backward(model, block, acts, &mut workspace.scratch, sink);
        }
    }
}

/// Logits of every row that predicts, before the temperature: for tests against a reference.
pub(crate) fn logits(model: Model<'_>, block: &Block, workspace: &mut Workspace) -> Vec<f32> {
    forward::forward(model, block, Keep::Nothing, &mut workspace.passing, &mut workspace.scratch);
    head::logits(model, block, &mut workspace.passing)
}
