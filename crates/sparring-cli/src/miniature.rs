//! How well a model does in the miniature's test sets.

use sparring::core::{BoxError, Game, SampleRequest, Sampler, SamplingParams, Seed};
use sparring::miniature::{TestSet, World};
use sparring::recipes::tool_r0::TaskSpec;
use sparring::tools::ToolTask;
use std::fmt::Write;

/// Maximum number of tokens per answer.
pub(crate) const ANSWER_TOKENS: usize = 120;

/// The game that the miniature's models play.
pub(crate) type MiniatureGame = dyn Game<Spec = TaskSpec, Task = ToolTask>;

/// Prints the share that a model solves of the first `most` tasks of every evaluation, greedily and at temperature 1.
#[allow(clippy::print_stdout)]
pub(crate) fn print_accuracies(
    when: &str,
    sampler: &dyn Sampler,
    game: &MiniatureGame,
    most: usize,
) -> Result<(), BoxError> {
    let world = World::new();
    let mut line = format!("{when}:");
    for evaluation in TestSet::ALL {
        let tasks: Vec<_> = evaluation.tasks(&world).into_iter().take(most).collect();
        for temperature in [0.0, 1.0] {
            let share = accuracy(sampler, game, &tasks, temperature, Seed::new(7))?;
            write!(line, "  {} T={temperature} {:.1} %", evaluation.name(), 100.0 * share)?;
        }
    }
    println!("{line}");
    Ok(())
}

/// Share of `tasks` that a model solves, one answer each.
pub(crate) fn accuracy(
    sampler: &dyn Sampler,
    game: &MiniatureGame,
    tasks: &[ToolTask],
    temperature: f32,
    seed: Seed,
) -> Result<f64, BoxError> {
    let params = SamplingParams::default().with_temperature(temperature).with_max_tokens(ANSWER_TOKENS);
    let requests: Vec<SampleRequest> = tasks
        .iter()
        .enumerate()
        .map(|(i, task)| {
            SampleRequest::new(game.solver_prompt(task), 1, params.clone(), seed.index(i as u64))
        })
        .collect();
    let groups = sampler.sample_all(&requests)?;
    let solved = tasks.iter().zip(&groups).filter(|(task, group)| game.solved(task, &group[0])).count();
    Ok(solved as f64 / tasks.len().max(1) as f64)
}
