use crate::GuidedError;
use llguidance::Matcher;
use sparring_core::{HookState, LogitHook, PolicyError, TokenMask};
use std::fmt;
use std::sync::Arc;

/// A grammar for the completions of one tokenizer, as a logit hook. Made by [`Guide`](crate::Guide).
///
/// A completion can be any text of the grammar and ends with it: where nothing may follow, only an end token is
/// allowed.
#[derive(Clone)]
pub struct Constraint {
    /// At the start of a completion.
    fresh: Arc<Matcher>,
    ends: Arc<[u32]>,
}

impl fmt::Debug for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Constraint").field("ends", &self.ends).finish_non_exhaustive()
    }
}

impl Constraint {
    pub(crate) fn new(fresh: Matcher, ends: Arc<[u32]>) -> Self {
        Self { fresh: Arc::new(fresh), ends }
    }

    /// The state of a new completion. The deep copy takes some microseconds and shares no lexer cache, which a lock
    /// would guard: threads do not wait for each other, and whether a limit of the parser is reached depends on this
    /// completion only.
    pub(crate) fn begin(&self) -> State {
        State { matcher: self.fresh.deep_clone(), ends: Arc::clone(&self.ends) }
    }

    /// Whether a whole text belongs to the grammar.
    ///
    /// # Errors
    /// [`GuidedError::Grammar`] if the parser fails.
    pub fn accepts(&self, text: &[u8]) -> Result<bool, GuidedError> {
        let failed = |error: &dyn fmt::Display| GuidedError::Grammar {
            origin: "a completion".to_owned(),
            what: error.to_string(),
        };
        let mut matcher = self.fresh.deep_clone();
        let environment = matcher.tok_env().map_err(|error| failed(&error))?;
        let tokens = environment.tok_trie().greedy_tokenize(text);
        // The vocabulary may be unable to spell the text.
        if environment.tok_trie().decode(&tokens) != text {
            return Ok(false);
        }
        let taken = matcher.try_consume_tokens(&tokens).map_err(|error| failed(&error))?;
        Ok(taken == tokens.len() && matcher.is_accepting().map_err(|error| failed(&error))?)
    }
}

impl LogitHook for Constraint {
    fn start<'a>(&'a self, _: &'a [u32]) -> Box<dyn HookState + 'a> {
        Box::new(self.begin())
    }
}

/// The parser of one completion.
pub(crate) struct State {
    matcher: Matcher,
    ends: Arc<[u32]>,
}

impl State {
    /// Whether the text is complete and nothing may follow.
    pub(crate) fn is_complete(&self) -> bool {
        self.matcher.is_stopped()
    }

    /// The text of these tokens.
    pub(crate) fn text(&self, tokens: &[u32]) -> Result<String, PolicyError> {
        let environment = self.matcher.tok_env().map_err(failed)?;
        Ok(environment.tok_trie().decode_str(tokens))
    }

    /// The mask of the next token: of the text, and of the end tokens where the text may end.
    fn allowed(&mut self, vocab_size: usize) -> Result<TokenMask, PolicyError> {
        if self.ends.iter().any(|&end| end as usize >= vocab_size) {
            let what =
                "the guide is of a larger vocabulary than the model's; make it from the model's tokenizer";
            return Err(PolicyError::invalid(what));
        }
        if self.is_complete() {
            return Ok(TokenMask::from_tokens(self.ends.iter().copied(), vocab_size));
        }
        let mask = self.matcher.compute_mask().map_err(failed)?;
        let ended = self.matcher.is_accepting().map_err(failed)?;
        // A model may have more logits than its tokenizer has tokens.
        let mut words = vec![0_u64; vocab_size.div_ceil(64)];
        for (word, halves) in words.iter_mut().zip(mask.as_slice().chunks(2)) {
            *word = halves.iter().rev().fold(0, |word, &half| word << 32 | u64::from(half));
        }
        for &end in &*self.ends {
            let (word, bit) = (&mut words[end as usize / 64], 1 << (end % 64));
            *word = if ended { *word | bit } else { *word & !bit };
        }
        Ok(TokenMask::from_words(words, vocab_size))
    }
}

fn failed(error: impl fmt::Display) -> PolicyError {
    PolicyError::invalid(format!("the grammar: {}", error.to_string().lines().next().unwrap_or_default()))
}

impl HookState for State {
    fn apply(&mut self, logits: &mut [f32]) -> Result<(), PolicyError> {
        self.allowed(logits.len())?.apply(logits);
        Ok(())
    }

    fn mask(&mut self, vocab_size: usize) -> Result<Option<TokenMask>, PolicyError> {
        self.allowed(vocab_size).map(Some)
    }

    fn accept(&mut self, token: u32) -> Result<(), PolicyError> {
        if self.ends.contains(&token) || self.matcher.is_stopped() {
            return Ok(());
        }
        self.matcher.consume_token(token).map_err(failed)
    }
}
