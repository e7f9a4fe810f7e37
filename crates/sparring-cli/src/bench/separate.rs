//! Every completion as a group of its own: what a shared prompt saves is what this costs.

use sparring::core::{
    Learner, PolicyError, Rollout, SampleRequest, Sampler, Scorer, StepReport, TokenBatch, TokenGroup,
    TokenLoss,
};
use sparring::train::{self, TrainError};

/// Draws each completion by a request of its own.
pub(crate) fn sample(
    sampler: &dyn Sampler,
    requests: &[SampleRequest],
) -> Result<Vec<Vec<Rollout>>, TrainError> {
    let one = |request: &SampleRequest, i: usize| {
        let seed = request.seed.index(i as u64);
        request.clone().with_n(1).with_seed(seed)
    };
    let single: Vec<_> =
        requests.iter().flat_map(|request| (0..request.n).map(move |i| one(request, i))).collect();
    let mut drawn = train::sample(sampler, "model", &single, |_| {})?.into_iter().flatten();
    Ok(requests.iter().map(|request| drawn.by_ref().take(request.n).collect()).collect())
}

/// A learner that is shown each completion with a prompt of its own. Per-token numbers keep their places.
#[derive(Debug)]
pub(crate) struct Separate<'a, L: ?Sized>(pub(crate) &'a mut L);

fn separate<'a>(batch: TokenBatch<'a>) -> Vec<TokenGroup<'a>> {
    let one = |prompt: &'a [u32], completion: &'a [u32]| TokenGroup::new(prompt, vec![completion]);
    batch.groups.iter().flat_map(|group| group.completions.iter().map(|c| one(group.prompt, c))).collect()
}

impl<L: Learner + ?Sized> Scorer for Separate<'_, L> {
    fn score(&self, batch: TokenBatch<'_>) -> Result<Vec<f32>, PolicyError> {
        self.0.score(TokenBatch::new(&separate(batch), batch.temperature))
    }
}

impl<L: Learner + ?Sized> Learner for Separate<'_, L> {
    fn accumulate(&mut self, batch: TokenBatch<'_>, loss: &dyn TokenLoss) -> Result<f64, PolicyError> {
        self.0.accumulate(TokenBatch::new(&separate(batch), batch.temperature), loss)
    }

    fn step(&mut self, lr: f64) -> Result<StepReport, PolicyError> {
        self.0.step(lr)
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn discard(&mut self) {
        self.0.discard();
    }
}
