use sparring_core::PolicyError;
use std::path::Path;

/// What can go wrong in an evaluation, by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// A file or folder of benchmark data could not be used: mend the file, or name another.
    #[error("{at}: {what}")]
    Data {
        /// The file, with the line or entry where that is known.
        at: String,
        /// The field and what is wrong with it, or what is missing.
        what: String,
    },
    /// A setting is wrong: change it.
    #[error("{what}")]
    Invalid {
        /// Which, and what is possible.
        what: String,
    },
    /// The model backend failed; what was answered before is kept.
    #[error("sampling answers")]
    Policy(#[from] PolicyError),
    /// A file could not be read or written.
    #[error("{path}")]
    Io {
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

impl EvalError {
    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid { what: what.into() }
    }

    pub(crate) fn data(at: impl std::fmt::Display, what: impl Into<String>) -> Self {
        Self::Data { at: at.to_string(), what: what.into() }
    }

    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.display().to_string(), source }
    }
}
