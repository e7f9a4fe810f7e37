use crate::{Hook, PolicyError, TokenMask};
use serde::{Deserialize, Serialize};

/// One prompt and its completions, as token ids.
///
/// Keeping a group together lets a backend compute the shared prompt once, in sampling and in training. The gradient
/// is exactly that of separate sequences.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TokenGroup<'a> {
    /// Token ids of the prompt; at least one.
    pub prompt: &'a [u32],
    /// Token ids of each completion; a completion may be empty.
    pub completions: Vec<&'a [u32]>,
    /// The hook that the completions were drawn under: their log-probabilities, entropies and gradients are those of
    /// the softmax over the tokens that it allows.
    pub hook: Option<&'a Hook>,
}

impl<'a> TokenGroup<'a> {
    /// Returns a group of completions of one prompt.
    pub fn new(prompt: &'a [u32], completions: Vec<&'a [u32]>) -> Self {
        Self { prompt, completions, hook: None }
    }

    /// Sets the hook, or none.
    #[must_use]
    pub fn with_hook(mut self, hook: Option<&'a Hook>) -> Self {
        self.hook = hook;
        self
    }

    /// The masks of one completion, place by place: see [`TokenMask::replay`]. Without a hook, they allow every token.
    ///
    /// # Errors
    /// As [`TokenMask::replay`].
    pub fn masks(&self, completion: usize, vocab_size: usize) -> Result<Vec<TokenMask>, PolicyError> {
        let tokens = self.completions[completion];
        match self.hook {
            Some(hook) => TokenMask::replay(hook, self.prompt, tokens, vocab_size),
            None => Ok(vec![TokenMask::All; tokens.len()]),
        }
    }
}

/// Groups of sequences to score or to train on.
///
/// Per-token numbers of a batch are always flat: group by group, completion by completion, token by token. Prompt
/// tokens have none.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct TokenBatch<'a> {
    /// The groups.
    pub groups: &'a [TokenGroup<'a>],
    /// Temperature, above 0: log-probabilities are those of softmax(logits / temperature).
    pub temperature: f32,
}

impl<'a> TokenBatch<'a> {
    /// Returns a batch of groups at a temperature.
    pub const fn new(groups: &'a [TokenGroup<'a>], temperature: f32) -> Self {
        Self { groups, temperature }
    }

    /// Returns the number of completion tokens, which is the length of every per-token slice of this batch.
    pub fn completion_tokens(&self) -> usize {
        self.groups.iter().flat_map(|g| &g.completions).map(|c| c.len()).sum()
    }
}

/// Per-token numbers that a loss is evaluated on, flat (see [`TokenBatch`]).
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct TokenStats<'a> {
    /// Log-probability of each token under the current weights, nats.
    pub logp: &'a [f32],
    /// Entropy of the distribution that each token was drawn from, nats; present if [`TokenLoss::needs_entropy`].
    pub entropy: Option<&'a [f32]>,
}

impl<'a> TokenStats<'a> {
    /// Returns the log-probabilities, with entropies if they are needed.
    pub const fn new(logp: &'a [f32], entropy: Option<&'a [f32]>) -> Self {
        Self { logp, entropy }
    }
}

/// Buffers for the derivatives of a loss, flat (see [`TokenBatch`]). Zero on entry.
#[derive(Debug)]
#[non_exhaustive]
pub struct TokenGradients<'a> {
    /// ∂L/∂logp of each token.
    pub logp: &'a mut [f32],
    /// ∂L/∂entropy of each token; present if [`TokenLoss::needs_entropy`].
    pub entropy: Option<&'a mut [f32]>,
}

impl<'a> TokenGradients<'a> {
    /// Returns buffers for ∂L/∂logp, and for ∂L/∂entropy if it is needed.
    pub const fn new(logp: &'a mut [f32], entropy: Option<&'a mut [f32]>) -> Self {
        Self { logp, entropy }
    }
}

/// A loss that depends on the parameters only through the log-probabilities ℓ_t of the sampled tokens (and, if it
/// needs them, their entropies).
///
/// Its gradient is then Σ_t (∂L/∂ℓ_t)·∇ℓ_t, and the autograd graph never leaves the backend.
///
/// # Contract
/// `evaluate` returns L and writes its exact derivatives. The losses of a step's micro-batches add up: normalisers are
/// totals of the whole update, so any split gives the same step.
pub trait TokenLoss: Send + Sync {
    /// Returns L for one (micro-)batch and writes ∂L/∂logp (and ∂L/∂entropy).
    fn evaluate(&self, stats: TokenStats<'_>, gradients: TokenGradients<'_>) -> f64;

    /// Returns whether the loss uses per-token entropies.
    fn needs_entropy(&self) -> bool {
        false
    }
}

/// The outcome of one optimiser step.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepReport {
    /// L2 norm of the accumulated gradient before clipping.
    pub grad_norm: f64,
    /// Whether the gradient was scaled down to the clipping threshold.
    pub clipped: bool,
}

impl StepReport {
    /// Returns a report.
    pub fn new(grad_norm: f64, clipped: bool) -> Self {
        Self { grad_norm, clipped }
    }
}

/// Computes the log-probabilities of given completions.
///
/// # Contract
/// In a group with a hook, a token's log-probability is ln(exp(z/T) / Σ exp(z'/T)) over the tokens that the hook allows
/// at its place ([`TokenGroup::masks`]): 0 for the only one that is allowed, and no gradient then flows from it.
pub trait Scorer: Send + Sync {
    /// Returns the log-probability of every completion token, flat, in nats.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] for an unknown token id, an empty prompt, a sequence longer than the model's context,
    /// or a token that its group's hook forbids.
    fn score(&self, batch: TokenBatch<'_>) -> Result<Vec<f32>, PolicyError>;
}

macro_rules! forward_scorer {
    ($($pointer:ty),*) => {$(
        impl<S: Scorer + ?Sized> Scorer for $pointer {
            fn score(&self, batch: TokenBatch<'_>) -> Result<Vec<f32>, PolicyError> {
                (**self).score(batch)
            }
        }
    )*};
}

// Not `Learner`: a shared model does not train.
forward_scorer!(&S, Box<S>, std::sync::Arc<S>);

/// A model that can be trained through the log-probabilities of its tokens.
///
/// # Contract
/// * Gradients of successive `accumulate` calls add up until `step`, in any grouping into micro-batches.
/// * All-zero gradients change no weight beyond the optimiser's own decay.
/// * A non-finite loss or gradient is an error that names its origin, and changes nothing.
/// * The same calls on the same state give the same bits, whatever the number of threads.
pub trait Learner: Scorer {
    /// Runs the forward pass, evaluates `loss`, adds the gradient to the accumulator, and returns L.
    ///
    /// # Errors
    /// As [`Scorer::score`]; [`PolicyError::NonFinite`] if L or a gradient is not finite.
    fn accumulate(&mut self, batch: TokenBatch<'_>, loss: &dyn TokenLoss) -> Result<f64, PolicyError>;

    /// Applies the accumulated gradient with learning rate `lr`, and clears it.
    ///
    /// # Errors
    /// [`PolicyError::NonFinite`] with the parameter whose gradient is not finite; nothing is applied.
    fn step(&mut self, lr: f64) -> Result<StepReport, PolicyError>;

    /// Clears accumulated gradients and the optimiser's state; the weights stay. Frees what only learning needs, since
    /// a trainer also resets a model that is to rest.
    fn reset(&mut self);

    /// Clears accumulated gradients only, after an update that failed half-way. By default [`Learner::reset`]; a
    /// backend that can keeps the optimiser's state.
    fn discard(&mut self) {
        self.reset();
    }
}
