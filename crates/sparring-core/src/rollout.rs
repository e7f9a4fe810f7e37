use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;

/// Why a completion ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finish {
    /// A stop token or a stop string was drawn.
    Stop,
    /// `max_tokens` was reached first: the completion is truncated.
    Length,
}

/// One sampled completion of one prompt.
///
/// `tokens` and `logp` have the same length and include the stop token where one was drawn; `text` is
/// the decoded completion without it. `logp[t]` is the natural logarithm of the probability with which
/// `tokens[t]` was drawn, at the temperature that drew it (nats; at temperature 0, at temperature 1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    /// Token ids of the prompt, shared by the rollouts of a group.
    pub prompt: Arc<[u32]>,
    /// Token ids of the completion.
    pub tokens: Vec<u32>,
    /// Log-probability of each completion token, nats.
    pub logp: Vec<f32>,
    /// The completion as text.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
    /// Token ranges that the environment wrote (what a tool returned), in order and apart; empty for one turn. They are
    /// context: no loss and no KL term is theirs, and their `logp` is not looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observations: Vec<Range<usize>>,
}

impl Rollout {
    /// A rollout that has text but no tokens: for tests of rewards and parsers.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self {
            prompt: Arc::from([]),
            tokens: Vec::new(),
            logp: Vec::new(),
            text: text.into(),
            finish: Finish::Stop,
            observations: Vec::new(),
        }
    }

    /// Whether the policy wrote token `t`, not the environment.
    pub fn wrote(&self, t: usize) -> bool {
        !self.observations.iter().any(|range| range.contains(&t))
    }

    /// Whether the completion was cut off by the length limit.
    pub fn truncated(&self) -> bool {
        self.finish == Finish::Length
    }
}
