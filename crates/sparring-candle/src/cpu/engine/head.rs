//! The output head: log-probabilities of given tokens, in tiles of rows and vocabulary.
//!
//! Only rows that predict a completion token get logits, and never more than a tile of them exist at a
//! time: the sums of the softmax go from tile to tile, and the backward pass computes the logits again.
//!
//! Under a hook, the softmax is over the tokens that it allows. A row with one such token is left out.

use super::forward::last_output;
use super::model::{EngineModel, HeadSettings, Sink, TokenResults};
use super::plan::Block;
use super::workspace::{Activations, Scratch};
use crate::batch::Masks;
use crate::kernels::{
    Buffer, HeadGradient, Mat, MatMut, Packing, SoftmaxSums, Write, head_gradient, matmul, rms_backward,
    rms_forward, scale_in_place,
};
use crate::learn::LossGradients;
use sparring_core::TokenMask;
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

/// Normalises the rows that predict, and scales them where the family scales logits: the rows have fewer numbers.
fn normalise(model: EngineModel<'_>, block: &Block, acts: &mut Activations) {
    let rows = block.heads.len();
    let mut head = std::mem::take(&mut acts.head);
    let (normed, scales) = (head.normed.fit(rows * model.config.hidden_size), head.scales.fit(rows));
    let stream = last_output(model, block, acts);
    rms_forward(stream, &model.norm(&model.layout.norm), model.eps(), normed, scales);
    if let Some(factor) = model.config.logit_scale() {
        scale_in_place(normed, factor);
    }
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

/// The rows that are computed, by their places among `block.heads`: all but those whose masks allow one token only,
/// which has log-probability 0, entropy 0 and no gradient.
fn chosen(block: &Block, masks: &Masks) -> Vec<usize> {
    (0..block.heads.len()).filter(|&r| !matches!(mask(block, r, masks), TokenMask::Only(_))).collect()
}

/// The mask of a row. All tokens that it predicts have the same: they continue the same tokens under the same hook.
fn mask<'m>(block: &Block, row: usize, masks: &'m Masks) -> &'m TokenMask {
    masks.at(block.targets[block.heads[row].targets.start].flat)
}

/// Some of the rows of `all`, one after the other; `all` itself if they are all of them.
fn gather<'x>(all: &'x [f32], rows: &[usize], width: usize, buffer: &'x mut Buffer) -> &'x [f32] {
    if rows.len() * width == all.len() {
        return all;
    }
    let out = buffer.fit(rows.len() * width);
    for (out, &r) in out.chunks_exact_mut(width).zip(rows) {
        out.copy_from_slice(&all[r * width..(r + 1) * width]);
    }
    out
}

/// Copies the logits of the tokens that a mask allows among `words` to `buffer`.
fn pick<'l>(
    mask: &TokenMask,
    words: &Range<usize>,
    logits: &'l [f32],
    buffer: &'l mut Vec<f32>,
) -> &'l [f32] {
    if *mask == TokenMask::All {
        return logits;
    }
    buffer.clear();
    buffer.extend(allowed(mask, words).map(|at| logits[at]));
    buffer
}

/// The places of the allowed tokens among `words`.
fn allowed(mask: &TokenMask, words: &Range<usize>) -> impl Iterator<Item = usize> {
    let from = words.start;
    mask.allowed(words.start as u32..words.end as u32).map(move |token| token as usize - from)
}

/// Log-probability (and entropy, if wanted) of every target of the block.
pub(super) fn forward(
    model: EngineModel<'_>,
    block: &Block,
    settings: HeadSettings<'_>,
    acts: &mut Activations,
    scratch: &mut Scratch,
    results: &mut TokenResults,
) {
    normalise(model, block, acts);
    let (vocab, hidden, count) = (model.config.vocab_size, model.config.hidden_size, block.heads.len());
    let scale = 1.0 / settings.temperature;
    let chosen = chosen(block, settings.masks);
    let normed = gather(acts.head.normed.get(count * hidden), &chosen, hidden, &mut scratch.chosen);
    let (lse, entropy) = (acts.head.lse.zeroed(count), acts.head.entropy.zeroed(count));
    let (tile_rows, tile_words) = tile(vocab);
    let mut sums = Vec::with_capacity(tile_rows);
    // Each target's logit; a forced token's log-probability is 0 − 0.
    let found = scratch.targets.zeroed(block.targets.len());
    for rows in steps(chosen.len(), tile_rows) {
        sums.clear();
        sums.resize_with(rows.len(), SoftmaxSums::default);
        for words in steps(vocab, tile_words) {
            let logits = scratch.logits.fit(rows.len() * words.len());
            let packing = &mut scratch.products.packing;
            tile_logits(model, &normed[rows.start * hidden..rows.end * hidden], &words, logits, packing);
            let tile = logits.chunks_exact(words.len()).zip(&chosen[rows.clone()]).zip(&mut sums);
            for ((logits, &r), sums) in tile {
                let mask = mask(block, r, settings.masks);
                sums.add(pick(mask, &words, logits, &mut scratch.allowed), scale, settings.entropy);
                let targets = block.heads[r].targets.clone();
                for (target, found) in block.targets[targets.clone()].iter().zip(&mut found[targets]) {
                    if words.contains(&(target.token as usize)) {
                        *found = scale * logits[target.token as usize - words.start];
                    }
                }
            }
        }
        for (&r, sums) in chosen[rows].iter().zip(&sums) {
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
    settings: HeadSettings<'_>,
    gradients: &LossGradients,
    acts: &Activations,
    scratch: &mut Scratch,
    sink: &mut Sink<'_>,
) {
    let (vocab, hidden, count) = (model.config.vocab_size, model.config.hidden_size, block.heads.len());
    let chosen = chosen(block, settings.masks);
    let normed = gather(acts.head.normed.get(count * hidden), &chosen, hidden, &mut scratch.chosen);
    let d_normed = scratch.d_chosen.fit(chosen.len() * hidden);
    let (tile_rows, tile_words) = tile(vocab);
    for rows in steps(chosen.len(), tile_rows) {
        let normed = &normed[rows.start * hidden..rows.end * hidden];
        let d_normed = &mut d_normed[rows.start * hidden..rows.end * hidden];
        for words in steps(vocab, tile_words) {
            let (n, m) = (rows.len(), words.len());
            let logits = scratch.logits.fit(n * m);
            let packing = &mut scratch.products.packing;
            tile_logits(model, normed, &words, logits, packing);
            for (logits, &r) in logits.chunks_exact_mut(m).zip(&chosen[rows.clone()]) {
                let saved = (acts.head.lse.get(count)[r], acts.head.entropy.get(count)[r]);
                row_gradient(block, r, settings, gradients, saved, &words, (logits, &mut scratch.allowed));
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
    let dh = scratch.dh.zeroed(count * hidden);
    for (&r, d_normed) in chosen.iter().zip(d_normed.chunks_exact(hidden)) {
        dh[r * hidden..(r + 1) * hidden].copy_from_slice(d_normed);
    }
    if let Some(factor) = model.config.logit_scale() {
        scale_in_place(dh, factor);
    }
    let (stream, scales) = (last_output(model, block, acts), acts.head.scales.get(count));
    let dw = sink.base_or(&model.layout.norm, &mut scratch.discard);
    let dx = scratch.dx.zeroed(count * hidden);
    rms_backward(stream, &model.norm(&model.layout.norm), scales, scratch.dh.get(count * hidden), dx, dw);
}

/// Logits of some words of one row to their gradients; those of forbidden words are 0.
fn row_gradient(
    block: &Block,
    row: usize,
    settings: HeadSettings<'_>,
    gradients: &LossGradients,
    (lse, row_entropy): (f32, f32),
    words: &Range<usize>,
    (logits, buffer): (&mut [f32], &mut Vec<f32>),
) {
    let targets = &block.targets[block.heads[row].targets.clone()];
    let scale = 1.0 / settings.temperature;
    let logp = targets.iter().map(|t| gradients.logp[t.flat]).sum();
    let entropy = targets.iter().map(|t| gradients.entropy_at(t.flat)).sum();
    let gradient = HeadGradient { scale, lse, logp, entropy, row_entropy };
    let mask = mask(block, row, settings.masks);
    if *mask == TokenMask::All {
        head_gradient(logits, gradient);
    } else {
        pick(mask, words, logits, buffer);
        head_gradient(buffer, gradient);
        logits.fill(0.0);
        allowed(mask, words).zip(&*buffer).for_each(|(at, d)| logits[at] = *d);
    }
    for target in targets.iter().filter(|t| words.contains(&(t.token as usize))) {
        logits[target.token as usize - words.start] += scale * gradients.logp[target.flat];
    }
}
