use super::TokenMask;
use crate::PolicyError;
use std::fmt;
use std::sync::Arc;

/// Changes the logits before each token is sampled: constrained decoding, biases, forbidden words.
///
/// A hook is a rule. What it remembers about one completion (the state of an automaton or a grammar) is a
/// [`HookState`]. A sampler starts one state per completion, then alternates between [`HookState::apply`] (or
/// [`HookState::mask`]) and [`HookState::accept`].
///
/// # Contract
/// * A state depends only on the hook, the prompt and the tokens that it accepted, so that the same seed gives the same
///   tokens in any batch. Several threads use states of one hook at the same time.
/// * −∞ forbids a token. Forbidding all tokens, or writing NaN or +∞, is an error of the request.
/// * A model can learn from completions of hooks that only forbid tokens, by the tokens before: see [`TokenMask`].
///
/// A closure of the prompt, the completion so far and the logits is a stateless hook:
///
/// ```
/// use sparring_core::{Message, SampleRequest, SamplingParams, Seed};
/// let prompt = vec![Message::user("Is 7 a prime number?")];
/// let request = SampleRequest::new(prompt, 4, SamplingParams::default(), Seed::new(1)).with_hook(
///     |_prompt: &[u32], tokens: &[u32], logits: &mut [f32]| {
///         if let Some(&last) = tokens.last() {
///             logits[last as usize] = f32::NEG_INFINITY; // no token twice in a row
///         }
///         Ok(())
///     },
/// );
/// assert!(request.hook.is_some());
/// ```
pub trait LogitHook: Send + Sync {
    /// Starts a completion of `prompt`.
    fn start<'a>(&'a self, prompt: &'a [u32]) -> Box<dyn HookState + 'a>;
}

/// The state of a [`LogitHook`] for one completion.
///
/// ```
/// use sparring_core::{HookState, LogitHook, PolicyError};
///
/// /// Limits the number of tokens of one kind.
/// struct AtMost(u32, usize);
/// struct Left(u32, usize);
///
/// impl LogitHook for AtMost {
///     fn start<'a>(&'a self, _: &'a [u32]) -> Box<dyn HookState + 'a> {
///         Box::new(Left(self.0, self.1))
///     }
/// }
/// impl HookState for Left {
///     fn apply(&mut self, logits: &mut [f32]) -> Result<(), PolicyError> {
///         if self.1 == 0 {
///             logits[self.0 as usize] = f32::NEG_INFINITY;
///         }
///         Ok(())
///     }
///     fn accept(&mut self, token: u32) -> Result<(), PolicyError> {
///         self.1 -= usize::from(token == self.0);
///         Ok(())
///     }
/// }
/// let hook = AtMost(1, 1);
/// let (mut state, mut logits) = (hook.start(&[7]), [0.5, 0.5]);
/// state.accept(1)?;
/// state.apply(&mut logits)?;
/// assert_eq!(logits, [0.5, f32::NEG_INFINITY]);
/// # Ok::<(), PolicyError>(())
/// ```
pub trait HookState: Send {
    /// Changes the `logits` of the next token, one per vocabulary entry. Called once before each draw, unless
    /// [`HookState::mask`] has said everything.
    ///
    /// # Errors
    /// Any error fails this request only.
    fn apply(&mut self, logits: &mut [f32]) -> Result<(), PolicyError>;

    /// Records the sampled token. Called once after each draw, including the one that ends the completion.
    ///
    /// # Errors
    /// Any error fails this request only.
    fn accept(&mut self, token: u32) -> Result<(), PolicyError>;

    /// The next token's mask for a vocabulary of `vocab_size`, found without its logits; `None`, the default, if the
    /// state cannot say.
    ///
    /// A sampler then leaves out the logits of forbidden tokens, and computes none where only one token is allowed:
    /// that token has log-probability 0. Tokens and log-probabilities are the same as without this method.
    ///
    /// # Contract
    /// The mask is the one by which [`HookState::apply`] would forbid tokens, and `apply` would do nothing else. It is
    /// asked for at most once before each draw; where there is one, `apply` need not be called.
    /// `testkit::conformance::hook` compares the two.
    ///
    /// # Errors
    /// Any error fails this request only.
    fn mask(&mut self, vocab_size: usize) -> Result<Option<TokenMask>, PolicyError> {
        let _ = vocab_size;
        Ok(None)
    }
}

impl<F> LogitHook for F
where
    F: Fn(&[u32], &[u32], &mut [f32]) -> Result<(), PolicyError> + Send + Sync,
{
    fn start<'a>(&'a self, prompt: &'a [u32]) -> Box<dyn HookState + 'a> {
        Box::new(Closure { apply: self, prompt, tokens: Vec::new() })
    }
}

/// A closure and its arguments.
struct Closure<'a, F> {
    apply: &'a F,
    prompt: &'a [u32],
    tokens: Vec<u32>,
}

impl<F> HookState for Closure<'_, F>
where
    F: Fn(&[u32], &[u32], &mut [f32]) -> Result<(), PolicyError> + Sync,
{
    fn apply(&mut self, logits: &mut [f32]) -> Result<(), PolicyError> {
        (self.apply)(self.prompt, &self.tokens, logits)
    }

    fn accept(&mut self, token: u32) -> Result<(), PolicyError> {
        self.tokens.push(token);
        Ok(())
    }
}

/// A shared [`LogitHook`]. Hooks are equal if they are the same object.
#[derive(Clone)]
pub struct Hook(Arc<dyn LogitHook>);

impl Hook {
    /// Wraps a hook for sharing.
    pub fn new(hook: impl LogitHook + 'static) -> Self {
        Self(Arc::new(hook))
    }
}

impl LogitHook for Hook {
    fn start<'a>(&'a self, prompt: &'a [u32]) -> Box<dyn HookState + 'a> {
        self.0.start(prompt)
    }
}

impl PartialEq for Hook {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hook").field(&Arc::as_ptr(&self.0)).finish()
    }
}

/// Forbids every token but those on a list.
///
/// ```
/// use sparring_core::{AllowTokens, LogitHook};
/// let mut logits = [0.1, 0.2, 0.3];
/// AllowTokens::new([2, 0]).start(&[1]).apply(&mut logits)?;
/// assert_eq!(logits, [0.1, f32::NEG_INFINITY, 0.3]);
/// # Ok::<(), sparring_core::PolicyError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowTokens {
    allowed: Vec<u32>,
}

impl AllowTokens {
    /// Allows these tokens; include the model's end token if completions may end by themselves.
    pub fn new(tokens: impl IntoIterator<Item = u32>) -> Self {
        let mut allowed: Vec<u32> = tokens.into_iter().collect();
        allowed.sort_unstable();
        Self { allowed }
    }
}

impl LogitHook for AllowTokens {
    fn start<'a>(&'a self, _: &'a [u32]) -> Box<dyn HookState + 'a> {
        Box::new(Allowed(&self.allowed))
    }
}

struct Allowed<'a>(&'a [u32]);

impl Allowed<'_> {
    fn next(&self, vocab_size: usize) -> TokenMask {
        TokenMask::from_tokens(self.0.iter().copied(), vocab_size)
    }
}

impl HookState for Allowed<'_> {
    fn apply(&mut self, logits: &mut [f32]) -> Result<(), PolicyError> {
        self.next(logits.len()).apply(logits);
        Ok(())
    }

    fn mask(&mut self, vocab_size: usize) -> Result<Option<TokenMask>, PolicyError> {
        Ok(Some(self.next(vocab_size)))
    }

    fn accept(&mut self, _: u32) -> Result<(), PolicyError> {
        Ok(())
    }
}

/// Forces a completion to begin with one of several token sequences: the name of a tool, a label, a whole answer.
///
/// Anything may follow a complete sequence. A sequence that ends with the model's end token is the whole completion.
///
/// ```
/// use sparring_core::{LogitHook, OneOf};
/// let tools = OneOf::new([vec![1, 2, 0], vec![1, 3, 0]]); // two names and the end token
/// let mut logits = [0.5; 4];
/// let mut state = tools.start(&[9]);
/// state.accept(1)?;
/// state.apply(&mut logits)?;
/// let no = f32::NEG_INFINITY;
/// assert_eq!(logits, [no, no, 0.5, 0.5]);
/// # Ok::<(), sparring_core::PolicyError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOf {
    sequences: Vec<Vec<u32>>,
}

impl OneOf {
    /// Allows these sequences.
    pub fn new(sequences: impl IntoIterator<Item = Vec<u32>>) -> Self {
        Self { sequences: sequences.into_iter().collect() }
    }
}

impl LogitHook for OneOf {
    fn start<'a>(&'a self, _: &'a [u32]) -> Box<dyn HookState + 'a> {
        let rests: Vec<&[u32]> = self.sequences.iter().map(Vec::as_slice).collect();
        Box::new(Rests { complete: rests.iter().any(|rest| rest.is_empty()), rests })
    }
}

/// The remainders of the sequences that match the completion so far.
struct Rests<'a> {
    rests: Vec<&'a [u32]>,
    /// Whether one of them is complete.
    complete: bool,
}

impl Rests<'_> {
    fn next(&self, vocab_size: usize) -> TokenMask {
        if self.complete {
            return TokenMask::All;
        }
        TokenMask::from_tokens(self.rests.iter().filter_map(|rest| rest.first().copied()), vocab_size)
    }
}

impl HookState for Rests<'_> {
    fn apply(&mut self, logits: &mut [f32]) -> Result<(), PolicyError> {
        self.next(logits.len()).apply(logits);
        Ok(())
    }

    fn mask(&mut self, vocab_size: usize) -> Result<Option<TokenMask>, PolicyError> {
        Ok(Some(self.next(vocab_size)))
    }

    fn accept(&mut self, token: u32) -> Result<(), PolicyError> {
        self.rests = self.rests.iter().filter_map(|rest| rest.strip_prefix(&[token])).collect();
        self.complete |= self.rests.iter().any(|rest| rest.is_empty());
        Ok(())
    }
}
