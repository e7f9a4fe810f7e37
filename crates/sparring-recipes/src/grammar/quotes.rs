//! Texts of a conversation that an argument may repeat.

use super::{OF_STRINGS, says_more};
use serde_json::{Map, Value, json};
use sparring_core::Message;
use sparring_tools::ToolSpec;
use std::collections::BTreeSet;

/// Longest text, in words.
const WORDS: usize = 10;
/// A long conversation has so many texts that only shorter ones are offered.
const TEXTS: usize = 2_000;

/// The words in a row, of all messages, without the marks around them.
pub(crate) fn of(conversation: &[Message]) -> Vec<String> {
    let mut longest = WORDS;
    loop {
        let texts = rows_of_words(conversation, longest);
        if texts.len() <= TEXTS || longest == 1 {
            return texts.into_iter().collect();
        }
        longest = (longest * TEXTS / texts.len()).clamp(1, longest - 1);
    }
}

fn rows_of_words(conversation: &[Message], longest: usize) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    for line in conversation.iter().flat_map(|message| message.content.lines()) {
        let words: Vec<(usize, usize)> = words(line);
        for first in 0..words.len() {
            for last in first..words.len().min(first + longest) {
                let text = line[words[first].0..words[last].1].trim_matches(is_mark);
                if !text.is_empty() {
                    texts.insert(text.to_owned());
                }
            }
        }
    }
    texts
}

/// Where the words of a line begin and end.
fn words(line: &str) -> Vec<(usize, usize)> {
    let start = |word: &str| word.as_ptr() as usize - line.as_ptr() as usize;
    line.split_whitespace().map(|word| (start(word), start(word) + word.len())).collect()
}

fn is_mark(c: char) -> bool {
    c.is_whitespace() || ".,;:!?\"'`()[]{}<>".contains(c)
}

/// The tools, with the texts as the only values of their free strings. Strings whose schema says more stay as they are:
/// enumerations, formats and patterns.
pub(crate) fn quoting(tools: &[ToolSpec], texts: &[String]) -> Vec<ToolSpec> {
    let mut quoting = tools.to_vec();
    if texts.is_empty() {
        return quoting;
    }
    for schema in quoting.iter_mut().flat_map(|tool| tool.parameters.values_mut()) {
        quote(schema, texts);
    }
    quoting
}

fn quote(schema: &mut Value, texts: &[String]) {
    let Value::Object(map) = schema else { return };
    match map.get("type").and_then(Value::as_str) {
        Some("string" | "str") if !says_more(map, &OF_STRINGS) => {
            let bound = |key: &str| map.get(key).and_then(Value::as_u64).map(|n| n as usize);
            let lengths = bound("minLength").unwrap_or(0)..=bound("maxLength").unwrap_or(usize::MAX);
            let fits = |text: &&String| lengths.contains(&text.chars().count());
            let texts: Vec<&String> = texts.iter().filter(fits).collect();
            // Where nothing fits, the schema alone holds.
            if !texts.is_empty() {
                *map =
                    Map::from_iter([("type".to_owned(), json!("string")), ("enum".to_owned(), json!(texts))]);
            }
        }
        Some("array" | "list") => {
            if let Some(items) = map.get_mut("items") {
                quote(items, texts);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_words_in_a_row_without_marks() {
        let texts = of(&[Message::user("Rate \"Dune\", please!")]);
        assert_eq!(
            texts,
            ["Dune", "Dune\", please", "Rate", "Rate \"Dune", "Rate \"Dune\", please", "please"]
        );
        assert!(of(&[]).is_empty());
        let long = vec!["word"; 500].iter().enumerate().map(|(i, w)| format!("{w}{i}")).collect::<Vec<_>>();
        let texts = of(&[Message::user(long.join(" "))]);
        assert!(texts.len() <= TEXTS && texts.len() > TEXTS / 2, "{}", texts.len());
    }

    #[test]
    fn only_free_strings_quote() {
        let tool = ToolSpec::new("t", "", Map::new(), vec![])
            .with_parameter("a", json!({"type": "string", "description": "A name."}), true)
            .with_parameter("b", json!({"type": "string", "enum": ["x"]}), true)
            .with_parameter("c", json!({"type": "array", "items": {"type": "string"}}), true)
            .with_parameter("d", json!({"type": "integer"}), true);
        let quoted = quoting(std::slice::from_ref(&tool), &["Rome".to_owned()]);
        assert_eq!(quoted[0].parameters["a"], json!({"type": "string", "enum": ["Rome"]}));
        assert_eq!(quoted[0].parameters["c"]["items"]["enum"], json!(["Rome"]));
        for name in ["b", "d"] {
            assert_eq!(quoted[0].parameters[name], tool.parameters[name]);
        }
        assert_eq!(quoting(std::slice::from_ref(&tool), &[]), [tool]);
    }
}
