//! GRPO on a list of tasks, with a closure as the reward: the plainest training run.
//!
//! ```sh
//! cargo run --release --example train                  # about a minute on a laptop CPU
//! cargo run --release --example train -- runs/mine     # the same in a folder; again: resumes or repeats the result
//! ```
//!
//! A task is a request with a list of tools and the calls that serve it; the tasks come from the miniature world, and
//! the model is the small base that is embedded in the library. With `CandlePolicy::load("DIR", ..)` and tasks of your
//! own the rest of the program stays as it is. `sparring train` does the same with files of tasks and papers' presets.

use sparring::candle::{CandlePolicy, PolicyOptions};
use sparring::core::BoxError;
use sparring::miniature::{Part, TaskFamily, World, prompts, write_base};
use sparring::prelude::*;
use sparring::recipes::tool_r0::{GameOptions, SpecDistribution, ToolR0Game};
use sparring::tools::{Assignment, RobustComparator, ToolR0Tags, match_calls};
use sparring::train::progress::Progress;
use sparring::train::{Epochs, Evaluation, TrainConfig, TrainSummary, Trainer, write_report};
use sparring_examples::exit_code;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let run = || -> Result<(), BoxError> {
        let scratch = tempfile::tempdir()?;
        let dir = std::env::args_os().nth(1).map_or_else(|| scratch.path().join("run"), PathBuf::from);
        let config =
            TrainConfig::default().with_steps(40).with_prompts_per_step(8).with_group_size(8).with_lr(1e-4);
        let summary = train(config, 200, &dir)?;
        let mut out = std::io::stdout().lock();
        for (when, scores) in [("before", &summary.base), ("after", &summary.last)] {
            writeln!(out, "{when}: share of held-out tasks solved: {}", scores["heldout_accuracy"])?;
        }
        writeln!(out, "mean reward: {:.2?}, then {:.2?}", summary.reward_first, summary.reward_last)?;
        Ok(())
    };
    exit_code(run())
}

fn train(config: TrainConfig, evaluated: usize, dir: &Path) -> Result<TrainSummary, BoxError> {
    // 1. The tasks: some to learn on, others, about tools that are not among them, to evaluate on.
    let world = World::new();
    let tasks = TaskFamily::Errands.tasks(&world, Part::Train, 800);
    let heldout = TaskFamily::Errands.tasks(&world, Part::Test, evaluated);

    // 2. The policy: a model that samples, scores and learns.
    let scratch = tempfile::tempdir()?;
    write_base(scratch.path())?;
    let mut policy = CandlePolicy::load(scratch.path(), PolicyOptions::default())?;

    // 3. The prompt of a task, and when an answer solves it.
    let game = ToolR0Game::new(SpecDistribution::default(), &prompts(), GameOptions::default())?;
    let prompt = |task: &ToolTask| game.solver_prompt(task);
    let solved = |task: &ToolTask, answer: &Rollout| game.solved(task, answer);

    // 4. The reward: 1 for the calls of the task, a little for other calls that can be read, else 0.
    let reward = reward_fn("match", |task: &ToolTask, answer: &Rollout| {
        let Ok(calls) = ToolR0Tags::default().parse(&answer.text) else { return Some(0.0) };
        let report = match_calls(&task.calls, &calls, &RobustComparator, Assignment::Optimal);
        Some(if report.exact() { 1.0 } else { 0.2 })
    });

    // 5. The run: sample a group for each prompt, score it, update; evaluate before the first update and after the
    // last. Checkpoints, events and the report are in its folder; a run that was stopped continues where it was.
    let sampling = SamplingParams::default().with_max_tokens(120);
    let plan = config.with_sampling(sampling).build()?;
    let mut trainer = Trainer::new(plan, &mut policy, Epochs::new(tasks), prompt, reward, Seed::new(1))
        .with_solved(solved)
        .with_evaluation(Evaluation::greedy("heldout", heldout))
        .with_observer(Progress::new());
    let summary = if dir.join("run.json").exists() { trainer.resume(dir)? } else { trainer.run(dir)? };
    write_report(dir)?;
    Ok(summary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_trains_evaluates_and_repeats_its_result() {
        let config = TrainConfig::default().with_steps(2).with_prompts_per_step(1).with_group_size(2);
        let dir = tempfile::tempdir().unwrap();
        let summary = train(config.clone(), 2, dir.path()).unwrap();
        assert_eq!((summary.steps, summary.evaluations.len()), (2, 2));
        assert!(dir.path().join("report.html").exists());
        assert_eq!(train(config, 2, dir.path()).unwrap().without_times(), summary.without_times());
    }
}
