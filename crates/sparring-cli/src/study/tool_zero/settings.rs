//! The command line and the settings that follow from it.

use crate::numbers;
use serde::{Deserialize, Serialize};
use sparring::core::BoxError;
use sparring::miniature::Part;
use sparring::recipes::tool_zero::{Arm, GoldThought, ToolZeroConfig};
use std::path::PathBuf;

/// Tool-Zero's experiment on the miniature world.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Size of the experiment: full or quick.
    #[arg(long, default_value = "full")]
    preset: String,
    /// Seeds 1 to N of every arm [default: 3; of the quick preset 1].
    #[arg(long, value_name = "N", value_parser = numbers::seed)]
    seeds: Option<u64>,
    /// Updates of every arm [default: the preset's].
    #[arg(long, value_name = "N", value_parser = numbers::count)]
    updates: Option<usize>,
    /// Arms, separated by commas: sft, sft_then_rl, grpo, value_penalty, multi_call, masking, progressive, switching
    /// [default: all but the last].
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    arms: Vec<String>,
    /// Folder of the results [default: runs/tool-zero-PRESET].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Runs at a time [default: one for each core]; results do not depend on it.
    #[arg(long, value_name = "N", value_parser = numbers::threads)]
    threads: Option<usize>,
    /// Learning rate for all arms of this run, instead of their own: to tune it.
    #[arg(long, value_name = "RATE", value_parser = numbers::real::<f64>)]
    lr: Option<f64>,
    /// Evaluate on validation tasks instead of the test tasks: to choose settings.
    #[arg(long)]
    validation: bool,
    /// Tasks of each evaluation [default: the preset's].
    #[arg(long, value_name = "N", value_parser = numbers::count)]
    evaluation: Option<usize>,
    /// m/T: the share of the run after which the general and the strict reward have equal weight [default: 0.25].
    #[arg(long, value_name = "SHARE", value_parser = numbers::real::<f64>)]
    middle: Option<f64>,
    /// κ·T: how sharply the reward changes [default: 10].
    #[arg(long, value_name = "X", value_parser = numbers::real::<f64>)]
    steepness: Option<f64>,
    /// Give gold answers a plan as their reasoning: an oracle that data sets of calls do not have.
    #[arg(long)]
    gold_plans: bool,
}

/// The tasks of the experiment.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tasks {
    /// Tasks to learn on.
    pub(crate) training: usize,
    /// Tasks of each evaluation.
    pub(crate) evaluation: usize,
    /// Tasks of each evaluation on which the base tries several times.
    pub(crate) coverage: usize,
    /// Whether the evaluations are of validation tasks.
    pub(crate) validation: bool,
}

/// What decides a result, beside arm and seed: the content of `config.toml`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Config {
    pub(crate) tasks: Tasks,
    pub(crate) tool_zero: ToolZeroConfig,
}

/// The settings of an experiment, and its folder.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) preset: String,
    pub(crate) config: Config,
    pub(crate) arms: Vec<Arm>,
    pub(crate) seeds: u64,
    pub(crate) dir: PathBuf,
    pub(crate) threads: usize,
}

impl Settings {
    pub(crate) fn read(args: &Args) -> Result<Self, BoxError> {
        let (mut config, seeds) = preset(&args.preset)?;
        let c = &mut config.tool_zero;
        if let Some(updates) = args.updates {
            c.updates = updates;
        }
        if let Some(middle) = args.middle {
            c.schedule.middle = middle;
        }
        if let Some(steepness) = args.steepness {
            c.schedule.steepness = steepness;
        }
        if args.gold_plans {
            c.supervised.thought = GoldThought::Plan;
        }
        config.tasks.validation = args.validation;
        if let Some(evaluation) = args.evaluation {
            config.tasks.evaluation = evaluation;
        }
        let arms = if args.arms.is_empty() {
            Arm::DEFAULT.to_vec()
        } else {
            args.arms.iter().map(|name| Ok(name.parse::<Arm>()?)).collect::<Result<_, BoxError>>()?
        };
        if let Some(lr) = args.lr {
            config.tool_zero.lr.extend(arms.iter().map(|&arm| (arm, lr)));
        }
        let seeds = args.seeds.unwrap_or(seeds);
        if seeds == 0 {
            return Err("seeds: must be at least 1".into());
        }
        let out = args.out.clone();
        let dir = out.unwrap_or_else(|| PathBuf::from(format!("runs/tool-zero-{}", args.preset)));
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = args.threads.unwrap_or(cores).max(1);
        Ok(Self { preset: args.preset.clone(), config, arms, seeds, dir, threads })
    }

    /// The tasks that the evaluations use.
    pub(crate) fn evaluated(&self) -> Part {
        if self.config.tasks.validation { Part::Validation } else { Part::Test }
    }
}

/// Settings of a preset, and its number of seeds.
fn preset(name: &str) -> Result<(Config, u64), BoxError> {
    let mut tool_zero = ToolZeroConfig::default();
    match name {
        "full" => {
            let tasks = Tasks { training: 800, evaluation: 300, coverage: 200, validation: false };
            Ok((Config { tasks, tool_zero }, 3))
        }
        "quick" => {
            tool_zero.updates = 12;
            let tasks = Tasks { training: 200, evaluation: 100, coverage: 25, validation: false };
            Ok((Config { tasks, tool_zero }, 1))
        }
        other => Err(format!("there is no preset `{other}`; choose full or quick").into()),
    }
}
