use crate::RecipeError;
use serde::{Deserialize, Serialize};
use sparring_core::{Game, Sampler, SamplingParams, Seed};
use sparring_selfplay::solve_rate;
use sparring_tools::ToolTask;
use sparring_train::{requests, sample};

/// The coverage of a model that answers each task several times, which bounds what reinforcement learning can gain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Coverage {
    /// Answers per task, k.
    pub samples: usize,
    /// Share of the answers that solve their task: pass@1.
    pub mean: f64,
    /// Share of the tasks that at least one of the k answers solves: pass@k.
    pub any: f64,
}

/// Samples `samples` answers to each task at this temperature and measures their coverage.
///
/// # Errors
/// [`RecipeError::Train`] if sampling fails.
pub fn coverage<G: Game<Task = ToolTask>>(
    game: &G,
    sampler: &dyn Sampler,
    tasks: &[ToolTask],
    samples: usize,
    params: &SamplingParams,
    seed: Seed,
) -> Result<Coverage, RecipeError> {
    let prompts = tasks.iter().map(|task| game.solver_prompt(task));
    let groups = sample(sampler, "model", &requests(prompts, samples, params, seed), |_| {})?;
    let rates: Vec<f64> =
        tasks.iter().zip(&groups).map(|(task, group)| f64::from(solve_rate(game, task, group))).collect();
    let n = tasks.len().max(1) as f64;
    let mean = rates.iter().sum::<f64>() / n;
    let any = rates.iter().filter(|&&rate| rate > 0.0).count() as f64 / n;
    Ok(Coverage { samples, mean, any })
}
