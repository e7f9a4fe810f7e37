//! Sampling: a paged key-value cache, shared prompts and continuous batching.
//!
//! Every row of a decoding step is computed by kernels whose result for a row does not depend on the other
//! rows. What a completion draws therefore depends on its own seed, prompt and weights only, and the
//! schedule below is free to batch, order and distribute as it likes.

mod cache;
mod draw;
mod step;
mod stop;
mod weights;
mod worker;

pub(crate) use weights::{DecodeAdapter, DecodeWeights};

use crate::policy::Spec;
use crate::threads::run_parts;
use sparring_core::{PolicyError, Rollout, SampleRequest};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex};

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

/// A request that was checked, with its prompt as ids.
#[derive(Debug)]
struct Prepared<'a> {
    request: &'a SampleRequest,
    prompt: Arc<[u32]>,
    /// The model's own end tokens.
    ends: &'a [u32],
    /// Most tokens to draw: the request's limit, or what the model's length leaves.
    max_tokens: usize,
}

/// A rollout and where it belongs.
#[derive(Debug)]
struct Finished {
    request: usize,
    completion: usize,
    rollout: Rollout,
}

/// Draws all completions.
pub(crate) fn sample(
    model: DecodeModel<'_>,
    requests: &[SampleRequest],
    threads: usize,
    decode_rows: usize,
) -> Result<Vec<Vec<Rollout>>, PolicyError> {
    let ends: Vec<u32> = model.spec.tokenizer.end_tokens().collect();
    let prepare = |(i, r)| prepare(model.spec, &ends, i, r);
    let prepared = requests.iter().enumerate().map(prepare).collect::<Result<Vec<_>, _>>()?;
    let total: usize = requests.iter().map(|r| r.n).sum();
    let threads = threads.min(total).max(1);
    let queue = Mutex::new(jobs(requests, threads));
    let rows = decode_rows.min(total.div_ceil(threads));
    let run = |_: usize, ()| worker::Worker::new(model, &prepared, rows).run(&queue);
    let parts = run_parts(threads, vec![(); threads], run)?;
    let mut groups: Vec<Vec<Option<Rollout>>> = requests.iter().map(|r| vec![None; r.n]).collect();
    for part in parts {
        for finished in part? {
            groups[finished.request][finished.completion] = Some(finished.rollout);
        }
    }
    groups
        .into_iter()
        .map(|group| group.into_iter().collect::<Option<Vec<_>>>())
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| PolicyError::Backend { what: "a completion was lost".to_owned(), source: None })
}

fn prepare<'a>(
    spec: &Spec,
    ends: &'a [u32],
    index: usize,
    request: &'a SampleRequest,
) -> Result<Prepared<'a>, PolicyError> {
    request.params.validate()?;
    let prompt = spec.tokenizer.encode_prompt(&request.prompt)?;
    let place = || format!("sample request {index}: prompt");
    crate::engine::plan::check_ids(&prompt, &spec.config, place)?;
    let stops = || format!("sample request {index}: stop_tokens");
    crate::engine::plan::check_ids(&request.params.stop_tokens, &spec.config, stops)?;
    let limit = spec.config.max_position_embeddings;
    if prompt.is_empty() {
        return Err(PolicyError::invalid(format!("{} is empty; it needs at least one token", place())));
    }
    if prompt.len() >= limit {
        return Err(PolicyError::invalid(format!(
            "{} has {} tokens and leaves no room for a completion; the model's limit is {limit} (max_position_embeddings)",
            place(),
            prompt.len()
        )));
    }
    let max_tokens = request.params.max_tokens.min(limit - prompt.len());
    Ok(Prepared { request, prompt, ends, max_tokens })
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
