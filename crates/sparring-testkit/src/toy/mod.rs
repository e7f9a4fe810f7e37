//! A complete policy with a few thousand numbers.
mod vocabulary;

use crate::{NextToken, NextTokenPolicy, TokenContext};
use rand::Rng;
use sparring_core::{Continuation, Conversation, Encoder, Message, PolicyError, Prompt, Seed};
use std::ops::Range;
use std::sync::Arc;
use vocabulary::Vocabulary;

/// A bigram softmax policy in `f64` with exact gradients and Adam.
///
/// The logits of the next token are `row[prompt mod R][t] + bigram[previous]`: one table is indexed by a hash of the
/// prompt and the position t (the last row repeats for ever), the other by the previous token. So it can learn any one
/// completion for each of a few prompts, and for all prompts which letters follow each other.
///
/// Where the prompt ends therefore matters, as it does not for a language model: a completion drawn in several turns
/// has other log-probabilities when it is scored as one.
///
/// Token 0 ends a completion; the letters follow, in order.
///
/// ```
/// use sparring_core::Seed;
/// use sparring_testkit::ToyPolicy;
/// let policy = ToyPolicy::new("abc", Seed::new(1));
/// assert_eq!(policy.encode("cab").as_ref(), [3, 1, 2]);
/// let words = ToyPolicy::from_words(["yes", "no"], Seed::new(1));
/// assert_eq!(words.decode(&[2, 1, 0]), "noyes");
/// ```
pub type ToyPolicy = NextTokenPolicy<ToyModel>;

/// The model of a [`ToyPolicy`].
///
/// Its weights are rows × positions × tokens, then tokens × tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct ToyModel {
    vocabulary: Vocabulary,
}

const ROWS: usize = 64;
const POSITIONS: usize = 24;

impl ToyPolicy {
    /// Returns a policy whose tokens are the characters of `alphabet`, with small random weights.
    pub fn new(alphabet: &str, seed: Seed) -> Self {
        Self::from_words(alphabet.chars().map(String::from), seed)
    }

    /// Returns a policy whose tokens are whole words, which are decoded without separators.
    pub fn from_words<W: Into<String>>(words: impl IntoIterator<Item = W>, seed: Seed) -> Self {
        let vocabulary = Vocabulary::new(words.into_iter().map(Into::into).collect());
        let v = vocabulary.len();
        let mut rng = seed.child("toy policy").rng();
        let weights = (0..ROWS * POSITIONS * v + v * v).map(|_| rng.random_range(-0.5..0.5)).collect();
        Self::from_weights(ToyModel { vocabulary }, weights)
    }

    /// Encodes text, taking the longest word at each position. A character that starts no word is mapped to a letter
    /// by its code point, so that every prompt can be encoded.
    pub fn encode(&self, text: &str) -> Arc<[u32]> {
        self.model().vocabulary.encode(text).into()
    }

    /// Decodes tokens; the end token and unknown ones have no text.
    pub fn decode(&self, tokens: &[u32]) -> String {
        tokens.iter().map(|&token| self.model().decode(token)).collect()
    }

    /// Encodes a conversation: the contents, each followed by the end token.
    pub fn encode_messages(&self, messages: &[Message]) -> Arc<[u32]> {
        self.model().encode(messages).into()
    }
}

impl Encoder for ToyPolicy {
    fn prompt(&self, prompt: &Prompt) -> Result<Arc<[u32]>, PolicyError> {
        match prompt {
            Prompt::Tokens(ids) => Ok(Arc::clone(ids)),
            Prompt::Conversation(conversation) => Ok(self.encode_messages(&conversation.messages)),
            Prompt::Text(text) => Ok(self.encode(text)),
            _ => Err(PolicyError::Unsupported { what: "this kind of prompt" }),
        }
    }

    fn completion(&self, text: &str) -> Result<Vec<u32>, PolicyError> {
        let mut ids = self.encode(text).to_vec();
        ids.push(self.model().end());
        Ok(ids)
    }

    fn continuation(
        &self,
        _: &Conversation,
        turn: &[u32],
        next: &[Message],
    ) -> Result<Continuation, PolicyError> {
        let end = self.model().end();
        let cut_off = (turn.last() != Some(&end)).then_some(end);
        Ok(Continuation::Appends(cut_off.into_iter().chain(self.model().encode(next)).collect()))
    }
}

impl ToyModel {
    /// Returns the two rows of weights whose sum is the logits of the next token.
    fn rows(&self, context: TokenContext<'_>) -> [Range<usize>; 2] {
        let row = (context.prompt_hash % ROWS as u64) as usize;
        let table = row * POSITIONS + context.completion.len().min(POSITIONS - 1);
        let v = self.vocabulary.len();
        [table, ROWS * POSITIONS + context.last() as usize].map(|row| row * v..(row + 1) * v)
    }
}

impl NextToken for ToyModel {
    fn vocabulary_size(&self) -> usize {
        self.vocabulary.len()
    }

    fn encode(&self, messages: &[Message]) -> Vec<u32> {
        let mut tokens = Vec::new();
        for message in messages {
            tokens.extend(self.vocabulary.encode(&message.content));
            tokens.push(self.end());
        }
        tokens
    }

    fn decode(&self, token: u32) -> &str {
        self.vocabulary.word(token).unwrap_or_default()
    }

    fn logits(&self, weights: &[f64], context: TokenContext<'_>) -> Vec<f64> {
        let [table, bigram] = self.rows(context).map(|row| &weights[row]);
        table.iter().zip(bigram).map(|(a, b)| a + b).collect()
    }

    fn backward(&self, _: &[f64], context: TokenContext<'_>, d_logits: &[f64], gradient: &mut [f64]) {
        for row in self.rows(context) {
            gradient[row].iter_mut().zip(d_logits).for_each(|(g, d)| *g += d);
        }
    }
}
