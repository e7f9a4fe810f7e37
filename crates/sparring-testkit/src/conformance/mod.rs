//! Conformance suites for the contracts of `sparring-core`: call them from the tests of your own implementation.
//!
//! | function | checks |
//! |---|---|
//! | [`sampler()`] | shapes; a completion depends on its request only; every parameter; refusals; isolated errors |
//! | [`remote_sampler()`] | the part that a server can promise: shapes, order, lengths, refusals, isolated errors |
//! | [`scorer()`] | finite, never positive; a token depends on earlier tokens only; grouping; refusals |
//! | [`policy()`] | both, and that they agree, with and without a hook: score(sample) = its own log-probabilities, χ² |
//! | [`learner()`] | descent, linearity, hooks, zero gradients, grouping, discarding, non-finite values |
//! | [`checkpoint()`] | save and restore in the middle of training, bit for bit; damaged files |
//! | [`hook()`] | states agree; a mask without logits is what is done to logits |
//! | [`reward()`], [`advantage()`], [`game()`] | shapes, finiteness, determinism, round trips |
//!
//! Each returns the first [`ConformanceFailure`] that it finds. The suites need no weights and take milliseconds for a
//! toy policy; for a real backend choose a small model and few [`Options::draws`].
mod advantage;
mod checkpoint;
mod constraints;
mod counter;
mod game;
mod hook;
mod learner;
mod policy;
mod remote;
mod reward;
mod sampler;
mod scorer;

pub use advantage::advantage;
pub use checkpoint::checkpoint;
pub use game::game;
pub use hook::hook;
pub use learner::learner;
pub use policy::policy;
pub use remote::remote_sampler;
pub use reward::reward;
pub use sampler::sampler;
pub use scorer::scorer;

use counter::Counter;
use sparring_core::{Hook, Prompt, Rollout, SampleRequest, Sampler, SamplingParams, Seed, TokenGroup};

/// A violation of a contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{check}: {detail}")]
pub struct ConformanceFailure {
    /// Stable name of the check: `suite/check`.
    pub check: &'static str,
    /// What was observed instead.
    pub detail: String,
}

/// Settings of a suite.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// Largest difference between two log-probabilities that should be equal, nats.
    pub tolerance: f32,
    /// Learning rate of the steps: small enough to descend, large enough to be measured.
    pub lr: f64,
    /// Completions per prompt.
    pub group: usize,
    /// Largest number of tokens of a completion.
    pub max_tokens: usize,
    /// First tokens sampled per prompt for the χ² test.
    pub draws: usize,
    /// The seed of the suite's randomness.
    pub seed: Seed,
}

impl Default for Options {
    fn default() -> Self {
        Self { tolerance: 1e-4, lr: 1e-3, group: 4, max_tokens: 8, draws: 2000, seed: Seed::new(1) }
    }
}

impl Options {
    /// Sets the tolerance of log-probabilities, nats.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f32) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets the learning rate.
    #[must_use]
    pub fn with_lr(mut self, lr: f64) -> Self {
        self.lr = lr;
        self
    }

    /// Sets the number of completions per prompt.
    #[must_use]
    pub fn with_group(mut self, group: usize) -> Self {
        self.group = group;
        self
    }

    /// Sets the length limit of completions.
    #[must_use]
    pub fn with_max_tokens(mut self, max_tokens: usize) -> Self {
        self.max_tokens = max_tokens;
        self
    }

    /// Sets the number of draws of the χ² test.
    #[must_use]
    pub fn with_draws(mut self, draws: usize) -> Self {
        self.draws = draws;
        self
    }

    /// Sets the seed.
    #[must_use]
    pub fn with_seed(mut self, seed: Seed) -> Self {
        self.seed = seed;
        self
    }

    /// Returns one request per prompt.
    fn requests(&self, prompts: &[Prompt]) -> Vec<SampleRequest> {
        let request = |(i, prompt): (usize, &Prompt)| {
            SampleRequest::new(
                prompt.clone(),
                self.group,
                SamplingParams::default().with_max_tokens(self.max_tokens),
                self.seed.index(i as u64),
            )
        };
        prompts.iter().enumerate().map(request).collect()
    }
}

type Outcome = Result<(), ConformanceFailure>;

/// Fails the check unless the condition holds; the detail is only formatted on failure.
fn ensure(holds: bool, check: &'static str, detail: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(ConformanceFailure { check, detail: detail() }) }
}

/// Converts an error of the implementation into a failure of the check.
fn failed<E: std::fmt::Display>(check: &'static str) -> impl Fn(E) -> ConformanceFailure {
    move |error| ConformanceFailure { check, detail: format!("unexpected error: {error}") }
}

/// Samples completions to test with.
fn samples(
    sampler: &dyn Sampler,
    prompts: &[Prompt],
    options: &Options,
    check: &'static str,
) -> Result<Vec<Vec<Rollout>>, ConformanceFailure> {
    let groups = sampler.sample_all(&options.requests(prompts)).map_err(failed(check))?;
    let tokens: usize = groups.iter().flatten().map(|rollout| rollout.tokens.len()).sum();
    ensure(tokens > 0, check, || "no completion has a token: nothing can be checked".to_owned())?;
    Ok(groups)
}

/// Returns rollouts in the form that the backend takes, with the prompt of a group shared.
fn grouped(groups: &[Vec<Rollout>]) -> Vec<TokenGroup<'_>> {
    groups
        .iter()
        .filter_map(|group| {
            let completions = group.iter().map(|rollout| rollout.tokens.as_slice()).collect();
            Some(TokenGroup::new(&group.first()?.prompt, completions))
        })
        .collect()
}

/// A hook and completions that were drawn under it.
type Constrained = (Hook, Vec<Vec<Rollout>>);

/// Samples completions under a hook that forbids a token at most places and forces one at others; `None` if the sampler
/// supports no hooks.
fn constrained(
    sampler: &dyn Sampler,
    requests: &[SampleRequest],
    options: &Options,
    check: &'static str,
) -> Result<Option<Constrained>, ConformanceFailure> {
    let Some(free) = constraints::ask(sampler, requests, check)? else { return Ok(None) };
    let tokens = free.iter().flatten().flat_map(|rollout| rollout.tokens.iter().copied());
    let hook = Hook::new(Counter::new(tokens, options.max_tokens));
    let requests: Vec<SampleRequest> =
        requests.iter().map(|request| request.clone().with_shared_hook(Some(hook.clone()))).collect();
    Ok(constraints::ask(sampler, &requests, check)?.map(|groups| (hook, groups)))
}

/// Returns the groups with this hook.
fn under<'a>(groups: Vec<TokenGroup<'a>>, hook: Option<&'a Hook>) -> Vec<TokenGroup<'a>> {
    groups.into_iter().map(|group| group.with_hook(hook)).collect()
}

/// Returns every completion as a group of its own.
fn ungrouped(groups: &[Vec<Rollout>]) -> Vec<TokenGroup<'_>> {
    groups.iter().flatten().map(|rollout| TokenGroup::new(&rollout.prompt, vec![&rollout.tokens])).collect()
}

/// Describes the first position where two slices of log-probabilities differ by more than `tolerance`.
fn difference(a: &[f32], b: &[f32], tolerance: f32) -> Option<String> {
    if a.len() != b.len() {
        return Some(format!("{} numbers against {}", a.len(), b.len()));
    }
    // NaN differs from everything.
    let at = a.iter().zip(b).position(|(x, y)| (x - y).is_nan() || (x - y).abs() > tolerance)?;
    Some(format!("token {at}: {} against {} (tolerance {tolerance})", a[at], b[at]))
}
