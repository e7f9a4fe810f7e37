use crate::SelfPlayError;
use sparring_core::{Game, Rollout, Sampler, SamplingParams, Seed};
use sparring_train::{requests, sample_where_possible, under_hooks};

/// How the Solver attempts tasks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    pub(crate) samples: usize,
    pub(crate) temperature: f32,
    pub(crate) max_tokens: usize,
}

impl Attempt {
    /// Samples the Solver on each task with the training prompt; task `i` draws from `seed.index(i)`.
    /// `None`
    /// for a task with an invalid prompt.
    pub(crate) fn run<G: Game>(
        self,
        game: &G,
        solver: &dyn Sampler,
        tasks: &[&G::Task],
        seed: Seed,
        done: impl FnMut(usize),
    ) -> Result<Vec<Option<Vec<Rollout>>>, SelfPlayError> {
        let prompts = tasks.iter().map(|task| game.solver_prompt(task));
        let mut requests = requests(prompts, self.samples, &params(self.temperature, self.max_tokens), seed);
        under_hooks(&mut requests, tasks.iter().map(|task| game.solver_hook(task)));
        Ok(sample_where_possible(solver, "solver", &requests, done)?)
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
