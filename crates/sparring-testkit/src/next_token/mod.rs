//! A whole policy from the logits of the next token, for toys and reference backends.
//!
//! It is not in `sparring-core`, because core does no input or output while a policy saves itself, and because it is
//! not meant to be fast: one token at a time, in `f64`, with every weight in one `Vec`. That makes it exact and short.
//! A backend for large models implements the traits itself and can be compared with this one; the same [conformance
//! suites](crate::conformance) check both.
mod checkpoint;
mod learn;
mod sample;
mod softmax;

use sparring_core::{Message, Policy, PolicyError, Scorer, Seed};

/// The context of the next token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenContext<'a> {
    /// Token ids of the prompt; at least one.
    pub prompt: &'a [u32],
    /// Token ids of the completion so far; empty for its first token.
    pub completion: &'a [u32],
    /// A hash of all prompt tokens, computed once per prompt; a table model finds its row by it.
    pub prompt_hash: u64,
}

impl<'a> TokenContext<'a> {
    /// Returns the context of the first token of a completion.
    pub fn new(prompt: &'a [u32]) -> Self {
        let hash = prompt.iter().fold(Seed::new(0), |hash, &token| hash.index(u64::from(token)));
        Self { prompt, completion: &[], prompt_hash: hash.value() }
    }

    /// Returns the context after these tokens of the completion.
    #[must_use]
    pub fn after(self, completion: &'a [u32]) -> Self {
        Self { completion, ..self }
    }

    /// Returns the last token so far, of the completion or the prompt.
    pub fn last(&self) -> u32 {
        self.completion.last().or(self.prompt.last()).copied().unwrap_or_default()
    }
}

/// A next-token model as a pure function of its weights; [`NextTokenPolicy`] turns it into a policy.
///
/// # Contract
/// * There is at least one token, and the end token is one of them: V ≥ 1 and [`end()`](NextToken::end) < V. A policy
///   with any other model refuses to sample, score and learn.
/// * `logits` and `backward` depend on their arguments only.
/// * Callers only pass tokens below [`NextToken::vocabulary_size`] and prompts that are not empty.
///
/// ```
/// use sparring_core::{Message, Prompt};
/// use sparring_testkit::{NextToken, NextTokenPolicy, TokenContext, conformance};
///
/// /// Tosses the same coin again and again: its weights are its logits.
/// #[derive(Clone)]
/// struct Coin;
///
/// impl NextToken for Coin {
///     fn vocabulary_size(&self) -> usize {
///         3
///     }
///     fn encode(&self, _: &[Message]) -> Vec<u32> {
///         vec![0]
///     }
///     fn decode(&self, token: u32) -> &str {
///         ["", "heads ", "tails "][token as usize]
///     }
///     fn logits(&self, weights: &[f64], _: TokenContext<'_>) -> Vec<f64> {
///         weights.to_vec()
///     }
///     fn backward(&self, _: &[f64], _: TokenContext<'_>, d_logits: &[f64], gradient: &mut [f64]) {
///         gradient.iter_mut().zip(d_logits).for_each(|(g, d)| *g += d);
///     }
/// }
///
/// let coin = || NextTokenPolicy::from_weights(Coin, vec![0.0; 3]);
/// let (prompts, options) = ([Prompt::Tokens([1].into())], conformance::Options::default());
/// conformance::policy(&coin(), &prompts, &options)?;
/// conformance::learner(coin, &prompts, &options)?;
/// # Ok::<(), conformance::ConformanceFailure>(())
/// ```
pub trait NextToken: Clone + Send + Sync + 'static {
    /// Returns V, the number of tokens, at least 1; the ids are 0, …, V − 1.
    fn vocabulary_size(&self) -> usize;

    /// Returns the token that ends a completion, below V.
    fn end(&self) -> u32 {
        0
    }

    /// Encodes a conversation as the token ids of a prompt, at least one.
    fn encode(&self, messages: &[Message]) -> Vec<u32>;

    /// Returns the text of a token; empty for the end token.
    fn decode(&self, token: u32) -> &str;

    /// Returns the logits of the next token: V finite numbers.
    fn logits(&self, weights: &[f64], context: TokenContext<'_>) -> Vec<f64>;

    /// Adds Σ_j ∂L/∂logit_j · ∂logit_j/∂weight_i to `gradient[i]`, for every i. `d_logits` holds the V values of
    /// ∂L/∂logit_j; `gradient` has the length of `weights`.
    fn backward(&self, weights: &[f64], context: TokenContext<'_>, d_logits: &[f64], gradient: &mut [f64]);
}

/// A policy around a [`NextToken`] model: it samples, scores, learns by Adam (arXiv:1412.6980, algorithm 1) with exact
/// gradients, and is saved and restored.
///
/// It supports everything in the traits: all sampling parameters, hooks, entropies, frozen copies. Sequences have at
/// most [`NextTokenPolicy::with_max_length`] tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct NextTokenPolicy<M> {
    model: M,
    max_length: usize,
    weights: Vec<f64>,
    gradient: Vec<f64>,
    /// Adam's moments and number of steps.
    first: Vec<f64>,
    second: Vec<f64>,
    steps: u64,
}

const MAX_LENGTH: usize = 65_536;

impl<M: NextToken> NextTokenPolicy<M> {
    /// Returns a policy with these weights.
    ///
    /// It never fails. With an invalid model (an empty vocabulary, or an end token outside it), the calls that sample,
    /// score or learn return [`PolicyError::Invalid`].
    pub fn from_weights(model: M, weights: Vec<f64>) -> Self {
        let zeros = vec![0.0; weights.len()];
        Self {
            model,
            max_length: MAX_LENGTH,
            weights,
            gradient: zeros.clone(),
            first: zeros.clone(),
            second: zeros,
            steps: 0,
        }
    }

    /// Sets the largest number of tokens of prompt and completion together: at least 1, by default 65 536.
    #[must_use]
    pub fn with_max_length(mut self, tokens: usize) -> Self {
        self.max_length = tokens.max(1);
        self
    }

    /// Returns the model.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// Returns the number of tokens, including the end token.
    pub fn vocabulary_size(&self) -> usize {
        self.model.vocabulary_size()
    }

    /// Returns every weight, for tests.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Returns every weight, for finite differences and planted bugs.
    pub fn weights_mut(&mut self) -> &mut [f64] {
        &mut self.weights
    }

    /// Returns the gradient accumulated since the last step, in the order of [`NextTokenPolicy::weights`].
    pub fn gradient(&self) -> &[f64] {
        &self.gradient
    }

    fn check_prompt(&self, prompt: &[u32]) -> Result<(), PolicyError> {
        let (end, size) = (self.model.end(), self.vocabulary_size());
        if end as usize >= size {
            let what =
                format!("NextToken::end is {end}, but the vocabulary has {size} tokens; choose one of them");
            return Err(PolicyError::invalid(what));
        }
        if prompt.is_empty() {
            return Err(PolicyError::invalid("the prompt is empty; give it at least one token"));
        }
        self.check_tokens(prompt)
    }

    fn check_tokens(&self, tokens: &[u32]) -> Result<(), PolicyError> {
        let size = self.vocabulary_size();
        match tokens.iter().find(|&&token| token as usize >= size) {
            Some(token) => {
                Err(PolicyError::invalid(format!("token {token} is not in the vocabulary of {size}")))
            }
            None => Ok(()),
        }
    }
}

impl<M: NextToken> Policy for NextTokenPolicy<M> {
    fn freeze(&self) -> Result<Box<dyn Scorer>, PolicyError> {
        Ok(Box::new(self.clone()))
    }
}
