//! Sampling: a paged key-value cache, shared prompts and continuous batching.
//!
//! Every row of a decoding step is computed by kernels whose result for a row does not depend on the other
//! rows. What a completion draws therefore depends on its own seed, prompt and weights only, and the
//! schedule below is free to batch, order and distribute as it likes.

mod cache;
mod completion;
mod draw;
mod request;
mod step;
mod stop;
mod weights;
mod worker;

pub(crate) use completion::{Completion, Finished, in_order};
pub(crate) use draw::Scratch;
pub(crate) use request::{Prepared, prepare};
pub(crate) use weights::{DecodeAdapter, DecodeWeights};

use crate::policy::Spec;
use crate::threads::run_parts;
use sparring_core::{PolicyError, Rollout, SampleRequest};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Mutex;

/// What decoding reads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DecodeModel<'a> {
    pub(crate) spec: &'a Spec,
    /// The base's flat weights; only the embedding is read from them.
    pub(crate) flat: &'a [f32],
    pub(crate) weights: &'a DecodeWeights,
    pub(crate) adapter: Option<&'a DecodeAdapter>,
}

impl<'a> DecodeModel<'a> {
    /// The adapter's factors on a product.
    fn pair(&self, product: usize) -> Option<&'a weights::DecodePair> {
        self.adapter.and_then(|adapter| adapter.products[product].as_ref())
    }
}

/// Some completions of one request.
#[derive(Debug, Clone)]
struct Job {
    request: usize,
    completions: Range<usize>,
}

/// Draws all completions.
pub(crate) fn sample(
    model: DecodeModel<'_>,
    requests: &[SampleRequest],
    threads: usize,
    decode_rows: usize,
) -> Result<Vec<Vec<Rollout>>, PolicyError> {
    let ends: Vec<u32> = model.spec.tokenizer.end_tokens().collect();
    let prepared = prepare(&model.spec.config, &model.spec.tokenizer, &ends, requests)?;
    let total: usize = requests.iter().map(|r| r.n).sum();
    let threads = threads.min(total).max(1);
    let queue = Mutex::new(jobs(requests, threads));
    let rows = decode_rows.min(total.div_ceil(threads));
    let run = |_: usize, ()| worker::Worker::new(model, &prepared, rows).run(&queue);
    let parts = run_parts(threads, vec![(); threads], run)?;
    let finished = parts.into_iter().collect::<Result<Vec<_>, _>>()?;
    in_order(&prepared, finished.into_iter().flatten())
}

/// Whole requests where there are enough of them; else each is split, at the price of its prompt twice.
fn jobs(requests: &[SampleRequest], threads: usize) -> VecDeque<Job> {
    let parts = if requests.len() >= 2 * threads { 1 } else { threads };
    let mut jobs = VecDeque::new();
    for (request, r) in requests.iter().enumerate() {
        for part in 0..parts {
            let completions = part * r.n / parts..(part + 1) * r.n / parts;
            if !completions.is_empty() {
                jobs.push_back(Job { request, completions });
            }
        }
    }
    jobs
}
