//! Weights in the layout that decoding reads.

use crate::engine::Model;
use crate::kernels::Packed;
use std::sync::Arc;

/// One layer, packed.
#[derive(Debug)]
pub(super) struct DecodeLayer {
    pub(super) attention_norm: Vec<f32>,
    pub(super) qkv: Packed,
    pub(super) output: Packed,
    pub(super) mlp_norm: Vec<f32>,
    pub(super) gate_up: Packed,
    pub(super) down: Packed,
}

/// All weights, packed once after each change.
#[derive(Debug)]
pub(crate) struct DecodeWeights {
    /// The flat weights; only the embedding is read from them.
    pub(super) flat: Arc<Vec<f32>>,
    pub(super) layers: Vec<DecodeLayer>,
    pub(super) norm: Vec<f32>,
    pub(super) head: Packed,
}

impl DecodeWeights {
    /// Packs `flat`.
    pub(crate) fn new(model: Model<'_>, flat: Arc<Vec<f32>>) -> Self {
        let (hidden, ff) = (model.config.hidden_size, model.config.intermediate_size);
        let get = |range: &std::ops::Range<usize>| &flat[range.clone()];
        let layer = |r: &crate::layout::LayerRanges| DecodeLayer {
            attention_norm: get(&r.attention_norm).to_vec(),
            qkv: Packed::new(get(&r.qkv), hidden, Some(get(&r.qkv_bias)).filter(|b| !b.is_empty())),
            output: Packed::new(get(&r.output), model.config.query_width(), None),
            mlp_norm: get(&r.mlp_norm).to_vec(),
            gate_up: Packed::new(get(&r.gate_up), hidden, None),
            down: Packed::new(get(&r.down), ff, None),
        };
        let layers = model.layout.layers.iter().map(layer).collect();
        let norm = get(&model.layout.norm).to_vec();
        let head = Packed::new(get(&model.layout.head), hidden, None);
        Self { flat, layers, norm, head }
    }
}
