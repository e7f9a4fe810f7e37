//! Grounding: whether an argument's value occurs in the user's request (`↪` of Tool-R0, arXiv 2602.21320, Eq. 2).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

/// The characters of a text that are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Letters {
    /// Letters and digits of every script. A point between two digits is kept, so that 5 is not found in 3.5. In
    /// scripts written without spaces (Han, Kana, Hangul with its particles, Thai, ...) a word may start anywhere.
    #[default]
    AllScripts,
    /// `[a-z0-9]` only, as in Tool-R0's released code: text in another script is never found.
    Ascii,
}

/// Normalises a text: NFKC, lower case, characters that are not compared become spaces, spaces are collapsed.
///
/// ```
/// use sparring_tools::grounding::{normalize, Letters};
/// assert_eq!(normalize("  A@b.com, 3.5", Letters::Ascii), "a b com 3 5");
/// assert_eq!(normalize("東京 3.5.", Letters::AllScripts), "東京 3.5");
/// ```
pub fn normalize(text: &str, letters: Letters) -> String {
    let folded: Vec<char> = text.nfkc().flat_map(char::to_lowercase).collect();
    let mut out = String::with_capacity(text.len());
    for (i, &c) in folded.iter().enumerate() {
        let digit = |j: Option<usize>| j.and_then(|j| folded.get(j)).is_some_and(char::is_ascii_digit);
        let counts = match letters {
            Letters::Ascii => c.is_ascii_alphanumeric(),
            Letters::AllScripts => {
                c.is_alphanumeric() || (c == '.' && digit(i.checked_sub(1)) && digit(Some(i + 1)))
            }
        };
        if counts {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with(' ') {
            out.push(' ');
        }
    }
    out.truncate(out.trim_end().len());
    out
}

const WORDS: [(u64, &str); 28] = [
    (0, "zero"),
    (1, "one"),
    (2, "two"),
    (3, "three"),
    (4, "four"),
    (5, "five"),
    (6, "six"),
    (7, "seven"),
    (8, "eight"),
    (9, "nine"),
    (10, "ten"),
    (11, "eleven"),
    (12, "twelve"),
    (13, "thirteen"),
    (14, "fourteen"),
    (15, "fifteen"),
    (16, "sixteen"),
    (17, "seventeen"),
    (18, "eighteen"),
    (19, "nineteen"),
    (20, "twenty"),
    (30, "thirty"),
    (40, "forty"),
    (50, "fifty"),
    (60, "sixty"),
    (70, "seventy"),
    (80, "eighty"),
    (90, "ninety"),
];

/// Returns the normalised ways to write a scalar.
///
/// These are the value itself; for an integer also the form with thousands separators and (0 to 19, and tens to 90)
/// the English word; for such a word also its digits; with [`Letters::AllScripts`], for a decimal number also two
/// decimals ("19.90"), and for a whole one also its own notation ("3.0").
///
/// Booleans, `null`, lists, objects and text without compared characters have none.
pub fn variants(value: &Value, letters: Letters) -> Vec<String> {
    let mut out = Vec::new();
    match value {
        Value::String(text) => {
            out.push(normalize(text, letters));
            if let Some((digits, _)) = WORDS.iter().find(|(_, word)| *word == out[0]) {
                out.push(digits.to_string());
            } else if let Ok(i) = text.trim().parse::<i64>() {
                integer_variants(i, letters, &mut out);
            }
        }
        Value::Number(number) => {
            if let Some(i) = integral(number) {
                integer_variants(i, letters, &mut out);
                if letters == Letters::AllScripts && number.is_f64() {
                    out.push(normalize(&number.to_string(), letters));
                }
            } else {
                out.push(normalize(&number.to_string(), letters));
                if letters == Letters::AllScripts
                    && let Some(x) = number.as_f64()
                {
                    let cents = format!("{x:.2}");
                    if cents.parse::<f64>().is_ok_and(|y| (x - y).abs() < 1e-9) {
                        out.push(normalize(&cents, letters));
                    }
                }
            }
        }
        _ => {}
    }
    out.retain(|variant| !variant.is_empty());
    out.dedup();
    out
}

fn integral(number: &serde_json::Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let x = number.as_f64().filter(|x| x.fract().abs() <= 0.0 && x.abs() < 9e15)?;
        Some(x as i64)
    })
}

fn integer_variants(i: i64, letters: Letters, out: &mut Vec<String>) {
    let digits = i.unsigned_abs().to_string();
    if digits.len() > 3 {
        let mut grouped = String::new();
        for (k, c) in digits.chars().enumerate() {
            if k > 0 && (digits.len() - k).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(c);
        }
        out.push(normalize(&grouped, letters));
    }
    out.push(digits);
    if let Some((_, word)) = WORDS.iter().find(|(n, _)| i64::try_from(*n).is_ok_and(|n| n == i)) {
        out.push((*word).to_owned());
    }
}

/// Returns whether every value inside `value` occurs in the question as whole words; booleans and `null` always do.
pub fn is_grounded(value: &Value, question: &str, letters: Letters) -> bool {
    grounded_in(value, &normalize(question, letters), letters)
}

fn grounded_in(value: &Value, question: &str, letters: Letters) -> bool {
    match value {
        Value::Null | Value::Bool(_) => true,
        Value::Array(items) => items.iter().all(|item| grounded_in(item, question, letters)),
        Value::Object(map) => map.values().all(|item| grounded_in(item, question, letters)),
        _ => variants(value, letters).iter().any(|variant| contains_words(question, variant, letters)),
    }
}

/// Returns whether `words` occurs in `text` between word boundaries; both are normalised.
fn contains_words(text: &str, words: &str, letters: Letters) -> bool {
    let free = |inside: Option<char>, outside: Option<char>| match outside {
        None | Some(' ') => true,
        Some(c) => letters == Letters::AllScripts && (unspaced(c) || inside.is_some_and(unspaced)),
    };
    text.match_indices(words).any(|(start, _)| {
        let end = start + words.len();
        free(words.chars().next(), text[..start].chars().next_back())
            && free(words.chars().next_back(), text[end..].chars().next())
    })
}

/// Returns whether a script is written without spaces between words, or attaches particles to them.
fn unspaced(c: char) -> bool {
    matches!(u32::from(c),
        0x0e00..=0x0eff          // Thai, Lao
        | 0x1000..=0x109f        // Myanmar
        | 0x1780..=0x17ff        // Khmer
        | 0x3005..=0x30ff        // iteration mark, Hiragana, Katakana
        | 0x3400..=0x9fff        // Han
        | 0xac00..=0xd7af        // Hangul syllables
        | 0xf900..=0xfaff        // Han compatibility
        | 0x2_0000..=0x3_ffff) // Han extensions
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Results of the released code.
    #[test]
    fn reference_variants() {
        let ascii = |value: Value| variants(&value, Letters::Ascii);
        assert_eq!(ascii(json!(3.5)), ["3 5"]);
        assert_eq!(ascii(json!("a@b.com")), ["a b com"]);
        assert!(ascii(json!("東京")).is_empty());
        assert_eq!(ascii(json!(21)), ["21"]);
        assert_eq!(ascii(json!(20)), ["20", "twenty"]);
        assert_eq!(ascii(json!(12_345)), ["12 345", "12345"]);
        assert_eq!(ascii(json!("five")), ["five", "5"]);
        assert!(!is_grounded(&json!("1,000"), "send 1000 now", Letters::Ascii));
        assert!(is_grounded(&json!(1000), "send 1,000 now", Letters::Ascii));
    }

    #[test]
    fn words_are_whole() {
        for letters in [Letters::Ascii, Letters::AllScripts] {
            assert!(is_grounded(&json!("Paris"), "Weather in PARIS?", letters));
            assert!(!is_grounded(&json!("Paris"), "a comparison", letters));
            assert!(!is_grounded(&json!(5), "room 15", letters));
            assert!(is_grounded(&json!({"a": [true, null, "New York"]}), "to new-york", letters));
            assert!(is_grounded(&json!(-5), "below -5 degrees", letters));
        }
    }

    #[test]
    fn other_scripts_and_decimals_need_all_scripts() {
        let cases = [
            (json!("東京"), "東京の天気は?"),
            (json!("서울"), "서울의 날씨"),
            (json!("Zürich"), "nach Zürich, bitte"),
            (json!(19.9), "it costs $19.90."),
            (json!(3.0), "within 3.0 km of me"),
            (json!(3.0), "within 3 km of me"),
        ];
        for (value, question) in cases {
            assert!(is_grounded(&value, question, Letters::AllScripts), "{value}");
        }
        assert!(!is_grounded(&json!("東京"), "東京の天気は?", Letters::Ascii));
        assert!(is_grounded(&json!(5), "3.5 km", Letters::Ascii));
        assert!(!is_grounded(&json!(5), "3.5 km", Letters::AllScripts));
    }
}
