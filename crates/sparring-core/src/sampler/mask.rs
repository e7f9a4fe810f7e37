use super::{HookState, LogitHook};
use crate::PolicyError;
use std::ops::Range;

/// The tokens that a [`LogitHook`] allows at one place of a completion.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenMask {
    /// Every token.
    All,
    /// One token. It has log-probability 0, entropy 0 and no gradient.
    Only(u32),
    /// Several tokens: bit `i % 64` of word `i / 64` allows token `i`.
    Some(Box<[u64]>),
}

impl TokenMask {
    /// The mask of words as in [`TokenMask::Some`], for a vocabulary of `vocab_size` tokens: words and bits beyond it
    /// are dropped, missing words forbid. The variant follows from how many tokens are allowed.
    ///
    /// ```
    /// use sparring_core::TokenMask;
    /// assert_eq!(TokenMask::from_words([0, 0b100], 70), TokenMask::Only(66));
    /// assert_eq!(TokenMask::from_words([u64::MAX], 3), TokenMask::All);
    /// ```
    pub fn from_words(words: impl IntoIterator<Item = u64>, vocab_size: usize) -> Self {
        let missing = std::iter::repeat(0);
        let mut words: Box<[u64]> = words.into_iter().chain(missing).take(vocab_size.div_ceil(64)).collect();
        if let (Some(last), 1..) = (words.last_mut(), vocab_size % 64) {
            *last &= (1 << (vocab_size % 64)) - 1;
        }
        let allowed: u32 = words.iter().map(|word| word.count_ones()).sum();
        match words.iter().position(|word| *word != 0) {
            _ if allowed as usize == vocab_size => Self::All,
            Some(at) if allowed == 1 => Self::Only(at as u32 * 64 + words[at].trailing_zeros()),
            _ => Self::Some(words),
        }
    }

    /// The mask that allows these tokens, as far as they are in the vocabulary.
    pub fn from_tokens(tokens: impl IntoIterator<Item = u32>, vocab_size: usize) -> Self {
        let mut words = vec![0; vocab_size.div_ceil(64)];
        for token in tokens {
            if let Some(word) = words.get_mut(token as usize / 64) {
                *word |= 1 << (token % 64);
            }
        }
        Self::from_words(words, vocab_size)
    }

    /// The mask of logits: a token is forbidden by −∞.
    fn of(logits: &[f32]) -> Self {
        let word = |logits: &[f32]| {
            let bit = |(bit, logit): (usize, &f32)| u64::from(*logit != f32::NEG_INFINITY) << bit;
            logits.iter().enumerate().map(bit).fold(0, std::ops::BitOr::bitor)
        };
        Self::from_words(logits.chunks(64).map(word), logits.len())
    }

    /// The mask that forbids these tokens, too.
    pub(super) fn without<'t>(self, mut tokens: impl Iterator<Item = &'t u32>, vocab_size: usize) -> Self {
        let mut words: Box<[u64]> = match self {
            Self::Some(words) => words,
            Self::All => vec![u64::MAX; vocab_size.div_ceil(64)].into(),
            Self::Only(only) if tokens.any(|token| *token == only) => vec![0; vocab_size.div_ceil(64)].into(),
            Self::Only(_) => return self,
        };
        for token in tokens {
            words.get_mut(*token as usize / 64).into_iter().for_each(|word| *word &= !(1 << (token % 64)));
        }
        Self::from_words(words, vocab_size)
    }

    /// Forbids what the mask forbids: writes −∞ to its logits.
    pub fn apply(&self, logits: &mut [f32]) {
        let words = match self {
            Self::All => return,
            Self::Only(only) => {
                let logit = logits.get(*only as usize).copied();
                logits.fill(f32::NEG_INFINITY);
                logits.iter_mut().skip(*only as usize).zip(logit).for_each(|(out, logit)| *out = logit);
                return;
            }
            Self::Some(words) => words,
        };
        let mut chunks = logits.chunks_mut(64);
        for (&word, logits) in words.iter().zip(&mut chunks) {
            match word {
                0 => logits.fill(f32::NEG_INFINITY),
                u64::MAX => {}
                _ => {
                    for (bit, logit) in logits.iter_mut().enumerate() {
                        *logit = if word >> bit & 1 == 1 { *logit } else { f32::NEG_INFINITY };
                    }
                }
            }
        }
        chunks.for_each(|logits| logits.fill(f32::NEG_INFINITY));
    }

    /// Whether a token is allowed.
    pub fn allows(&self, token: u32) -> bool {
        match self {
            Self::All => true,
            Self::Only(only) => *only == token,
            Self::Some(words) => {
                words.get(token as usize / 64).is_some_and(|word| word >> (token % 64) & 1 == 1)
            }
        }
    }

    /// The allowed tokens of a range, ascending.
    ///
    /// ```
    /// use sparring_core::TokenMask;
    /// let mask = TokenMask::Some([1 << 3 | 1 << 63, 1 << 1].into());
    /// assert_eq!(mask.allowed(4..70).collect::<Vec<_>>(), [63, 65]);
    /// assert_eq!(TokenMask::All.allowed(4..6).collect::<Vec<_>>(), [4, 5]);
    /// ```
    pub fn allowed(&self, tokens: Range<u32>) -> impl Iterator<Item = u32> + '_ {
        let (all, only, words) = match self {
            Self::All => (tokens.clone(), None, &[][..]),
            Self::Only(only) => (0..0, Some(*only), &[][..]),
            Self::Some(words) => (0..0, None, &words[..]),
        };
        let first = tokens.start / 64;
        let words = (first..).zip(words.get(first as usize..).unwrap_or_default());
        let set = words.take_while(move |(at, _)| at * 64 < tokens.end).flat_map(|(at, &word)| {
            std::iter::successors(Some(word), |word| word.checked_sub(1).map(|less| word & less))
                .take_while(|word| *word != 0)
                .map(move |word| at * 64 + word.trailing_zeros())
        });
        all.chain(only.into_iter().chain(set).filter(move |token| tokens.contains(token)))
    }

    /// The masks of each place of `completion`, for implementors of [`Scorer`](crate::Scorer): the hook is run again
    /// over the tokens that were drawn under it.
    ///
    /// ```
    /// use sparring_core::{OneOf, TokenMask};
    /// let names = OneOf::new([vec![1, 2], vec![1, 3]]);
    /// let masks = TokenMask::replay(&names, &[0], &[1, 3], 4)?;
    /// assert_eq!(masks[0], TokenMask::Only(1));
    /// assert!(masks[1].allows(2) && masks[1].allows(3) && !masks[1].allows(0));
    /// # Ok::<(), sparring_core::PolicyError>(())
    /// ```
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] if the hook forbids a token of the completion; [`PolicyError::Unsupported`] if it
    /// changes logits otherwise than by forbidding tokens; the hook's own error.
    pub fn replay(
        hook: &dyn LogitHook,
        prompt: &[u32],
        completion: &[u32],
        vocab_size: usize,
    ) -> Result<Vec<Self>, PolicyError> {
        let mut state = hook.start(prompt);
        let mut masks = Vec::with_capacity(completion.len());
        let mut logits = Vec::new();
        for (place, &token) in completion.iter().enumerate() {
            let mask = match state.mask(vocab_size)? {
                Some(mask) => mask,
                None => Self::found(&mut *state, vocab_size, &mut logits)?,
            };
            if !mask.allows(token) {
                return Err(PolicyError::invalid(format!(
                    "token {place} of a completion ({token}) is forbidden by the hook of its group; pass the hook that \
                     it was drawn under"
                )));
            }
            masks.push(mask);
            state.accept(token)?;
        }
        Ok(masks)
    }

    /// The mask of the next token, by what a state does to logits.
    fn found(
        state: &mut dyn HookState,
        vocab_size: usize,
        logits: &mut Vec<f32>,
    ) -> Result<Self, PolicyError> {
        logits.clear();
        logits.resize(vocab_size, 0.0);
        state.apply(logits)?;
        if logits.iter().any(|logit| *logit != 0.0 && *logit != f32::NEG_INFINITY) {
            return Err(PolicyError::Unsupported {
                what: "scoring under a hook that changes the logits of allowed tokens",
            });
        }
        Ok(Self::of(logits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn a_mask_is_a_set_of_tokens(
            vocab_size in 1_usize..200,
            tokens in prop::collection::vec(0_u32..220, 0..200),
            removed in prop::collection::vec(0_u32..220, 0..9),
        ) {
            let set: BTreeSet<u32> = tokens.iter().copied().filter(|t| (*t as usize) < vocab_size).collect();
            let mask = TokenMask::from_tokens(tokens, vocab_size);
            let all = 0..vocab_size as u32;
            prop_assert_eq!(mask.allowed(all.clone()).collect::<BTreeSet<_>>(), set.clone());
            prop_assert_eq!(mask == TokenMask::All, set.len() == vocab_size);
            prop_assert_eq!(matches!(mask, TokenMask::Only(_)), set.len() == 1 && vocab_size > 1);
            let mut logits: Vec<f32> = all.clone().map(|token| token as f32).collect();
            mask.apply(&mut logits);
            for (token, logit) in all.zip(&logits) {
                let want = if set.contains(&token) { token as f32 } else { f32::NEG_INFINITY };
                prop_assert_eq!(logit.to_bits(), want.to_bits());
            }
            prop_assert_eq!(TokenMask::of(&logits), mask.clone());
            let rest = set.iter().copied().filter(|token| !removed.contains(token));
            prop_assert_eq!(mask.without(removed.iter(), vocab_size), TokenMask::from_tokens(rest, vocab_size));
        }
    }
}
