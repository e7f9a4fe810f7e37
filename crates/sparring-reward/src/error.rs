use sparring_core::BoxError;
use thiserror::Error;

/// What can go wrong in a reward.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RewardError {
    /// A reward failed: the run must stop.
    #[error("the reward {reward:?} failed")]
    Failed {
        /// Its name.
        reward: String,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// A reward broke its contract.
    #[error("the reward {reward:?} {what}")]
    Contract {
        /// Its name.
        reward: String,
        /// What it did, and what is expected.
        what: String,
    },
    /// A setting is out of range.
    #[error("{setting}: {what}")]
    Invalid {
        /// The setting; a path with dots where settings nest.
        setting: String,
        /// What it is, and what is expected.
        what: String,
    },
}

impl RewardError {
    /// The same error about a setting that is inside `path`.
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

    pub(crate) fn invalid(setting: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Invalid { setting: setting.into(), what: what.into() }
    }
}
