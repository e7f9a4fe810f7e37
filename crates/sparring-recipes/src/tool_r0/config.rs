use super::game::ToolR0Game;
use super::generator_reward::{GeneratorReward, GeneratorRewardConfig};
use super::options::GameOptions;
use super::prompts::Prompts;
use super::solver_reward::{SolverReward, SolverRewardConfig};
use super::spec::SpecDistribution;
use crate::RecipeError;
use crate::preset::{self, PresetSettings, presets};
use serde::{Deserialize, Serialize};
use sparring_selfplay::{SelfPlayConfig, SelfPlayPlan};

/// Settings of a Tool-R0 run, in serialisable form. The defaults are the corrected version of the paper for the game
/// and rewards, and those of [`SelfPlayConfig`] for the loop.
///
/// A file may extend a preset: `extends = "corrected"`. Tables merge; every other value, and every table with a `kind`,
/// is replaced.
///
/// ```
/// use sparring_recipes::tool_r0::ToolR0Config;
/// let config = ToolR0Config::from_toml("extends = \"paper\"\n[self_play]\niterations = 5\n", "my.toml")?;
/// assert_eq!(config.self_play.iterations, 5);
/// assert_eq!(config.self_play.generator.grpo.kl.coef, 0.01);
/// let error = ToolR0Config::from_toml("[self_play]\niteration = 5\n", "my.toml").unwrap_err();
/// assert!(error.to_string().starts_with("my.toml:2: "));
/// # Ok::<(), sparring_recipes::RecipeError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ToolR0Config {
    /// The distribution of task specifications.
    pub spec: SpecDistribution,
    /// The prompts; [`Prompts::tool_r0`] by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompts: Option<Prompts>,
    /// How proposals are read, and when a task counts as solved.
    pub game: GameOptions,
    /// The Generator's reward.
    pub generator_reward: GeneratorRewardConfig,
    /// The Solver's reward.
    pub solver_reward: SolverRewardConfig,
    /// The self-play loop.
    pub self_play: SelfPlayConfig,
}

/// A Tool-R0 configuration by name: `paper`.
pub type Preset = preset::Preset<ToolR0Config>;

impl PresetSettings for ToolR0Config {
    /// The paper, the released code, the corrected version, its ablations, one under grammars, and two small ones.
    const PRESETS: &'static [Preset] = presets![
        "paper",
        "released",
        "corrected",
        "shared-weights",
        "frozen-generator",
        "no-difficulty",
        "rectangular-band",
        "constrained",
        "miniature",
        "quick",
    ];

    fn check(&self) -> Result<(), RecipeError> {
        self.validate()
    }
}

impl ToolR0Config {
    /// Reads settings from TOML and checks them; `filename` is the name used in errors.
    ///
    /// # Errors
    /// [`RecipeError`] with the file, the line and the field.
    pub fn from_toml(text: &str, filename: &str) -> Result<Self, RecipeError> {
        preset::from_toml(text, filename)
    }

    /// Returns all settings as TOML.
    ///
    /// # Errors
    /// [`RecipeError::Setting`] if a number cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String, RecipeError> {
        preset::to_toml(self)
    }

    /// Sets the prompts.
    #[must_use]
    pub fn with_prompts(mut self, prompts: Prompts) -> Self {
        self.prompts = Some(prompts);
        self
    }

    /// Sets the distribution of task specifications.
    #[must_use]
    pub fn with_spec(mut self, spec: SpecDistribution) -> Self {
        self.spec = spec;
        self
    }

    /// Checks every setting, as [`build`](Self::build) does.
    ///
    /// # Errors
    /// [`RecipeError`] with the field.
    pub fn validate(&self) -> Result<(), RecipeError> {
        self.parts().map(drop)
    }

    /// Checks the settings and builds the parts of a run.
    ///
    /// # Errors
    /// [`RecipeError`] with the field.
    pub fn build(self) -> Result<ToolR0, RecipeError> {
        let (game, generator_reward, solver_reward, self_play) = self.parts()?;
        Ok(ToolR0 { game, generator_reward, solver_reward, self_play, config: self })
    }

    /// Builds the parts of the recipe, which checks the settings.
    fn parts(&self) -> Result<(ToolR0Game, GeneratorReward, SolverReward, SelfPlayPlan), RecipeError> {
        let prompts = self.prompts.clone().unwrap_or_default();
        if self.game.constrain && (self.game.require_think || self.game.strict_order) {
            let what =
                "writes no thoughts, and the question last: set require_think and strict_order to false";
            return Err(RecipeError::setting("game.constrain", what));
        }
        if self.game.constrain && self.spec.multi_turn > 0.0 {
            return Err(RecipeError::setting("spec.multi_turn", "must be 0 with game.constrain"));
        }
        let game = ToolR0Game::new(self.spec.clone(), &prompts, self.game.clone())?;
        let generator_reward = GeneratorReward::new(self.generator_reward.clone())?;
        let solver_reward = SolverReward::new(self.solver_reward.clone())?;
        if self.generator_reward.accepted > 0.0 && self.self_play.generator.probe_samples == 0 {
            let what = "needs probes: set self_play.generator.probe_samples above 0, or this to 0";
            return Err(RecipeError::setting("generator_reward.accepted", what));
        }
        let self_play = self.self_play.clone().build().map_err(RecipeError::of_self_play)?;
        Ok((game, generator_reward, solver_reward, self_play))
    }
}

/// A checked Tool-R0 recipe: the parts that [`sparring_selfplay::SelfPlay`] plays.
#[derive(Debug)]
#[non_exhaustive]
pub struct ToolR0 {
    /// The game.
    pub game: ToolR0Game,
    /// The Generator's reward.
    pub generator_reward: GeneratorReward,
    /// The Solver's reward.
    pub solver_reward: SolverReward,
    /// The checked settings of the loop.
    pub self_play: SelfPlayPlan,
    /// The settings that it was built from.
    pub config: ToolR0Config,
}
