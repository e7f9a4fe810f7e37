//! Weights in the layout for decoding.

use crate::kernels::{Packed, rms_forward};
use crate::model::{LayerRanges, Linear, ModelConfig, ModelSpec};

use crate::lora::AdapterLayout;

/// One layer, packed.
#[derive(Debug)]
pub(super) struct DecodeLayer {
    pub(super) attention_norm: Vec<f32>,
    pub(super) qkv: Packed,
    pub(super) query_norm: Vec<f32>,
    pub(super) key_norm: Vec<f32>,
    pub(super) output: Packed,
    pub(super) mlp_norm: Vec<f32>,
    pub(super) gate_up: Packed,
    pub(super) down: Packed,
}

impl DecodeLayer {
    /// Normalises the heads of queries and keys of a row, where the family does.
    pub(super) fn normalise(&self, row: &mut [f32], query: usize, config: &ModelConfig, raw: &mut Vec<f32>) {
        if !config.qk_norm() {
            return;
        }
        raw.clear();
        raw.extend_from_slice(row);
        let mut scales = [0.0; 1];
        let heads = raw.chunks_exact(config.head_dim).zip(row.chunks_exact_mut(config.head_dim));
        for (head, (raw, out)) in heads.enumerate() {
            let norm = if head * config.head_dim < query { &self.query_norm } else { &self.key_norm };
            rms_forward(raw, norm, config.rms_norm_eps as f32, out, &mut scales);
        }
    }
}

/// All weights, packed once after each change.
#[derive(Debug)]
pub(crate) struct DecodeWeights {
    pub(super) layers: Vec<DecodeLayer>,
    pub(super) norm: Vec<f32>,
    pub(super) head: Packed,
}

impl DecodeWeights {
    /// Packs `flat`.
    pub(crate) fn new(spec: &ModelSpec, flat: &[f32]) -> Self {
        let get = |range: &std::ops::Range<usize>| &flat[range.clone()];
        let pack =
            |l: &Linear| Packed::new(get(&l.weight), l.inputs, Some(get(&l.bias)).filter(|b| !b.is_empty()));
        let layer = |r: &LayerRanges| DecodeLayer {
            attention_norm: get(&r.attention_norm).to_vec(),
            qkv: pack(&r.qkv),
            query_norm: get(&r.query_norm).to_vec(),
            key_norm: get(&r.key_norm).to_vec(),
            output: pack(&r.output),
            mlp_norm: get(&r.mlp_norm).to_vec(),
            gate_up: pack(&r.gate_up),
            down: pack(&r.down),
        };
        let layers = spec.layout.layers.iter().map(layer).collect();
        let norm = get(&spec.layout.norm).to_vec();
        let head = Packed::new(get(&spec.layout.head), spec.config.hidden_size, None);
        Self { layers, norm, head }
    }
}

/// The factors on one product: those of its matrices side by side, so that each is one product more.
#[derive(Debug)]
pub(super) struct DecodePair {
    /// Σ ranks × inputs.
    pub(super) a: Packed,
    /// Factor of each column of `x·aᵀ`.
    pub(super) scales: Vec<f32>,
    /// outputs × Σ ranks; zero if a matrix does not see another's factor.
    pub(super) b: Packed,
}

/// An adapter, packed.
#[derive(Debug)]
pub(crate) struct DecodeAdapter {
    /// One a product, in the order of their numbers.
    pub(super) products: Vec<Option<DecodePair>>,
}

impl DecodeAdapter {
    /// Packs `flat`.
    pub(crate) fn new(layout: &AdapterLayout, spec: &ModelSpec, flat: &[f32]) -> Self {
        let linears = spec.layout.products();
        let pack = |linear: &Linear| {
            let pairs = &layout.products[linear.index];
            let width: usize = pairs.iter().map(|p| p.rank).sum();
            let a: Vec<f32> = pairs.iter().flat_map(|p| &flat[p.a.clone()]).copied().collect();
            let mut b = vec![0.0; linear.outputs * width];
            let mut column = 0;
            for pair in pairs {
                for (row, factors) in pair.outputs.clone().zip(flat[pair.b.clone()].chunks_exact(pair.rank)) {
                    b[row * width + column..][..pair.rank].copy_from_slice(factors);
                }
                column += pair.rank;
            }
            let scales = pairs.iter().flat_map(|p| std::iter::repeat_n(p.scale, p.rank)).collect();
            (width > 0).then(|| DecodePair {
                a: Packed::new(&a, linear.inputs, None),
                scales,
                b: Packed::new(&b, width, None),
            })
        };
        Self { products: linears.map(pack).collect() }
    }
}
