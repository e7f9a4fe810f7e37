use crate::constraint::State;
use crate::{Constraint, GuidedError};
use sparring_core::{HookState, LogitHook, PolicyError, TokenMask};
use std::fmt;
use std::sync::Arc;

type Next = dyn Fn(&str) -> Result<Constraint, GuidedError> + Send + Sync;

/// A grammar, and behind its text another grammar that is made from that text; and so on.
///
/// ```
/// use sparring_core::LogitHook;
/// use sparring_guided::{Guide, Staged, Vocabulary};
/// let guide = Guide::new(&Vocabulary::bytes())?;
/// let twice = guide.clone();
/// let word_twice = Staged::new(guide.regex("[a-z]{2};")?, move |word: &str| twice.regex(word));
/// let mut state = word_twice.start(&[]);
/// for byte in "ab;a".bytes() {
///     state.accept(u32::from(byte))?;
/// }
/// let mut logits = vec![0.0; 257];
/// state.apply(&mut logits)?;
/// assert!((0..257).all(|token| (logits[token] == 0.0) == (token == usize::from(b'b'))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Staged {
    first: Constraint,
    later: Vec<Arc<Next>>,
}

impl fmt::Debug for Staged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Staged").field("first", &self.first).finish_non_exhaustive()
    }
}

impl Staged {
    /// `first`, then what `next` makes of its text. The texts of `first` must say by themselves where they end (a
    /// closing tag, a line break): the second grammar begins where nothing may follow in the first.
    pub fn new(
        first: Constraint,
        next: impl Fn(&str) -> Result<Constraint, GuidedError> + Send + Sync + 'static,
    ) -> Self {
        Self { first, later: vec![Arc::new(next)] }
    }

    /// A further stage, which `next` makes of the whole text before it.
    #[must_use]
    pub fn then(
        mut self,
        next: impl Fn(&str) -> Result<Constraint, GuidedError> + Send + Sync + 'static,
    ) -> Self {
        self.later.push(Arc::new(next));
        self
    }
}

impl LogitHook for Staged {
    fn start<'a>(&'a self, _: &'a [u32]) -> Box<dyn HookState + 'a> {
        Box::new(Stage {
            state: self.first.begin(),
            text: String::new(),
            tokens: Vec::new(),
            later: &self.later,
        })
    }
}

struct Stage<'a> {
    state: State,
    /// The text of the stages before.
    text: String,
    /// The tokens of this stage.
    tokens: Vec<u32>,
    later: &'a [Arc<Next>],
}

impl HookState for Stage<'_> {
    fn apply(&mut self, logits: &mut [f32]) -> Result<(), PolicyError> {
        self.state.apply(logits)
    }

    fn mask(&mut self, vocab_size: usize) -> Result<Option<TokenMask>, PolicyError> {
        self.state.mask(vocab_size)
    }

    fn accept(&mut self, token: u32) -> Result<(), PolicyError> {
        self.state.accept(token)?;
        let Some((next, later)) = self.later.split_first() else { return Ok(()) };
        self.tokens.push(token);
        if self.state.is_complete() {
            self.text += &self.state.text(&self.tokens)?;
            self.tokens.clear();
            let stage = next(&self.text).map_err(|error| PolicyError::invalid(error.to_string()))?;
            (self.state, self.later) = (stage.begin(), later);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Guide, Vocabulary};

    #[test]
    fn a_later_stage_is_made_of_all_the_text_before() {
        let guide = Guide::new(&Vocabulary::bytes()).unwrap();
        let (second, third) = (guide.clone(), guide.clone());
        let staged = Staged::new(guide.regex("[ab];").unwrap(), move |_| second.regex("[cd];"))
            .then(move |text| third.regex(text));
        let follows = |text: &str| {
            let mut state = staged.start(&[]);
            text.bytes().all(|byte| {
                let mut logits = vec![0.0; 257];
                state.apply(&mut logits).unwrap();
                logits[usize::from(byte)] == 0.0 && state.accept(u32::from(byte)).is_ok()
            })
        };
        assert!(follows("a;d;a;d;"));
        assert!(!follows("a;d;d;"));
    }
}
