//! What the miniature's Solver reaches when the world itself writes its tasks: an upper bound for self-play.
//!
//! ```sh
//! sparring study gold-ceiling --preset miniature --seed 1
//! ```
//!
//! The Solver's side of a preset (reward, updates, learning rate, iterations, numbers of tools and calls) on tasks that
//! are the world's, over training tools, never twice the same, and with labels that are always right.

use crate::miniature::print_accuracies;
use crate::models::base_folder;
use crate::numbers;
use sparring::candle::{CandlePolicy, PolicyOptions};
use sparring::core::{BoxError, Player, task_source_fn};
use sparring::miniature::{Split, TaskShape, World, prompts};
use sparring::prelude::*;
use sparring::recipes::tool_r0::{Preset, ToolR0};
use sparring::train::progress::Bar;
use sparring::train::{ReferenceKind, TrainConfig, Trainer};
use std::path::PathBuf;

/// Trains the Solver on gold labels.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Whose Solver settings are used.
    #[arg(long, default_value = "miniature")]
    preset: String,
    /// Seed of tasks and samples.
    #[arg(long, default_value_t = 1, value_parser = numbers::seed)]
    seed: u64,
    /// The base model: a Hugging Face folder, a GGUF file or a hub id (OWNER/NAME) [default: the embedded miniature].
    #[arg(long, value_name = "MODEL")]
    model: Option<PathBuf>,
}

/// Trains on gold tasks, and prints the accuracies after each iteration.
pub(crate) fn run(args: &Args) -> Result<(), BoxError> {
    let recipe = Preset::load(&args.preset)?.with_prompts(prompts()).build()?;
    let scratch = tempfile::tempdir()?;
    let folder = base_folder(args.model.as_deref(), scratch.path())?;
    let mut solver = CandlePolicy::load(folder, PolicyOptions::default())?;
    let loops = &recipe.config.self_play;
    let bar = Bar::new("updates", loops.iterations * loops.solver.steps);
    bar.suspend(|| print_accuracies("base", &solver, &recipe.game, usize::MAX))?;
    for iteration in 1..=loops.iterations {
        if loops.fresh_optimizer {
            solver.reset();
        }
        let reward = train(&mut solver, &recipe, Seed::new(args.seed).index(iteration as u64), &bar)?;
        let when = format!("iteration {iteration}, mean reward {reward:.2}");
        bar.suspend(|| print_accuracies(&when, &solver, &recipe.game, usize::MAX))?;
    }
    Ok(())
}

/// The updates of one iteration; returns the mean reward of the last.
fn train(solver: &mut CandlePolicy, recipe: &ToolR0, seed: Seed, bar: &Bar) -> Result<f32, BoxError> {
    let (world, c) = (World::new(), &recipe.config.self_play.solver);
    let kl = c.grpo.kl.coef > 0.0;
    let plan = TrainConfig::default()
        .with_steps(c.steps)
        .with_prompts_per_step(c.prompts_per_step)
        .with_group_size(c.group_size)
        .with_lr(c.lr)
        .with_lr_schedule(c.lr_schedule)
        .with_sampling(
            SamplingParams::default().with_temperature(c.temperature).with_max_tokens(c.max_tokens),
        )
        .with_grpo(c.grpo.clone())
        .with_reference(if kl { ReferenceKind::Fixed } else { ReferenceKind::None })
        .build()?;
    let width = c.prompts_per_step as u64;
    let tasks = task_source_fn(|i, _| {
        Ok(Some(gold(&world, recipe, seed.index(i / width).child("task").index(i % width))))
    });
    let prompt = |task: &ToolTask| recipe.game.solver_prompt(task);
    let mut trainer =
        Trainer::new(plan, solver, tasks, prompt, &recipe.solver_reward, seed).with_player(Player::Solver);
    let mut last = 0.0;
    while let Some(step) = trainer.step()? {
        last = step.record.reward;
        bar.add(1, &format!("reward {last:.2}"));
    }
    Ok(last)
}

/// A task of the preset's numbers of tools and calls, over training tools and of the world's own sizes; as often
/// a derived one as in a pool of the preset.
fn gold(world: &World, recipe: &ToolR0, seed: Seed) -> ToolTask {
    let spec = recipe.game.draw(seed.child("spec"));
    let shape = TaskShape::new(spec.tools, spec.calls);
    let task = world.task(Split::Training, shape, seed.child("task"));
    let other = world.task(Split::Training, shape, seed.child("other"));
    let share = f64::from(recipe.config.self_play.pool.derived_share);
    if rand::Rng::random_bool(&mut seed.child("derive").rng(), share) {
        recipe.game.derive(&task, Some(&other), seed.child("derived")).pop().unwrap_or(task)
    } else {
        task
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_sound_and_only_about_training_tools() {
        let world = World::new();
        let recipe = Preset::load("miniature").unwrap().with_prompts(prompts()).build().unwrap();
        let mut calls = [0; 3];
        for i in 0..400 {
            let task = gold(&world, &recipe, Seed::new(1).index(i));
            assert_eq!(task, gold(&world, &recipe, Seed::new(1).index(i)));
            let known = |name: &str| world.training().iter().any(|action| action.name() == name);
            assert!(task.tools.iter().all(|tool| known(&tool.name)), "{task:?}");
            let sound = |call: &ToolCall| {
                task.tools.iter().any(|tool| tool.name == call.name && tool.validate(call).is_ok())
            };
            assert!(task.calls.iter().all(sound), "{task:?}");
            calls[task.calls.len()] += 1;
        }
        // Without a call, with one and with two: each a good part of the mixture.
        assert!(calls.iter().all(|&n| n > 30), "{calls:?}");
    }
}
