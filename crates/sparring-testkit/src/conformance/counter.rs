//! A hook for the checks of every backend.

use sparring_core::{HookState, LogitHook, PolicyError, TokenMask};
use std::collections::BTreeSet;

/// A counting automaton: the tokens allowed next depend on the number and the sum of the accepted ones.
#[derive(Clone)]
pub(super) struct Counter {
    /// Ascending and distinct.
    tokens: Vec<u32>,
    /// Largest length of a completion.
    limit: usize,
    /// Whether masks are known before the logits.
    masks: bool,
}

pub(super) struct CounterState<'a> {
    counter: &'a Counter,
    accepted: usize,
    sum: u64,
}

impl Counter {
    pub(super) fn new(tokens: impl IntoIterator<Item = u32>, limit: usize) -> Self {
        let tokens: BTreeSet<u32> = tokens.into_iter().collect();
        Self { tokens: tokens.into_iter().collect(), limit, masks: false }
    }

    /// The same rule, with masks before the logits.
    pub(super) fn with_masks(self) -> Self {
        Self { masks: true, ..self }
    }

    /// Whether only one token is allowed at this place.
    pub(super) fn forces(place: usize) -> bool {
        place % 3 == 2
    }

    pub(super) fn begin(&self) -> CounterState<'_> {
        CounterState { counter: self, accepted: 0, sum: 0 }
    }
}

impl CounterState<'_> {
    fn check(&self) -> Result<(), PolicyError> {
        if self.accepted < self.counter.limit {
            return Ok(());
        }
        Err(PolicyError::invalid("one hook state was used for more than one completion"))
    }

    /// Allows all tokens but one, or the only one; at every third place one token only.
    pub(super) fn allows(&self, token: u32) -> bool {
        let tokens = &self.counter.tokens;
        let chosen = (self.sum + self.accepted as u64) as usize % tokens.len().max(1);
        let forced = tokens.len() == 1 || Counter::forces(self.accepted);
        tokens.binary_search(&token).is_ok_and(|place| (place == chosen) == forced)
    }
}

impl LogitHook for Counter {
    fn start<'a>(&'a self, _: &'a [u32]) -> Box<dyn HookState + 'a> {
        Box::new(self.begin())
    }
}

impl HookState for CounterState<'_> {
    fn apply(&mut self, logits: &mut [f32]) -> Result<(), PolicyError> {
        self.check()?;
        for (token, logit) in (0..).zip(logits) {
            if !self.allows(token) {
                *logit = f32::NEG_INFINITY;
            }
        }
        Ok(())
    }

    fn accept(&mut self, token: u32) -> Result<(), PolicyError> {
        self.accepted += 1;
        self.sum += u64::from(token);
        Ok(())
    }

    fn mask(&mut self, vocab_size: usize) -> Result<Option<TokenMask>, PolicyError> {
        self.check()?;
        let allowed = || (0..vocab_size as u32).filter(|&token| self.allows(token));
        Ok(self.counter.masks.then(|| TokenMask::from_tokens(allowed(), vocab_size)))
    }
}
