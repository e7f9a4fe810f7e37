//! The command line and the settings that follow from it.

use crate::errors::{read_text, stem};
use crate::models::{DeviceArgs, RANK, inputs};
use crate::stop::continuation;
use sparring::core::BoxError;
use sparring::miniature;
use sparring::recipes::tool_r0::{Preset, ToolR0Config};
use sparring::train::store::RunInfo;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Two small models teach each other to call tools.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Named settings: paper, released, corrected, shared-weights, frozen-generator, no-difficulty,
    /// rectangular-band, miniature or quick.
    #[arg(long, default_value = "miniature", conflicts_with_all = ["config", "resume"])]
    preset: String,
    /// A TOML file of settings instead; `extends = "miniature"` in it starts from a preset.
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    config: Option<PathBuf>,
    /// Seed of every random choice.
    #[arg(long, default_value_t = 1, conflicts_with = "resume")]
    seed: u64,
    /// Folder of a new run [default: runs/PRESET-SEED].
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    out: Option<PathBuf>,
    /// Folder of a run to continue from its newest checkpoint.
    #[arg(long, value_name = "DIR")]
    resume: Option<PathBuf>,
    /// The base model, also when resuming: a Hugging Face folder, a GGUF file, or the id of a model that is downloaded
    /// from the hub (OWNER/NAME, OWNER/NAME@REVISION, OWNER/NAME:FILE.gguf) [default: the embedded miniature].
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<PathBuf>,
    /// Train low-rank adapters of this rank; both players then share one base in memory.
    #[arg(long, value_name = "RANK", conflicts_with = "resume")]
    pub(crate) lora: Option<usize>,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
}

/// The settings of a run, and its folder.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config: ToolR0Config,
    pub(crate) preset: String,
    pub(crate) seed: u64,
    pub(crate) dir: PathBuf,
    pub(crate) resume: bool,
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
            let lora = info.inputs.get(RANK).and_then(|rank| rank.parse().ok());
            let inputs = args.inputs(lora)?;
            info.check_inputs(dir, &inputs)?;
            let file = dir.join("config.toml").display().to_string();
            let config = ToolR0Config::from_toml(&info.config, &file)?;
            let (preset, seed, dir) = (info.preset, info.seed, dir.clone());
            return Ok(Self { config, preset, seed, dir, resume: true, lora, inputs });
        }
        let (mut config, preset) = match &args.config {
            Some(path) => (read_file(path)?, stem(path)),
            None => (Preset::load(&args.preset)?, args.preset.clone()),
        };
        if config.prompts.is_none() && args.model.is_none() {
            // The miniature base only knows its own, short prompts.
            config = config.with_prompts(miniature::prompts());
        }
        let dir = match &args.out {
            Some(dir) => dir.clone(),
            None => Path::new("runs").join(format!("{preset}-{}", args.seed)),
        };
        let (lora, inputs) = (args.lora, args.inputs(args.lora)?);
        Ok(Self { config, preset, seed: args.seed, dir, resume: false, lora, inputs })
    }
}

impl Args {
    /// The command that continues this run, in the folder `dir`.
    pub(crate) fn continuation(&self, dir: &Path) -> String {
        continuation("play", dir, self.model.as_deref(), &self.device, &[])
    }

    /// What a run depends on beside its settings and seed, by name.
    fn inputs(&self, lora: Option<usize>) -> Result<BTreeMap<String, String>, BoxError> {
        inputs(self.model.as_deref(), lora, self.device.device)
    }
}

fn read_file(path: &Path) -> Result<ToolR0Config, BoxError> {
    Ok(ToolR0Config::from_toml(&read_text(path, "--config")?, &path.display().to_string())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Settings, BoxError> {
        Settings::read(&crate::parse(arguments)?)
    }

    #[test]
    fn defaults_play_the_miniature_with_its_prompts() {
        let settings = read(&[]).unwrap();
        assert_eq!((settings.preset.as_str(), settings.seed, settings.resume), ("miniature", 1, false));
        assert_eq!(settings.dir, Path::new("runs/miniature-1"));
        assert_eq!(settings.config.prompts, Some(miniature::prompts()));
        let folder = tempfile::tempdir().unwrap();
        let other = read(&["--model", &folder.path().to_string_lossy(), "--preset", "paper"]).unwrap();
        assert_eq!(other.config.prompts, None);
    }

    #[test]
    fn a_file_of_settings_names_the_run() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.toml");
        std::fs::write(&path, "extends = \"quick\"\n[self_play]\niterations = 2\n").unwrap();
        let settings = read(&["--config", &path.to_string_lossy()]).unwrap();
        assert_eq!((settings.preset.as_str(), settings.config.self_play.iterations), ("mine", 2));
        let missing = read(&["--config", "none.toml"]).unwrap_err().to_string();
        assert!(missing.starts_with("none.toml: "), "{missing}");
    }

    #[test]
    fn contradictions_are_refused() {
        assert!(read(&["--resume", "x", "--seed", "2"]).is_err());
        assert!(read(&["--config", "x", "--preset", "quick"]).is_err());
        let error = read(&["--resume", "/nonexistent"]).unwrap_err().to_string();
        assert!(error.starts_with("/nonexistent"), "{error}");
    }
}
