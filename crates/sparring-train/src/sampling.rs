//! Requests, and the one place that asks a sampler.

use crate::TrainError;
use sparring_core::{PolicyError, Prompt, Rollout, SampleRequest, Sampler, SamplingParams, Seed};
use std::collections::BTreeMap;

/// Completions that go to the sampler in one call: enough to fill a batch, few enough to hold in memory.
const CHUNK: usize = 512;

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

/// Samples every request, in order, in chunks. A completion does not depend on the chunks.
///
/// `done` is called with the number of requests that are through; `model` is named in errors.
///
/// # Errors
/// [`TrainError::Policy`] for what the backend met, also where it broke the sampler's contract.
pub fn sample(
    sampler: &dyn Sampler,
    model: &'static str,
    requests: &[SampleRequest],
    mut done: impl FnMut(usize),
) -> Result<Vec<Vec<Rollout>>, TrainError> {
    let mut groups = Vec::with_capacity(requests.len());
    for chunk in chunks(requests) {
        groups.extend(ask(sampler, chunk).map_err(TrainError::policy(model))?);
        done(groups.len());
    }
    Ok(groups)
}

/// As [`sample`], but a prompt that the sampler calls invalid (one that a model wrote may be too long) gives
/// `None` instead of ending the run.
///
/// # Errors
/// As [`sample`].
pub fn sample_where_possible(
    sampler: &dyn Sampler,
    model: &'static str,
    requests: &[SampleRequest],
    mut done: impl FnMut(usize),
) -> Result<Vec<Option<Vec<Rollout>>>, TrainError> {
    let mut groups = Vec::with_capacity(requests.len());
    for chunk in chunks(requests) {
        match ask(sampler, chunk) {
            Ok(sampled) => groups.extend(sampled.into_iter().map(Some)),
            Err(PolicyError::Invalid { .. }) => {
                for request in chunk {
                    match ask(sampler, std::slice::from_ref(request)) {
                        Ok(mut sampled) => groups.push(sampled.pop()),
                        Err(PolicyError::Invalid { what }) => {
                            tracing::debug!(model, what, "a prompt cannot be continued");
                            groups.push(None);
                        }
                        Err(error) => return Err(TrainError::policy(model)(error)),
                    }
                }
            }
            Err(error) => return Err(TrainError::policy(model)(error)),
        }
        done(groups.len());
    }
    Ok(groups)
}

/// One call of the sampler, and its contract: one group a request, `n` rollouts each.
fn ask(sampler: &dyn Sampler, requests: &[SampleRequest]) -> Result<Vec<Vec<Rollout>>, PolicyError> {
    let groups = sampler.sample(requests)?;
    let kept = requests.len() == groups.len() && requests.iter().zip(&groups).all(|(r, g)| r.n == g.len());
    let what = "the sampler broke its contract: it must return one group a request and n completions a group";
    if kept { Ok(groups) } else { Err(PolicyError::Backend { what: what.to_owned(), source: None }) }
}

/// Splits requests so that each part has about [`CHUNK`] completions.
fn chunks(requests: &[SampleRequest]) -> impl Iterator<Item = &[SampleRequest]> {
    let n = requests.first().map_or(1, |r| r.n.max(1));
    requests.chunks((CHUNK / n).max(1))
}

/// The most frequent answer of a group: how often it was given, and by which completion first. Of equally
/// frequent ones the one that was given first; completions without an answer (`None`) have no vote.
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
