mod filter;
mod hook;
mod params;
mod retry;
mod rules;
#[cfg(test)]
mod tests;

pub use hook::{AllowTokens, Hook, HookState, LogitHook, OneOf};
pub use params::SamplingParams;
pub use retry::{Backoff, Retry};
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
    /// request's, as ids; `ends` are the model's own end tokens.
    pub fn rules<'a>(&'a self, prompt: &'a [u32], ends: &'a [u32]) -> LogitRules<'a> {
        LogitRules::new(self, prompt, ends)
    }
}

/// Prompts in, `n` completions each out, in the order of the requests.
///
/// # Contract
/// * The result has one entry a request, in order: its `n` rollouts, or why it could not be served. A request
///   that fails changes nothing for the others. What fails as a whole (a device, a connection) fails every
///   request: `vec![Err(error); requests.len()]`.
/// * Completion `i` of a request depends on (`seed.index(i)`, prompt, params, hook, weights) only: not on the
///   other requests of the call, on their order, or on the number of threads. So does an error, which therefore
///   names no place in the call.
/// * Tokens are drawn as [`SamplingParams`] says, or the request is refused with [`PolicyError::Unsupported`].
/// * `Rollout::logp` is the log-probability under the distribution that was drawn from: after penalty, hook,
///   temperature and filters (at temperature 0: that of temperature 1, after penalty and hook). Without penalty,
///   `min_tokens`, hook and filters it is what [`Scorer::score`](crate::Scorer::score) gives for the same tokens
///   at the same temperature, up to rounding. With them it is not, and a ratio of both is no importance ratio:
///   score the completions again where one is wanted.
/// * A prompt that leaves no room for a single token is an error, never an empty completion.
///
/// A sampler that asks a server may be unable to promise that a completion depends on its request only, and may
/// have no log-probabilities or token ids. It leaves empty what it does not have, and never makes numbers up:
/// such rollouts can be shown, judged and scored as text, but not learned from.
///
/// `sparring-testkit` checks all of it for any implementation, and the lesser contract for servers.
pub trait Sampler: Send + Sync {
    /// Draws the completions of each request.
    ///
    /// # Errors
    /// Each request has its own: [`PolicyError::Invalid`] where it cannot be served, [`PolicyError::Transient`]
    /// where it may be served later, else what the backend met.
    fn sample(&self, requests: &[SampleRequest]) -> Vec<Result<Vec<Rollout>, PolicyError>>;

    /// As [`Sampler::sample`], with the shape of the answer checked: one entry a request whatever happens, and in
    /// each `n` rollouts or an error.
    ///
    /// # Errors
    /// Also [`PolicyError::Backend`], for every request, where the sampler gave another number of entries or of
    /// rollouts: then nothing says that an answer is in its place.
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

    /// The completions of every request, for callers that cannot go on without one of them.
    ///
    /// # Errors
    /// That of the first request that failed; [`PolicyError::Invalid`] says which request it was. The completions
    /// of the others are lost: take [`Sampler::sample_checked`] to keep them.
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

    /// The completions of one request.
    ///
    /// # Errors
    /// The request's.
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
        }
    )*};
}

forward_sampler!(&S, Box<S>, Arc<S>);
