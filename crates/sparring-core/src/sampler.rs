use crate::{Message, PolicyError, Rollout, Seed};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a completion continues.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Prompt {
    /// A conversation; the backend applies its chat template and asks for the assistant's turn.
    Messages(Vec<Message>),
    /// Token ids, taken as they are.
    Tokens(Arc<[u32]>),
}

impl From<Vec<Message>> for Prompt {
    fn from(messages: Vec<Message>) -> Self {
        Self::Messages(messages)
    }
}

/// How to draw tokens. `Default` is plain sampling at temperature 1 of up to 256 tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct SamplingParams {
    /// Temperature, at least 0; 0 takes the most probable token.
    pub temperature: f32,
    /// Nucleus sampling: keep the smallest set of tokens with at least this probability. In (0, 1]; 1 is off.
    pub top_p: f32,
    /// Most tokens to draw, the stop token included.
    pub max_tokens: usize,
    /// Strings that end a completion; the text keeps them.
    pub stop: Vec<String>,
}

impl Default for SamplingParams {
    fn default() -> Self {
        Self { temperature: 1.0, top_p: 1.0, max_tokens: 256, stop: Vec::new() }
    }
}

impl SamplingParams {
    /// Greedy decoding: temperature 0.
    pub fn greedy() -> Self {
        Self::default().with_temperature(0.0)
    }

    /// Sets the temperature.
    #[must_use]
    pub fn with_temperature(mut self, temperature: f32) -> Self {
        self.temperature = temperature;
        self
    }

    /// Sets the nucleus.
    #[must_use]
    pub fn with_top_p(mut self, top_p: f32) -> Self {
        self.top_p = top_p;
        self
    }

    /// Sets the length limit.
    #[must_use]
    pub fn with_max_tokens(mut self, max_tokens: usize) -> Self {
        self.max_tokens = max_tokens;
        self
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] names the field that is out of range.
    pub fn validate(&self) -> Result<(), PolicyError> {
        let bad = |field: &str, why: &str| Err(PolicyError::invalid(format!("sampling.{field} {why}")));
        if !(self.temperature.is_finite() && self.temperature >= 0.0) {
            return bad("temperature", "must be a finite number, at least 0");
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return bad("top_p", "must be in (0, 1]");
        }
        if self.max_tokens == 0 {
            return bad("max_tokens", "must be at least 1");
        }
        if self.stop.iter().any(String::is_empty) {
            return bad("stop", "must not hold an empty string");
        }
        Ok(())
    }
}

/// A prompt and how many completions of it are wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleRequest {
    /// What to continue.
    pub prompt: Prompt,
    /// How many completions: the group size.
    pub n: usize,
    /// How to draw them.
    pub params: SamplingParams,
    /// Completion `i` draws from `seed.index(i)`.
    pub seed: Seed,
}

/// Prompts in, `n` completions each out, in the order of the requests.
///
/// # Contract
/// * The result has one group a request, in order, and each group `n` rollouts.
/// * Completion `i` of a request depends on (`seed.index(i)`, prompt, params, weights) only: not on the
///   other requests of the call, on their order, or on the number of threads.
/// * `Rollout::logp` is what [`Scorer::score`](crate::Scorer::score) gives for the same tokens at the same
///   temperature, up to rounding (top-p 1).
/// * A prompt that leaves no room for a single token is an error, never an empty completion.
///
/// `sparring-testkit` checks all of it for any implementation.
pub trait Sampler: Send + Sync {
    /// Draws the completions.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] where a request cannot be served, else what the backend met.
    fn sample(&self, requests: &[SampleRequest]) -> Result<Vec<Vec<Rollout>>, PolicyError>;
}
