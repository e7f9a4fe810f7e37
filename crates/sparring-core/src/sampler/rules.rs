use super::{HookState, LogitHook, SampleRequest, TokenMask};
use crate::PolicyError;
use std::fmt;

/// The changes to the logits of one completion before the temperature: repetition penalty, `min_tokens`, hook.
///
/// Made by [`SampleRequest::rules`]. A sampler calls [`LogitRules::adjust`] before each draw and
/// [`LogitRules::accept`] after it. Before the logits exist, [`LogitRules::mask`] may already know which are needed.
///
/// ```
/// use sparring_core::{OneOf, SampleRequest, SamplingParams, Seed};
/// let hook = OneOf::new([vec![1, 2]]);
/// let request = SampleRequest::new(vec![5], 1, SamplingParams::default(), Seed::new(1)).with_hook(hook);
/// let (mut rules, no) = (request.rules(&[5], &[0]), f32::NEG_INFINITY);
/// rules.accept(1)?;
/// let mut logits = [0.5; 3];
/// rules.adjust(&mut logits)?;
/// assert_eq!(logits, [no, no, 0.5]);
/// # Ok::<(), sparring_core::PolicyError>(())
/// ```
pub struct LogitRules<'a> {
    request: &'a SampleRequest,
    prompt: &'a [u32],
    ends: &'a [u32],
    /// Tokens sampled so far.
    tokens: Vec<u32>,
    state: Option<Box<dyn HookState + 'a>>,
    /// What is known of the next token's mask; `None` until asked for.
    mask: Option<Result<Option<TokenMask>, PolicyError>>,
}

impl<'a> LogitRules<'a> {
    pub(super) fn new(request: &'a SampleRequest, prompt: &'a [u32], ends: &'a [u32]) -> Self {
        let state = request.hook.as_ref().map(|hook| hook.start(prompt));
        Self { request, prompt, ends, tokens: Vec::new(), state, mask: None }
    }

    /// Returns whether [`LogitRules::adjust`] may change a logit of the next token.
    pub fn adjusts(&self) -> bool {
        let params = &self.request.params;
        self.state.is_some() || self.tokens.len() < params.min_tokens || params.penalises()
    }

    /// Changes the logits of the next token. At least one logit stays above −∞, and none is NaN or +∞.
    ///
    /// # Errors
    /// The hook's own error; [`PolicyError::Invalid`] if no token is left.
    pub fn adjust(&mut self, logits: &mut [f32]) -> Result<(), PolicyError> {
        if !self.adjusts() {
            return Ok(());
        }
        let (params, drawn) = (&self.request.params, self.tokens.len());
        if params.penalises() {
            penalise(self.prompt.iter().chain(&self.tokens), params.repetition_penalty, logits);
        }
        if let Some(mask) = self.mask(logits.len())? {
            mask.apply(logits);
        } else {
            if drawn < params.min_tokens {
                for &end in self.ends.iter().chain(&params.stop_tokens) {
                    if let Some(logit) = logits.get_mut(end as usize) {
                        *logit = f32::NEG_INFINITY;
                    }
                }
            }
            if let Some(state) = &mut self.state {
                state.apply(logits)?;
            }
        }
        // Counted, since the compiler does not vectorise loops with an early exit.
        let wrong: u32 = logits.iter().map(|l| u32::from(l.is_nan() || *l == f32::INFINITY)).sum();
        let left: u32 = logits.iter().map(|l| u32::from(*l != f32::NEG_INFINITY)).sum();
        if wrong > 0 {
            let fault =
                "a logit is NaN or +∞ after its hook and penalty; let the hook write finite numbers or −∞";
            return Err(PolicyError::invalid(format!("after {drawn} tokens: {fault}")));
        }
        if left > 0 { Ok(()) } else { Err(self.nothing_left()) }
    }

    /// The mask of the next token for a vocabulary of `vocab_size`: what the hook and `min_tokens` allow. `None` if
    /// there is no hook, or if its state needs the logits to say ([`HookState::mask`]).
    ///
    /// Where it is [`TokenMask::Only`], the draw needs no logits: the token has log-probability 0. It must still take
    /// the random numbers that any draw takes. Elsewhere, [`LogitRules::adjust`] ignores the logits of forbidden
    /// tokens.
    ///
    /// # Errors
    /// As [`LogitRules::adjust`].
    pub fn mask(&mut self, vocab_size: usize) -> Result<Option<&TokenMask>, PolicyError> {
        if self.mask.is_none() {
            let mask = self.ask(vocab_size);
            self.mask = Some(mask);
        }
        match &self.mask {
            Some(Ok(mask)) => Ok(mask.as_ref()),
            Some(Err(error)) => Err(error.clone()),
            None => Ok(None),
        }
    }

    fn ask(&mut self, vocab_size: usize) -> Result<Option<TokenMask>, PolicyError> {
        let Some(state) = &mut self.state else { return Ok(None) };
        let Some(mask) = state.mask(vocab_size)? else { return Ok(None) };
        let params = &self.request.params;
        let early = self.tokens.len() < params.min_tokens;
        let ends = early.then(|| self.ends.iter().chain(&params.stop_tokens));
        // Also drops tokens beyond the vocabulary.
        let mask = mask.without(ends.into_iter().flatten(), vocab_size);
        if mask.allowed(0..vocab_size as u32).next().is_none() {
            return Err(self.nothing_left());
        }
        Ok(Some(mask))
    }

    fn nothing_left(&self) -> PolicyError {
        PolicyError::invalid(format!(
            "after {} tokens: its hook and min_tokens leave no token to draw; allow at least one at every step",
            self.tokens.len()
        ))
    }

    /// Records the sampled token.
    ///
    /// # Errors
    /// The hook's own error.
    pub fn accept(&mut self, token: u32) -> Result<(), PolicyError> {
        self.tokens.push(token);
        self.mask = None;
        self.state.as_mut().map_or(Ok(()), |state| state.accept(token))
    }
}

impl fmt::Debug for LogitRules<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogitRules")
            .field("request", &self.request)
            .field("tokens", &self.tokens)
            .finish_non_exhaustive()
    }
}

/// Applies the penalty once to each distinct token.
fn penalise<'a>(tokens: impl Iterator<Item = &'a u32>, penalty: f32, logits: &mut [f32]) {
    let mut seen = vec![false; logits.len()];
    for &token in tokens {
        let Some(logit) = logits.get_mut(token as usize) else { continue };
        if !std::mem::replace(&mut seen[token as usize], true) {
            *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
        }
    }
}
