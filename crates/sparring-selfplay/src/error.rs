use sparring_core::{BoxError, PolicyError};
use sparring_grpo::GrpoError;
use std::path::Path;

/// What can go wrong in a self-play run, by what the caller can do about it.
///
/// Nothing that was saved before an error is lost: [`SelfPlay::resume`](crate::SelfPlay::resume) continues
/// from the newest whole checkpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelfPlayError {
    /// A setting is wrong: change it.
    #[error("setting {field} = {value}: {remedy}")]
    Setting {
        /// The setting, by its place in the file: `pool.mix.easy`.
        field: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        remedy: String,
    },
    /// The run's parts do not fit together, or the run directory does not fit the run.
    #[error("{what}")]
    Invalid {
        /// What is wrong, where, and what to do.
        what: String,
    },
    /// A file or folder of the run directory could not be read or written.
    #[error("{path}: {cause} ({remedy})")]
    Io {
        /// The file.
        path: String,
        /// What to do.
        remedy: &'static str,
        /// The cause; part of the message, so not a `source`.
        cause: std::io::Error,
    },
    /// No checkpoint of the run directory is whole.
    #[error("{path}: damaged: {what} (restore it from a copy, or start a new run in another folder)")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// A model backend failed.
    #[error("the {player}'s model failed")]
    Policy {
        /// Whose backend, and doing what.
        player: &'static str,
        /// The cause.
        #[source]
        source: PolicyError,
    },
    /// An update failed; nothing was applied.
    #[error("update of the {player} failed (iteration {iteration}, step {step})")]
    Update {
        /// Who was trained.
        player: &'static str,
        /// Iteration, from 1.
        iteration: usize,
        /// Update of the phase, from 0.
        step: usize,
        /// The cause.
        #[source]
        source: GrpoError,
    },
    /// A reward is broken: it failed, or broke its contract.
    #[error("reward `{name}` failed")]
    Reward {
        /// The reward's name.
        name: String,
        /// The cause.
        #[source]
        source: BoxError,
    },
}

impl SelfPlayError {
    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid { what: what.into() }
    }

    pub(crate) fn io(path: &Path, cause: std::io::Error) -> Self {
        Self::Io { path: path.display().to_string(), remedy: remedy(&cause), cause }
    }

    /// A backend's error; one about a file keeps the file in front.
    pub(crate) fn policy(player: &'static str) -> impl Fn(PolicyError) -> Self {
        move |error| match error {
            PolicyError::Io { path, source } => {
                let cause = std::io::Error::new(source.kind(), source);
                Self::Io { path, remedy: remedy(&cause), cause }
            }
            source => Self::Policy { player, source },
        }
    }

    pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.display().to_string(), what: what.into() }
    }
}

/// What the reader of an I/O error can do about it.
fn remedy(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind as K;
    match error.kind() {
        K::NotFound => "check the path",
        K::PermissionDenied | K::ReadOnlyFilesystem => "choose a folder that you may write to",
        K::StorageFull | K::QuotaExceeded => "free some space, then resume the run",
        K::NotADirectory | K::AlreadyExists => "choose another folder",
        _ => "mend the disk or choose another folder, then resume the run",
    }
}
