use std::sync::Arc;

/// An error of any type, as plug-ins return it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// An error and those of its causes that it does not tell already, in one line.
///
/// ```
/// use sparring_core::{PolicyError, one_line};
/// let error = PolicyError::backend("saving", std::io::Error::other("disk gone"));
/// assert_eq!(one_line(&error), "model backend: saving: disk gone");
/// ```
pub fn one_line(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What can go wrong in a model backend, by what the caller can do about it.
///
/// Causes are shared, so that a clone can be the answer to every request of a call that failed as a whole.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The request, file or setting is wrong: change it.
    #[error("{what}")]
    Invalid {
        /// What is wrong, where, and what to do.
        what: String,
    },
    /// The same request may succeed later: ask again, as [`Retry`](crate::Retry) does.
    #[error("temporarily unavailable: {what}")]
    Transient {
        /// What failed.
        what: String,
        /// The cause.
        #[source]
        source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    },
    /// The backend itself failed.
    #[error("model backend: {what}")]
    Backend {
        /// What failed.
        what: String,
        /// The cause.
        #[source]
        source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    },
    /// A loss, or a gradient, was not finite; nothing was applied.
    #[error("{what} is not finite; nothing was applied (lower the learning rate, or check the rewards)")]
    NonFinite {
        /// The loss, the sequence or the parameter.
        what: String,
    },
    /// The backend does not offer this.
    #[error("this backend does not offer {what}")]
    Unsupported {
        /// The capability.
        what: &'static str,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: Arc<std::io::Error>,
    },
}

impl PolicyError {
    /// [`PolicyError::Invalid`] with this text.
    pub fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid { what: what.into() }
    }

    /// [`PolicyError::Io`] at this path.
    pub fn io(path: impl AsRef<std::path::Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().display().to_string(), source: Arc::new(source) }
    }

    /// [`PolicyError::Transient`] with a cause: a server that is overloaded, a connection that broke.
    pub fn transient(what: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self::Transient { what: what.into(), source: Some(source.into().into()) }
    }

    /// Whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Transient { .. })
    }

    /// [`PolicyError::Backend`] with a cause.
    pub fn backend(what: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self::Backend { what: what.into(), source: Some(source.into().into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_once_and_in_one_line() {
        let cause = |text: &str| PolicyError::backend(text, std::io::Error::other("disk\n  gone"));
        assert_eq!(one_line(&cause("saving")), "model backend: saving: disk gone");
        assert_eq!(one_line(&cause("disk\n  gone again")), "model backend: disk gone again");
        let busy = PolicyError::transient("asking", "status 429");
        assert_eq!(one_line(&busy.clone()), "temporarily unavailable: asking: status 429");
        assert!(busy.is_transient() && !cause("saving").is_transient());
    }
}
