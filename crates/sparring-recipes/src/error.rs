use sparring_grpo::GrpoError;
use sparring_reward::RewardError;
use sparring_reward::settings::Settings;
use sparring_selfplay::SelfPlayError;
use sparring_train::TrainError;

/// An error while a recipe is read, built or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// A setting is out of range or contradicts another.
    #[error("{field}: {why}")]
    Setting {
        /// Path of the field, dots between tables.
        field: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// An invalid setting in a file, a field or value that does not exist, or a file that is not TOML.
    #[error("{file}:{line}: {}{}{why}", .field, if .field.is_empty() { "" } else { ": " })]
    SettingAt {
        /// The file.
        file: String,
        /// Line in the file, from 1.
        line: usize,
        /// Path of the field, `reward.parts[1].each`; empty if the file is not TOML.
        field: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// No preset has this name.
    #[error("there is no preset `{name}`; choose one of {known}")]
    UnknownPreset {
        /// The requested name.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// A file of tools cannot be used.
    #[error("{file}: {what}")]
    Tools {
        /// The file.
        file: String,
        /// What is wrong and what to do.
        what: String,
    },
    /// The tools of a server of the Model Context Protocol cannot be used.
    #[cfg(feature = "mcp")]
    #[error("MCP server `{server}`: {what}")]
    Mcp {
        /// The server's command line or URL.
        server: String,
        /// What happened and what to do.
        what: String,
    },
    /// A grammar for the tools cannot be made.
    #[error("the tools: {0}")]
    Grammar(#[from] sparring_guided::GuidedError),
    /// The base model cannot say which values fit the tools' parameters.
    #[error("the model cannot say which values fit the tools' parameters")]
    Values(#[source] sparring_core::PolicyError),
    /// A prompt template does not compile, or uses a variable that does not exist.
    #[error("prompts.{template}: {why}")]
    Template {
        /// The template, such as `generator[0]`.
        template: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// A reward failed.
    #[error(transparent)]
    Reward(RewardError),
    /// Sampling, scoring, encoding or an evaluation failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// An update failed. Its failed optimiser step was not applied; earlier ones of the same update were.
    #[error("arm {arm}: update {step} failed")]
    Update {
        /// The arm.
        arm: &'static str,
        /// The update, from 0.
        step: usize,
        /// The cause.
        #[source]
        source: GrpoError,
    },
}

impl RecipeError {
    /// Returns [`RecipeError::Setting`] for this field.
    pub fn setting(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Setting { field: field.into(), why: why.into() }
    }

    /// Adds file and line to an error about a setting.
    pub(crate) fn located<T>(self, settings: &Settings<T>) -> Self {
        let Self::Setting { field, why } = self else { return self };
        match settings.origin(&field) {
            Some((file, line)) => Self::SettingAt { file, line, field, why },
            None => Self::Setting { field, why },
        }
    }

    /// Returns the error about a setting.
    pub(crate) fn of_setting(error: TrainError) -> Self {
        match error {
            TrainError::Setting { field, value, remedy } => {
                Self::setting(field, format!("{value}: {remedy}"))
            }
            other => Self::Train(other),
        }
    }

    /// Returns an error about the settings `outer`, with the inner field if the error names one.
    pub(crate) fn of_settings(outer: &str, error: TrainError) -> Self {
        match error {
            TrainError::Setting { field, value, remedy } => {
                Self::setting(format!("{outer}.{field}"), format!("{value}: {remedy}"))
            }
            other => Self::setting(outer, other.to_string()),
        }
    }
}

impl RecipeError {
    /// Returns an error about the settings of the self-play loop.
    pub(crate) fn of_self_play(error: SelfPlayError) -> Self {
        match error {
            SelfPlayError::Train(error) => Self::of_settings("self_play", error),
            other => Self::setting("self_play", other.to_string()),
        }
    }
}

impl From<RewardError> for RecipeError {
    fn from(error: RewardError) -> Self {
        match error {
            RewardError::Invalid { setting, what } => Self::setting(setting, what),
            RewardError::Located { file, line, setting, what } => {
                Self::SettingAt { file, line, field: setting, why: what }
            }
            other => Self::Reward(other),
        }
    }
}
