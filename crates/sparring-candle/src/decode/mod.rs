//! Sampling: a paged key-value cache, shared prompts and continuous batching.
//!
//! Every row of a decoding step is computed by kernels whose result for a row does not depend on the other
//! rows. What a completion draws therefore depends on its own seed, prompt and weights only, and the
//! schedule below is free to batch, order and distribute as it likes.

mod attend;
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
use std::sync::{Arc, Mutex, PoisonError};

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
    let queues = Queues::new(requests, threads);
    let rows = decode_rows.min(total.div_ceil(threads));
    let run = |thread: usize, ()| worker::Worker::new(model, &prepared, rows).run(&queues, thread);
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

/// Jobs of all threads: each begins with its own, and takes the last of another's when it has none left.
#[derive(Debug)]
struct Queues(Vec<Mutex<VecDeque<Job>>>);

impl Queues {
    /// Completions in order, as many for each thread. A request that is split has its prompt read more than once.
    fn new(requests: &[SampleRequest], threads: usize) -> Self {
        let total: usize = requests.iter().map(|r| r.n).sum();
        let queue = |thread: usize| {
            let share = thread * total / threads..(thread + 1) * total / threads;
            let mut from = 0;
            let mut jobs = VecDeque::new();
            for (request, r) in requests.iter().enumerate() {
                let inside = |at: usize| at.clamp(from, from + r.n) - from;
                let completions = inside(share.start)..inside(share.end);
                if !completions.is_empty() {
                    jobs.push_back(Job { request, completions });
                }
                from += r.n;
            }
            Mutex::new(jobs)
        };
        Self((0..threads).map(queue).collect())
    }

    fn next(&self, thread: usize) -> Option<Job> {
        let lock = |t: usize| self.0[t].lock().unwrap_or_else(PoisonError::into_inner);
        let own = lock(thread).pop_front();
        own.or_else(|| (1..self.0.len()).find_map(|i| lock((thread + i) % self.0.len()).pop_back()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use sparring_core::{SamplingParams, Seed};

    #[test]
    fn every_completion_is_taken_once_and_threads_have_equal_shares() {
        for (sizes, threads) in [(vec![8; 5], 2), (vec![8], 2), (vec![3, 0, 1, 7], 4), (vec![1, 1], 2)] {
            let request =
                |&n: &usize| SampleRequest::new(vec![1], n, SamplingParams::default(), Seed::new(1));
            let requests: Vec<SampleRequest> = sizes.iter().map(request).collect();
            let queues = Queues::new(&requests, threads);
            let total: usize = sizes.iter().sum();
            for queue in &queues.0 {
                let share: usize = queue.lock().unwrap().iter().map(|job| job.completions.len()).sum();
                assert!((total / threads..=total.div_ceil(threads)).contains(&share));
            }
            let jobs = std::iter::from_fn(|| queues.next(threads - 1));
            let mut taken: Vec<_> = jobs.flat_map(|j| j.completions.map(move |c| (j.request, c))).collect();
            taken.sort_unstable();
            let all = sizes.iter().enumerate().flat_map(|(r, &n)| (0..n).map(move |c| (r, c)));
            assert_eq!(taken, all.collect::<Vec<_>>());
        }
    }
}
