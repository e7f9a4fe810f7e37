//! The output head: log-probabilities of given tokens, in tiles of rows and vocabulary.
//!
//! Only rows that predict a completion token get logits, and never more than a tile of them exist at a
//! time: the sums of the softmax go from tile to tile, and the backward pass computes the logits again.

use super::forward::last_output;
use super::model::{EngineModel, HeadSettings, Sink, TokenResults};
use super::plan::{Block, HeadRow};
use super::workspace::{Activations, Scratch};
use crate::kernels::{
    HeadGradient, Mat, MatMut, Packing, SoftmaxSums, Write, head_gradient, matmul, rms_backward, rms_forward,
};
use crate::learn::LossGradients;
use std::ops::Range;

/// Elements of a tile of logits: a megabyte.
const TILE: usize = 1 << 18;

fn steps(n: usize, step: usize) -> impl Iterator<Item = Range<usize>> {
    (0..n).step_by(step).map(move |from| from..n.min(from + step))
}

/// Rows and words of a tile: enough rows that each word's weights are used often.
fn tile(vocab: usize) -> (usize, usize) {
    let rows = (TILE / vocab).clamp(256, 512);
    (rows, TILE / rows)
}

/// Normalises the rows that predict.
fn normalise(model: EngineModel<'_>, block: &Block, acts: &mut Activations) {
    let rows = block.heads.len();
    let mut head = std::mem::take(&mut acts.head);
    let (normed, scales) = (head.normed.fit(rows * model.config.hidden_size), head.scales.fit(rows));
    let stream = last_output(model, block, acts);
    rms_forward(stream, model.get(&model.layout.norm), model.eps(), normed, scales);
    acts.head = head;
}

/// Logits of `words` for some normalised rows.
fn tile_logits(
    model: EngineModel<'_>,
    normed: &[f32],
    words: &Range<usize>,
    logits: &mut [f32],
    packing: &mut Packing,
) {
    let hidden = model.config.hidden_size;
    let w = &model.get(&model.layout.head)[words.start * hidden..];
    let shape = [normed.len() / hidden, words.len(), hidden];
    let out = MatMut::rows(logits, words.len());
    matmul(out, Write::Replace, shape, Mat::rows(normed, hidden), Mat::transposed(w, hidden), packing);
}

/// Log-probability (and entropy, if wanted) of every target of the block.
pub(super) fn forward(
    model: EngineModel<'_>,
    block: &Block,
    settings: HeadSettings,
    acts: &mut Activations,
    scratch: &mut Scratch,
    results: &mut TokenResults,
) {
    normalise(model, block, acts);
    let (vocab, hidden, count) = (model.config.vocab_size, model.config.hidden_size, block.heads.len());
    let scale = 1.0 / settings.temperature;
    let normed = acts.head.normed.get(count * hidden);
    let (lse, entropy) = (acts.head.lse.fit(count), acts.head.entropy.fit(count));
    let (tile_rows, tile_words) = tile(vocab);
    let mut sums = Vec::with_capacity(tile_rows);
    // Each target's logit.
    let found = scratch.targets.fit(block.targets.len());
    for rows in steps(count, tile_rows) {
        sums.clear();
        sums.resize_with(rows.len(), SoftmaxSums::default);
        for words in steps(vocab, tile_words) {
            let logits = scratch.logits.fit(rows.len() * words.len());
            tile_logits(
                model,
                &normed[rows.start * hidden..rows.end * hidden],
                &words,
                logits,
                &mut scratch.products.packing,
            );
            let tile = logits.chunks_exact(words.len()).zip(&block.heads[rows.clone()]).zip(&mut sums);
            for ((logits, head), sums) in tile {
                sums.add(logits, scale, settings.entropy);
                for (target, found) in
                    block.targets[head.targets.clone()].iter().zip(&mut found[head.targets.clone()])
                {
                    if words.contains(&(target.token as usize)) {
                        *found = scale * logits[target.token as usize - words.start];
                    }
                }
            }
        }
        for (r, sums) in rows.zip(&sums) {
            lse[r] = sums.log_sum();
            entropy[r] = sums.entropy();
        }
    }
    for (r, head) in block.heads.iter().enumerate() {
        for (target, found) in block.targets[head.targets.clone()].iter().zip(&found[head.targets.clone()]) {
            results.logp.push((target.flat, found - lse[r]));
            if settings.entropy {
                results.entropy.push((target.flat, entropy[r]));
            }
        }
    }
}

/// Logits of every predicting row, one after the other.
pub(super) fn logits(model: EngineModel<'_>, block: &Block, acts: &mut Activations) -> Vec<f32> {
    normalise(model, block, acts);
    let (rows, words) = (block.heads.len(), 0..model.config.vocab_size);
    let mut logits = vec![0.0; rows * words.len()];
    tile_logits(
        model,
        acts.head.normed.get(rows * model.config.hidden_size),
        &words,
        &mut logits,
        &mut Packing::default(),
    );
    logits
}

/// Adds the gradients of the output matrix and the final norm to `sink`, and writes ∂L/∂(output of the last layer)
/// to `scratch.dx`, of the rows that predict.
pub(super) fn backward(
    model: EngineModel<'_>,
    block: &Block,
    settings: HeadSettings,
    gradients: &LossGradients,
    acts: &Activations,
    scratch: &mut Scratch,
    sink: &mut Sink<'_>,
) {
    let (vocab, hidden, count) = (model.config.vocab_size, model.config.hidden_size, block.heads.len());
    let normed = acts.head.normed.get(count * hidden);
    let d_normed = scratch.dh.fit(count * hidden);
    let (tile_rows, tile_words) = tile(vocab);
    for rows in steps(count, tile_rows) {
        let normed = &normed[rows.start * hidden..rows.end * hidden];
        let d_normed = &mut d_normed[rows.start * hidden..rows.end * hidden];
        for words in steps(vocab, tile_words) {
            let (n, m) = (rows.len(), words.len());
            let logits = scratch.logits.fit(n * m);
            let packing = &mut scratch.products.packing;
            tile_logits(model, normed, &words, logits, packing);
            for (logits, r) in logits.chunks_exact_mut(m).zip(rows.clone()) {
                let saved = (acts.head.lse.get(count)[r], acts.head.entropy.get(count)[r]);
                row_gradient(block, &block.heads[r], settings, gradients, saved, &words, logits);
            }
            let w = Mat::rows(&model.get(&model.layout.head)[words.start * hidden..], hidden);
            let write = if words.start == 0 { Write::Replace } else { Write::Add };
            matmul(MatMut::rows(d_normed, hidden), write, [n, hidden, m], Mat::rows(logits, m), w, packing);
            if let Some(dw) = sink.base(&model.layout.head) {
                let out = MatMut::rows(&mut dw[words.start * hidden..], hidden);
                let (d_logits, x) = (Mat::transposed(logits, m), Mat::rows(normed, hidden));
                matmul(out, Write::Add, [m, hidden, n], d_logits, x, packing);
            }
        }
    }
    let (stream, scales) = (last_output(model, block, acts), acts.head.scales.get(count));
    let dw = sink.base_or(&model.layout.norm, &mut scratch.discard);
    let dx = scratch.dx.zeroed(count * hidden);
    rms_backward(stream, model.get(&model.layout.norm), scales, scratch.dh.get(count * hidden), dx, dw);
}

/// Logits of some words of one row to their gradients.
fn row_gradient(
    block: &Block,
    head: &HeadRow,
    settings: HeadSettings,
    gradients: &LossGradients,
    (lse, row_entropy): (f32, f32),
    words: &Range<usize>,
    logits: &mut [f32],
) {
    let targets = &block.targets[head.targets.clone()];
    let scale = 1.0 / settings.temperature;
    let logp = targets.iter().map(|t| gradients.logp[t.flat]).sum();
    let entropy = targets.iter().map(|t| gradients.entropy_at(t.flat)).sum();
    head_gradient(logits, HeadGradient { scale, lse, logp, entropy, row_entropy });
    for target in targets.iter().filter(|t| words.contains(&(t.token as usize))) {
        logits[target.token as usize - words.start] += scale * gradients.logp[target.flat];
    }
}
