//! A complete policy of a few thousand numbers.
mod checkpoint;
mod learn;
mod sample;
mod tokens;

use sparring_core::{Learner, Policy, PolicyError, Sampler, Scorer, Seed};
use tokens::Vocabulary;

use rand::Rng;

/// A bigram softmax policy in `f64` with exact gradients and Adam.
///
/// The logits of the next token are `row[prompt mod R][t] + bigram[previous]`: a table looked up by a hash of
/// the prompt and the position t (the last row goes on for ever), and one looked up by the previous token. So
/// it can learn any one completion for each of a few prompts, and letters that follow letters for all of them.
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
#[derive(Debug, Clone, PartialEq)]
pub struct ToyPolicy {
    vocabulary: Vocabulary,
    rows: usize,
    positions: usize,
    max_length: usize,
    /// Rows × positions × tokens, then tokens × tokens.
    weights: Vec<f64>,
    gradient: Vec<f64>,
    first: Vec<f64>,
    second: Vec<f64>,
    steps: u64,
}

const ROWS: usize = 64;
const POSITIONS: usize = 24;
const MAX_LENGTH: usize = 65_536;

impl ToyPolicy {
    /// A policy whose tokens are the characters of `alphabet`, with small random weights.
    pub fn new(alphabet: &str, seed: Seed) -> Self {
        Self::from_words(alphabet.chars().map(String::from), seed)
    }

    /// A policy whose tokens are whole words; they are decoded without anything between them.
    pub fn from_words<W: Into<String>>(words: impl IntoIterator<Item = W>, seed: Seed) -> Self {
        let vocabulary = Vocabulary::new(words.into_iter().map(Into::into).collect());
        let v = vocabulary.len();
        let parameters = ROWS * POSITIONS * v + v * v;
        let mut rng = seed.child("toy policy").rng();
        Self {
            vocabulary,
            rows: ROWS,
            positions: POSITIONS,
            max_length: MAX_LENGTH,
            weights: (0..parameters).map(|_| rng.random_range(-0.5..0.5)).collect(),
            gradient: vec![0.0; parameters],
            first: vec![0.0; parameters],
            second: vec![0.0; parameters],
            steps: 0,
        }
    }

    /// Sets the most tokens that prompt and completion may have together; at least 1.
    #[must_use]
    pub fn with_max_length(mut self, tokens: usize) -> Self {
        self.max_length = tokens.max(1);
        self
    }

    /// Number of tokens: one more than the alphabet has letters.
    pub fn vocabulary_size(&self) -> usize {
        self.vocabulary.len()
    }

    /// Every weight, for tests.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Every weight, to be changed by finite differences and planted bugs.
    pub fn weights_mut(&mut self) -> &mut [f64] {
        &mut self.weights
    }

    /// The gradient accumulated since the last step, in the order of [`ToyPolicy::weights`].
    pub fn gradient(&self) -> &[f64] {
        &self.gradient
    }

    /// Where the logits of the token after `previous`, at `position` of the completion, are summed from.
    fn sources(&self, row: usize, position: usize, previous: u32) -> [usize; 2] {
        let v = self.vocabulary.len();
        let table = (row * self.positions + position.min(self.positions - 1)) * v;
        [table, self.rows * self.positions * v + previous as usize * v]
    }

    /// log softmax(logits / temperature) of the next token.
    fn log_softmax(&self, [table, bigram]: [usize; 2], temperature: f64) -> Vec<f64> {
        let v = self.vocabulary.len();
        let logits = self.weights[table..table + v].iter().zip(&self.weights[bigram..bigram + v]);
        let scaled: Vec<f64> = logits.map(|(a, b)| (a + b) / temperature).collect();
        let top = scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let log_sum = top + scaled.iter().map(|z| (z - top).exp()).sum::<f64>().ln();
        scaled.into_iter().map(|z| z - log_sum).collect()
    }

    /// The row of the table that a prompt looks up: every token moves it, the last ones too.
    fn row(&self, prompt: &[u32]) -> usize {
        let hash = prompt.iter().fold(Seed::new(0), |hash, &token| hash.index(u64::from(token)));
        (hash.value() % self.rows as u64) as usize
    }

    fn check_prompt(&self, prompt: &[u32]) -> Result<(), PolicyError> {
        if prompt.is_empty() {
            return Err(PolicyError::invalid("the prompt is empty; give it at least one token"));
        }
        self.check_tokens(prompt)
    }

    fn check_tokens(&self, tokens: &[u32]) -> Result<(), PolicyError> {
        match tokens.iter().find(|&&t| t as usize >= self.vocabulary.len()) {
            Some(t) => Err(PolicyError::invalid(format!(
                "token {t} is not in the vocabulary of {}",
                self.vocabulary.len()
            ))),
            None => Ok(()),
        }
    }
}

impl Policy for ToyPolicy {
    fn sampler(&self) -> &dyn Sampler {
        self
    }

    fn scorer(&self) -> &dyn Scorer {
        self
    }

    fn learner(&mut self) -> &mut dyn Learner {
        self
    }

    fn freeze(&self) -> Result<Box<dyn Scorer>, PolicyError> {
        Ok(Box::new(self.clone()))
    }
}
