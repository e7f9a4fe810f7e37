use super::LogitHook;
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
    /// The mask of logits: a token is forbidden by −∞.
    fn of(logits: &[f32]) -> Self {
        let mut words = vec![0_u64; logits.len().div_ceil(64)].into_boxed_slice();
        for (word, logits) in words.iter_mut().zip(logits.chunks(64)) {
            for (bit, &logit) in logits.iter().enumerate() {
                *word |= u64::from(logit != f32::NEG_INFINITY) << bit;
            }
        }
        let allowed: u32 = words.iter().map(|word| word.count_ones()).sum();
        match words.iter().position(|word| *word != 0) {
            _ if allowed as usize == logits.len() => Self::All,
            Some(at) if allowed == 1 => Self::Only(at as u32 * 64 + words[at].trailing_zeros()),
            _ => Self::Some(words),
        }
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
        let mut logits = vec![0.0_f32; vocab_size];
        for (place, &token) in completion.iter().enumerate() {
            logits.fill(0.0);
            state.apply(&mut logits)?;
            if logits.iter().any(|logit| *logit != 0.0 && *logit != f32::NEG_INFINITY) {
                return Err(PolicyError::Unsupported {
                    what: "scoring under a hook that changes the logits of allowed tokens",
                });
            }
            let mask = Self::of(&logits);
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
}
