use super::{Changes, RunInfo};
use crate::{Demands, TrainError, Watch};
use serde::Serialize;
use sparring_core::{Observer, Seed};
use std::collections::BTreeMap;
use std::fmt;

/// What a run has beside its settings.
#[derive(Default)]
pub struct RunOptions<'a> {
    /// They receive every event of the run.
    pub observers: Vec<Box<dyn Observer + 'a>>,
    /// Name of the preset, for `run.json` and the summary.
    pub preset: String,
    /// The text of `config.toml`, where the run's settings are part of larger ones.
    pub config_text: Option<String>,
    /// What else the run depends on, by name: see [`RunInfo::inputs`].
    pub inputs: BTreeMap<String, String>,
    /// What resuming does with settings that differ from those that the run began with.
    pub changes: Changes,
    /// Asks the run to stop, and counts what it samples.
    pub watch: Watch,
    /// What is known about the run's demands: its estimated time is then recorded (kind `estimate`).
    pub demands: Option<Demands>,
}

impl RunOptions<'_> {
    /// The run of this seed and these settings.
    ///
    /// # Errors
    /// [`TrainError::Invalid`] where the settings cannot be written as TOML.
    pub fn info<C: Serialize>(&self, seed: Seed, config: &C) -> Result<RunInfo, TrainError> {
        let config = match &self.config_text {
            Some(text) => text.clone(),
            None => toml::to_string_pretty(config)
                .map_err(|e| TrainError::invalid(format!("the settings cannot be written as TOML: {e}")))?,
        };
        Ok(RunInfo { inputs: self.inputs.clone(), ..RunInfo::new(seed.value(), &self.preset, config) })
    }
}

impl fmt::Debug for RunOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunOptions").field("preset", &self.preset).finish_non_exhaustive()
    }
}
