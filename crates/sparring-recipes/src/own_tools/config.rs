use super::game::{GameSettings, OwnToolsGame};
use super::generator_reward::{ProposalReward, ProposalRewardConfig};
use super::solver_reward::{AnswerReward, AnswerRewardConfig};
use super::{Catalogue, PlanConfig};
use crate::RecipeError;
use crate::preset::{self, PresetSettings, presets};
use serde::{Deserialize, Serialize};
use sparring_guided::Guide;
use sparring_selfplay::{SelfPlayConfig, SelfPlayPlan};

/// Settings of a run over a person's own tools, in serialisable form. A file may extend a preset:
/// `extends = "own-tools"`.
///
/// ```
/// use sparring_recipes::own_tools::{Catalogue, Preset};
/// let config = Preset::load("own-tools")?;
/// let catalogue = Catalogue::from_text(r#"[{"name": "now", "parameters": {}}]"#, "tools.json")?;
/// let recipe = config.build(catalogue, None)?;
/// assert_eq!(recipe.game.catalogue().tools().len(), 1);
/// # Ok::<(), sparring_recipes::RecipeError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct OwnToolsConfig {
    /// The distribution of plans.
    pub plan: PlanConfig,
    /// Formats, grammars and checks.
    pub game: GameSettings,
    /// The Generator's reward.
    pub generator_reward: ProposalRewardConfig,
    /// The Solver's reward.
    pub solver_reward: AnswerRewardConfig,
    /// The self-play loop.
    pub self_play: SelfPlayConfig,
}

/// A configuration by name: `own-tools` or `own-tools-quick`.
pub type Preset = preset::Preset<OwnToolsConfig>;

impl PresetSettings for OwnToolsConfig {
    const PRESETS: &'static [Preset] = presets!["own-tools", "own-tools-quick"];

    fn check(&self) -> Result<(), RecipeError> {
        self.plan.validate()?;
        self.game.check_bounds()?;
        self.parts().map(drop)
    }
}

impl OwnToolsConfig {
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

    /// Checks the settings and builds the parts of a run over these tools. The `guide` belongs to the tokenizer of both
    /// models; without one they write freely.
    ///
    /// # Errors
    /// As [`OwnToolsGame::new`]; [`RecipeError`] with the field.
    pub fn build(self, catalogue: Catalogue, guide: Option<Guide>) -> Result<OwnTools, RecipeError> {
        let (generator_reward, solver_reward, self_play) = self.parts()?;
        let game = OwnToolsGame::new(catalogue, self.plan, self.game, guide)?;
        Ok(OwnTools { game, generator_reward, solver_reward, self_play })
    }

    fn parts(&self) -> Result<(ProposalReward, AnswerReward, SelfPlayPlan), RecipeError> {
        let generator_reward = ProposalReward::new(self.generator_reward.clone())?;
        let solver_reward = AnswerReward::new(self.solver_reward.clone(), self.game.format)?;
        if self.self_play.generator.train && self.self_play.generator.probe_samples == 0 {
            let what = "must be above 0: the Generator's reward is made of solve rates";
            return Err(RecipeError::setting("self_play.generator.probe_samples", what));
        }
        let self_play = self.self_play.clone().build().map_err(RecipeError::of_self_play)?;
        Ok((generator_reward, solver_reward, self_play))
    }
}

/// A checked recipe: the parts that [`sparring_selfplay::SelfPlay`] plays.
#[derive(Debug)]
#[non_exhaustive]
pub struct OwnTools {
    /// The game.
    pub game: OwnToolsGame,
    /// The Generator's reward.
    pub generator_reward: ProposalReward,
    /// The Solver's reward.
    pub solver_reward: AnswerReward,
    /// The checked settings of the loop.
    pub self_play: SelfPlayPlan,
}
