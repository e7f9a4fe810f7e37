use super::ToyPolicy;
use sparring_core::{Message, Prompt};
use std::sync::Arc;

/// The token that ends a completion, and every message of a prompt.
pub(super) const END: u32 = 0;

/// The words that tokens 1, 2, … stand for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Vocabulary {
    pub(super) words: Vec<String>,
}

impl Vocabulary {
    /// Empty words and duplicates are left out; an empty vocabulary gets one letter, so that there is one.
    pub(super) fn new(words: Vec<String>) -> Self {
        let mut kept: Vec<String> = Vec::new();
        for word in words {
            if !word.is_empty() && !kept.contains(&word) {
                kept.push(word);
            }
        }
        if kept.is_empty() {
            kept.push("a".to_owned());
        }
        Self { words: kept }
    }

    pub(super) fn len(&self) -> usize {
        self.words.len() + 1
    }

    /// The longest word at the start of `text`: its token and its length in bytes.
    fn longest(&self, text: &str) -> Option<(u32, usize)> {
        let fits = self.words.iter().enumerate().filter(|(_, word)| text.starts_with(word.as_str()));
        fits.max_by_key(|(_, word)| word.len()).map(|(i, word)| (i as u32 + 1, word.len()))
    }
}

impl ToyPolicy {
    /// Text to tokens: the longest word at each place. A character that starts no word becomes a letter by
    /// its code point, so that every prompt can be read.
    pub fn encode(&self, text: &str) -> Arc<[u32]> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let stand_in = || (1 + c as u32 % self.vocabulary.words.len() as u32, c.len_utf8());
            let (token, length) = self.vocabulary.longest(rest).unwrap_or_else(stand_in);
            tokens.push(token);
            rest = &rest[length..];
        }
        tokens.into()
    }

    /// Tokens to text; the end token and unknown ones have none.
    pub fn decode(&self, tokens: &[u32]) -> String {
        let word = |&t: &u32| Some(self.vocabulary.words.get((t as usize).checked_sub(1)?)?.as_str());
        tokens.iter().filter_map(word).collect()
    }

    /// A conversation to tokens: the contents, each followed by the end token.
    pub fn encode_messages(&self, messages: &[Message]) -> Arc<[u32]> {
        let mut tokens = Vec::new();
        for message in messages {
            tokens.extend_from_slice(&self.encode(&message.content));
            tokens.push(END);
        }
        tokens.into()
    }

    pub(super) fn prompt_tokens(&self, prompt: &Prompt) -> Option<Arc<[u32]>> {
        match prompt {
            Prompt::Messages(messages) => Some(self.encode_messages(messages)),
            Prompt::Tokens(tokens) => Some(Arc::clone(tokens)),
            _ => None,
        }
    }
}
