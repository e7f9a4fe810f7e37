use std::sync::Arc;

/// An error of any type, for plug-ins.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Formats an error and its causes on one line, leaving out causes that are already part of the text.
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

/// An error of a model backend, classified by what the caller can do about it.
///
/// Causes are shared, so that one error can be cloned into the answer to every request of a failed call.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The request, file or setting is wrong and must be changed.
    #[error("{what}")]
    Invalid {
        /// What is wrong, where, and what to do.
        what: String,
    },
    /// The same request may succeed later; see [`Retry`](crate::Retry).
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
    /// A loss or a gradient was not finite; nothing was applied.
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
    /// The caller asked to stop, so nothing was computed.
    #[error("stopped on request")]
    Stopped,
}

impl PolicyError {
    /// Returns [`PolicyError::Invalid`] with this text.
    pub fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid { what: what.into() }
    }

    /// Returns [`PolicyError::Io`] for this path.
    pub fn io(path: impl AsRef<std::path::Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().display().to_string(), source: Arc::new(source) }
    }

    /// Returns [`PolicyError::Transient`] with a cause, such as an overloaded server or a broken connection.
    pub fn transient(what: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self::Transient { what: what.into(), source: Some(source.into().into()) }
    }

    /// Returns whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Transient { .. })
    }

    /// Returns [`PolicyError::Backend`] with a cause.
    pub fn backend(what: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self::Backend { what: what.into(), source: Some(source.into().into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_shown_once_on_one_line() {
        let cause = |text: &str| PolicyError::backend(text, std::io::Error::other("disk\n  gone"));
        assert_eq!(one_line(&cause("saving")), "model backend: saving: disk gone");
        assert_eq!(one_line(&cause("disk\n  gone again")), "model backend: disk gone again");
        let busy = PolicyError::transient("asking", "status 429");
        assert_eq!(one_line(&busy.clone()), "temporarily unavailable: asking: status 429");
        assert!(busy.is_transient() && !cause("saving").is_transient());
    }
}
