//! The command line and the settings that follow from it.

use crate::errors::stem;
use crate::eval::identity::file_digest;
use crate::models::{ModelArgs, RANK, inputs};
use crate::numbers::{self, rank};
use crate::play::benchmarks::EvalArg;
use crate::play::recipe::Recipe;
use crate::stop::{changes, continuation, option};
use sparring::core::BoxError;
use sparring::miniature;
use sparring::train::store::{Changes, RunInfo, check_settings};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Two small models teach each other to call tools.
#[derive(Debug, Clone, clap::Args)]
#[command(group(clap::ArgGroup::new("own_tools").args(["tools", "mcp"])))]
pub(crate) struct Args {
    /// Named settings: paper, released, corrected, shared-weights, frozen-generator, no-difficulty,
    /// rectangular-band, miniature or quick; with --tools, own-tools or own-tools-quick [default: miniature, or
    /// own-tools].
    #[arg(long, conflicts_with_all = ["config", "resume"])]
    preset: Option<String>,
    /// Your own tools, also when resuming: definitions in any common form (OpenAI's, MCP's, ...), as a JSON list or one
    /// a line. Self-play then makes the model good at calling them.
    #[arg(long, value_name = "FILE", requires = "model")]
    pub(crate) tools: Option<PathBuf>,
    /// The tools of an MCP server instead: its URL (http://... or https://..., with a bearer token from the environment
    /// variable SPARRING_MCP_TOKEN), or the command line that starts it. The run keeps them as tools.json, by which it
    /// is resumed.
    #[arg(long, value_name = "SERVER", requires = "model", conflicts_with = "resume")]
    pub(crate) mcp: Option<String>,
    /// Requests of your own with the right calls, in the unified form, also when resuming: a share of the tasks that
    /// the Solver learns from.
    #[arg(long, value_name = "FILE", requires = "own_tools")]
    pub(crate) tasks: Option<PathBuf>,
    /// Their share, up to 1 (then the Generator writes none; set `generator.train = false`).
    #[arg(long, value_name = "SHARE", default_value_t = 0.3, requires = "tasks", value_parser = numbers::real::<f32>)]
    pub(crate) tasks_share: f32,
    /// Measures the model between iterations, also when resuming; any number of times. PATH is a file of requests in
    /// the unified form, or the folder of a benchmark, whose name (bfcl, snips, ...) is then NAME.
    #[arg(long = "eval", value_name = "NAME:PATH")]
    pub(crate) evals: Vec<EvalArg>,
    /// Only so many items of each, evenly spaced.
    #[arg(long, value_name = "N", requires = "evals", value_parser = numbers::count)]
    pub(crate) eval_limit: Option<usize>,
    /// Also measures how the model answers without a grammar, as NAME-free.
    #[arg(long, requires_all = ["evals", "own_tools"])]
    pub(crate) eval_free: bool,
    /// Also measures how the model answers with worked examples of other tools in its prompt, as NAME-examples: what
    /// the base can do without training.
    #[arg(long, requires_all = ["evals", "own_tools"])]
    pub(crate) eval_examples: bool,
    /// A TOML file of settings instead; `extends = "miniature"` in it starts from a preset.
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    config: Option<PathBuf>,
    /// Seed of every random choice.
    #[arg(long, default_value_t = 1, conflicts_with = "resume", value_parser = numbers::seed)]
    seed: u64,
    /// Folder of a new run [default: runs/PRESET-SEED].
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    out: Option<PathBuf>,
    /// Folder of a run to continue from its newest checkpoint.
    #[arg(long, value_name = "DIR")]
    resume: Option<PathBuf>,
    /// Continues although settings or the seed in the run's folder were changed since it began, and records what
    /// changed.
    #[arg(long, requires = "resume")]
    take_changes: bool,
    /// The base model, also when resuming: a Hugging Face folder, a GGUF file, or the id of a model that is downloaded
    /// from the hub (OWNER/NAME, OWNER/NAME@REVISION, OWNER/NAME:FILE.gguf) [default: the embedded miniature].
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<PathBuf>,
    /// Train low-rank adapters of this rank; both players then share one base in memory.
    #[arg(long, value_name = "RANK", conflicts_with = "resume", value_parser = numbers::rank)]
    pub(crate) lora: Option<usize>,
    #[command(flatten)]
    pub(crate) device: ModelArgs,
}

/// The settings of a run, and its folder.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) recipe: Recipe,
    pub(crate) preset: String,
    pub(crate) seed: u64,
    pub(crate) dir: PathBuf,
    pub(crate) resume: bool,
    /// What happens to settings that were changed since the run began.
    pub(crate) changes: Changes,
    /// Rank of the adapters.
    pub(crate) lora: Option<usize>,
    /// What the run depends on beside these.
    pub(crate) inputs: BTreeMap<String, String>,
}

impl Settings {
    /// Settings of a new run, or of the run that is resumed.
    pub(crate) fn read(args: &Args) -> Result<Self, BoxError> {
        if let Some(dir) = &args.resume {
            let info = RunInfo::read(dir)?;
            let wrong = |why| format!("{}: the {RANK} {why}", dir.join("run.json").display());
            let lora = info.inputs.get(RANK).map(|text| rank(text)).transpose().map_err(wrong)?;
            let inputs = args.inputs(lora)?;
            info.check_inputs(dir, &inputs)?;
            let file = dir.join("config.toml").display().to_string();
            let recipe = Recipe::from_toml(&info.config, &file, args.tools.is_some())?;
            let changes = changes(args.take_changes);
            if changes == Changes::Refuse {
                check_settings(dir, &info.clone().with_config(recipe.to_toml()?))?;
            }
            let (preset, seed, dir) = (info.preset, info.seed, dir.clone());
            return Ok(Self { recipe, preset, seed, dir, resume: true, changes, lora, inputs });
        }
        let own_tools = args.tools.is_some();
        let (mut recipe, preset) = match &args.config {
            Some(path) => (Recipe::read_file(path, own_tools)?, stem(path)),
            None => Recipe::preset(args.preset.as_deref(), own_tools)?,
        };
        if let Recipe::ToolR0(config) = &mut recipe
            && config.prompts.is_none()
            && args.model.is_none()
        {
            // The miniature base only knows its own, short prompts.
            config.prompts = Some(miniature::prompts());
        }
        let dir = match &args.out {
            Some(dir) => dir.clone(),
            None => Path::new("runs").join(format!("{preset}-{}", args.seed)),
        };
        let (lora, inputs) = (args.lora, args.inputs(args.lora)?);
        let (seed, changes) = (args.seed, Changes::Refuse);
        Ok(Self { recipe, preset, seed, dir, resume: false, changes, lora, inputs })
    }
}

impl Args {
    /// These options, with another file of tools if there is one.
    pub(crate) fn with_tools(&self, tools: Option<PathBuf>) -> Self {
        Self { tools: tools.or_else(|| self.tools.clone()), ..self.clone() }
    }

    /// The command that continues this run, in the folder `dir`.
    pub(crate) fn continuation(&self, dir: &Path) -> String {
        let tools = option("--tools", self.tools.as_deref().map(Path::display));
        let evals = self
            .evals
            .iter()
            .flat_map(|EvalArg { name, path }| option("--eval", Some(format!("{name}:{}", path.display()))));
        let free = self.eval_free.then(|| "--eval-free".to_owned());
        let examples = self.eval_examples.then(|| "--eval-examples".to_owned());
        let tasks = option("--tasks", self.tasks.as_deref().map(Path::display));
        let share = option("--tasks-share", self.tasks.as_ref().map(|_| self.tasks_share));
        let more = tools
            .chain(tasks)
            .chain(share)
            .chain(evals)
            .chain(option("--eval-limit", self.eval_limit))
            .chain(free)
            .chain(examples)
            .chain(self.take_changes.then(|| "--take-changes".to_owned()));
        continuation("play", dir, self.model.as_deref(), &self.device, more)
    }

    /// What a run depends on beside its settings and seed, by name.
    fn inputs(&self, lora: Option<usize>) -> Result<BTreeMap<String, String>, BoxError> {
        let mut inputs = inputs(self.model.as_deref(), lora, &self.device)?;
        if let Some(tools) = &self.tools {
            inputs.insert("tools".to_owned(), file_digest(tools)?);
        }
        if let Some(tasks) = &self.tasks {
            inputs.insert("tasks".to_owned(), file_digest(tasks)?);
        }
        for eval in &self.evals {
            let limit = self.eval_limit.map_or_else(String::new, |limit| format!(", {limit} items"));
            inputs.insert(eval.input(), format!("{}{limit}", eval.digest()?));
        }
        Ok(inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Settings, BoxError> {
        Settings::read(&crate::parse(arguments)?)
    }

    fn prompts(settings: &Settings) -> Option<sparring::recipes::tool_r0::Prompts> {
        match &settings.recipe {
            Recipe::ToolR0(config) => config.prompts.clone(),
            Recipe::OwnTools(_) => None,
        }
    }

    #[test]
    fn defaults_play_the_miniature_with_its_prompts() {
        let settings = read(&[]).unwrap();
        assert_eq!((settings.preset.as_str(), settings.seed, settings.resume), ("miniature", 1, false));
        assert_eq!(settings.dir, Path::new("runs/miniature-1"));
        assert_eq!(prompts(&settings), Some(miniature::prompts()));
        let folder = tempfile::tempdir().unwrap();
        let other = read(&["--model", &folder.path().to_string_lossy(), "--preset", "paper"]).unwrap();
        assert_eq!(prompts(&other), None);
    }

    #[test]
    fn a_file_of_settings_names_the_run() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.toml");
        std::fs::write(&path, "extends = \"quick\"\n[self_play]\niterations = 2\n").unwrap();
        let settings = read(&["--config", &path.to_string_lossy()]).unwrap();
        assert_eq!((settings.preset.as_str(), settings.recipe.self_play().iterations), ("mine", 2));
        let missing = read(&["--config", "none.toml"]).unwrap_err().to_string();
        assert!(missing.starts_with("none.toml: "), "{missing}");
    }

    #[test]
    fn a_run_with_the_tools_of_a_server_continues_with_the_file() {
        let args: Args = crate::parse(&["--model", "m", "--mcp", "npx server"]).unwrap();
        let command = args.with_tools(Some("run/tools.json".into())).continuation(Path::new("run"));
        assert!(
            command.starts_with("sparring play --resume run --model m --tools run/tools.json"),
            "{command}"
        );
        assert!(!command.contains("--mcp"), "{command}");
    }

    #[test]
    fn contradictions_are_refused() {
        assert!(read(&["--resume", "x", "--seed", "2"]).is_err());
        assert!(read(&["--config", "x", "--preset", "quick"]).is_err());
        let error = read(&["--resume", "/nonexistent"]).unwrap_err().to_string();
        assert!(error.starts_with("/nonexistent"), "{error}");
    }
}
