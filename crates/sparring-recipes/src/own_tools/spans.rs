//! Where a text stands in another one, as whole words.

use std::ops::Range;

/// The places of `part` in `text`, whatever the case of ASCII letters, as whole words: the letters around an apostrophe
/// belong to one.
pub(super) fn of(text: &str, part: &str) -> Vec<Range<usize>> {
    if part.is_empty() {
        return Vec::new();
    }
    let letter = |c: &Option<char>| c.is_some_and(char::is_alphanumeric);
    let inside = |mut chars: [Option<char>; 2]| {
        // The nearer one first.
        if matches!(chars[0], Some('\'' | '\u{2019}')) {
            chars.swap(0, 1);
        }
        letter(&chars[0])
    };
    let starts = text.char_indices().map(|(start, _)| start);
    starts
        .filter_map(|start| {
            let end = start + part.len();
            let same = text.get(start..end)?.eq_ignore_ascii_case(part);
            let (mut before, mut behind) = (text[..start].chars().rev(), text[end..].chars());
            let whole = !inside([before.next(), before.next()]) && !inside([behind.next(), behind.next()]);
            (same && whole).then_some(start..end)
        })
        .collect()
}

/// Whether two places share a letter.
pub(super) fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_words_count() {
        assert_eq!(of("Rome, rome and Romeo", "rome"), [0..4, 6..10]);
        assert_eq!(of("zürich at 5, or 5", "5"), [11..12, 17..18]);
        assert_eq!(of("in 15 or 5.5", "5").len(), 2);
        assert!(of("I'm looking for what's red", "m").is_empty() && of("what's red", "s").is_empty());
        assert_eq!(of("the 'M' shirt, m", "m"), [5..6, 15..16]);
        assert!(of("", "a").is_empty() && of("a", "").is_empty());
        assert!(overlap(&(0..3), &(2..4)) && !overlap(&(0..2), &(2..4)));
    }
}
