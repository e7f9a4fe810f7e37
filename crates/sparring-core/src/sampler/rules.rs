use super::{HookState, LogitHook, SampleRequest};
use crate::PolicyError;
use std::fmt;

/// The changes to the logits of one completion before the temperature: repetition penalty, `min_tokens`, hook.
///
/// Made by [`SampleRequest::rules`]. A sampler calls [`LogitRules::adjust`] before each draw and
/// [`LogitRules::accept`] after it.
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
}

impl<'a> LogitRules<'a> {
    pub(super) fn new(request: &'a SampleRequest, prompt: &'a [u32], ends: &'a [u32]) -> Self {
        let state = request.hook.as_ref().map(|hook| hook.start(prompt));
        Self { request, prompt, ends, tokens: Vec::new(), state }
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
        let fault = if logits.iter().any(|l| l.is_nan() || *l == f32::INFINITY) {
            "a logit is NaN or +∞ after its hook and penalty; let the hook write finite numbers or −∞"
        } else if logits.iter().all(|l| *l == f32::NEG_INFINITY) {
            "its hook and min_tokens leave no token to draw; allow at least one at every step"
        } else {
            return Ok(());
        };
        Err(PolicyError::invalid(format!("after {drawn} tokens: {fault}")))
    }

    /// Records the sampled token.
    ///
    /// # Errors
    /// The hook's own error.
    pub fn accept(&mut self, token: u32) -> Result<(), PolicyError> {
        self.tokens.push(token);
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
