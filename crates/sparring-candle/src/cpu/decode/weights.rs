//! Weights in the layout for decoding.

use crate::kernels::{INNER, Packed, rms_forward};
use crate::lora::{AdapterLayout, Pair};
use crate::model::{LayerRanges, Linear, ModelConfig, ModelSpec};
use std::ops::Range;

/// One layer, packed.
#[derive(Debug)]
pub(super) struct DecodeLayer {
    pub(super) attention_norm: Vec<f32>,
    pub(super) qkv: Packed,
    pub(super) query_norm: Vec<f32>,
    pub(super) key_norm: Vec<f32>,
    pub(super) output: Packed,
    pub(super) attended_norm: Vec<f32>,
    pub(super) mlp_norm: Vec<f32>,
    pub(super) gate_up: Packed,
    pub(super) down: Packed,
    pub(super) fed_norm: Vec<f32>,
}

impl DecodeLayer {
    /// Normalises queries and keys of a row, where the family does.
    pub(super) fn normalise(&self, row: &mut [f32], query: usize, config: &ModelConfig, raw: &mut Vec<f32>) {
        if !config.qk_norm() {
            return;
        }
        raw.clear();
        raw.extend_from_slice(row);
        let mut scales = [0.0; 1];
        let (raw_queries, raw_keys) = raw.split_at(query);
        let (queries, keys) = row.split_at_mut(query);
        for (raw, out, norm) in [(raw_queries, queries, &self.query_norm), (raw_keys, keys, &self.key_norm)] {
            for (raw, out) in raw.chunks_exact(norm.len()).zip(out.chunks_exact_mut(norm.len())) {
                rms_forward(raw, norm, config.rms_norm_eps as f32, out, &mut scales);
            }
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
        let get = |range: &Range<usize>| &flat[range.clone()];
        let pack =
            |l: &Linear| Packed::new(get(&l.weight), l.inputs, Some(get(&l.bias)).filter(|b| !b.is_empty()));
        let norm = |range: &Range<usize>| spec.config.norm_factors(get(range)).into_owned();
        let layer = |r: &LayerRanges| DecodeLayer {
            attention_norm: norm(&r.attention_norm),
            qkv: pack(&r.qkv),
            query_norm: norm(&r.query_norm),
            key_norm: norm(&r.key_norm),
            output: pack(&r.output),
            attended_norm: norm(&r.attended_norm),
            mlp_norm: norm(&r.mlp_norm),
            gate_up: pack(&r.gate_up),
            down: pack(&r.down),
            fed_norm: norm(&r.fed_norm),
        };
        let layers = spec.layout.layers.iter().map(layer).collect();
        let norm = norm(&spec.layout.norm);
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

impl DecodePair {
    /// Packs the factors of `flat` on a product; `None` if there are none.
    fn new(pairs: &[Pair], linear: &Linear, flat: &[f32]) -> Option<Self> {
        let columns = columns(pairs.iter().map(|p| p.rank));
        let width = columns.last()?.end;
        let (mut a, mut scales) = (vec![0.0; width * linear.inputs], vec![0.0; width]);
        let mut b = vec![0.0; linear.outputs * width];
        for (pair, columns) in pairs.iter().zip(columns) {
            a[columns.start * linear.inputs..columns.end * linear.inputs]
                .copy_from_slice(&flat[pair.a.clone()]);
            scales[columns.clone()].fill(pair.scale);
            for (row, factors) in pair.outputs.clone().zip(flat[pair.b.clone()].chunks_exact(pair.rank)) {
                b[row * width..][columns.clone()].copy_from_slice(factors);
            }
        }
        let (a, b) = (Packed::new(&a, linear.inputs, None), Packed::new(&b, width, None));
        Some(Self { a, scales, b })
    }
}

/// Where factors of these ranks lie side by side. Each is summed in the same pieces as alone, which is how training
/// computes it: one that would be cut at another place begins with a new piece. What is left free is 0.
fn columns(ranks: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let mut end: usize = 0;
    let place = |rank: usize| {
        let start = if end % INNER + rank > INNER { end.next_multiple_of(INNER) } else { end };
        end = start + rank;
        start..end
    };
    ranks.map(place).collect()
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
        let pack = |linear: &Linear| DecodePair::new(&layout.products[linear.index], linear, flat);
        Self { products: spec.layout.products().map(pack).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_cut_where_they_would_be_alone() {
        let half = INNER / 2;
        assert_eq!(columns([8, 8].into_iter()), [0..8, 8..16]);
        assert_eq!(columns([half, half, 1].into_iter()), [0..half, half..INNER, INNER..INNER + 1]);
        assert_eq!(
            columns([1, INNER + 1, 1].into_iter()),
            [0..1, INNER..2 * INNER + 1, 2 * INNER + 1..2 * INNER + 2]
        );
    }
}
