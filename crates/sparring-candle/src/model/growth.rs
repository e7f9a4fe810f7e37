//! How much longer a tokenizer may make a text.
//!
//! A chain of replacements multiplies: nine of one character by ten make a thousand million of it.

use fancy_regex::Regex;
use serde_json::Value;

/// Most characters that the rules of a tokenizer may make of one. Published ones have single replacements, of a space
/// or a quotation mark.
const MOST: usize = 1 << 10;

/// What is wrong with the replacements of a normalizer or a decoder, as `tokenizer.json` writes it, if anything.
pub(super) fn fault(rules: &Value) -> Option<String> {
    let made = characters(rules);
    (made > MOST).then(|| {
        format!(
            "its replacements may make {made} characters of one, more than {MOST}; leave out some of those that write \
             several characters"
        )
    })
}

/// The most characters that rules make of one, one rule after the other.
fn characters(rules: &Value) -> usize {
    match rules {
        Value::Array(list) => list.iter().map(characters).fold(1, usize::saturating_mul),
        Value::Object(map) if map.get("type").is_some_and(|kind| kind == "Replace") => {
            let content = map.get("content").and_then(Value::as_str).unwrap_or_default().chars().count();
            let kept = usize::from(map.get("pattern").is_none_or(matches_nothing));
            (content + kept).max(1)
        }
        Value::Object(map) => map.values().map(characters).fold(1, usize::saturating_mul),
        _ => 1,
    }
}

/// Whether a pattern may match between two characters, which then stay beside what is written there.
fn matches_nothing(pattern: &Value) -> bool {
    match (pattern.get("String").and_then(Value::as_str), pattern.get("Regex").and_then(Value::as_str)) {
        (Some(text), _) => text.is_empty(),
        (None, Some(pattern)) => {
            let looks_around = ["(?=", "(?!", "(?<", "\\b", "\\B"].iter().any(|mark| pattern.contains(mark));
            let empty = || Regex::new(pattern).and_then(|regex| regex.is_match("")).unwrap_or(true);
            looks_around || empty()
        }
        (None, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn replace(pattern: &Value, content: &str) -> Value {
        json!({"type": "Replace", "pattern": pattern, "content": content})
    }

    #[test]
    fn chains_multiply() {
        let (one, ten) = (json!({"String": "a"}), "aaaaaaaaaa");
        let chain = |n: usize| json!({"type": "Sequence", "normalizers": vec![replace(&one, ten); n]});
        assert_eq!(characters(&chain(3)), 1000);
        assert_eq!(fault(&chain(3)), None);
        assert!(fault(&chain(9)).unwrap_or_default().contains("1000000000 characters"));
        assert!(fault(&chain(99)).is_some());
        // As of Llama 2, and of ALBERT.
        let published = json!({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
            replace(&json!({"String": " "}), "▁"), replace(&json!({"Regex": " {2,}"}), " "),
            replace(&json!({"String": "``"}), "\"")]});
        assert_eq!(characters(&published), 1);
    }

    #[test]
    fn what_matches_nothing_adds_to_a_text() {
        for (pattern, made) in [
            (json!({"String": ""}), 2),
            (json!({"Regex": "x*"}), 2),
            (json!({"Regex": "(?=a)"}), 2),
            (json!({"Regex": "["}), 2),
            (json!({"Regex": "x+"}), 1),
        ] {
            assert_eq!(characters(&replace(&pattern, "y")), made, "{pattern}");
        }
    }
}
