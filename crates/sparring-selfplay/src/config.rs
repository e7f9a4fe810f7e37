use crate::{PoolConfig, SelfPlayError};
use serde::{Deserialize, Serialize};
use sparring_core::SamplingParams;
use sparring_grpo::{GrpoConfig, LrSchedule};
use sparring_train::check::{
    self, MOST, MOST_COMPLETIONS, MOST_PER_UPDATE, MOST_PROMPTS, MOST_STEPS, MOST_TOKENS, at_most, count,
    learning_rate, product, schedule, temperature, training_temperature,
};
use sparring_train::{TrainError, Updater};

/// The most answers that probe the proposals of an update.
const MOST_PROBES: usize = 100_000_000;

/// The most tasks that the Solver trains on in an iteration: their order is decided before the first update.
const MOST_SLOTS: usize = 10_000_000;

/// Whether the two players are two models or one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Weights {
    /// Generator and Solver each have their own weights (Tool-R0).
    #[default]
    Separate,
    /// One model plays both (Tool-R0's ablation). The Solver that is probed is then the model at each step.
    Shared,
}

/// The order in which the Solver trains on the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Order {
    /// By falling solve rate; every pass over the pool goes from easy to hard (arXiv 2602.21320, section 3.2).
    /// Derived tasks are evenly spaced among the others ([`order_tasks`](crate::order_tasks)).
    #[default]
    EasyToHard,
    /// At random.
    Shuffled,
    /// By their numbers: as the Generator proposed them.
    AsIs,
}

/// Settings of the Generator's training. The defaults are Tool-R0's (arXiv 2602.21320, Table 4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct GeneratorConfig {
    /// Whether the Generator is trained; `false` is the frozen-Generator ablation.
    pub train: bool,
    /// The first iteration in which it is trained. Where the base Solver solves nothing, its solve rates teach nothing
    /// until it has learnt from the base Generator's tasks.
    pub first_iteration: usize,
    /// Updates per iteration.
    pub steps: usize,
    /// Specifications per update.
    pub prompts_per_step: usize,
    /// Completions per specification.
    pub group_size: usize,
    /// Base learning rate.
    pub lr: f64,
    /// Schedule of the learning rate over a phase.
    pub lr_schedule: LrSchedule,
    /// Maximum number of tokens per proposal.
    pub max_tokens: usize,
    /// Sampling temperature in training, greater than 0.
    pub temperature: f32,
    /// Samples of the frozen Solver for a proposal's solve rate: K of equation 3. 0 turns probing off.
    pub probe_samples: usize,
    /// Their temperature.
    pub probe_temperature: f32,
    /// The update. Its temperature is `temperature`; its longest completion is `max_tokens`, where the loss needs one
    /// and none is set.
    pub grpo: GrpoConfig,
}

impl Default for GeneratorConfig {
    fn default() -> Self {
        Self {
            train: true,
            first_iteration: 1,
            steps: 50,
            prompts_per_step: 6,
            group_size: 4,
            lr: 1e-6,
            lr_schedule: LrSchedule::default(),
            max_tokens: 2048,
            temperature: 1.0,
            probe_samples: 8,
            probe_temperature: 0.7,
            grpo: GrpoConfig::default(),
        }
    }
}

impl GeneratorConfig {
    fn validate(&self) -> Result<(), TrainError> {
        // What an untrained Generator does not use may be 0.
        let (one, two) = if self.train { (1, 2) } else { (0, 0) };
        count("generator.steps", self.steps, one, MOST_STEPS)?;
        count("generator.first_iteration", self.first_iteration, one, MOST)?;
        let prompts = ("generator.prompts_per_step", self.prompts_per_step);
        let completions = ("generator.group_size", self.group_size);
        let probes = ("generator.probe_samples", self.probe_samples);
        count(prompts.0, prompts.1, one, MOST_PROMPTS)?;
        count(completions.0, completions.1, two, MOST_COMPLETIONS)?;
        count(probes.0, probes.1, 0, MOST_COMPLETIONS)?;
        product(&[prompts, completions], MOST_PER_UPDATE)?;
        product(&[prompts, completions, probes], MOST_PROBES)?;
        if self.train {
            learning_rate("generator.lr", self.lr)?;
        }
        schedule("generator.lr_schedule", self.lr_schedule)?;
        count("generator.max_tokens", self.max_tokens, 1, MOST_TOKENS)?;
        training_temperature("generator.temperature", self.temperature)?;
        temperature("generator.probe_temperature", self.probe_temperature)
    }
}

/// Supervised updates of the Solver on the pool's own answers
/// ([`Game::gold_answer`](sparring_core::Game::gold_answer)), before its reinforced ones.
///
/// A base model that never makes a right call earns no reward to learn from. The answers come from the Generator's
/// proposals, so no data enters. Not part of Tool-R0; off by default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ImitationConfig {
    /// Updates per iteration; 0 for none.
    pub steps: usize,
    /// The last iteration that has any.
    pub last_iteration: usize,
    /// Tasks in each update.
    pub tasks_per_step: usize,
    /// Learning rate.
    pub lr: f64,
    /// Its course over the updates of an iteration.
    pub lr_schedule: LrSchedule,
}

impl Default for ImitationConfig {
    fn default() -> Self {
        Self { steps: 0, last_iteration: 1, tasks_per_step: 16, lr: 1e-5, lr_schedule: LrSchedule::default() }
    }
}

impl ImitationConfig {
    fn validate(&self) -> Result<(), TrainError> {
        let used = usize::from(self.steps > 0);
        at_most("solver.imitation.steps", self.steps, MOST_STEPS)?;
        at_most("solver.imitation.last_iteration", self.last_iteration, MOST)?;
        let tasks = ("solver.imitation.tasks_per_step", self.tasks_per_step);
        count(tasks.0, tasks.1, used, MOST_PROMPTS)?;
        product(&[("solver.imitation.steps", self.steps), tasks], MOST_SLOTS)?;
        if self.steps > 0 {
            learning_rate("solver.imitation.lr", self.lr)?;
        }
        schedule("solver.imitation.lr_schedule", self.lr_schedule)
    }

    /// The updates of an iteration.
    pub(crate) fn steps_of(&self, iteration: usize) -> usize {
        if iteration <= self.last_iteration { self.steps } else { 0 }
    }
}

/// Settings of the Solver's training. The defaults are Tool-R0's (arXiv 2602.21320, Table 4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SolverConfig {
    /// Updates per iteration.
    pub steps: usize,
    /// Tasks in each update.
    pub prompts_per_step: usize,
    /// Completions of each task.
    pub group_size: usize,
    /// Base learning rate.
    pub lr: f64,
    /// Schedule of the learning rate over a phase.
    pub lr_schedule: LrSchedule,
    /// Maximum number of tokens per answer: in training, probe, verification and evaluations.
    pub max_tokens: usize,
    /// Sampling temperature in training, greater than 0.
    pub temperature: f32,
    /// The order in which the Solver trains on the pool.
    pub order: Order,
    /// Supervised updates before the reinforced ones.
    pub imitation: ImitationConfig,
    /// The update. Its temperature is `temperature`; its longest completion is `max_tokens`, where the loss needs one
    /// and none is set.
    pub grpo: GrpoConfig,
}

impl Default for SolverConfig {
    fn default() -> Self {
        Self {
            steps: 50,
            prompts_per_step: 8,
            group_size: 4,
            lr: 1e-6,
            lr_schedule: LrSchedule::default(),
            max_tokens: 2048,
            temperature: 1.0,
            order: Order::default(),
            imitation: ImitationConfig::default(),
            grpo: GrpoConfig::default(),
        }
    }
}

impl SolverConfig {
    fn validate(&self) -> Result<(), TrainError> {
        count("solver.steps", self.steps, 1, MOST_STEPS)?;
        let prompts = ("solver.prompts_per_step", self.prompts_per_step);
        let completions = ("solver.group_size", self.group_size);
        count(prompts.0, prompts.1, 1, MOST_PROMPTS)?;
        count(completions.0, completions.1, 2, MOST_COMPLETIONS)?;
        product(&[prompts, completions], MOST_PER_UPDATE)?;
        product(&[("solver.steps", self.steps), prompts], MOST_SLOTS)?;
        learning_rate("solver.lr", self.lr)?;
        schedule("solver.lr_schedule", self.lr_schedule)?;
        count("solver.max_tokens", self.max_tokens, 1, MOST_TOKENS)?;
        training_temperature("solver.temperature", self.temperature)?;
        self.imitation.validate()
    }
}

/// Settings of a self-play run. [`SelfPlayConfig::build`] checks them; only the checked type runs.
///
/// ```
/// use sparring_selfplay::SelfPlayConfig;
/// let config = SelfPlayConfig::from_toml("iterations = 5\n[pool]\ncandidates = 800\n", "my.toml")?;
/// assert_eq!(config.pool.candidates, 800);
/// let error = SelfPlayConfig::from_toml("[pool.keep]\nmin_rate = 2.0", "my.toml")?.build().unwrap_err();
/// assert!(error.to_string().contains("pool.keep.min_rate = 2"));
/// # Ok::<(), sparring_selfplay::SelfPlayError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SelfPlayConfig {
    /// Rounds of Generator, pool, Solver.
    pub iterations: usize,
    /// Two models or one.
    pub weights: Weights,
    /// Whether each phase starts with a fresh optimiser.
    pub fresh_optimizer: bool,
    /// A checkpoint is written every so many updates, and at each phase boundary.
    pub checkpoint_every: usize,
    /// Checkpoints that are kept, beside those that hold the reference model of a kept one.
    pub checkpoints_kept: usize,
    /// The Generator's training.
    pub generator: GeneratorConfig,
    /// The task pool.
    pub pool: PoolConfig,
    /// The Solver's training.
    pub solver: SolverConfig,
}

impl Default for SelfPlayConfig {
    fn default() -> Self {
        Self {
            iterations: 3,
            weights: Weights::default(),
            fresh_optimizer: true,
            checkpoint_every: 10,
            checkpoints_kept: 2,
            generator: GeneratorConfig::default(),
            pool: PoolConfig::default(),
            solver: SolverConfig::default(),
        }
    }
}

impl SelfPlayConfig {
    /// Reads settings from TOML; `file` is named in errors.
    ///
    /// # Errors
    /// [`TrainError::Invalid`] names the file, the line and the field.
    pub fn from_toml(text: &str, file: &str) -> Result<Self, SelfPlayError> {
        Ok(sparring_train::from_toml(text, file)?)
    }

    /// Whether the Generator learns in some iteration; if not, it may be frozen.
    pub fn trains_generator(&self) -> bool {
        self.trains_generator_in(self.iterations)
    }

    pub(crate) fn trains_generator_in(&self, iteration: usize) -> bool {
        self.generator.train && iteration >= self.generator.first_iteration
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`TrainError::Setting`] names the field, its value and the remedy.
    pub fn validate(&self) -> Result<(), SelfPlayError> {
        count("iterations", self.iterations, 1, MOST_STEPS)?;
        count("checkpoint_every", self.checkpoint_every, 1, MOST)?;
        count("checkpoints_kept", self.checkpoints_kept, 1, MOST)?;
        self.generator.validate()?;
        self.solver.validate()?;
        self.pool.validate()?;
        Ok(check::numbers("", self)?)
    }

    /// Checks the settings, the update's among them.
    ///
    /// # Errors
    /// As [`SelfPlayConfig::validate`].
    pub fn build(self) -> Result<SelfPlayPlan, SelfPlayError> {
        self.validate()?;
        let updater = |field, config: &GrpoConfig, temperature, max_tokens| {
            if let Some(dynamic) = config.dynamic_sampling {
                let remedy = "leave it out: self-play does not resample groups";
                return Err(TrainError::setting(
                    format!("{field}.dynamic_sampling"),
                    format!("{dynamic:?}"),
                    remedy,
                ));
            }
            let sampling =
                SamplingParams::default().with_temperature(temperature).with_max_tokens(max_tokens);
            let updater = Updater::new(check::grpo(field, config, &sampling)?);
            if updater.needs_keys() {
                let (field, kind) = (format!("{field}.advantage"), format!("{:?}", config.advantage));
                return Err(TrainError::setting(
                    field,
                    kind,
                    "choose an advantage without keys: games have none",
                ));
            }
            Ok(updater)
        };
        let (g, s) = (&self.generator, &self.solver);
        Ok(SelfPlayPlan {
            generator_updater: updater("generator.grpo", &g.grpo, g.temperature, g.max_tokens)?,
            solver_updater: updater("solver.grpo", &s.grpo, s.temperature, s.max_tokens)?,
            config: self,
        })
    }
}

/// Checked settings: what [`SelfPlay`](crate::SelfPlay) runs. Made by [`SelfPlayConfig::build`].
#[derive(Debug)]
pub struct SelfPlayPlan {
    pub(crate) config: SelfPlayConfig,
    pub(crate) generator_updater: Updater,
    pub(crate) solver_updater: Updater,
}

impl SelfPlayPlan {
    /// The settings.
    pub fn config(&self) -> &SelfPlayConfig {
        &self.config
    }
}
