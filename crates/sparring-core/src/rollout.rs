use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;

/// Why a completion ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finish {
    /// A stop token or stop string was sampled.
    Stop,
    /// `max_tokens` was reached first: the completion is truncated.
    Length,
}

/// One sampled completion of a prompt.
///
/// A sampler that knows token ids fills in `prompt`, `tokens` and `logp`. `tokens` and `logp` then have the same length
/// and include the stop token if one was sampled; `text` is the decoded completion without it. `logp[t]` is the
/// natural logarithm of the probability with which `tokens[t]` was sampled, in nats, at the sampling temperature (at
/// temperature 1 if that is 0).
///
/// A sampler that does not know ids or log-probabilities (a server that returns text) leaves these fields empty and
/// never invents them: see [`Rollout::has_tokens`] and [`Rollout::has_logp`]. Evaluations, games and rewards accept
/// such rollouts; training needs token ids.
///
/// ```
/// use sparring_core::{Finish, Rollout};
/// let text = Rollout::from_text("four").with_finish(Finish::Length);
/// assert!(text.truncated() && !text.has_tokens());
/// let drawn = Rollout::from_text("four").with_tokens([5, 6], vec![7, 0]).with_logp(vec![-0.5, -0.1]);
/// assert!(drawn.has_tokens() && drawn.has_logp());
/// let silent = Rollout::from_text("").with_tokens([5, 6], vec![]);
/// assert!(silent.has_tokens(), "an empty completion of a known prompt");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rollout {
    /// Token ids of the prompt, shared by the rollouts of a group; empty if unknown.
    pub prompt: Arc<[u32]>,
    /// Token ids of the completion.
    pub tokens: Vec<u32>,
    /// Log-probability of each completion token, nats; empty if unknown.
    pub logp: Vec<f32>,
    /// The completion as text.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
    /// Token ranges that the environment wrote (tool results), ascending and disjoint; empty for a single turn. They
    /// are context: no loss or KL term applies to them, and their `logp` is ignored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observations: Vec<Range<usize>>,
    /// Version of the weights that sampled the completion: how many times the policy's weights had changed, by the
    /// policy's own count, which its checkpoints keep. `None` if the sampler does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_version: Option<u64>,
}

impl Rollout {
    /// Returns a completion of which only the text is known, with [`Finish::Stop`].
    pub fn from_text(text: impl Into<String>) -> Self {
        Self {
            prompt: Arc::from([]),
            tokens: Vec::new(),
            logp: Vec::new(),
            text: text.into(),
            finish: Finish::Stop,
            observations: Vec::new(),
            weights_version: None,
        }
    }

    /// Sets why it ended.
    #[must_use]
    pub fn with_finish(mut self, finish: Finish) -> Self {
        self.finish = finish;
        self
    }

    /// Sets the token ids of the prompt and the completion.
    #[must_use]
    pub fn with_tokens(mut self, prompt: impl Into<Arc<[u32]>>, tokens: Vec<u32>) -> Self {
        self.prompt = prompt.into();
        self.tokens = tokens;
        self
    }

    /// Sets the log-probability of each completion token.
    #[must_use]
    pub fn with_logp(mut self, logp: Vec<f32>) -> Self {
        self.logp = logp;
        self
    }

    /// Sets the token ranges that the environment wrote.
    #[must_use]
    pub fn with_observations(mut self, observations: Vec<Range<usize>>) -> Self {
        self.observations = observations;
        self
    }

    /// Sets the version of the weights.
    #[must_use]
    pub fn with_weights_version(mut self, version: u64) -> Self {
        self.weights_version = Some(version);
        self
    }

    /// Returns whether token ids are known. They are for an empty completion of a known prompt.
    pub fn has_tokens(&self) -> bool {
        !self.prompt.is_empty() || !self.tokens.is_empty()
    }

    /// Returns whether the log-probability of every token is known.
    pub fn has_logp(&self) -> bool {
        self.has_tokens() && self.logp.len() == self.tokens.len()
    }

    /// Returns whether the policy, not the environment, wrote token `t`.
    pub fn wrote(&self, t: usize) -> bool {
        !self.observations.iter().any(|range| range.contains(&t))
    }

    /// Returns how many tokens the policy wrote.
    pub fn written(&self) -> usize {
        (0..self.tokens.len()).filter(|&t| self.wrote(t)).count()
    }

    /// Returns whether the completion was cut off by the length limit.
    pub fn truncated(&self) -> bool {
        self.finish == Finish::Length
    }
}
