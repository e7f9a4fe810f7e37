mod filter;
mod hook;
mod mask;
mod params;
mod retry;
mod rules;
#[cfg(test)]
mod tests;

pub use hook::{AllowTokens, Hook, HookState, LogitHook, OneOf};
pub use mask::TokenMask;
pub use params::SamplingParams;
pub use retry::{Backoff, Retry};
pub use rules::LogitRules;

use crate::{Conversation, Message, PolicyError, Rollout, Seed};
use std::sync::Arc;

/// The text or tokens to continue.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Prompt {
    /// A conversation; the backend applies its chat template and starts the assistant's turn.
    Conversation(Conversation),
    /// Plain text, encoded without a chat template: for a base model, or a chat model used as one.
    Text(String),
    /// Token ids, used unchanged.
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

/// A prompt and how to sample completions of it.
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
    /// The prompt.
    pub prompt: Prompt,
    /// Number of completions (the group size).
    pub n: usize,
    /// Sampling parameters.
    pub params: SamplingParams,
    /// The seed; completion `i` uses `seed.index(i)`.
    pub seed: Seed,
    /// Changes the logits before each token is sampled.
    pub hook: Option<Hook>,
}

impl SampleRequest {
    /// Returns a request without a hook.
    pub fn new(prompt: impl Into<Prompt>, n: usize, params: SamplingParams, seed: Seed) -> Self {
        Self { prompt: prompt.into(), n, params, seed, hook: None }
    }

    /// Sets the hook.
    #[must_use]
    pub fn with_hook(mut self, hook: impl LogitHook + 'static) -> Self {
        self.hook = Some(Hook::new(hook));
        self
    }

    /// Sets the hook, or none.
    #[must_use]
    pub fn with_shared_hook(mut self, hook: Option<Hook>) -> Self {
        self.hook = hook;
        self
    }

    /// Sets the prompt.
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

    /// Sets the sampling parameters.
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

    /// Returns the penalty, `min_tokens` and hook of one completion, for implementors of [`Sampler`]. `prompt` is this
    /// request's prompt as ids; `ends` are the model's own end tokens.
    pub fn rules<'a>(&'a self, prompt: &'a [u32], ends: &'a [u32]) -> LogitRules<'a> {
        LogitRules::new(self, prompt, ends)
    }
}

/// Samples `n` completions of each prompt.
///
/// # Contract
/// * The result has one entry per request, in order: its `n` rollouts, or its error. A failed request does not affect
///   the others. A failure of the whole call (a device, a connection) fails every request:
///   `vec![Err(error); requests.len()]`.
/// * Completion `i` of a request depends on (`seed.index(i)`, prompt, params, hook, weights) only: not on the
///   other requests of the call, their order, or the number of threads. So does an error, which therefore names no
///   position in the call.
/// * Tokens are sampled as [`SamplingParams`] says, or the request is refused with [`PolicyError::Unsupported`].
/// * `Rollout::logp` is the log-probability under the sampling distribution: after penalty, hook, temperature and
///   filters (at temperature 0: that of temperature 1, after penalty and hook). Without penalty, `min_tokens` and
///   filters it equals [`Scorer::score`](crate::Scorer::score) for the same tokens at the same temperature, in a group
///   with the same hook, up to rounding. With them it does not, and the ratio of the two is not an importance ratio:
///   score the completions again if one is needed.
/// * A prompt that leaves no room for a single token is an error, never an empty completion.
///
/// A sampler backed by a server may be unable to promise that a completion depends on its request only, and may have
/// no log-probabilities or token ids. It leaves the fields that it cannot fill empty and never invents values. Such
/// rollouts can be shown, judged and scored as text, but not trained on.
///
/// `sparring-testkit` checks this contract, and the weaker one for servers, for any implementation.
pub trait Sampler: Send + Sync {
    /// Samples the completions of each request.
    ///
    /// # Errors
    /// Each request has its own: [`PolicyError::Invalid`] if it cannot be served, [`PolicyError::Transient`] if it may
    /// be served later, else the backend's error.
    fn sample(&self, requests: &[SampleRequest]) -> Vec<Result<Vec<Rollout>, PolicyError>>;

    /// Frees the memory that the next call can fill again, since none is expected for a while. Changes no result. By
    /// default nothing.
    fn rest(&self) {}

    /// Calls [`Sampler::sample`] and checks the shape of its answer: one entry per request, each with `n` rollouts or
    /// an error.
    ///
    /// # Errors
    /// Also [`PolicyError::Backend`], for every request, if the numbers of entries or rollouts are wrong: nothing then
    /// says which answer belongs to which request.
    fn sample_checked(&self, requests: &[SampleRequest]) -> Vec<Result<Vec<Rollout>, PolicyError>> {
        let answers = self.sample(requests);
        let (got, wanted) = (answers.len(), requests.len());
        let sizes = requests.iter().zip(&answers).map(|(r, a)| (r.n, a.as_ref().map_or(r.n, Vec::len)));
        let what = match sizes.enumerate().find(|(_, (n, len))| n != len) {
            _ if got != wanted => format!("the sampler gave {got} answers to {wanted} requests"),
            Some((i, (n, len))) => {
                format!("the sampler gave {len} completions of request {i} instead of {n}")
            }
            None => return answers,
        };
        vec![Err(PolicyError::Backend { what, source: None }); wanted]
    }

    /// Returns the completions of all requests, for callers that need every one.
    ///
    /// # Errors
    /// The error of the first request that failed; [`PolicyError::Invalid`] says which one. The completions of the
    /// others are lost: use [`Sampler::sample_checked`] to keep them.
    fn sample_all(&self, requests: &[SampleRequest]) -> Result<Vec<Vec<Rollout>>, PolicyError> {
        let placed = |(i, answer): (usize, Result<Vec<Rollout>, PolicyError>)| {
            answer.map_err(|error| match error {
                PolicyError::Invalid { what } if requests.len() > 1 => {
                    PolicyError::invalid(format!("sample request {i}: {what}"))
                }
                error => error,
            })
        };
        self.sample_checked(requests).into_iter().enumerate().map(placed).collect()
    }

    /// Returns the completions of one request.
    ///
    /// # Errors
    /// The error of the request.
    fn sample_one(&self, request: &SampleRequest) -> Result<Vec<Rollout>, PolicyError> {
        self.sample_all(std::slice::from_ref(request)).map(|mut groups| groups.pop().unwrap_or_default())
    }
}

macro_rules! forward_sampler {
    ($($pointer:ty),*) => {$(
        impl<S: Sampler + ?Sized> Sampler for $pointer {
            fn sample(&self, requests: &[SampleRequest]) -> Vec<Result<Vec<Rollout>, PolicyError>> {
                (**self).sample(requests)
            }

            fn rest(&self) {
                (**self).rest();
            }
        }
    )*};
}

forward_sampler!(&S, Box<S>, Arc<S>);
