use sparring_core::{BoxError, PolicyError};
use sparring_grpo::GrpoError;
use std::fmt::Display;
use std::path::Path;

/// Errors of a training run, by what the caller can do about them.
///
/// Nothing that was saved before an error is lost: a resumed run continues from the newest whole checkpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A setting is wrong: change it.
    #[error("setting {field} = {value}: {remedy}")]
    Setting {
        /// The setting, by its place in the file: `sampling.temperature`.
        field: String,
        /// Its value.
        value: String,
        /// How to correct it.
        remedy: String,
    },
    /// The parts of the run do not match, or the run folder belongs to another run.
    #[error("{what}")]
    Invalid {
        /// The problem, its place and the remedy.
        what: String,
    },
    /// A file or folder of the run folder could not be read or written.
    #[error("{path}: {cause} ({remedy})")]
    Io {
        /// The file.
        path: String,
        /// What to do.
        remedy: &'static str,
        /// The cause; part of the message, so not a `source`.
        cause: std::io::Error,
    },
    /// A file of the run folder is damaged, and there is no older one to use instead.
    #[error("{path}: damaged: {what} (restore it from a copy, or start a new run in another folder)")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// Somebody asked the run to stop ([`StopFlag`](crate::StopFlag)): resume it to continue.
    #[error("stopped on request; resume the run to continue")]
    Stopped,
    /// A model backend failed.
    #[error("the {model} failed")]
    Policy {
        /// Which model: `policy`, `generator`, `solver`.
        model: &'static str,
        /// The cause.
        #[source]
        source: PolicyError,
    },
    /// A text to learn from could not be encoded.
    #[error("example {example} could not be encoded")]
    Encode {
        /// Index of the example in the update.
        example: usize,
        /// The cause.
        #[source]
        source: PolicyError,
    },
    /// An update failed. Its failed optimiser step was not applied; earlier ones of the same update were.
    #[error("update {step} failed")]
    Update {
        /// The update, from 0.
        step: usize,
        /// The cause.
        #[source]
        source: GrpoError,
    },
    /// A reward failed, or broke its contract.
    #[error("reward `{name}` failed")]
    Reward {
        /// The reward's name.
        name: String,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// A benchmark could not be run.
    #[error("the evaluation `{name}` failed")]
    Benchmark {
        /// Its name.
        name: String,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// The solve rates of proposed tasks could not be measured.
    #[error("update {step}: measuring the solve rates failed")]
    SolveRates {
        /// The update, from 0.
        step: usize,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// The source of the tasks failed.
    #[error("the task source failed at task {first}")]
    Source {
        /// Number of the first task that was requested.
        first: u64,
        /// The cause.
        #[source]
        source: BoxError,
    },
}

impl TrainError {
    /// [`TrainError::Setting`] for this field.
    pub fn setting(field: impl Into<String>, value: impl Display, remedy: impl Into<String>) -> Self {
        Self::Setting { field: field.into(), value: value.to_string(), remedy: remedy.into() }
    }

    /// [`TrainError::Invalid`] with this text.
    pub fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid { what: what.into() }
    }

    /// A backend's error; one about a file keeps the file in front.
    pub fn policy(model: &'static str) -> impl Fn(PolicyError) -> Self {
        move |error| match error {
            PolicyError::Io { path, source } => {
                let cause = std::io::Error::new(source.kind(), source);
                Self::Io { path, remedy: remedy(&cause), cause }
            }
            PolicyError::Stopped => Self::Stopped,
            source => Self::Policy { model, source },
        }
    }

    /// [`TrainError::Damaged`]: this file, for this reason.
    pub fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.display().to_string(), what: what.into() }
    }

    /// Whether it says that a file is not what was written: another checkpoint may help.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } | Self::Policy { source: PolicyError::Invalid { .. }, .. } => true,
            Self::Io { cause, .. } => cause.kind() == std::io::ErrorKind::NotFound,
            _ => false,
        }
    }

    pub(crate) fn io(path: &Path, cause: std::io::Error) -> Self {
        Self::Io { path: path.display().to_string(), remedy: remedy(&cause), cause }
    }

    pub(crate) fn unserialisable(error: &serde_json::Error) -> Self {
        Self::invalid(format!("a task or record cannot be written as JSON: {error}"))
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
        _ => "repair the disk or choose another folder, then resume the run",
    }
}
