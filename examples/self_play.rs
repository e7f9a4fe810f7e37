//! Two small models teach each other to call tools, from no data at all (Tool-R0, arXiv 2602.21320).
//!
//! ```sh
//! cargo run --release --example self_play                                  # the miniature, on a laptop CPU
//! cargo run --release --example self_play -- --preset quick --out runs/q   # one short iteration
//! cargo run --release --example self_play -- --resume runs/q               # continue where it was stopped
//! ```
//!
//! A Generator invents requests, lists of tools and the calls that serve them; a Solver answers them. The
//! Generator is rewarded for tasks that the Solver solves sometimes, the Solver for right calls. Both start from
//! the same base model. At the end the Solver is evaluated on tools that no document showed the base in use.
//! `sparring play` does the same with any model, adapters, devices and settings of your own.

use clap::Parser;
use sparring::candle::{CandlePolicy, PolicyOptions};
use sparring::core::BoxError;
use sparring::miniature;
use sparring::prelude::*;
use sparring::recipes::tool_r0::{Preset, ToolR0Config};
use sparring::selfplay::{Outcome, Players, Seat, SelfPlay, write_report};
use sparring::train::progress::Progress;
use sparring::train::store::{RunInfo, newest_checkpoint};
use sparring_examples::exit_code;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Two small models teach each other to call tools.
#[derive(Debug, Parser)]
struct Args {
    /// Named settings: miniature, or quick.
    #[arg(long, default_value = "miniature", conflicts_with = "resume")]
    preset: String,
    /// Seed of every random choice.
    #[arg(long, default_value_t = 1, conflicts_with = "resume")]
    seed: u64,
    /// Folder of a new run [default: runs/PRESET-SEED].
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    out: Option<PathBuf>,
    /// Folder of a run to continue from its newest checkpoint.
    #[arg(long, value_name = "DIR")]
    resume: Option<PathBuf>,
}

fn main() -> ExitCode {
    exit_code(play(&Args::parse()))
}

fn play(args: &Args) -> Result<(), BoxError> {
    // 1. Settings: those of a preset; of a run that is resumed, its own.
    let (preset, seed, config) = if let Some(dir) = &args.resume {
        let info = RunInfo::read(dir)?;
        let file = dir.join("config.toml").display().to_string();
        (info.preset, info.seed, ToolR0Config::from_toml(&info.config, &file)?)
    } else {
        let config = Preset::load(&args.preset)?.with_prompts(miniature::prompts());
        (args.preset.clone(), args.seed, config)
    };
    let new = || args.out.clone().unwrap_or_else(|| PathBuf::from(format!("runs/{preset}-{seed}")));
    let dir = args.resume.clone().unwrap_or_else(new);

    // 2. Players: two copies of the base model that comes with the repository.
    let scratch = tempfile::tempdir()?;
    miniature::write_base(scratch.path())?;
    let base = CandlePolicy::load(scratch.path(), PolicyOptions::default())?;
    let copy = || Box::new(base.duplicate());
    let players = Players::Separate { generator: Seat::Learns(copy()), solver: copy() };

    // 3. The game (prompts, reading of proposals, verifier) and the rewards, as the settings say.
    let text = config.to_toml()?;
    let recipe = config.build()?;
    let mut run = SelfPlay::new(
        recipe.self_play,
        &recipe.game,
        recipe.generator_reward,
        recipe.solver_reward,
        players,
        Seed::new(seed), // every random choice descends from it: the same seed gives the same run
    )
    .with_preset(preset)
    .with_config_text(text)
    .with_observer(Progress::new());

    // 4. Evaluations before the first and after every iteration: test sets of the miniature world.
    for evaluation in miniature::evaluations() {
        run = run.with_evaluation(evaluation);
    }

    // 5. The run, and its outcome as a table and as a page.
    let summary = if args.resume.is_some() { run.resume(&dir)? } else { run.run(&dir)? };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", Outcome::new(&summary, &dir)?)?;
    writeln!(out, "report: {}", write_report(&dir)?.display())?;
    writeln!(out, "trained Solver: {}", newest_checkpoint(&dir)?.join("solver").display())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_folders_and_presets_are_refused() {
        let run = |words: &[&str]| {
            let args = Args::try_parse_from([&["self_play"], words].concat()).unwrap();
            play(&args).unwrap_err().to_string()
        };
        assert!(run(&["--preset", "nope"]).contains("there is no preset `nope`"));
        assert!(run(&["--resume", "/nonexistent"]).starts_with("/nonexistent"));
    }
}
