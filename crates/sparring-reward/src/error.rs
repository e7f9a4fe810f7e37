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
    pub(crate) fn contract(reward: &str, what: impl Into<String>) -> Self {
        Self::Contract { reward: reward.to_owned(), what: what.into() }
    }

    pub(crate) fn invalid(setting: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Invalid { setting: setting.into(), what: what.into() }
    }
}
