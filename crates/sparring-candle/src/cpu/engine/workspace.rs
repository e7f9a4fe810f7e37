//! Buffers of passes, reused from call to call.

use super::attention::AttentionScratch;
use super::branch::BranchScratch;
use super::recalled::Recalled;
use crate::kernels::{Buffer, Packing};

/// Data that one layer keeps for its backward pass, in addition to its input. Each buffer has one row per row of the
/// block; in the last layer, after its attention, one per row that predicts.
#[derive(Debug, Default)]
pub(crate) struct LayerActivations {
    /// Queries and keys before their norms, where they have norms: (heads + kv_heads)·head_dim.
    pub(crate) heads: Buffer,
    /// Scales of those norms: heads + kv_heads.
    pub(crate) head_scales: Buffer,
    /// Queries and keys, rotated, and values: (heads + 2·kv_heads)·head_dim.
    pub(crate) qkv: Buffer,
    /// Attention's output before the output matrix: heads·head_dim.
    pub(crate) attended: Buffer,
    /// log Σ exp(score) of each head.
    pub(crate) lse: Buffer,
    /// The residual stream between attention and feed-forward: hidden.
    pub(crate) middle: Buffer,
    /// Gate and up: 2·intermediate.
    pub(crate) gate_up: Buffer,
}

/// Data that the output head keeps: one row per predicting row of the block.
#[derive(Debug, Default)]
pub(crate) struct HeadActivations {
    pub(crate) scales: Buffer,
    pub(crate) normed: Buffer,
    pub(crate) lse: Buffer,
    pub(crate) entropy: Buffer,
}

/// How much a forward pass keeps for the backward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Everything.
    Layers,
    /// The input of each layer: the backward pass computes the rest again (arXiv:1604.06174).
    Inputs,
    /// Nothing but the last layer's output.
    Nothing,
}

/// Everything that a forward pass over one block keeps.
#[derive(Debug, Default)]
pub(crate) struct Activations {
    /// Input of each layer, and the output of the last: hidden. Two that alternate where none are kept.
    pub(crate) inputs: Vec<Buffer>,
    /// One per layer, or one for all.
    pub(crate) layers: Vec<LayerActivations>,
    pub(crate) head: HeadActivations,
    /// Replaces inputs and layers if the pass was recalled.
    pub(crate) recalled: Option<Recalled>,
    /// Output of the last layer, of predicting rows, if the pass was recalled.
    pub(crate) output: Buffer,
}

impl Activations {
    /// Makes the buffers that a pass over `layers` layers needs.
    pub(crate) fn prepare(&mut self, keep: Keep, layers: usize) {
        let (inputs, kept) = match keep {
            Keep::Layers => (layers + 1, layers),
            Keep::Inputs => (layers + 1, 0),
            Keep::Nothing => (2, 0),
        };
        self.inputs.resize_with(inputs, Buffer::default);
        self.layers.resize_with(kept, LayerActivations::default);
    }
}

/// Buffers of products.
#[derive(Debug, Default)]
pub(crate) struct ProductScratch {
    pub(crate) packing: Packing,
    /// scale·x·aᵀ of an adapter: rank.
    pub(crate) narrow: Buffer,
    pub(crate) d_narrow: Buffer,
    /// An input after dropout, or its gradient: inputs.
    pub(crate) dropped: Buffer,
}

/// Intermediate results of one pass.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) normed: Buffer,
    pub(crate) scales: Buffer,
    pub(crate) product: Buffer,
    pub(crate) attention: AttentionScratch,
    pub(crate) logits: Buffer,
    /// Logits of the targets.
    pub(crate) targets: Buffer,
    /// The head's rows that have a choice of tokens, and their gradient: hidden.
    pub(crate) chosen: Buffer,
    pub(crate) d_chosen: Buffer,
    /// Logits of the tokens that a row's mask allows.
    pub(crate) allowed: Vec<f32>,
    /// ∂L/∂ residual stream.
    pub(crate) dx: Buffer,
    pub(crate) dh: Buffer,
    pub(crate) d_product: Buffer,
    pub(crate) d_gate_up: Buffer,
    pub(crate) d_qkv: Buffer,
    /// ∂L/∂(normalised queries and keys) of one row.
    pub(crate) d_heads: Buffer,
    pub(crate) products: ProductScratch,
    pub(crate) branch: BranchScratch,
    /// Gradients of frozen parameters, which are unused.
    pub(crate) discard: Buffer,
    /// A layer that is not kept, and its input.
    pub(crate) layer: LayerActivations,
    pub(crate) input: Buffer,
}

/// Buffers of one shard.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    /// Activations of each block of the shard.
    pub(crate) kept: Vec<Activations>,
    /// Activations that only pass through (scoring).
    pub(crate) passing: Activations,
    pub(crate) scratch: Scratch,
}

impl Workspace {
    /// Drops the recordings that were recalled.
    pub(crate) fn forget_recalled(&mut self) {
        self.kept.iter_mut().for_each(|acts| acts.recalled = None);
    }
}
