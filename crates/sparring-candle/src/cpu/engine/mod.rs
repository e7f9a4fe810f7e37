//! The decoder's hand-written forward and backward passes over packed rows.
//!
//! No operation graph: each layer keeps what its backward pass needs (inputs, rotated queries and keys,
//! attention outputs, gate and up) and recomputes the rest. For rows that were just sampled, it recalls most of that.
//! Shards share only the weights, so a thread runs one from beginning to end without waiting for another.

mod adapter;
mod attention;
mod backward;
mod branch;
mod forward;
mod head;
mod heads;
mod model;
mod plan;
mod project;
mod recall;
mod recalled;
mod reduce;
mod workspace;

pub(crate) use adapter::AdapterView;
pub(crate) use model::{EngineModel, HeadSettings, Sink, TokenResults};
pub(crate) use plan::{Block, plan};
pub(crate) use recalled::Recalled;
pub(crate) use workspace::{Keep, Workspace};

use crate::learn::LossGradients;
use reduce::Reduced;
use workspace::Activations;

/// Runs the blocks of a shard forward, except those in `recall`, and keeps what [`backward_shard`] needs.
pub(crate) fn forward_shard(
    model: EngineModel<'_>,
    blocks: &[Block],
    head: HeadSettings<'_>,
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
    model: EngineModel<'_>,
    blocks: &[Block],
    head: HeadSettings<'_>,
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

/// Adds the gradient of a shard, last run by [`forward_shard`], to `sink`. What has no gradient is left out, and what
/// the forward pass kept is used up.
pub(crate) fn backward_shard(
    model: EngineModel<'_>,
    blocks: &[Block],
    head: HeadSettings<'_>,
    gradients: &LossGradients,
    workspace: &mut Workspace,
    sink: &mut Sink<'_>,
) {
    for (block, acts) in blocks.iter().zip(&mut workspace.kept) {
        let part = Reduced::with_gradient(block, gradients);
        if part.is_empty() {
            continue;
        }
        let block = if part.is_whole(block) {
            block
        } else {
            part.compact(model, acts);
            &part.block
        };
        head::backward(model, block, head, gradients, acts, &mut workspace.scratch, sink);
        backward::backward(model, block, acts, &mut workspace.scratch, sink);
    }
}

/// Logits of every row that predicts, before the temperature: for tests against a reference.
pub(crate) fn logits(model: EngineModel<'_>, block: &Block, workspace: &mut Workspace) -> Vec<f32> {
    forward::forward(model, block, Keep::Nothing, &mut workspace.passing, &mut workspace.scratch);
    head::logits(model, block, &mut workspace.passing)
}
