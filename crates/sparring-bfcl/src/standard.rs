//! Text comparison of the official checker.

/// Marks bytes that the standard form omits.
const DROPPED: u8 = 0xFF;

/// Standard form of each ASCII byte: without ` ,./-_*^`, lower case, and `'` as `"`.
const STANDARD: [u8; 128] = {
    let mut table = [0; 128];
    let mut i = 0;
    while i < table.len() {
        let byte = i as u8;
        table[i] = match byte {
            b' ' | b',' | b'.' | b'/' | b'-' | b'_' | b'*' | b'^' => DROPPED,
            b'\'' => b'"',
            _ => byte.to_ascii_lowercase(),
        };
        i += 1;
    }
    table
};

/// Whether two texts have the same standard form: ` ,./-_*^` removed, then lower case, then `'` as `"`.
///
/// Nothing is allocated for ASCII texts.
#[inline]
pub(super) fn same(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    if !a.is_ascii() || !b.is_ascii() {
        return standard(a) == standard(b);
    }
    // By hand: `Iterator::eq` on the two would be the same, and slower.
    let (mut a, mut b) = (ascii_form(a), ascii_form(b));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (x, y) if x == y => {}
            _ => return false,
        }
    }
}

/// The bytes of an ASCII text's standard form.
fn ascii_form(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().map(|byte| STANDARD[usize::from(byte & 0x7F)]).filter(|&byte| byte != DROPPED)
}

/// The standard form. Case is that of whole texts: a final sigma and İ become what Python makes of them.
fn standard(text: &str) -> String {
    let kept: String = text.chars().filter(|c| !" ,./-_*^".contains(*c)).collect();
    kept.to_lowercase().replace('\'', "\"")
}

#[cfg(test)]
mod tests {
    use super::{same, standard};
    use proptest::prelude::*;

    #[test]
    fn ignores_case_space_and_a_little_punctuation() {
        for (a, b) in [
            ("San Francisco, CA", "san-francisco_ca."),
            ("-5", "5"),
            ("1.5", "15"),
            ("x^2", "x2"),
            ("/a/b.txt", "abtxt"),
            ("it's", "it\"s"),
            ("-", "*"),
            ("İstanbul", "i\u{307}stanbul"),
            ("ΟΔΟΣ", "οδος"),
            // The sigma is final once the full stop is gone.
            ("ΟΔΟΣ.", "οδος"),
            ("Σ_Α", "σα"),
            ("\u{212A}elvin", "kelvin"),
        ] {
            assert!(same(a, b) && same(b, a), "{a:?} = {b:?}");
        }
        for (a, b) in [
            ("San Francisco", "San\tFrancisco"),
            ("ab", "ab\n"),
            ("New York", "New\u{A0}York"),
            ("f(x)", "fx"),
            ("10:30", "1030"),
            ("a+b", "ab"),
            ("it's", "it’s"),
            ("café", "cafe\u{301}"),
            ("straße", "strasse"),
            ("ab", "abc"),
            ("ΟΔΟΣ", "οδοσ"),
        ] {
            assert!(!same(a, b) && !same(b, a), "{a:?} != {b:?}");
        }
    }

    proptest! {
        #[test]
        fn the_fast_way_is_the_slow_way(a in "[ -~]{0,6}|[a-cA-C' ,._]{0,5}", b in "[a-cA-C' ,._\"]{0,5}") {
            prop_assert_eq!(same(&a, &b), standard(&a) == standard(&b));
        }
    }
}
