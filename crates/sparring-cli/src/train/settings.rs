//! The command line and the settings that follow from it.

use crate::asking::PromptChoice;
use crate::errors::{at, read_text, stem};
use crate::eval::identity::file_digest;
use crate::models::{ModelArgs, inputs};
use crate::numbers;
use crate::stop::{changes, continuation, option};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use sparring::core::{BoxError, SamplingParams};
use sparring::recipes::papers::{PaperConfig, PaperPreset};
use sparring::reward::{BoxReward, RewardConfig};
use sparring::tools::ToolTask;
use sparring::train::TrainConfig;
use sparring::train::store::{Changes, RunInfo, check_settings};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Trains a model on a file of tasks by GRPO.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Reward and update of a paper: toolrl/original, tool-n1/binary, tool-zero/paper, r-zero/paper,
    /// absolute-zero/paper, agent0/paper or a variant of these; an unknown name lists them all.
    #[arg(long, required_unless_present_any = ["config", "resume"], conflicts_with_all = ["config", "resume"])]
    preset: Option<String>,
    /// A TOML file with a reward and an update instead; `extends = "toolrl/original"` in it starts from a preset.
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    config: Option<PathBuf>,
    /// The tasks to train on, one JSON object a line: id, benchmark, messages, tools, answers. When resuming, where
    /// they are now, if they were moved.
    #[arg(long, value_name = "FILE", required_unless_present = "resume")]
    tasks: Option<PathBuf>,
    /// Other tasks of the same form: share of exactly right greedy answers before and after training.
    #[arg(long, value_name = "FILE")]
    evaluate: Option<PathBuf>,
    /// Evaluate every N updates as well.
    #[arg(long, value_name = "N", requires = "evaluate", conflicts_with = "resume", value_parser = numbers::count)]
    evaluate_every: Option<usize>,
    /// Who is trained, in papers that have a proposer and a solver.
    #[arg(long, default_value = "solver", conflicts_with = "resume")]
    player: Trained,
    /// How tools are shown to the model: by its chat template, in words, or `auto`: the template if it asks for calls
    /// in the format that the reward reads.
    #[arg(long, default_value = "auto", conflicts_with = "resume")]
    prompt: PromptChoice,
    /// Answers of the base model per question of a proposer.
    #[arg(long, default_value_t = 8, value_name = "N", conflicts_with = "resume", value_parser = numbers::samples)]
    probes: usize,
    /// Folder of a new run [default: runs/PRESET-SEED].
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    out: Option<PathBuf>,
    /// Folder of a run to continue from its newest checkpoint, with its own settings and tasks.
    #[arg(long, value_name = "DIR")]
    resume: Option<PathBuf>,
    /// Continues although settings or the seed in the run's folder were changed since it began, and records what
    /// changed.
    #[arg(long, requires = "resume")]
    take_changes: bool,
    /// Seed of every random choice.
    #[arg(long, default_value_t = 1, conflicts_with = "resume", value_parser = numbers::seed)]
    seed: u64,
    /// The model, also when resuming: a Hugging Face folder, a GGUF file, or the id of a model that is downloaded from
    /// the hub (OWNER/NAME, OWNER/NAME@REVISION, OWNER/NAME:FILE.gguf) [default: the embedded miniature].
    #[arg(long, value_name = "MODEL")]
    model: Option<PathBuf>,
    /// Train low-rank adapters of this rank instead of the weights.
    #[arg(long, value_name = "RANK", conflicts_with = "resume", value_parser = numbers::rank)]
    lora: Option<usize>,
    #[command(flatten)]
    overrides: Overrides,
    #[command(flatten)]
    device: ModelArgs,
}

/// Settings of the update that replace those of the preset or file. Papers train with hundreds of prompts a step.
#[derive(Debug, clap::Args)]
struct Overrides {
    /// Number of updates.
    #[arg(long, value_name = "N", conflicts_with = "resume", value_parser = numbers::count)]
    steps: Option<usize>,
    /// Prompts per update.
    #[arg(long, value_name = "N", conflicts_with = "resume", value_parser = numbers::count)]
    prompts_per_step: Option<usize>,
    /// Completions per prompt.
    #[arg(long, value_name = "N", conflicts_with = "resume", value_parser = numbers::count)]
    group_size: Option<usize>,
    /// Maximum number of tokens per completion.
    #[arg(long, value_name = "N", conflicts_with = "resume", value_parser = numbers::tokens)]
    max_tokens: Option<usize>,
    /// Learning rate.
    #[arg(long, value_name = "RATE", conflicts_with = "resume", value_parser = numbers::real::<f64>)]
    lr: Option<f64>,
}

/// Who is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Trained {
    /// Answers the tasks.
    Solver,
    /// Writes new tasks.
    Proposer,
}

/// What a run depends on beside reward, update and seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Run {
    pub(crate) tasks: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) evaluate: Option<PathBuf>,
    pub(crate) player: Trained,
    pub(crate) prompt: PromptChoice,
    pub(crate) probes: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lora: Option<usize>,
}

/// The content of `config.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recorded {
    pub(crate) run: Run,
    pub(crate) paper: PaperConfig,
}

/// What is trained, how, and where.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) recorded: Recorded,
    pub(crate) preset: String,
    pub(crate) seed: u64,
    pub(crate) dir: PathBuf,
    pub(crate) resume: bool,
    /// What happens to settings that were changed since the run began.
    pub(crate) changes: Changes,
    pub(crate) model: Option<PathBuf>,
    pub(crate) device: ModelArgs,
    /// Where the tasks are now.
    pub(crate) tasks: PathBuf,
    /// Where the evaluation's tasks are now.
    pub(crate) evaluate: Option<PathBuf>,
    /// What the run depends on beside its settings and seed, by name.
    pub(crate) inputs: BTreeMap<String, String>,
}

impl Settings {
    /// Settings of a new run, or of the run that is resumed.
    pub(crate) fn read(args: &Args) -> Result<Self, BoxError> {
        if let Some(dir) = &args.resume {
            let info = RunInfo::read(dir)?;
            let file = dir.join("config.toml").display().to_string();
            let recorded: Recorded = sparring::train::from_toml(&info.config, &file)?;
            recorded.run.check(&file)?;
            if !args.take_changes {
                check_settings(dir, &info.clone().with_config(recorded.to_toml()?))?;
            }
            let (preset, seed, dir) = (info.preset.clone(), info.seed, dir.clone());
            let settings = Self::new(args, recorded, preset, seed, dir)?;
            info.check_inputs(&settings.dir, &settings.inputs)?;
            return Ok(settings);
        }
        let (mut paper, preset) = match (&args.config, &args.preset) {
            (Some(path), _) => (read_file(path)?, stem(path)),
            (None, Some(name)) => (PaperPreset::load(name)?, name.replace('/', "-")),
            (None, None) => return Err("name a --preset or a --config".into()),
        };
        args.override_updates(&mut paper);
        let recorded = Recorded { run: Run::new(args)?, paper };
        recorded.update()?;
        let default = || Path::new("runs").join(format!("{preset}-{}", args.seed));
        let dir = args.out.clone().unwrap_or_else(default);
        Self::new(args, recorded, preset, args.seed, dir)
    }

    fn new(
        args: &Args,
        recorded: Recorded,
        preset: String,
        seed: u64,
        dir: PathBuf,
    ) -> Result<Self, BoxError> {
        let run = &recorded.run;
        let tasks = args.tasks.as_ref().unwrap_or(&run.tasks).clone();
        if args.evaluate.is_some() && run.evaluate.is_none() {
            return Err(
                "--evaluate: the run that is resumed has no evaluation; leave it out, or start a new run"
                    .into(),
            );
        }
        let evaluate = run.evaluate.as_ref().map(|file| args.evaluate.as_ref().unwrap_or(file).clone());
        let (model, device) = (args.model.clone(), args.device.clone());
        let mut inputs = inputs(model.as_deref(), run.lora, &device)?;
        for (name, file) in [("task file", Some(&tasks)), ("evaluation file", evaluate.as_ref())] {
            if let Some(file) = file {
                inputs.insert(name.to_owned(), file_digest(file)?);
            }
        }
        let resume = args.resume.is_some();
        let changes = changes(args.take_changes);
        Ok(Self { recorded, preset, seed, dir, resume, changes, model, device, tasks, evaluate, inputs })
    }
}

impl Args {
    /// The command that continues this run, in the folder `dir`; tasks that were moved are where they are now.
    pub(crate) fn continuation(&self, dir: &Path) -> String {
        let moved = |file: &Option<PathBuf>| file.clone().filter(|_| self.resume.is_some());
        let (tasks, evaluate) = (moved(&self.tasks), moved(&self.evaluate));
        let tasks = option("--tasks", tasks.as_deref().map(Path::display));
        let moved = tasks.chain(option("--evaluate", evaluate.as_deref().map(Path::display)));
        let moved = moved.chain(self.take_changes.then(|| "--take-changes".to_owned()));
        continuation("train", dir, self.model.as_deref(), &self.device, moved)
    }

    /// The options that replace settings of the one that is trained; `--max-tokens` is also the limit of the answers to
    /// a proposer's questions.
    fn override_updates(&self, paper: &mut PaperConfig) {
        let set = |field: &mut usize, value: Option<usize>| *field = value.unwrap_or(*field);
        let o = &self.overrides;
        for update in updates(paper).into_iter().flatten() {
            set(&mut update.sampling.max_tokens, o.max_tokens);
        }
        if let Some(update) = trained(paper, self.player) {
            set(&mut update.steps, o.steps);
            set(&mut update.prompts_per_step, o.prompts_per_step);
            set(&mut update.group_size, o.group_size);
            set(&mut update.evaluate_every, self.evaluate_every);
            update.lr = o.lr.unwrap_or(update.lr);
        }
    }
}

fn updates(paper: &mut PaperConfig) -> [Option<&mut TrainConfig>; 3] {
    [paper.update.as_mut(), paper.solver_update.as_mut(), paper.proposer_update.as_mut()]
}

fn trained(paper: &mut PaperConfig, player: Trained) -> Option<&mut TrainConfig> {
    match player {
        Trained::Solver => paper.update.as_mut().or(paper.solver_update.as_mut()),
        Trained::Proposer => paper.proposer_update.as_mut(),
    }
}

impl Run {
    fn new(args: &Args) -> Result<Self, BoxError> {
        let tasks = args.tasks.as_deref().ok_or("name a file of tasks (--tasks)")?;
        let absolute = |path: &Path| path.canonicalize().map_err(at(path));
        if args.player == Trained::Proposer && args.evaluate.is_some() {
            return Err("--evaluate measures answers, and --player proposer gives none; leave one out".into());
        }
        if args.probes == 0 {
            return Err("--probes must be at least 1".into());
        }
        Ok(Self {
            // A run may be resumed from another folder.
            tasks: absolute(tasks)?,
            evaluate: args.evaluate.as_deref().map(absolute).transpose()?,
            player: args.player,
            prompt: args.prompt,
            probes: args.probes,
            lora: args.lora,
        })
    }
}

impl Run {
    /// Checks what a person may have edited in `file`.
    fn check(&self, file: &str) -> Result<(), BoxError> {
        let wrong = |field: &str, why: String| format!("{file}: run.{field}: {why}");
        numbers::samples(&self.probes.to_string()).map_err(|why| wrong("probes", why))?;
        if let Some(lora) = self.lora {
            numbers::rank(&lora.to_string()).map_err(|why| wrong("lora", why))?;
        }
        Ok(())
    }
}

impl Recorded {
    /// As TOML.
    pub(crate) fn to_toml(&self) -> Result<String, BoxError> {
        Ok(toml::to_string_pretty(self)?)
    }

    /// The update of the one that is trained.
    pub(crate) fn update(&self) -> Result<&TrainConfig, BoxError> {
        let paper = &self.paper;
        match self.run.player {
            Trained::Solver => paper.update.as_ref().or(paper.solver_update.as_ref()),
            Trained::Proposer => paper.proposer_update.as_ref(),
        }
        .ok_or_else(|| match self.run.player {
            Trained::Solver => "the settings have no [update] or [solver_update]".into(),
            Trained::Proposer => "these settings have no proposer; leave out --player proposer".into(),
        })
    }

    /// How a solver's answers are drawn.
    pub(crate) fn solver_sampling(&self) -> SamplingParams {
        let update = self.paper.solver_update.as_ref().or(self.paper.update.as_ref());
        update.map(|update| update.sampling.clone()).unwrap_or_default()
    }

    /// The settings of the solver's reward.
    pub(crate) fn solver(&self) -> Result<&RewardConfig, BoxError> {
        let reward = self.paper.reward.as_ref().or(self.paper.solver_reward.as_ref());
        reward.ok_or_else(|| "the settings have no [reward] or [solver_reward]".into())
    }

    /// The solver's reward.
    pub(crate) fn solver_reward(&self) -> Result<BoxReward<ToolTask>, BoxError> {
        let paper = &self.paper;
        Ok(if paper.reward.is_some() { paper.reward()? } else { paper.solver_reward()? })
    }

    /// The settings of the proposer's reward.
    pub(crate) fn proposer(&self) -> Result<&RewardConfig, BoxError> {
        self.paper.proposer_reward.as_ref().ok_or_else(|| "the settings have no [proposer_reward]".into())
    }
}

fn read_file(path: &Path) -> Result<PaperConfig, BoxError> {
    Ok(PaperConfig::from_toml(&read_text(path, "--config")?, &path.display().to_string())?)
}
