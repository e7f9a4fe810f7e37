use crate::PolicyError;
use serde::{Deserialize, Serialize};

/// How to sample tokens. `Default` is plain sampling at temperature 1 of up to 256 tokens.
///
/// The logits z of a step become a token in these steps, in the order of Hugging Face's `transformers`:
///
/// 1. `repetition_penalty` r: z ← z/r where z > 0, z·r elsewhere, for tokens of prompt and completion;
/// 2. `min_tokens`: z ← −∞ for tokens that would end the completion too early;
/// 3. the request's [`LogitHook`](crate::LogitHook), if any;
/// 4. `temperature` T: p = softmax(z/T), or the largest z if T = 0, in which case the filters do not apply;
/// 5. `top_k`, `top_p`, `min_p`, each applied to the result of the one before, then p renormalised.
///
/// ```
/// use sparring_core::SamplingParams;
/// let params = SamplingParams::default().with_temperature(0.7).with_top_k(20).with_top_p(0.8);
/// params.validate()?;
/// let error = params.with_min_p(1.5).validate().unwrap_err();
/// assert_eq!(error.to_string(), "sampling.min_p must be in [0, 1]");
/// # Ok::<(), sparring_core::PolicyError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct SamplingParams {
    /// Temperature, at least 0; 0 takes the most probable token, with ties broken by the lowest id.
    pub temperature: f32,
    /// Keep this many of the most probable tokens, with ties broken by the lowest id; 0 is off.
    pub top_k: usize,
    /// Nucleus sampling (arXiv:1904.09751): keep the smallest set of most probable tokens with at least this
    /// probability. In (0, 1]; 1 is off.
    pub top_p: f32,
    /// Keep tokens with p ≥ `min_p`·max p (arXiv:2407.01082). In [0, 1]; 0 is off.
    pub min_p: f32,
    /// Penalty for tokens that are already in the prompt or the completion (arXiv:1909.05858, section 4.1), above 0;
    /// values above 1 make them less probable, 1 is off.
    pub repetition_penalty: f32,
    /// Least number of tokens: before it, end tokens and stop tokens cannot be sampled, and a stop string ends the
    /// completion only if it is completed later. At most `max_tokens`; 0 is off. With `min_tokens` = `max_tokens` all
    /// completions have the same length.
    pub min_tokens: usize,
    /// Largest number of tokens, including the stop token.
    pub max_tokens: usize,
    /// Strings that end a completion; they are kept in the text.
    pub stop: Vec<String>,
    /// Tokens that end a completion, in addition to the model's own; neither are part of the text.
    pub stop_tokens: Vec<u32>,
}

impl Default for SamplingParams {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            min_tokens: 0,
            max_tokens: 256,
            stop: Vec::new(),
            stop_tokens: Vec::new(),
        }
    }
}

impl SamplingParams {
    /// Returns parameters for greedy decoding: temperature 0.
    pub fn greedy() -> Self {
        Self::default().with_temperature(0.0)
    }

    /// Sets the temperature.
    #[must_use]
    pub fn with_temperature(mut self, temperature: f32) -> Self {
        self.temperature = temperature;
        self
    }

    /// Sets the number of most probable tokens to keep.
    #[must_use]
    pub fn with_top_k(mut self, top_k: usize) -> Self {
        self.top_k = top_k;
        self
    }

    /// Sets the probability of the nucleus.
    #[must_use]
    pub fn with_top_p(mut self, top_p: f32) -> Self {
        self.top_p = top_p;
        self
    }

    /// Sets the smallest probability, relative to the largest.
    #[must_use]
    pub fn with_min_p(mut self, min_p: f32) -> Self {
        self.min_p = min_p;
        self
    }

    /// Sets the repetition penalty.
    #[must_use]
    pub fn with_repetition_penalty(mut self, penalty: f32) -> Self {
        self.repetition_penalty = penalty;
        self
    }

    /// Sets the least number of tokens.
    #[must_use]
    pub fn with_min_tokens(mut self, min_tokens: usize) -> Self {
        self.min_tokens = min_tokens;
        self
    }

    /// Sets the largest number of tokens.
    #[must_use]
    pub fn with_max_tokens(mut self, max_tokens: usize) -> Self {
        self.max_tokens = max_tokens;
        self
    }

    /// Sets the strings that end a completion.
    #[must_use]
    pub fn with_stop<S: Into<String>>(mut self, stop: impl IntoIterator<Item = S>) -> Self {
        self.stop = stop.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the tokens that end a completion in addition to the model's own.
    #[must_use]
    pub fn with_stop_tokens(mut self, tokens: impl IntoIterator<Item = u32>) -> Self {
        self.stop_tokens = tokens.into_iter().collect();
        self
    }

    /// Returns whether top-k, top-p or min-p can remove tokens.
    pub fn filters(&self) -> bool {
        self.top_k > 0 || self.top_p < 1.0 || self.min_p > 0.0
    }

    /// Returns whether the repetition penalty is on.
    pub(super) fn penalises(&self) -> bool {
        (self.repetition_penalty - 1.0).abs() > 0.0
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), PolicyError> {
        let bad = |field: &str, why: &str| Err(PolicyError::invalid(format!("sampling.{field} {why}")));
        if !(self.temperature.is_finite() && self.temperature >= 0.0) {
            return bad("temperature", "must be a finite number, at least 0");
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return bad("top_p", "must be in (0, 1]");
        }
        if !(0.0..=1.0).contains(&self.min_p) {
            return bad("min_p", "must be in [0, 1]");
        }
        if !(self.repetition_penalty.is_finite() && self.repetition_penalty > 0.0) {
            return bad("repetition_penalty", "must be a finite number above 0");
        }
        if self.max_tokens == 0 {
            return bad("max_tokens", "must be at least 1");
        }
        if self.min_tokens > self.max_tokens {
            return bad("min_tokens", "must not be more than max_tokens");
        }
        if self.stop.iter().any(String::is_empty) {
            return bad("stop", "must not contain an empty string");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_is_checked_and_named() {
        let d = SamplingParams::default;
        let bad = [
            ("temperature", d().with_temperature(f32::INFINITY)),
            ("top_p", d().with_top_p(0.0)),
            ("min_p", d().with_min_p(f32::NAN)),
            ("repetition_penalty", d().with_repetition_penalty(0.0)),
            ("max_tokens", d().with_max_tokens(0)),
            ("min_tokens", d().with_max_tokens(4).with_min_tokens(5)),
            ("stop", d().with_stop([""])),
        ];
        for (field, params) in bad {
            let error = params.validate().unwrap_err().to_string();
            assert!(error.starts_with(&format!("sampling.{field} must")), "{error}");
        }
        d().with_min_tokens(256).validate().unwrap();
    }
}
