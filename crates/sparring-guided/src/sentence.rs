//! Sentences that contain given texts.

use std::fmt::Write;

/// At most this many texts stand in any order; more stand in the order that is given.
const ANY_ORDER: usize = 3;

/// A regular expression for prose of one line that contains each of these texts as whole words, with at most `gap`
/// words before, between and behind them, and perhaps a mark at the end.
///
/// A gap is counted in words, so that a text never follows half a word. The texts stand in the order given, or (up to
/// three) in any order.
pub(crate) fn expression(texts: &[String], gap: usize, words: &[String]) -> String {
    let word = word(words);
    let before = format!("({word} ){{0,{gap}}}");
    let between = format!("[,;:]? {before}");
    let behind = format!("(,?( {word}){{0,{gap}}})[.?!]?");
    if texts.is_empty() {
        return format!("{word}( {word}){{2,{}}}[.?!]?", gap.max(3));
    }
    let one = |order: &[usize]| {
        let mut text = before.clone();
        for (place, &i) in order.iter().enumerate() {
            let gap = if place == 0 { "" } else { between.as_str() };
            let _ = write!(text, "{gap}{}", escape(&texts[i]));
        }
        text + &behind
    };
    let alternatives: Vec<String> = orders(texts.len()).iter().map(|order| one(order)).collect();
    format!("({})", alternatives.join("|"))
}

/// A word of the list, with a small or a capital letter first, or any word if the list is empty; with a mark behind it.
fn word(words: &[String]) -> String {
    if words.is_empty() {
        return r"[\p{L}\p{N}$'’-]{1,16}[,;:]?".to_owned();
    }
    let either = |word: &String| {
        let mut letters = word.chars();
        let first = letters.next().map_or_else(String::new, |first| {
            if first.is_lowercase() {
                format!("[{first}{}]", first.to_uppercase())
            } else {
                escape(&first.to_string())
            }
        });
        first + &escape(letters.as_str())
    };
    format!("({}),?", words.iter().map(either).collect::<Vec<_>>().join("|"))
}

/// The orders in which `n` texts may stand.
fn orders(n: usize) -> Vec<Vec<usize>> {
    if n > ANY_ORDER {
        return vec![(0..n).collect()];
    }
    let mut orders: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..n {
        let longer = |order: &Vec<usize>| {
            let left: Vec<usize> = (0..n).filter(|i| !order.contains(i)).collect();
            left.into_iter().map(|i| [order.as_slice(), &[i]].concat()).collect::<Vec<_>>()
        };
        orders = orders.iter().flat_map(longer).collect();
    }
    orders
}

/// The text as a regular expression. Other marks stay: behind a backslash, `<` is the beginning of a word.
pub(crate) fn escape(text: &str) -> String {
    const MEANT: &str = r"\.+*?()|[]{}^$#&-~";
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if MEANT.contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Guide, Vocabulary};

    #[test]
    fn other_words_may_be_those_of_a_list() {
        let guide = Guide::new(&Vocabulary::bytes()).unwrap();
        let words = ["play", "what's"].map(str::to_owned);
        let sentence = guide.sentence("", &["Jazz".to_owned()], 2, &words, "").unwrap();
        let accepts = |text: &str| sentence.accepts(text.as_bytes()).unwrap();
        assert!(accepts("Play Jazz, what's play.") && accepts("Jazz"));
        for other in ["Hear Jazz.", "Played Jazz.", "pLay Jazz", "play play play Jazz", "play jazz"] {
            assert!(!accepts(other), "{other}");
        }
    }

    #[test]
    fn a_text_may_have_any_marks() {
        let guide = Guide::new(&Vocabulary::bytes()).unwrap();
        for text in ["<b>", "a/b", "C++", "$5 (or so)", "x\\y", "{\"k\": [1]}", "5 ^ 2 & 3 ~ 4 | 1 # -"] {
            let sentence = guide.sentence("<q>", &[text.to_owned()], 3, &[], "</q>").unwrap();
            assert!(sentence.accepts(format!("<q>Show {text} now.</q>").as_bytes()).unwrap(), "{text}");
            assert!(!sentence.accepts("<q>Show it now.</q>".as_bytes()).unwrap(), "{text}");
        }
    }

    #[test]
    fn sentences_contain_the_texts_as_words() {
        let guide = Guide::new(&Vocabulary::bytes()).unwrap();
        let both = ["Rome".to_owned(), "$3.50 (or so)".to_owned()];
        let sentence = guide.regex(&expression(&both, 4, &[])).unwrap();
        let accepts = |text: &str| sentence.accepts(text.as_bytes()).unwrap();
        assert!(accepts("Pay $3.50 (or so) in Rome!"));
        assert!(accepts("In Rome, I'd pay $3.50 (or so), please."));
        assert!(accepts("Rome $3.50 (or so)."));
        assert!(!accepts("Pay $3.50 (or so) in Romeo."), "a part of a word");
        assert!(!accepts("Pay $3.50 in Rome."));
        assert!(!accepts("Rome and this is a very long text $3.50 (or so)."), "a gap is too long");
        let free = guide.regex(&expression(&[], 6, &[])).unwrap();
        assert!(free.accepts(b"What time is it?").unwrap() && free.accepts(b"what time is it").unwrap());
        assert!(!free.accepts(b"what").unwrap());
    }

    #[test]
    fn few_texts_stand_in_any_order() {
        assert_eq!(orders(3).len(), 6);
        assert_eq!(orders(4), [[0, 1, 2, 3]]);
        assert_eq!(orders(0), [Vec::<usize>::new()]);
    }
}
