use sparring_core::PolicyError;
use std::path::Path;

/// An error of an evaluation. Variants differ by what the caller can do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// A file or folder of benchmark data cannot be used: correct the file, or pass another.
    #[error("{at}: {what}")]
    Data {
        /// The file, with the line or entry if known.
        at: String,
        /// The field and its problem, or what is missing.
        what: String,
    },
    /// A setting is wrong: change it.
    #[error("{what}")]
    Invalid {
        /// The setting, and what is possible.
        what: String,
    },
    /// The model backend failed. Earlier answers are saved.
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
