//! Checks of settings; each names the field, its value and the remedy.

use crate::TrainError;
use serde::Serialize;
use sparring_core::{SamplingParams, one_line};
use sparring_grpo::{Grpo, GrpoConfig, GrpoError, LrSchedule};

fn require(
    holds: bool,
    field: &str,
    value: impl std::fmt::Display,
    remedy: impl Into<String>,
) -> Result<(), TrainError> {
    if holds { Ok(()) } else { Err(TrainError::setting(field, value, remedy)) }
}

/// The most of anything that is counted, such as the updates between two checkpoints.
pub const MOST: usize = 1_000_000_000;
/// The most updates, or iterations: what a run of years would not reach. Each is planned when a run starts.
pub const MOST_STEPS: usize = 1_000_000;
/// The most prompts or tasks of an update.
pub const MOST_PROMPTS: usize = 100_000;
/// The most completions of a prompt.
pub const MOST_COMPLETIONS: usize = 10_000;
/// The most completions of an update, which are in memory together.
pub const MOST_PER_UPDATE: usize = 1_000_000;
/// The most tokens of a completion.
pub const MOST_TOKENS: usize = 10_000_000;
/// The most tasks of a pool, and candidates for it.
pub const MOST_TASKS: usize = 1_000_000;
/// The highest temperature: far above it, every token is as likely as any other.
pub const MOST_TEMPERATURE: f32 = 1000.0;

/// A count of at least `least`.
///
/// # Errors
/// [`TrainError::Setting`].
pub fn at_least(field: &str, value: usize, least: usize) -> Result<(), TrainError> {
    require(value >= least, field, value, format!("must be at least {least}"))
}

/// A count of at most `most`: more would exhaust memory or time before it did anything useful.
///
/// # Errors
/// [`TrainError::Setting`].
pub fn at_most(field: &str, value: usize, most: usize) -> Result<(), TrainError> {
    require(value <= most, field, value, format!("must be at most {most}"))
}

/// A count from `least` to `most`.
///
/// # Errors
/// [`TrainError::Setting`].
pub fn count(field: &str, value: usize, least: usize, most: usize) -> Result<(), TrainError> {
    at_least(field, value, least)?;
    at_most(field, value, most)
}

/// Counts whose product is at most `most`: `("prompts_per_step", 8)` times `("group_size", 4)`, say.
///
/// # Errors
/// [`TrainError::Setting`] names all of them.
pub fn product(factors: &[(&str, usize)], most: usize) -> Result<(), TrainError> {
    let product = factors.iter().try_fold(1_usize, |product, (_, factor)| product.checked_mul(*factor));
    let fields = || factors.iter().map(|(field, _)| *field).collect::<Vec<_>>().join(" * ");
    match product {
        Some(product) if product <= most => Ok(()),
        product => {
            let value =
                product.map_or_else(|| "a number that overflows".to_owned(), |product| product.to_string());
            Err(TrainError::setting(fields(), value, format!("must be at most {most}: lower one of them")))
        }
    }
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
    let remedy = format!("must be a number from 0 to {MOST_TEMPERATURE}");
    require((0.0..=MOST_TEMPERATURE).contains(&value), field, value, remedy)
}

/// A sampling temperature in training: above 0.
///
/// # Errors
/// [`TrainError::Setting`].
pub fn training_temperature(field: &str, value: f32) -> Result<(), TrainError> {
    temperature(field, value)?;
    require(value > 0.0, field, value, "must be greater than 0: greedy samples carry no signal")
}

/// A learning rate.
///
/// # Errors
/// [`TrainError::Setting`].
pub fn learning_rate(field: &str, value: f64) -> Result<(), TrainError> {
    /// Far above any that learns.
    const MOST_RATE: f64 = 1e6;
    let remedy = format!("must be a number greater than 0, at most {MOST_RATE}");
    require(value > 0.0 && value <= MOST_RATE, field, value, remedy)
}

/// The settings of sampling in training, under `field`.
///
/// # Errors
/// [`TrainError::Setting`] and [`TrainError::Invalid`] name the setting.
pub fn sampling(field: &str, sampling: &SamplingParams) -> Result<(), TrainError> {
    let place = |inner: &str| format!("{field}.{inner}");
    training_temperature(&place("temperature"), sampling.temperature)?;
    at_most(&place("max_tokens"), sampling.max_tokens, MOST_TOKENS)?;
    // The error of a field says `sampling.` in front.
    sampling.validate().map_err(|error| {
        let parent = field.strip_suffix("sampling").unwrap_or(field);
        TrainError::invalid(format!("setting {parent}{}", one_line(&error)))
    })
}

/// Every number of the settings `config` is finite, and every count at most [`MOST`].
///
/// Settings with a meaning of their own have narrower bounds; this finds a slip in any other, by its name.
///
/// # Errors
/// [`TrainError::Setting`] names the setting by `field` and its place in it.
pub fn numbers<C: Serialize>(field: &str, config: &C) -> Result<(), TrainError> {
    let value = toml::Value::try_from(config)
        .map_err(|e| TrainError::invalid(format!("{field}: the settings cannot be written as TOML: {e}")))?;
    numbers_of(field, &value)
}

fn numbers_of(field: &str, value: &toml::Value) -> Result<(), TrainError> {
    match value {
        toml::Value::Integer(count) => {
            let most = MOST as i64;
            require((-most..=most).contains(count), field, count, format!("must be at most {most}"))
        }
        toml::Value::Float(number) => require(number.is_finite(), field, number, "must be a finite number"),
        toml::Value::Array(values) => {
            values.iter().enumerate().try_for_each(|(i, value)| numbers_of(&format!("{field}[{i}]"), value))
        }
        toml::Value::Table(table) => table.iter().try_for_each(|(key, value)| {
            let place = if field.is_empty() { key.clone() } else { format!("{field}.{key}") };
            numbers_of(&place, value)
        }),
        _ => Ok(()),
    }
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
    numbers(field, config)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_name_field_value_and_limit() {
        let text = |result: Result<(), TrainError>| result.unwrap_err().to_string();
        assert_eq!(text(count("a.n", 11, 1, 10)), "setting a.n = 11: must be at most 10");
        assert_eq!(text(count("a.n", 0, 1, 10)), "setting a.n = 0: must be at least 1");
        let error = text(product(&[("n", 5), ("m", usize::MAX)], 10));
        assert_eq!(error, "setting n * m = a number that overflows: must be at most 10: lower one of them");
        for wrong in [f32::INFINITY, f32::NAN, -1.0, 1e30] {
            let error = text(training_temperature("t", wrong));
            assert!(error.ends_with("must be a number from 0 to 1000"), "{error}");
        }
        temperature("t", 0.0).unwrap();
    }

    #[test]
    fn any_number_of_the_settings_is_found_by_its_place() {
        let sampling = SamplingParams::default().with_top_k(MOST + 1);
        let error = numbers("x", &sampling).unwrap_err().to_string();
        assert!(error.starts_with("setting x.top_k = 1000000001: must be at most 1000000000"), "{error}");
        let table: toml::Table = "a = [{ b = nan }]".parse().unwrap();
        assert!(numbers("", &table).unwrap_err().to_string().starts_with("setting a[0].b = NaN"));
    }
}
