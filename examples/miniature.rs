//! Tool-R0's game in the miniature's words, and its exams.

use sparring::core::{BoxError, Game, Message, SampleRequest, Sampler, SamplingParams, Seed};
use sparring::miniature::{GENERATOR_PROMPT, SOLVER_PROMPT};
use sparring::recipes::tool_r0::{MenuStyle, Prompts};
use sparring::tools::ToolTask;

/// Most tokens of an answer in an exam.
pub const ANSWER_TOKENS: usize = 120;

/// The miniature's prompt templates.
pub fn prompts() -> Prompts {
    let one = |text: &str| vec![Message::user(text)];
    Prompts::new(one(GENERATOR_PROMPT), one(SOLVER_PROMPT), MenuStyle::Compact)
}

/// Share of `tasks` that a model solves, one answer each.
///
/// # Errors
/// What the sampler reports.
pub fn accuracy(
    sampler: &dyn Sampler,
    game: &dyn Game<Spec = sparring::recipes::tool_r0::TaskSpec, Task = ToolTask>,
    tasks: &[ToolTask],
    temperature: f32,
    seed: Seed,
) -> Result<f64, BoxError> {
    let params = SamplingParams::default().with_temperature(temperature).with_max_tokens(ANSWER_TOKENS);
    let requests: Vec<SampleRequest> = tasks
        .iter()
        .enumerate()
        .map(|(i, task)| SampleRequest {
            prompt: game.pose(task).into(),
            n: 1,
            params: params.clone(),
            seed: seed.index(i as u64),
        })
        .collect();
    let groups = sampler.sample(&requests)?;
    let solved = tasks.iter().zip(&groups).filter(|(task, group)| game.solved(task, &group[0])).count();
    Ok(solved as f64 / tasks.len().max(1) as f64)
}
