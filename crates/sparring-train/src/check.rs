//! Checks of settings; each names the field, its value and the remedy.

use crate::TrainError;

fn require(
    holds: bool,
    field: &str,
    value: impl std::fmt::Display,
    remedy: impl Into<String>,
) -> Result<(), TrainError> {
    if holds { Ok(()) } else { Err(TrainError::setting(field, value, remedy)) }
}

/// A count of at least `least`.
///
/// # Errors
/// [`TrainError::Setting`].
pub fn at_least(field: &str, value: usize, least: usize) -> Result<(), TrainError> {
    require(value >= least, field, value, format!("must be at least {least}"))
}

/// A share: in [0, 1].
///
/// # Errors
/// [`TrainError::Setting`].
pub fn share(field: &str, value: f32) -> Result<(), TrainError> {
    require((0.0..=1.0).contains(&value), field, value, "must be in [0, 1]")
}

/// A temperature; 0 is greedy.
///
/// # Errors
/// [`TrainError::Setting`].
pub fn temperature(field: &str, value: f32) -> Result<(), TrainError> {
    require(value.is_finite() && value >= 0.0, field, value, "must be a finite number, at least 0")
}

/// A sampling temperature in training: above 0.
///
/// # Errors
/// [`TrainError::Setting`].
pub fn training_temperature(field: &str, value: f32) -> Result<(), TrainError> {
    let remedy = "must be greater than 0: greedy samples carry no signal";
    require(value.is_finite() && value > 0.0, field, value, remedy)
}

/// A learning rate.
///
/// # Errors
/// [`TrainError::Setting`].
pub fn learning_rate(field: &str, value: f64) -> Result<(), TrainError> {
    require(value.is_finite() && value > 0.0, field, value, "must be a finite number greater than 0")
}
