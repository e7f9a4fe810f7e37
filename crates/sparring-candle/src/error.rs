//! Errors of candle.

use sparring_core::PolicyError;

/// What a policy reports where candle fails.
pub(crate) fn candle_error(error: candle_core::Error) -> PolicyError {
    PolicyError::backend("candle", error)
}
