mod filter;
mod hook;
mod params;
mod rules;
#[cfg(test)]
mod tests;

pub use hook::{AllowTokens, Hook, HookState, LogitHook, OneOf};
pub use params::SamplingParams;
pub use rules::LogitRules;

use crate::{Conversation, Message, PolicyError, Rollout, Seed};
use std::sync::Arc;

/// What a completion continues.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Prompt {
    /// A conversation; the backend applies its chat template and asks for the assistant's turn.
    Conversation(Conversation),
    /// Token ids, taken as they are.
    Tokens(Arc<[u32]>),
}

impl From<Conversation> for Prompt {
    fn from(conversation: Conversation) -> Self {
        Self::Conversation(conversation)
    }
}

impl From<Vec<Message>> for Prompt {
    fn from(messages: Vec<Message>) -> Self {
        Self::Conversation(messages.into())
    }
}

impl From<Arc<[u32]>> for Prompt {
    fn from(tokens: Arc<[u32]>) -> Self {
        Self::Tokens(tokens)
    }
}

impl From<Vec<u32>> for Prompt {
    fn from(tokens: Vec<u32>) -> Self {
        Self::Tokens(tokens.into())
    }
}

/// A prompt and how many completions of it are wanted.
///
/// ```
/// use sparring_core::{AllowTokens, SampleRequest, SamplingParams, Seed};
/// let request = SampleRequest::new(vec![5, 6, 7], 8, SamplingParams::default(), Seed::new(1))
///     .with_hook(AllowTokens::new([0, 3, 4]));
/// assert_eq!(request.n, 8);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SampleRequest {
    /// What to continue.
    pub prompt: Prompt,
    /// How many completions: the group size.
    pub n: usize,
    /// How to draw them.
    pub params: SamplingParams,
    /// Completion `i` draws from `seed.index(i)`.
    pub seed: Seed,
    /// What changes the logits before a token is drawn.
    pub hook: Option<Hook>,
}

impl SampleRequest {
    /// A request without a hook.
    pub fn new(prompt: impl Into<Prompt>, n: usize, params: SamplingParams, seed: Seed) -> Self {
        Self { prompt: prompt.into(), n, params, seed, hook: None }
    }

    /// Sets what changes the logits before a token is drawn.
    #[must_use]
    pub fn with_hook(mut self, hook: impl LogitHook + 'static) -> Self {
        self.hook = Some(Hook::new(hook));
        self
    }

    /// Sets what to continue.
    #[must_use]
    pub fn with_prompt(mut self, prompt: impl Into<Prompt>) -> Self {
        self.prompt = prompt.into();
        self
    }

    /// Sets the number of completions.
    #[must_use]
    pub fn with_n(mut self, n: usize) -> Self {
        self.n = n;
        self
    }

    /// Sets how tokens are drawn.
    #[must_use]
    pub fn with_params(mut self, params: SamplingParams) -> Self {
        self.params = params;
        self
    }

    /// Sets the seed.
    #[must_use]
    pub fn with_seed(mut self, seed: Seed) -> Self {
        self.seed = seed;
        self
    }

    /// For samplers: what changes the logits of one completion before the temperature does. `prompt` is this
    /// request's, as ids; `ends` are the model's own end tokens; errors name the request by its `index` in the call.
    pub fn rules<'a>(&'a self, prompt: &'a [u32], ends: &'a [u32], index: usize) -> LogitRules<'a> {
        LogitRules::new(self, prompt, ends, index)
    }
}

/// Prompts in, `n` completions each out, in the order of the requests.
///
/// # Contract
/// * The result has one group a request, in order, and each group `n` rollouts.
/// * Completion `i` of a request depends on (`seed.index(i)`, prompt, params, hook, weights) only: not on the
///   other requests of the call, on their order, or on the number of threads.
/// * Tokens are drawn as [`SamplingParams`] says, or the request is refused with [`PolicyError::Unsupported`].
/// * `Rollout::logp` is the log-probability under the distribution that was drawn from: after penalty, hook,
///   temperature and filters (at temperature 0: that of temperature 1, after penalty and hook). Without penalty,
///   `min_tokens`, hook and filters it is what [`Scorer::score`](crate::Scorer::score) gives for the same tokens
///   at the same temperature, up to rounding. With them it is not, and a ratio of both is no importance ratio:
///   score the completions again where one is wanted.
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
