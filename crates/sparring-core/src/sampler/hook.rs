use crate::PolicyError;
use std::fmt;
use std::sync::Arc;

/// Changes the logits of a step before a token is drawn: constrained decoding, biases, forbidden words.
///
/// # Contract
/// * The result depends on the arguments only: then the same seed gives the same tokens in any batch. A hook is
///   called from several threads, and not in the order of the tokens of different completions.
/// * −∞ forbids a token. To forbid all of them, or to write NaN or +∞, is an error of the request.
///
/// A closure is a hook:
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
    /// Changes `logits`, one a token of the vocabulary, for the token that follows `tokens` (the completion so
    /// far) after `prompt`.
    ///
    /// # Errors
    /// Any error fails the request, and no other of the call.
    fn apply(&self, prompt: &[u32], tokens: &[u32], logits: &mut [f32]) -> Result<(), PolicyError>;
}

impl<F> LogitHook for F
where
    F: Fn(&[u32], &[u32], &mut [f32]) -> Result<(), PolicyError> + Send + Sync,
{
    fn apply(&self, prompt: &[u32], tokens: &[u32], logits: &mut [f32]) -> Result<(), PolicyError> {
        self(prompt, tokens, logits)
    }
}

/// A [`LogitHook`] that requests share. Equal hooks are the same object.
#[derive(Clone)]
pub struct Hook(Arc<dyn LogitHook>);

impl Hook {
    /// Shares a hook.
    pub fn new(hook: impl LogitHook + 'static) -> Self {
        Self(Arc::new(hook))
    }
}

impl LogitHook for Hook {
    fn apply(&self, prompt: &[u32], tokens: &[u32], logits: &mut [f32]) -> Result<(), PolicyError> {
        self.0.apply(prompt, tokens, logits)
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
/// AllowTokens::new([2, 0]).apply(&[1], &[], &mut logits)?;
/// assert_eq!(logits, [0.1, f32::NEG_INFINITY, 0.3]);
/// # Ok::<(), sparring_core::PolicyError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowTokens {
    /// Ascending.
    allowed: Vec<u32>,
}

impl AllowTokens {
    /// Allows these tokens; name the model's end token, too, where a completion is to end by itself.
    pub fn new(tokens: impl IntoIterator<Item = u32>) -> Self {
        let mut allowed: Vec<u32> = tokens.into_iter().collect();
        allowed.sort_unstable();
        Self { allowed }
    }
}

impl LogitHook for AllowTokens {
    fn apply(&self, _: &[u32], _: &[u32], logits: &mut [f32]) -> Result<(), PolicyError> {
        keep(logits, &self.allowed);
        Ok(())
    }
}

/// A completion that begins with one of several token sequences: the name of a tool, a label, a whole answer.
///
/// Once a sequence is complete, anything may follow it; a sequence that ends with the model's end token is the whole
/// completion.
///
/// ```
/// use sparring_core::{LogitHook, OneOf};
/// let tools = OneOf::new([vec![1, 2, 0], vec![1, 3, 0]]); // two names and the end token
/// let mut logits = [0.5; 4];
/// tools.apply(&[9], &[1], &mut logits)?;
/// let no = f32::NEG_INFINITY;
/// assert_eq!(logits, [no, no, 0.5, 0.5]);
/// # Ok::<(), sparring_core::PolicyError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOf {
    sequences: Vec<Vec<u32>>,
}

impl OneOf {
    /// Chooses among these sequences.
    pub fn new(sequences: impl IntoIterator<Item = Vec<u32>>) -> Self {
        Self { sequences: sequences.into_iter().collect() }
    }
}

impl LogitHook for OneOf {
    fn apply(&self, _: &[u32], tokens: &[u32], logits: &mut [f32]) -> Result<(), PolicyError> {
        if self.sequences.iter().any(|s| tokens.starts_with(s)) {
            return Ok(());
        }
        let rest = self.sequences.iter().filter_map(|s| s.strip_prefix(tokens));
        let mut next: Vec<u32> = rest.filter_map(|rest| rest.first().copied()).collect();
        next.sort_unstable();
        keep(logits, &next);
        Ok(())
    }
}

/// Forbids every token but `allowed`, which is ascending.
fn keep(logits: &mut [f32], allowed: &[u32]) {
    let mut allowed = allowed.iter().copied().peekable();
    for (id, logit) in (0..).zip(logits) {
        while allowed.next_if(|&a| a < id).is_some() {}
        if allowed.peek() != Some(&id) {
            *logit = f32::NEG_INFINITY;
        }
    }
}
