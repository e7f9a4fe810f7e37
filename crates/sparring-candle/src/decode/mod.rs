//! Sampling: a paged key-value cache, shared prompts and continuous batching.
//!
//! Every row of a decoding step is computed by kernels whose result for a row does not depend on the other
//! rows. What a completion draws therefore depends on its own seed, prompt and weights only, and the
//! schedule below is free to batch, order and distribute as it likes.

mod attend;
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
use crate::recall::Recorder;
use crate::threads::run_parts;
use sparring_core::{PolicyError, Rollout, SampleRequest};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// What decoding reads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DecodeModel<'a> {
    pub(crate) spec: &'a Spec,
    /// The base's flat weights; only the embedding is read from them.
    pub(crate) flat: &'a [f32],
    pub(crate) weights: &'a DecodeWeights,
    pub(crate) adapter: Option<&'a DecodeAdapter>,
    /// How many times the weights have changed.
    pub(crate) version: u64,
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

/// Draws all completions, and keeps what learning can use where there is a recorder.
pub(crate) fn sample(
    model: DecodeModel<'_>,
    requests: &[SampleRequest],
    threads: usize,
    decode_rows: usize,
    recorder: Option<Recorder<'_>>,
) -> Result<Vec<Vec<Rollout>>, PolicyError> {
    let ends: Vec<u32> = model.spec.tokenizer.end_tokens().collect();
    let prepared = prepare(&model.spec.config, &model.spec.tokenizer, &ends, requests, Some(model.version))?;
    let total: usize = requests.iter().map(|r| r.n).sum();
    let threads = threads.min(total).max(1);
    let queues = Queues::new(requests, threads);
    let rows = decode_rows.min(total.div_ceil(threads));
    let run = |thread: usize, ()| worker::Worker::new(model, &prepared, rows, recorder).run(&queues, thread);
    let parts = run_parts(threads, vec![(); threads], run)?;
    let finished = parts.into_iter().collect::<Result<Vec<_>, _>>()?;
    in_order(&prepared, finished.into_iter().flatten())
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
