use crate::config::read::place;
use sparring_core::BoxError;
use thiserror::Error;

/// An error of a reward.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RewardError {
    /// A reward failed: the run must stop.
    #[error("the reward {reward:?} failed")]
    Failed {
        /// Name of the reward.
        reward: String,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// A reward broke its contract.
    #[error("the reward {reward:?} {what}")]
    Contract {
        /// Name of the reward.
        reward: String,
        /// What it did, and what was expected.
        what: String,
    },
    /// A setting is out of range, or cannot be read.
    #[error("{}", place(setting, what))]
    Invalid {
        /// The setting, as a path with dots if settings are nested.
        setting: String,
        /// What is wrong, and what was expected.
        what: String,
    },
    /// An invalid setting in a file.
    #[error("{file}:{line}: {}", place(setting, what))]
    Located {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// Path of the setting: `reward.parts[1].each`; empty if the file cannot be read at all.
        setting: String,
        /// What is wrong, and what was expected.
        what: String,
    },
}

impl RewardError {
    /// Returns the same error for a setting inside `path`.
    ///
    /// ```
    /// use sparring_reward::solve_rate::Band;
    /// let band = Band { sigma: 0.0, ..Band::default() };
    /// let error = band.validate().unwrap_err().within("reward.parts[1]");
    /// assert_eq!(error.to_string(), "reward.parts[1].sigma: must be a finite number above 0");
    /// ```
    #[must_use]
    pub fn within(self, path: &str) -> Self {
        match self {
            Self::Invalid { setting, what } if setting.is_empty() => {
                Self::Invalid { setting: path.to_owned(), what }
            }
            Self::Invalid { setting, what } => Self::Invalid { setting: format!("{path}.{setting}"), what },
            other => other,
        }
    }

    pub(crate) fn contract(reward: &str, what: impl Into<String>) -> Self {
        Self::Contract { reward: reward.to_owned(), what: what.into() }
    }

    /// Returns an error for the setting at a path; `what` says what is expected.
    ///
    /// ```
    /// let error = sparring_reward::RewardError::invalid("each", "must be at least 0").within("parts[1]");
    /// assert_eq!(error.to_string(), "parts[1].each: must be at least 0");
    /// ```
    pub fn invalid(setting: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Invalid { setting: setting.into(), what: what.into() }
    }
}
