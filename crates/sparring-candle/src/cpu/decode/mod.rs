//! Sampling: a paged key-value cache, shared prompts and continuous batching.
//!
//! Every row of a decoding step is computed by kernels whose result for a row does not depend on the other rows. A
//! completion therefore depends on its own seed, prompt and weights only, and the schedule below is free to batch,
//! order and distribute. It puts prompts that begin alike next to each other: a thread computes of each prompt what
//! the one before it does not have ([`Prefixes`]).

mod attend;
mod cache;
mod head;
mod step;
mod weights;
mod worker;

pub(crate) use weights::{DecodeAdapter, DecodeWeights};

use crate::cpu::prefix::Prefixes;
use crate::cpu::recall::Recorder;
use crate::draw::answer;
use crate::kernels::RopeTables;
use crate::model::ModelSpec;
use crate::threads::run_parts;
use sparring_core::{PolicyError, Rollout, SampleRequest};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// The input of decoding.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DecodeModel<'a> {
    pub(crate) spec: &'a ModelSpec,
    pub(crate) rope: &'a RopeTables,
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

/// How completions are divided and batched; none depends on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    pub(crate) threads: usize,
    /// Completions that a thread decodes at a time.
    pub(crate) decode_rows: usize,
    /// Whether common beginnings of prompts are computed once.
    pub(crate) share_prefixes: bool,
}

/// Draws all completions, and records activations if there is a recorder.
pub(crate) fn sample(
    model: DecodeModel<'_>,
    requests: &[SampleRequest],
    Schedule { threads, decode_rows, share_prefixes }: Schedule,
    recorder: Option<Recorder<'_>>,
) -> Vec<Result<Vec<Rollout>, PolicyError>> {
    answer(&model.spec.config, &model.spec.tokenizer, requests, Some(model.version), |prepared| {
        let prefixes = Prefixes::new(prepared.iter().map(|p| &*p.prompt), share_prefixes);
        let sizes: Vec<_> = prefixes.order().into_iter().map(|i| (i, prepared[i].request.n)).collect();
        let total: usize = sizes.iter().map(|(_, n)| n).sum();
        let threads = threads.min(total).max(1);
        let queues = Queues::new(&sizes, threads);
        let rows = decode_rows.min(total.div_ceil(threads));
        let asked = worker::Asked { requests: prepared, prefixes: &prefixes };
        let run = |thread: usize, ()| worker::Worker::new(model, asked, rows, recorder).run(&queues, thread);
        Ok(run_parts(threads, vec![(); threads], run)?.into_iter().flatten().collect())
    })
}

/// Jobs of all threads. Each thread starts with its own, then takes another's last ones.
#[derive(Debug)]
struct Queues(Vec<Mutex<VecDeque<Job>>>);

impl Queues {
    /// Divides the completions of requests, given with their sizes, evenly over threads, in this order. The prompt of
    /// a split request is read more than once, and so is a prefix of prompts on several threads.
    fn new(sizes: &[(usize, usize)], threads: usize) -> Self {
        let total: usize = sizes.iter().map(|(_, n)| n).sum();
        let queue = |thread: usize| {
            let share = thread * total / threads..(thread + 1) * total / threads;
            let mut from = 0;
            let mut jobs = VecDeque::new();
            for &(request, n) in sizes {
                let inside = |at: usize| at.clamp(from, from + n) - from;
                let completions = inside(share.start)..inside(share.end);
                if !completions.is_empty() {
                    jobs.push_back(Job { request, completions });
                }
                from += n;
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

    #[test]
    fn every_completion_is_taken_once_and_threads_have_equal_shares() {
        for (sizes, threads) in [(vec![8; 5], 2), (vec![8], 2), (vec![3, 0, 1, 7], 4), (vec![1, 1], 2)] {
            let numbered: Vec<_> = sizes.iter().copied().enumerate().collect();
            let queues = Queues::new(&numbered, threads);
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
