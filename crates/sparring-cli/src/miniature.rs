//! Tool-R0's game in the miniature's words, and its evaluations.

use sparring::core::{BoxError, Game, Message, SampleRequest, Sampler, SamplingParams, Seed};
use sparring::miniature::{GENERATOR_PROMPT, SOLVER_PROMPT, TestSet, World};
use sparring::recipes::tool_r0::{Prompts, TaskSpec, ToolListStyle};
use sparring::tools::ToolTask;
use sparring::train::Evaluation;
use std::fmt::Write;

/// Most tokens of an answer in an evaluation.
pub const ANSWER_TOKENS: usize = 120;

/// The miniature's prompt templates.
pub fn prompts() -> Prompts {
    let one = |text: &str| vec![Message::user(text)];
    Prompts::new(one(GENERATOR_PROMPT), one(SOLVER_PROMPT), ToolListStyle::Compact)
}

/// The game that the miniature's models play.
pub type MiniatureGame = dyn Game<Spec = TaskSpec, Task = ToolTask>;

/// Prints the share that a model solves of the first `most` tasks of every evaluation, greedily and at temperature 1.
///
/// # Errors
/// What the sampler reports.
#[allow(clippy::print_stdout)]
pub fn print_accuracies(
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
///
/// # Errors
/// What the sampler reports.
pub fn accuracy(
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

/// The miniature's test sets, each at temperature 0 and 1.
pub fn evaluations() -> Vec<Evaluation<ToolTask>> {
    let world = World::new();
    let mut evaluations = Vec::new();
    for set in TestSet::ALL {
        evaluations.push(Evaluation::greedy(set.name(), set.tasks(&world)));
        evaluations.push(Evaluation::sampled(format!("{}_t1", set.name()), set.tasks(&world), 1.0, 1));
    }
    evaluations
}
