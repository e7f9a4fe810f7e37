//! Requests, and the one place that calls a sampler.

use crate::TrainError;
use sparring_core::{Hook, PolicyError, Prompt, Rollout, SampleRequest, Sampler, SamplingParams, Seed};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Completions that go to the sampler in one call, at first and at most: enough to fill a batch, few enough to hold in
/// memory.
const CHUNK: (usize, usize) = (64, 512);
/// Between the two, a call takes about so long: then a run can report its progress, and stop.
const CALL: Duration = Duration::from_secs(20);

/// One request a prompt, for `n` completions each; prompt `i` draws from `seed.index(i)`.
pub fn requests<P: Into<Prompt>>(
    prompts: impl IntoIterator<Item = P>,
    n: usize,
    params: &SamplingParams,
    seed: Seed,
) -> Vec<SampleRequest> {
    let request = |(i, prompt)| SampleRequest::new(prompt, n, params.clone(), seed.index(i));
    (0..).zip(prompts).map(request).collect()
}

/// Sets the hook of each request.
pub fn under_hooks(requests: &mut [SampleRequest], hooks: impl IntoIterator<Item = Option<Hook>>) {
    for (request, hook) in requests.iter_mut().zip(hooks) {
        request.hook = hook;
    }
}

/// Samples every request, in order, in chunks of some seconds each. A completion does not depend on the chunks.
///
/// `done` is called with the number of requests done; `model` is named in errors.
///
/// # Errors
/// [`TrainError::Policy`] where the backend fails, or breaks the sampler's contract.
pub fn sample(
    sampler: &dyn Sampler,
    model: &'static str,
    requests: &[SampleRequest],
    done: impl FnMut(usize),
) -> Result<Vec<Vec<Rollout>>, TrainError> {
    each(sampler, requests, done, |i, answer| {
        answer.map_err(|error| {
            TrainError::policy(model)(match error {
                PolicyError::Invalid { what } => PolicyError::invalid(format!("sample request {i}: {what}")),
                error => error,
            })
        })
    })
}

/// As [`sample`], but an invalid prompt (one that a model wrote may be too long) gives `None` instead of an error.
///
/// # Errors
/// As [`sample`].
pub fn sample_where_possible(
    sampler: &dyn Sampler,
    model: &'static str,
    requests: &[SampleRequest],
    done: impl FnMut(usize),
) -> Result<Vec<Option<Vec<Rollout>>>, TrainError> {
    each(sampler, requests, done, |request, answer| match answer {
        Ok(group) => Ok(Some(group)),
        Err(PolicyError::Invalid { what }) => {
            tracing::debug!(model, request, what, "the prompt is invalid");
            Ok(None)
        }
        Err(error) => Err(TrainError::policy(model)(error)),
    })
}

/// Samples the requests in chunks, and turns the answer to request `i` into a result.
fn each<R>(
    sampler: &dyn Sampler,
    requests: &[SampleRequest],
    mut done: impl FnMut(usize),
    mut result: impl FnMut(usize, Result<Vec<Rollout>, PolicyError>) -> Result<R, TrainError>,
) -> Result<Vec<R>, TrainError> {
    let n = requests.first().map_or(1, |r| r.n.max(1));
    let mut results = Vec::with_capacity(requests.len());
    let mut completions = CHUNK.0;
    let mut rest = requests;
    while !rest.is_empty() {
        let (chunk, others) = rest.split_at((completions / n).clamp(1, rest.len()));
        let began = Instant::now();
        for answer in sampler.sample_checked(chunk) {
            results.push(result(results.len(), answer)?);
        }
        done(results.len());
        completions = next_chunk(chunk.len() * n, began.elapsed());
        rest = others;
    }
    Ok(results)
}

/// The size of a chunk after one of so many completions that took so long.
fn next_chunk(completions: usize, time: Duration) -> usize {
    let fitting = completions as f64 * CALL.as_secs_f64() / time.as_secs_f64().max(1e-3);
    (fitting as usize).clamp(CHUNK.0, CHUNK.1)
}

/// The most frequent answer of a group: how often it was given, and by which completion first. Of equally
/// frequent ones the one that was given first; completions without an answer (`None`) do not count.
///
/// ```
/// use sparring_train::majority;
/// assert_eq!(majority([Some("a"), None, Some("b"), Some("b")]), Some((2, 2)));
/// assert_eq!(majority::<&str>([None]), None);
/// ```
pub fn majority<A: Ord>(answers: impl IntoIterator<Item = Option<A>>) -> Option<(usize, usize)> {
    let mut counts: BTreeMap<A, (usize, usize)> = BTreeMap::new();
    for (i, answer) in answers.into_iter().enumerate() {
        if let Some(answer) = answer {
            counts.entry(answer).or_insert((0, i)).0 += 1;
        }
    }
    counts.into_values().max_by_key(|&(count, first)| (count, std::cmp::Reverse(first)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_take_some_seconds() {
        let next = |completions, seconds| next_chunk(completions, Duration::from_secs_f64(seconds));
        assert_eq!(next(64, 0.0), 512);
        assert_eq!(next(64, 10.0), 128);
        assert_eq!(next(64, 300.0), 64);
        assert_eq!(next(512, 40.0), 256);
    }
}
