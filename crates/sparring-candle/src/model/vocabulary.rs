//! The tokens of a tokenizer as bytes.

use super::tokenizer::ChatTokenizer;
use std::collections::HashMap;
use tokenizers::Tokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

impl ChatTokenizer {
    /// The text of each token as bytes, by id, for constrained decoding: what the token adds to a text. Special tokens
    /// and ids without a token have none. With [`ChatTokenizer::end_tokens`], it is what `sparring_guided::Vocabulary`
    /// needs.
    ///
    /// A token of a byte-level tokenizer may be a part of a character; a sequence of tokens is the text of its bytes.
    pub fn token_bytes(&self) -> Vec<Vec<u8>> {
        let inner = self.inner();
        let mut tokens = vec![Vec::new(); self.vocab_size()];
        let added = inner.get_added_tokens_decoder();
        let spelling = Spelling::of(inner);
        for (token, id) in inner.get_vocab(true) {
            tokens[id as usize] = match added.get(&id) {
                Some(added) if added.special => Vec::new(),
                Some(added) => added.content.as_bytes().to_vec(),
                None => spelling.bytes(&token),
            };
        }
        tokens
    }
}

/// How a tokenizer spells bytes in the names of its tokens.
enum Spelling {
    /// GPT-2's: each byte is a printable character.
    Bytes(HashMap<char, u8>),
    /// SentencePiece's: `▁` is a space, `<0x0A>` a byte.
    Pieces,
    /// As they are.
    Plain,
}

impl Spelling {
    fn of(tokenizer: &Tokenizer) -> Self {
        let decoder = tokenizer.get_decoder().and_then(|decoder| serde_json::to_string(decoder).ok());
        let decoder = decoder.unwrap_or_default();
        if decoder.contains("\"ByteLevel\"") {
            Self::Bytes(byte_of_char())
        } else if decoder.contains("▁") {
            Self::Pieces
        } else {
            Self::Plain
        }
    }

    fn bytes(&self, token: &str) -> Vec<u8> {
        match self {
            Self::Bytes(byte_of) => {
                let mut buffer = [0; 4];
                let byte = |c: char| match byte_of.get(&c) {
                    Some(byte) => vec![*byte],
                    None => c.encode_utf8(&mut buffer).as_bytes().to_vec(),
                };
                token.chars().flat_map(byte).collect()
            }
            Self::Pieces => {
                let byte = token.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
                match byte.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                    Some(byte) => vec![byte],
                    None => token.replace('▁', " ").into_bytes(),
                }
            }
            Self::Plain => token.as_bytes().to_vec(),
        }
    }
}

/// GPT-2's spelling: printable bytes are themselves, the others the characters from U+0100 on, in order.
fn byte_of_char() -> HashMap<char, u8> {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut others = (0x100..).filter_map(char::from_u32);
    let map: HashMap<char, u8> = (0..=255)
        .filter_map(|byte| {
            let c = if printable(byte) { Some(char::from(byte)) } else { others.next() };
            Some((c?, byte))
        })
        .collect();
    debug_assert!(ByteLevel::alphabet().iter().all(|c| map.contains_key(c)));
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spelling_is_that_of_the_library() {
        let map = byte_of_char();
        assert_eq!(map.len(), 256);
        assert!(ByteLevel::alphabet().iter().all(|c| map.contains_key(c)));
        assert_eq!((map[&'Ġ'], map[&'Ċ'], map[&'a']), (b' ', b'\n', b'a'));
        assert_eq!(Spelling::Pieces.bytes("▁a"), b" a");
        assert_eq!(Spelling::Pieces.bytes("<0x0A>"), b"\n");
    }
}
