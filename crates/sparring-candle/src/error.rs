//! Errors of candle.

use sparring_core::PolicyError;

/// Converts an error of candle.
pub(crate) fn candle_error(error: candle_core::Error) -> PolicyError {
    PolicyError::backend("candle", error)
}
