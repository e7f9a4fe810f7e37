//! The output head: log-probabilities of given tokens, in chunks of rows.
//!
//! Only rows that predict a completion token get logits, and never more than a chunk of them exist at a
//! time; the backward pass computes them again.

use super::plan::{Block, HeadRow};
use super::workspace::{Activations, Scratch};
use super::{Cotangents, HeadSettings, Model, TokenResults};
use crate::kernels::{
    HeadCotangent, Mat, MatMut, Write, add, head_cotangent, log_sum_exp, matmul, rms_backward, rms_forward,
    row_entropy,
};
use std::ops::Range;

/// Elements of a chunk of logits: about a megabyte.
const CHUNK_ELEMENTS: usize = 1 << 18;

fn chunks(rows: usize, vocab: usize) -> impl Iterator<Item = Range<usize>> {
    let chunk = (CHUNK_ELEMENTS / vocab).clamp(16, 512);
    (0..rows).step_by(chunk).map(move |from| from..rows.min(from + chunk))
}

/// Gathers and normalises the rows that predict.
fn normalise(model: Model<'_>, block: &Block, acts: &mut Activations) {
    let (hidden, rows) = (model.config.hidden_size, block.heads.len());
    let slots = acts.layers.len();
    // Two slots: activations pass; else they are kept and the last slot holds the result.
    let last = model.config.num_hidden_layers % slots;
    let stream = acts.layers[last].input.get(block.rows() * hidden);
    let input = acts.head.input.fit(rows * hidden);
    for (row, head) in input.chunks_exact_mut(hidden).zip(&block.heads) {
        row.copy_from_slice(&stream[head.row * hidden..][..hidden]);
    }
    let normed = acts.head.normed.fit(rows * hidden);
    rms_forward(input, model.get(&model.layout.norm), model.eps(), normed, acts.head.scales.fit(rows));
}

/// Logits of the predicting rows in `rows`.
fn chunk_logits(model: Model<'_>, normed: &[f32], rows: &Range<usize>, logits: &mut [f32]) {
    let (hidden, vocab) = (model.config.hidden_size, model.config.vocab_size);
    let x = Mat::rows(&normed[rows.start * hidden..], hidden);
    let w = Mat::transposed(model.get(&model.layout.head), hidden);
    matmul(MatMut::rows(logits, vocab), Write::Replace, [rows.len(), vocab, hidden], x, w, 1.0);
}

/// Log-probability (and entropy, if asked) of every target of the block.
pub(super) fn forward(
    model: Model<'_>,
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
    for rows in chunks(count, vocab) {
        let logits = scratch.logits.fit(rows.len() * vocab);
        chunk_logits(model, normed, &rows, logits);
        for (logits, r) in logits.chunks_exact(vocab).zip(rows) {
            lse[r] = log_sum_exp(logits, scale);
            for target in &block.targets[block.heads[r].targets.clone()] {
                results.logp.push((target.flat, scale * logits[target.token as usize] - lse[r]));
            }
            if settings.entropy {
                entropy[r] = row_entropy(logits, scale, lse[r]);
                let targets = &block.targets[block.heads[r].targets.clone()];
                results.entropy.extend(targets.iter().map(|t| (t.flat, entropy[r])));
            }
        }
    }
}

/// Logits of every predicting row, one after the other.
pub(super) fn logits(model: Model<'_>, block: &Block, acts: &mut Activations) -> Vec<f32> {
    normalise(model, block, acts);
    let rows = 0..block.heads.len();
    let mut logits = vec![0.0; rows.len() * model.config.vocab_size];
    chunk_logits(model, acts.head.normed.get(rows.len() * model.config.hidden_size), &rows, &mut logits);
    logits
}

/// Adds the gradients of the output matrix and the final norm to `grad`, and writes ∂L/∂(residual stream)
/// to `scratch.dx`.
pub(super) fn backward(
    model: Model<'_>,
    block: &Block,
    settings: HeadSettings,
    cotangents: Cotangents<'_>,
    acts: &Activations,
    scratch: &mut Scratch,
    grad: &mut [f32],
) {
    let (vocab, hidden, count) = (model.config.vocab_size, model.config.hidden_size, block.heads.len());
    let normed = acts.head.normed.get(count * hidden);
    let w = Mat::rows(model.get(&model.layout.head), hidden);
    let d_normed = scratch.dh.fit(count * hidden);
    for rows in chunks(count, vocab) {
        let n = rows.len();
        let logits = scratch.logits.fit(n * vocab);
        chunk_logits(model, normed, &rows, logits);
        for (logits, r) in logits.chunks_exact_mut(vocab).zip(rows.clone()) {
            let saved = (acts.head.lse.get(count)[r], acts.head.entropy.get(count)[r]);
            row_cotangent(block, &block.heads[r], settings, cotangents, saved, logits);
        }
        let out = MatMut::rows(&mut d_normed[rows.start * hidden..rows.end * hidden], hidden);
        matmul(out, Write::Replace, [n, hidden, vocab], Mat::rows(logits, vocab), w, 1.0);
        let x = Mat::rows(&normed[rows.start * hidden..], hidden);
        let out = MatMut::rows(&mut grad[model.layout.head.clone()], hidden);
        matmul(out, Write::Add, [vocab, hidden, n], Mat::transposed(logits, vocab), x, 1.0);
    }
    let d_input = scratch.d_head.zeroed(count * hidden);
    let (input, scales) = (acts.head.input.get(count * hidden), acts.head.scales.get(count));
    let d_norm = &mut grad[model.layout.norm.clone()];
    rms_backward(input, model.get(&model.layout.norm), scales, d_normed, d_input, d_norm);
    let dx = scratch.dx.zeroed(block.rows() * hidden);
    for (row, head) in d_input.chunks_exact(hidden).zip(&block.heads) {
        add(&mut dx[head.row * hidden..][..hidden], row);
    }
}

/// Logits of one row to their cotangents.
fn row_cotangent(
    block: &Block,
    head: &HeadRow,
    settings: HeadSettings,
    cotangents: Cotangents<'_>,
    (lse, row_entropy): (f32, f32),
    logits: &mut [f32],
) {
    let targets = &block.targets[head.targets.clone()];
    let scale = 1.0 / settings.temperature;
    let logp = targets.iter().map(|t| cotangents.logp[t.flat]).sum();
    let entropy = targets.iter().map(|t| cotangents.entropy_at(t.flat)).sum();
    head_cotangent(logits, HeadCotangent { scale, lse, logp, entropy, row_entropy });
    for target in targets {
        logits[target.token as usize] += scale * cotangents.logp[target.flat];
    }
}
