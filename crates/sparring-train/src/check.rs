//! Checks of settings; each names the field, its value and the remedy.

use crate::TrainError;
use sparring_core::SamplingParams;
use sparring_grpo::{Grpo, GrpoConfig, GrpoError, LrSchedule};

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

/// A schedule of the learning rate: it ends at a share of the base rate.
///
/// # Errors
/// [`TrainError::Setting`].
pub fn schedule(field: &str, schedule: LrSchedule) -> Result<(), TrainError> {
    match schedule {
        LrSchedule::Linear { to, .. } | LrSchedule::Cosine { to, .. } => {
            require((0.0..=1.0).contains(&to), &format!("{field}.to"), to, "must be in [0, 1]")
        }
        _ => Ok(()),
    }
}

/// The update of a loop that samples with these parameters. The loop passes no expert prefixes, its temperature is the
/// sampler's, and no completion is longer than the sampler's `max_tokens`.
///
/// # Errors
/// [`TrainError::Setting`] names the setting by `field` and its place in it: `solver.grpo.clip_low`.
pub fn grpo(field: &str, config: &GrpoConfig, sampling: &SamplingParams) -> Result<Grpo, TrainError> {
    let wrong = |inner: &str, remedy: String| {
        TrainError::setting(format!("{field}.{inner}"), value(config, inner), remedy)
    };
    if config.expert_gamma.is_some() {
        return Err(wrong("expert_gamma", "needs expert prefixes: call Grpo::update with them".to_owned()));
    }
    let temperatures = [GrpoConfig::default().temperature, sampling.temperature];
    if !temperatures.contains(&config.temperature) {
        return Err(wrong("temperature", "leave it out: it is the temperature of the sampling".to_owned()));
    }
    // A penalty that no completion can reach.
    if config.soft_overlong.is_some_and(|soft| soft.max.saturating_sub(soft.cache) >= sampling.max_tokens) {
        let longest = sampling.max_tokens;
        return Err(wrong(
            "soft_overlong",
            format!("never applies to completions of at most {longest} tokens: max - cache must be less"),
        ));
    }
    config.clone().for_sampling(sampling).build().map_err(|error| match error {
        GrpoError::Config { field, why } => wrong(field, why),
        other => TrainError::invalid(format!("{field}: {other}")),
    })
}

/// The value of a setting, by its place, as a settings file has it.
fn value(config: &GrpoConfig, place: &str) -> String {
    let table = toml::Value::try_from(config).ok();
    let found = place.split('.').try_fold(table.as_ref(), |at, key| Some(at?.get(key))).flatten();
    found.map_or_else(|| "none".to_owned(), ToString::to_string)
}
