/// The words of tokens 1, 2, …; token 0 is the end.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Vocabulary {
    words: Vec<String>,
}

impl Vocabulary {
    /// Builds a vocabulary without empty words and duplicates; an empty one gets one letter.
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

    /// Returns the number of tokens, including the end token.
    pub(super) fn len(&self) -> usize {
        self.words.len() + 1
    }

    /// Returns the word of a token, unless it is the end or unknown.
    pub(super) fn word(&self, token: u32) -> Option<&str> {
        Some(self.words.get((token as usize).checked_sub(1)?)?)
    }

    /// Encodes the longest word at each position; characters that start no word become a letter by their code point.
    pub(super) fn encode(&self, text: &str) -> Vec<u32> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let stand_in = || (1 + c as u32 % self.words.len() as u32, c.len_utf8());
            let (token, length) = self.longest(rest).unwrap_or_else(stand_in);
            tokens.push(token);
            rest = &rest[length..];
        }
        tokens
    }

    /// Returns the longest word at the start of `text`: its token and its length in bytes.
    fn longest(&self, text: &str) -> Option<(u32, usize)> {
        let fits = self.words.iter().enumerate().filter(|(_, word)| text.starts_with(word.as_str()));
        fits.max_by_key(|(_, word)| word.len()).map(|(i, word)| (i as u32 + 1, word.len()))
    }
}
