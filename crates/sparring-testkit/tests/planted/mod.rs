//! A toy policy with one bug.
#![allow(clippy::unwrap_used)]
use sparring_core::{
    Checkpoint, Hook, HookState, Learner, LogitHook, Policy, PolicyError, Rollout, SampleRequest, Sampler,
    Scorer, Seed, StepReport, TokenBatch, TokenGradients, TokenGroup, TokenLoss, TokenStats,
};
use sparring_testkit::ToyPolicy;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// The bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    None,
    DropsCompletion,
    MissingLogp,
    TooLong,
    GlobalState,
    SeedByPlace,
    SeedByGroupSize,
    OneSeedForAll,
    GreedyDraws,
    NoStopStrings,
    NoTopK,
    LogpBeforeFilters,
    EndsTooSoon,
    NoStopTokens,
    NoHook,
    SharesHookState,
    TellsHookNothing,
    MasksChangeDraws,
    ForgetsMinTokensUnderMasks,
    TakesAnyTemperature,
    FailsTogether,
    LosesFailed,
    ShiftsAfterFailed,
    PositiveScore,
    GroupLeaks,
    LooksAhead,
    TakesEmptyPrompt,
    TemperatureNotInLogp,
    SharperThanItSays,
    WrongFrozenCopy,
    LossSeesOtherLogp,
    Ascends,
    ClampsGradients,
    Overwrites,
    NormalisesByMicroBatch,
    Drifts,
    NeverClears,
    DiscardForgetsNothing,
    ResetKeepsMoments,
    SwallowsNan,
    RefusesTooLate,
    EntropyUpsideDown,
    ScoresWithoutHook,
    LearnsWithoutHook,
    ForgetsOptimiser,
    RestoresNothing,
    TakesHalfAFile,
}

/// The toy policy with the bug.
#[derive(Debug)]
pub struct Planted {
    toy: ToyPolicy,
    bug: Bug,
    calls: AtomicU64,
    /// Calls of the learner since the last step, for bugs that repeat them.
    kept: Vec<Kept>,
}

#[derive(Debug, Clone)]
struct Kept {
    groups: Vec<(Vec<u32>, Vec<Vec<u32>>)>,
    grads: Vec<f32>,
}

impl Planted {
    pub fn new(toy: ToyPolicy, bug: Bug) -> Self {
        Self { toy, bug, calls: AtomicU64::new(0), kept: Vec::new() }
    }

    fn is(&self, bug: Bug) -> bool {
        self.bug == bug
    }
}

impl Sampler for Planted {
    fn sample(&self, requests: &[SampleRequest]) -> Vec<Result<Vec<Rollout>, PolicyError>> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let places = requests.iter().enumerate();
        let mut answers: Vec<_> =
            places.map(|(place, request)| self.one(request, place as u64, call)).collect();
        match (answers.iter().position(Result::is_err), self.bug) {
            (Some(i), Bug::FailsTogether) => answers = vec![answers[i].clone(); requests.len()],
            (Some(_), Bug::LosesFailed) => answers.retain(Result::is_ok),
            // As if seeds were numbered over the served requests.
            (Some(i), Bug::ShiftsAfterFailed) => {
                for (answer, request) in answers[i + 1..].iter_mut().zip(&requests[i + 1..]) {
                    *answer = self.one(&request.clone().with_seed(Seed::new(0)), 0, call);
                }
            }
            _ => {}
        }
        answers
    }
}

impl Planted {
    fn one(&self, request: &SampleRequest, place: u64, call: u64) -> Result<Vec<Rollout>, PolicyError> {
        let mut request = request.clone();
        let wanted = request.params.temperature;
        match self.bug {
            Bug::GlobalState => request.seed = request.seed.index(call),
            Bug::SeedByPlace => request.seed = request.seed.index(place),
            Bug::SeedByGroupSize => request.seed = request.seed.index(request.n as u64),
            Bug::GreedyDraws if wanted == 0.0 => request.params.temperature = 1.0,
            Bug::NoStopStrings => request.params.stop.clear(),
            Bug::NoTopK => request.params.top_k = 0,
            Bug::EndsTooSoon => request.params.min_tokens = 0,
            Bug::NoStopTokens => request.params.stop_tokens.clear(),
            Bug::NoHook => request.hook = None,
            Bug::SharesHookState | Bug::TellsHookNothing => {
                let shared = self.is(Bug::SharesHookState);
                request.hook =
                    request.hook.map(|hook| Hook::new(Badly { hook, shared, heard: Mutex::default() }));
            }
            Bug::MasksChangeDraws if has_mask(&request) => request.seed = request.seed.index(7),
            Bug::ForgetsMinTokensUnderMasks if has_mask(&request) => request.params.min_tokens = 0,
            Bug::TakesAnyTemperature if wanted.is_nan() => request.params.temperature = 1.0,
            Bug::SharperThanItSays if wanted == 1.0 => request.params.temperature = 0.5,
            Bug::TooLong => request.params.max_tokens += 3,
            _ => {}
        }
        let n = request.n;
        if self.is(Bug::OneSeedForAll) {
            request.n = 1;
            request.seed = Seed::new(0);
        }
        let mut group = self.toy.sample(std::slice::from_ref(&request)).remove(0)?;
        match self.bug {
            Bug::DropsCompletion => group.truncate(group.len().saturating_sub(1)),
            Bug::MissingLogp => group.iter_mut().for_each(|r| r.logp.truncate(r.tokens.len() - 1)),
            Bug::OneSeedForAll => group = vec![group[0].clone(); n],
            Bug::SharperThanItSays | Bug::TemperatureNotInLogp if request.params.filters() => {}
            Bug::LogpBeforeFilters if !request.params.filters() => {}
            Bug::SharperThanItSays | Bug::TemperatureNotInLogp | Bug::LogpBeforeFilters => {
                let at = if self.is(Bug::SharperThanItSays) && wanted > 0.0 { wanted } else { 1.0 };
                for rollout in &mut group {
                    let tokens = [TokenGroup::new(&rollout.prompt, vec![&rollout.tokens])];
                    rollout.logp = self.toy.score(TokenBatch::new(&tokens, at))?;
                }
            }
            _ => {}
        }
        Ok(group)
    }
}

/// Whether the hook gives its first mask before the logits.
fn has_mask(request: &SampleRequest) -> bool {
    let mask = request.hook.as_ref().map(|hook| hook.start(&[]).mask(5));
    matches!(mask, Some(Ok(Some(_))))
}

/// A hook that is started once for all completions, or never receives the sampled tokens.
struct Badly {
    hook: Hook,
    shared: bool,
    heard: Mutex<Vec<u32>>,
}

struct BadState<'a>(&'a Badly, &'a [u32]);

impl LogitHook for Badly {
    fn start<'a>(&'a self, prompt: &'a [u32]) -> Box<dyn HookState + 'a> {
        Box::new(BadState(self, prompt))
    }
}

impl HookState for BadState<'_> {
    fn apply(&mut self, logits: &mut [f32]) -> Result<(), PolicyError> {
        let mut state = self.0.hook.start(self.1);
        self.0.heard.lock().unwrap().iter().try_for_each(|&token| state.accept(token))?;
        state.apply(logits)
    }

    fn accept(&mut self, token: u32) -> Result<(), PolicyError> {
        if self.0.shared {
            self.0.heard.lock().unwrap().push(token);
        }
        Ok(())
    }
}

impl Scorer for Planted {
    fn score(&self, batch: TokenBatch<'_>) -> Result<Vec<f32>, PolicyError> {
        if self.is(Bug::TakesEmptyPrompt) && batch.groups.iter().any(|group| group.prompt.is_empty()) {
            return Ok(vec![-1.0; batch.completion_tokens()]);
        }
        let free = without_hooks(batch);
        let batch =
            if self.is(Bug::ScoresWithoutHook) { TokenBatch::new(&free, batch.temperature) } else { batch };
        let mut logp = self.toy.score(batch)?;
        match self.bug {
            Bug::PositiveScore => logp.iter_mut().for_each(|l| *l = -*l),
            Bug::GroupLeaks if batch.groups.iter().any(|g| g.completions.len() > 2) => {
                logp = logp.iter().map(|l| l * 1.01).collect();
            }
            Bug::LooksAhead => {
                let mut at = 0;
                for completion in batch.groups.iter().flat_map(|group| &group.completions) {
                    for t in 0..completion.len() {
                        logp[at + t] *= 1.0 + 0.1 * (completion.len() - t) as f32;
                    }
                    at += completion.len();
                }
            }
            _ => {}
        }
        Ok(logp)
    }
}

/// A loss as the bug distorts it.
struct Distorted<'a> {
    loss: &'a dyn TokenLoss,
    bug: Bug,
    grads: Mutex<Vec<f32>>,
}

impl TokenLoss for Distorted<'_> {
    fn evaluate(&self, stats: TokenStats<'_>, gradients: TokenGradients<'_>) -> f64 {
        let shifted: Vec<f32> = stats.logp.iter().map(|l| l - 0.1).collect();
        let logp = if self.bug == Bug::LossSeesOtherLogp { &shifted } else { stats.logp };
        let TokenGradients { logp: grads, mut entropy, .. } = gradients;
        let value = self.loss.evaluate(
            TokenStats::new(logp, stats.entropy),
            TokenGradients::new(grads, entropy.as_deref_mut()),
        );
        let n = grads.len() as f32;
        for grad in grads.iter_mut() {
            match self.bug {
                Bug::Ascends => *grad = -*grad,
                Bug::ClampsGradients => *grad = grad.clamp(-0.5, 0.5),
                Bug::NormalisesByMicroBatch => *grad /= n,
                Bug::SwallowsNan if !grad.is_finite() => *grad = 0.0,
                _ => {}
            }
        }
        if let (Bug::EntropyUpsideDown, Some(entropy)) = (self.bug, entropy) {
            for grad in entropy {
                *grad = -*grad;
            }
        }
        *self.grads.lock().unwrap() = grads.to_vec();
        if self.bug == Bug::SwallowsNan && value.is_nan() { 0.0 } else { value }
    }

    fn needs_entropy(&self) -> bool {
        self.loss.needs_entropy()
    }
}

/// A loss with given gradients.
struct Known<'a>(&'a [f32]);

impl TokenLoss for Known<'_> {
    fn evaluate(&self, _: TokenStats<'_>, gradients: TokenGradients<'_>) -> f64 {
        for (out, grad) in gradients.logp.iter_mut().zip(self.0) {
            *out = if grad.is_finite() { *grad } else { 1.0 };
        }
        0.0
    }
}

fn again(toy: &mut ToyPolicy, kept: &[Kept]) -> Result<(), PolicyError> {
    for call in kept {
        let groups: Vec<TokenGroup<'_>> = call
            .groups
            .iter()
            .map(|(prompt, completions)| {
                TokenGroup::new(prompt, completions.iter().map(Vec::as_slice).collect())
            })
            .collect();
        toy.accumulate(TokenBatch::new(&groups, 1.0), &Known(&call.grads))?;
    }
    Ok(())
}

impl Learner for Planted {
    fn accumulate(&mut self, batch: TokenBatch<'_>, loss: &dyn TokenLoss) -> Result<f64, PolicyError> {
        if self.is(Bug::Overwrites) {
            self.toy.discard();
        }
        let free = without_hooks(batch);
        let batch =
            if self.is(Bug::LearnsWithoutHook) { TokenBatch::new(&free, batch.temperature) } else { batch };
        let distorted = Distorted { loss, bug: self.bug, grads: Mutex::default() };
        let outcome = self.toy.accumulate(batch, &distorted);
        let groups = batch.groups.iter();
        let kept = Kept {
            groups: groups
                .map(|g| (g.prompt.to_vec(), g.completions.iter().map(|c| c.to_vec()).collect()))
                .collect(),
            grads: distorted.grads.into_inner().unwrap(),
        };
        if self.is(Bug::RefusesTooLate) && outcome.is_err() {
            again(&mut self.toy, std::slice::from_ref(&kept))?;
        }
        self.kept.push(kept);
        outcome
    }

    fn step(&mut self, lr: f64) -> Result<StepReport, PolicyError> {
        let report = self.toy.step(lr)?;
        if self.is(Bug::Drifts) {
            self.toy.weights_mut().iter_mut().for_each(|w| *w *= 0.99);
        }
        if self.is(Bug::NeverClears) {
            again(&mut self.toy, &self.kept)?;
        } else {
            self.kept.clear();
        }
        Ok(report)
    }

    fn reset(&mut self) {
        if self.is(Bug::ResetKeepsMoments) {
            self.toy.discard();
        } else {
            self.toy.reset();
        }
    }

    fn discard(&mut self) {
        if !self.is(Bug::DiscardForgetsNothing) {
            self.toy.discard();
        }
    }
}

impl Checkpoint for Planted {
    fn save(&self, dir: &Path) -> Result<(), PolicyError> {
        let mut copy = self.toy.clone();
        if self.is(Bug::ForgetsOptimiser) {
            copy.reset();
        }
        copy.save(dir)
    }

    fn restore(&mut self, dir: &Path) -> Result<(), PolicyError> {
        match self.bug {
            Bug::RestoresNothing => self.toy.clone().restore(dir),
            Bug::TakesHalfAFile if dir.is_dir() => match self.toy.restore(dir) {
                Err(PolicyError::Invalid { .. }) => Ok(()),
                other => other,
            },
            _ => self.toy.restore(dir),
        }
    }
}

impl Policy for Planted {
    fn freeze(&self) -> Result<Box<dyn Scorer>, PolicyError> {
        let mut copy = self.toy.clone();
        if self.is(Bug::WrongFrozenCopy) {
            copy.weights_mut().iter_mut().for_each(|w| *w *= 0.5);
        }
        Ok(Box::new(copy))
    }
}

/// The groups, as they would be drawn without a hook.
fn without_hooks(batch: TokenBatch<'_>) -> Vec<TokenGroup<'_>> {
    batch.groups.iter().map(|group| TokenGroup::new(group.prompt, group.completions.clone())).collect()
}
