//! From the logits of the next token to a whole policy: for toys and reference backends.
//!
//! It lives here and not in `sparring-core`, because core does no input or output while a policy saves itself,
//! and because this is not the way to a fast model: one token at a time, in `f64`, every weight in one `Vec`.
//! That is what makes it exact and short. A backend for large models implements the traits itself; this one is
//! then something to compare with, and the same [conformance suites](crate::conformance) check both.
mod checkpoint;
mod learn;
mod sample;
mod softmax;

use sparring_core::{Message, Policy, PolicyError, Scorer, Seed};

/// What the next token depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenContext<'a> {
    /// Token ids of the prompt: at least one.
    pub prompt: &'a [u32],
    /// Token ids of the completion so far: none for its first token.
    pub completion: &'a [u32],
    /// A hash of the prompt, every token of it: what a model that is a table finds its row by. It is made once
    /// for all the tokens that follow.
    pub prompt_hash: u64,
}

impl<'a> TokenContext<'a> {
    /// Before the first token of a completion.
    pub fn new(prompt: &'a [u32]) -> Self {
        let hash = prompt.iter().fold(Seed::new(0), |hash, &token| hash.index(u64::from(token)));
        Self { prompt, completion: &[], prompt_hash: hash.value() }
    }

    /// After these tokens of the completion.
    #[must_use]
    pub fn after(self, completion: &'a [u32]) -> Self {
        Self { completion, ..self }
    }

    /// The token before the next one: the last of the completion, or of the prompt.
    pub fn last(&self) -> u32 {
        self.completion.last().or(self.prompt.last()).copied().unwrap_or_default()
    }
}

/// A model of the next token, as a pure function of its weights: [`NextTokenPolicy`] makes a policy of it.
///
/// # Contract
/// * There is at least one token, and the one that ends a completion is among them: V ≥ 1 and
///   [`end()`](NextToken::end) < V. A policy around anything else refuses to sample, score and learn.
/// * Both `logits` and `backward` depend on their arguments only.
/// * Every token that they are given is below [`NextToken::vocabulary_size`], and the prompt is not empty.
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
    /// V, the number of tokens, at least 1: their ids are 0, …, V − 1.
    fn vocabulary_size(&self) -> usize;

    /// The token that ends a completion, below V.
    fn end(&self) -> u32 {
        0
    }

    /// A conversation as the token ids of a prompt: at least one.
    fn encode(&self, messages: &[Message]) -> Vec<u32>;

    /// What a token adds to the text of a completion; nothing for the end.
    fn decode(&self, token: u32) -> &str;

    /// The logits of the next token: V finite numbers.
    fn logits(&self, weights: &[f64], context: TokenContext<'_>) -> Vec<f64>;

    /// Adds Σ_j ∂L/∂logit_j · ∂logit_j/∂weight_i to `gradient[i]`, for every i. `d_logits` holds the V values
    /// of ∂L/∂logit_j; `gradient` is as long as `weights`.
    fn backward(&self, weights: &[f64], context: TokenContext<'_>, d_logits: &[f64], gradient: &mut [f64]);
}

/// A policy around a [`NextToken`]: it samples, scores, learns by Adam (arXiv:1412.6980, algorithm 1) with exact
/// gradients, and is saved and restored.
///
/// It offers all that the traits do: every sampling parameter, hooks, entropies, frozen copies. Sequences
/// are at most [`NextTokenPolicy::with_max_length`] tokens long.
#[derive(Debug, Clone, PartialEq)]
pub struct NextTokenPolicy<M> {
    model: M,
    max_length: usize,
    weights: Vec<f64>,
    gradient: Vec<f64>,
    /// Adam's moments and the number of its steps.
    first: Vec<f64>,
    second: Vec<f64>,
    steps: u64,
}

const MAX_LENGTH: usize = 65_536;

impl<M: NextToken> NextTokenPolicy<M> {
    /// A policy that starts from these weights.
    ///
    /// It never fails; a model whose [`NextToken::end`] is not in its vocabulary (or whose vocabulary is empty) is
    /// refused by the calls that sample, score or learn, with [`PolicyError::Invalid`].
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

    /// Sets the most tokens that prompt and completion may have together: at least 1, and 65 536 unless set.
    #[must_use]
    pub fn with_max_length(mut self, tokens: usize) -> Self {
        self.max_length = tokens.max(1);
        self
    }

    /// The model.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// Number of tokens, the end included.
    pub fn vocabulary_size(&self) -> usize {
        self.model.vocabulary_size()
    }

    /// Every weight, for tests.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Every weight, to be changed by finite differences and planted bugs.
    pub fn weights_mut(&mut self) -> &mut [f64] {
        &mut self.weights
    }

    /// The gradient accumulated since the last step, in the order of [`NextTokenPolicy::weights`].
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
