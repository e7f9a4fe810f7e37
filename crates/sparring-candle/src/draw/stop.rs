//! Stop strings, found in the text of the last tokens.

use crate::model::ChatTokenizer;
use sparring_core::{PolicyError, SamplingParams};

/// Extra bytes to decode beyond a stop string and the last token: room for a character cut at the beginning (up to
/// three times U+FFFD), a space between words, or a character completed by the last token.
const SLACK: usize = 16;

/// Whether the last of `tokens` completed a stop string.
///
/// Tokens are decoded together, never one by one: a character may be spread over several, and some decoders insert
/// spaces between tokens. Just enough tokens are decoded to find every string that the last one may have completed,
/// however few bytes a token adds.
pub(super) fn completed(
    tokenizer: &ChatTokenizer,
    tokens: &[u32],
    params: &SamplingParams,
) -> Result<bool, PolicyError> {
    let longest = params.stop.iter().map(String::len).max();
    let Some(longest) = longest.filter(|_| tokens.len() >= params.min_tokens) else { return Ok(false) };
    let Some((last, before)) = tokens.split_last() else { return Ok(false) };
    let enough = longest + SLACK + tokenizer.decode(&[*last])?.len();
    // English has about four bytes a token.
    let mut tail = enough / 4;
    loop {
        let from = tokens.len().saturating_sub(tail.max(1));
        let text = tokenizer.decode(&tokens[from..])?;
        if from > 0 && text.len() < enough {
            tail *= 2;
            continue;
        }
        let found = |stop: &&String| text.contains(stop.as_str());
        let Some(_) = params.stop.iter().find(found) else { return Ok(false) };
        // Strings completed earlier, before `min_tokens`, do not count.
        let old = tokenizer.decode(&before[from..])?;
        let same = old.bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
        return Ok(params.stop.iter().any(|stop| ends_beyond(&text, stop, same)));
    }
}

/// Whether `stop` occurs in `text`, occurrences may overlap, with an end beyond byte `from`.
fn ends_beyond(text: &str, stop: &str, from: usize) -> bool {
    let text = text.as_bytes();
    let first = (from + 1).saturating_sub(stop.len());
    text.get(first..).is_some_and(|rest| rest.windows(stop.len()).any(|w| w == stop.as_bytes()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    /// Byte-level tokens: 0 is special (no text), 1 to 5 are the bytes of "é" and "€", then letters and a long word.
    fn bytes() -> ChatTokenizer {
        let vocab = json!({"<s>": 0, "Ã": 1, "©": 2, "â": 3, "Ĥ": 4, "¬": 5, "a": 6, "b": 7, "Ġ": 8,
            "abababababababababababab": 9});
        let text = json!({"version": "1.0",
            "added_tokens": [{"id": 0, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true}],
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
            "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
            "model": {"type": "BPE", "vocab": vocab, "merges": []}});
        ChatTokenizer::from_text(&text.to_string(), None, None).unwrap()
    }

    /// The index of the token that completes a stop string, by [`completed`] and by decoding everything.
    fn both(tokens: &[u32], params: &SamplingParams) -> (Option<usize>, Option<usize>) {
        let tokenizer = bytes();
        let text = |n: usize| tokenizer.decode(&tokens[..n]).unwrap();
        // How many ends of the stop string there are, overlapping ones too.
        let times = |n: usize, stop: &String| {
            text(n).as_bytes().windows(stop.len()).filter(|w| *w == stop.as_bytes()).count()
        };
        let late = |n: &usize| *n >= params.min_tokens.max(1);
        let plain = |n: &usize| params.stop.iter().any(|s| times(*n, s) > times(*n - 1, s));
        let found = (1..=tokens.len()).find(|&n| completed(&tokenizer, &tokens[..n], params).unwrap());
        (found, (1..=tokens.len()).filter(late).find(plain))
    }

    #[test]
    fn characters_split_over_tokens_and_tokens_without_text() {
        let stop = |s: &str| SamplingParams::default().with_stop([s]);
        assert_eq!(both(&[6, 3, 4, 5, 7], &stop("€")).0, Some(4));
        assert_eq!(both(&[6, 7, 6, 7, 6], &stop("aba").with_min_tokens(4)).0, Some(5));
        assert_eq!(both(&[1, 2, 3, 4, 5, 6], &stop("é€a")).0, Some(6));
        let mut spread = vec![6];
        spread.extend([0; 70]);
        spread.extend([7, 6]);
        assert_eq!(both(&spread, &stop("ab")).0, Some(72));
        assert_eq!(both(&[6, 7, 6, 7], &stop("ab").with_min_tokens(3)).0, Some(4));
    }

    proptest! {
        #[test]
        fn a_tail_shows_what_the_whole_text_shows(
            tokens in prop::collection::vec(0_u32..10, 1..60),
            stop in prop::sample::select(vec!["ab", "é", "€é", "a b", "bababab", "b€", " "]),
            min_tokens in 0_usize..20,
        ) {
            let params = SamplingParams::default().with_stop([stop]).with_min_tokens(min_tokens);
            let (found, plain) = both(&tokens, &params);
            prop_assert_eq!(found, plain);
        }
    }
}
