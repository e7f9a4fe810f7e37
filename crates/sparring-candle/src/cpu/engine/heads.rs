//! What happens to queries and keys between their product and the scores: norms, rotation.

use super::model::{EngineModel, Sink};
use super::plan::Block;
use super::workspace::{LayerActivations, Scratch};
use crate::kernels::{rms_backward, rms_forward, rope};
use crate::model::LayerRanges;
use std::ops::Range;

/// Columns of queries and of keys in a row, each with its norm's weights.
fn sections<'a>(model: EngineModel<'_>, layer: &'a LayerRanges) -> [(Range<usize>, &'a Range<usize>); 2] {
    let (query, kv) = (model.config.query_width(), model.config.kv_width());
    [(0..query, &layer.query_norm), (query..query + kv, &layer.key_norm)]
}

/// Normalises (where the family does) and rotates queries and keys, in place in the rows of `acts.qkv`.
pub(super) fn forward(
    model: EngineModel<'_>,
    block: &Block,
    (index, layer): (usize, &LayerRanges),
    acts: &mut LayerActivations,
) {
    let (config, rows) = (model.config, block.rows());
    let (width, dim) = (config.qkv_width(), config.head_dim);
    let turned = config.query_width() + config.kv_width();
    let qkv = acts.qkv.fit(rows * width);
    if config.qk_norm() {
        let raw = acts.heads.fit(rows * turned);
        let scales = acts.head_scales.fit(rows * turned / dim);
        let norms = sections(model, layer).map(|(at, norm)| (at, model.norm(norm)));
        let rows = qkv.chunks_exact_mut(width).zip(raw.chunks_exact_mut(turned));
        for ((row, raw), scales) in rows.zip(scales.chunks_exact_mut(turned / dim)) {
            raw.copy_from_slice(&row[..turned]);
            for (at, norm) in &norms {
                let scales = &mut scales[at.start / dim..at.end / dim];
                rms_forward(&raw[at.clone()], norm, model.eps(), &mut row[at.clone()], scales);
            }
        }
    }
    let Some(rotation) = model.rope.of(index) else { return };
    for (row, &position) in qkv.chunks_exact_mut(width).zip(&block.positions) {
        rope(&mut row[..turned], dim, rotation.at(position), false);
    }
}

/// Turns ∂L/∂(rotated queries and keys) in the rows of `scratch.d_qkv` into ∂L/∂(their product's output).
pub(super) fn backward(
    model: EngineModel<'_>,
    block: &Block,
    (index, layer): (usize, &LayerRanges),
    acts: &LayerActivations,
    scratch: &mut Scratch,
    sink: &mut Sink<'_>,
) {
    let (config, rows) = (model.config, block.rows());
    let (width, dim) = (config.qkv_width(), config.head_dim);
    let turned = config.query_width() + config.kv_width();
    let d_qkv = scratch.d_qkv.fit(rows * width);
    if let Some(rotation) = model.rope.of(index) {
        for (row, &position) in d_qkv.chunks_exact_mut(width).zip(&block.positions) {
            rope(&mut row[..turned], dim, rotation.at(position), true);
        }
    }
    if !config.qk_norm() {
        return;
    }
    let (raw, scales) = (acts.heads.get(rows * turned), acts.head_scales.get(rows * turned / dim));
    let dy = scratch.d_heads.fit(turned);
    let norms = sections(model, layer).map(|(at, norm)| (at, norm, model.norm(norm)));
    let rows = d_qkv.chunks_exact_mut(width).zip(raw.chunks_exact(turned));
    for ((row, raw), scales) in rows.zip(scales.chunks_exact(turned / dim)) {
        dy.copy_from_slice(&row[..turned]);
        row[..turned].fill(0.0);
        for (at, range, norm) in &norms {
            let scales = &scales[at.start / dim..at.end / dim];
            let dw = sink.base_or(range, &mut scratch.discard);
            rms_backward(&raw[at.clone()], norm, scales, &dy[at.clone()], &mut row[at.clone()], dw);
        }
    }
}
