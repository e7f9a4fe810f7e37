//! Is supervised fine-tuning needed before reinforcement learning? Tool-Zero's question (arXiv 2511.01934), on the
//! miniature world with one seed: fine-tuning, plain GRPO, and GRPO with a reward that moves from general to strict.
//!
//! ```sh
//! cargo run --release --example tool_zero
//! ```
//!
//! Every arm starts from the same base model and makes the same number of updates on the same tasks. It is then
//! evaluated on tools of that family that it never saw in use, and on another family with other wording.
//! `sparring study tool-zero` runs all arms with several seeds, resumes, and writes a page of curves.

use sparring::candle::{CandlePolicy, PolicyOptions};
use sparring::core::BoxError;
use sparring::miniature::{Part, TaskFamily, World, prompts, write_base};
use sparring::prelude::*;
use sparring::recipes::tool_r0::{GameOptions, SpecDistribution, ToolR0Game};
use sparring::recipes::tool_zero::{Arm, ToolZeroConfig, Training};
use sparring::train::Evaluation;
use sparring_examples::exit_code;
use std::io::Write;
use std::process::ExitCode;

/// The size of the experiment.
struct Size {
    updates: usize,
    training: usize,
    evaluation: usize,
}

fn main() -> ExitCode {
    let size = Size { updates: 32, training: 800, evaluation: 300 };
    exit_code(compare(&size, ToolZeroConfig::default(), &mut std::io::stdout()))
}

fn compare(size: &Size, mut config: ToolZeroConfig, out: &mut dyn Write) -> Result<(), BoxError> {
    // 1. The method: updates, learning rates and the moving reward, as the paper describes them.
    config.updates = size.updates;
    let most = config.max_tokens;
    let plan = config.build()?;

    // 2. The game makes a task's prompt and verifies the answer. Only the calls count here, not the reasoning.
    let mut options = GameOptions::default();
    options.require_think = false;
    let game = ToolR0Game::new(SpecDistribution::default(), &prompts(), options)?;

    // 3. Tasks of one family to learn on; evaluations on both.
    let world = World::new();
    let tasks = TaskFamily::Errands.tasks(&world, Part::Train, size.training);
    let evaluations = [("intra", TaskFamily::Errands), ("cross", TaskFamily::Errands.other())]
        .map(|(name, family)| Evaluation::greedy(name, family.tasks(&world, Part::Test, size.evaluation)));

    // 4. The base model that comes with the repository.
    let scratch = tempfile::tempdir()?;
    write_base(scratch.path())?;
    let base = CandlePolicy::load(scratch.path(), PolicyOptions::default())?;
    let encoder = base.tokenizer().clone();

    // 5. Each arm: a copy of the base, its updates, its evaluations.
    writeln!(out, "accuracy in %, greedy, after {} updates\n", size.updates)?;
    for arm in [Arm::Sft, Arm::Grpo, Arm::Progressive] {
        let mut policy = base.duplicate();
        let training =
            Training { plan: &plan, game: &game, encoder: &encoder, tasks: &tasks, seed: Seed::new(1) };
        training.run(arm, &mut policy, &mut |record| {
            eprint!("\r{:24} update {} of {}", arm.label(), record.step + 1, size.updates);
        })?;
        eprintln!();
        write!(out, "{:24}", arm.label())?;
        for evaluation in &evaluations {
            let score = evaluation.run(&game, &policy, most, Seed::new(11))?;
            write!(out, "  {} {:5.1}", evaluation.name, 100.0 * score.accuracy)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_arm_is_trained_and_evaluated() {
        let mut config = ToolZeroConfig::default();
        (config.prompts_per_step, config.group_size, config.max_tokens) = (1, 2, 12);
        config.supervised.examples_per_step = 1;
        let mut out = Vec::new();
        compare(&Size { updates: 2, training: 4, evaluation: 2 }, config, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches("intra").count(), 3, "{text}");
        assert_eq!(text.matches("cross").count(), 3, "{text}");
    }
}
