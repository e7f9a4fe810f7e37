//! What is played: Tool-R0's game, or the user's own tools.

use crate::errors::{at, read_text};
use sparring::core::{BoxError, Game, Reward};
use sparring::eval::{Expected, Item, Suite};
use sparring::guided::{Guide, Vocabulary};
use sparring::recipes::own_tools::{self, Catalogue, GameSettings, OwnToolsConfig, Request};
use sparring::recipes::tool_r0::{self, ToolR0Config};
use sparring::recipes::{PresetSettings, RecipeError};
use sparring::selfplay::{SelfPlayConfig, SelfPlayPlan};
use sparring::train::Evaluation;
use sparring::train::store::disk::write_atomic;
use std::path::Path;
use std::sync::Arc;

/// The settings of either game.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Recipe {
    ToolR0(Box<ToolR0Config>),
    OwnTools(Box<OwnToolsConfig>),
}

/// The preset of runs over own tools.
const OWN_TOOLS: &str = "own-tools";
/// The preset of runs over invented tools.
const INVENTED: &str = "miniature";

impl Recipe {
    /// The preset of this name, or the default of the game.
    ///
    /// # Errors
    /// The name is unknown, or belongs to the other game.
    pub(crate) fn preset(name: Option<&str>, own_tools: bool) -> Result<(Self, String), BoxError> {
        let name = name.unwrap_or(if own_tools { OWN_TOOLS } else { INVENTED });
        let owns = own_tools_presets().contains(&name);
        let recipe = match (owns, own_tools) {
            (true, true) => Self::OwnTools(Box::new(own_tools::Preset::load(name)?)),
            (true, false) => {
                return Err(
                    format!("--preset {name}: name the tools too (--tools FILE, or --mcp SERVER)").into()
                );
            }
            (false, true) => {
                let known = own_tools_presets().join(" or ");
                return Err(format!("--preset {name} invents its tools; with --tools, choose {known}").into());
            }
            (false, false) => Self::ToolR0(Box::new(load_tool_r0(name)?)),
        };
        Ok((recipe, name.to_owned()))
    }

    /// Settings from the text of a file.
    pub(crate) fn from_toml(text: &str, file: &str, own_tools: bool) -> Result<Self, BoxError> {
        Ok(if own_tools {
            Self::OwnTools(Box::new(OwnToolsConfig::from_toml(text, file)?))
        } else {
            Self::ToolR0(Box::new(ToolR0Config::from_toml(text, file)?))
        })
    }

    /// Settings from a file.
    pub(crate) fn read_file(path: &Path, own_tools: bool) -> Result<Self, BoxError> {
        Self::from_toml(&read_text(path, "--config")?, &path.display().to_string(), own_tools)
    }

    /// All settings as TOML.
    pub(crate) fn to_toml(&self) -> Result<String, RecipeError> {
        match self {
            Self::ToolR0(config) => config.to_toml(),
            Self::OwnTools(config) => config.to_toml(),
        }
    }

    /// The settings of the loop.
    pub(crate) fn self_play(&self) -> &SelfPlayConfig {
        match self {
            Self::ToolR0(config) => &config.self_play,
            Self::OwnTools(config) => &config.self_play,
        }
    }
}

/// Names of both games' presets are listed where neither has the one that was asked for.
fn load_tool_r0(name: &str) -> Result<ToolR0Config, BoxError> {
    tool_r0::Preset::load(name).map_err(|error| match error {
        RecipeError::UnknownPreset { name, known } => {
            let own = own_tools_presets().join(", ");
            format!("there is no preset `{name}`; choose one of {known}, or with --tools {own}").into()
        }
        error => error.into(),
    })
}

fn own_tools_presets() -> Vec<&'static str> {
    OwnToolsConfig::PRESETS.iter().map(own_tools::Preset::name).collect()
}

/// A game with its rewards and settings, ready to be played.
pub(crate) struct Parts<G: Game> {
    pub(crate) game: Arc<G>,
    pub(crate) generator_reward: Box<dyn Reward<G::Spec>>,
    pub(crate) solver_reward: Box<dyn Reward<G::Task>>,
    pub(crate) plan: SelfPlayPlan,
    pub(crate) evaluations: Vec<Evaluation<G::Task>>,
    /// The user's own tasks; none by default.
    pub(crate) tasks: Vec<G::Task>,
}

/// The requests of a file in the unified form.
pub(crate) fn requests(path: &Path) -> Result<Vec<Request>, BoxError> {
    let loaded =
        Suite::Unified.load(path, &[]).map_err(|error| format!("--tasks {}: {error}", path.display()))?;
    let request = |item: Item| {
        let calls = if let Expected::Calls(calls) = item.expected { calls } else { Vec::new() };
        Request::of(item.messages, item.tools, calls)
    };
    Ok(loaded.items.into_iter().map(request).collect())
}

/// The tools of a file.
pub(crate) fn catalogue(path: &Path) -> Result<Catalogue, BoxError> {
    Ok(Catalogue::from_text(&read_text(path, "--tools")?, &path.display().to_string())?)
}

/// The file beside a trained model that says how it is asked.
const GAME: &str = "own-tools.json";

/// Writes how the Solver was asked beside its model, so that `sparring chat` asks it in the same way.
pub(crate) fn keep_game(folder: &Path, recipe: &Recipe) -> Result<(), BoxError> {
    let Recipe::OwnTools(config) = recipe else { return Ok(()) };
    Ok(write_atomic(&folder.join(GAME), &serde_json::to_vec_pretty(&config.game)?)?)
}

/// What [`keep_game`] wrote; nothing beside a model from elsewhere.
pub(crate) fn kept_game(folder: &Path) -> Result<Option<GameSettings>, BoxError> {
    let path = folder.join(GAME);
    if !path.exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&path).map_err(at(&path))?;
    Ok(Some(serde_json::from_str(&text).map_err(at(&path))?))
}

/// Makes grammars for a model's tokenizer.
pub(crate) fn guide(tokenizer: &sparring::candle::ChatTokenizer) -> Result<Guide, BoxError> {
    Ok(Guide::new(&Vocabulary::new(tokenizer.token_bytes(), tokenizer.end_tokens().collect())?)?)
}
