use crate::SelfPlayError;
use sparring_core::{Game, PolicyError, Rollout, SampleRequest, Sampler, SamplingParams, Seed};

/// Completions that go to the sampler in one call: enough to fill a batch, few enough to hold in memory.
const CHUNK: usize = 512;

/// Samples every request, in order, in chunks. What a completion is does not depend on the chunks.
///
/// `done` hears how many requests are through; `player` is named in errors.
///
/// # Errors
/// [`SelfPlayError::Policy`] for what the backend met, or that it broke the sampler's contract.
pub fn sample(
    sampler: &dyn Sampler,
    player: &'static str,
    requests: &[SampleRequest],
    mut done: impl FnMut(usize),
) -> Result<Vec<Vec<Rollout>>, SelfPlayError> {
    let mut groups = Vec::with_capacity(requests.len());
    for chunk in chunks(requests) {
        groups.extend(sampler.sample_all(chunk).map_err(SelfPlayError::policy(player))?);
        done(groups.len());
    }
    Ok(groups)
}

/// As [`sample`], but a prompt that the sampler calls invalid (one that a model wrote may be too long) gives
/// `None` instead of ending the run.
pub(crate) fn sample_where_possible(
    sampler: &dyn Sampler,
    player: &'static str,
    requests: &[SampleRequest],
    mut done: impl FnMut(usize),
) -> Result<Vec<Option<Vec<Rollout>>>, SelfPlayError> {
    let mut groups = Vec::with_capacity(requests.len());
    for chunk in chunks(requests) {
        for answer in sampler.sample_checked(chunk) {
            groups.push(match answer {
                Ok(group) => Some(group),
                Err(PolicyError::Invalid { what }) => {
                    tracing::debug!(player, what, "a task cannot be posed");
                    None
                }
                Err(error) => return Err(SelfPlayError::policy(player)(error)),
            });
        }
        done(groups.len());
    }
    Ok(groups)
}

/// Splits requests so that each part has about [`CHUNK`] completions.
fn chunks(requests: &[SampleRequest]) -> impl Iterator<Item = &[SampleRequest]> {
    let n = requests.first().map_or(1, |r| r.n.max(1));
    requests.chunks((CHUNK / n).max(1))
}

/// How the Solver is sampled on tasks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    pub(crate) samples: usize,
    pub(crate) temperature: f32,
    pub(crate) max_tokens: usize,
}

impl Attempt {
    fn request<G: Game>(self, game: &G, task: &G::Task, seed: Seed) -> SampleRequest {
        SampleRequest::new(
            game.solver_prompt(task),
            self.samples,
            params(self.temperature, self.max_tokens),
            seed,
        )
    }

    /// Samples the Solver on each task with the training prompt; task `i` draws from `seed.index(i)`.
    /// `None` for a task that cannot be posed.
    pub(crate) fn run<G: Game>(
        self,
        game: &G,
        solver: &dyn Sampler,
        tasks: &[&G::Task],
        seed: Seed,
        done: impl FnMut(usize),
    ) -> Result<Vec<Option<Vec<Rollout>>>, SelfPlayError> {
        let requests: Vec<SampleRequest> =
            (0..).zip(tasks).map(|(i, task)| self.request(game, task, seed.index(i))).collect();
        sample_where_possible(solver, "solver", &requests, done)
    }
}

pub(crate) fn params(temperature: f32, max_tokens: usize) -> SamplingParams {
    SamplingParams::default().with_temperature(temperature).with_max_tokens(max_tokens)
}

/// Share of the rollouts that solve the task, in [0, 1]: p̂ of Tool-R0's equation 3 (arXiv 2602.21320).
pub fn solve_rate<G: Game>(game: &G, task: &G::Task, rollouts: &[Rollout]) -> f32 {
    let solved = rollouts.iter().filter(|r| game.solved(task, r)).count();
    solved as f32 / rollouts.len().max(1) as f32
}
