//! What a conversation says that an argument may repeat.

use super::{OF_STRINGS, is_number, is_text, says_more};
use serde_json::{Map, Value, json};
use sparring_core::Message;
use sparring_tools::ToolSpec;
use sparring_tools::grounding::{Letters, is_grounded};
use std::collections::BTreeSet;

/// Longest text, in words.
const WORDS: usize = 10;
/// A long conversation has so many texts that only shorter ones are offered.
const TEXTS: usize = 2_000;

/// What is said in a conversation: words in a row, and numbers.
pub(crate) struct Quotes {
    texts: Vec<String>,
    numbers: Vec<Value>,
    whole: String,
}

impl Quotes {
    /// Of all messages; texts are without the marks around them.
    pub(crate) fn of(conversation: &[Message]) -> Self {
        let lines: Vec<&str> = conversation.iter().map(|message| message.content.as_str()).collect();
        let whole = lines.join("\n");
        Self { texts: texts(conversation), numbers: numbers(&whole), whole }
    }

    /// The tools, with what is said as the only values of their free strings, numbers and enumerations. An optional
    /// parameter that the conversation says nothing for is left out. Formats, patterns, switches, and required
    /// parameters for which nothing fits, stay as they are.
    pub(crate) fn tools(&self, tools: &[ToolSpec]) -> Vec<ToolSpec> {
        let mut quoting = tools.to_vec();
        if self.texts.is_empty() {
            return quoting;
        }
        for tool in &mut quoting {
            let (parameters, required) = (&mut tool.parameters, &tool.required);
            parameters.retain(|name, schema| self.quote(schema) || required.contains(name));
        }
        quoting
    }

    /// Changes a schema to what is said; if that is nothing, leaves it and returns `false`.
    fn quote(&self, schema: &mut Value) -> bool {
        let Value::Object(map) = schema else { return true };
        if matches!(map.get("type").and_then(Value::as_str), Some("array" | "list"))
            && !map.contains_key("enum")
        {
            return map.get_mut("items").is_none_or(|items| self.quote(items));
        }
        let Some(said) = self.said(schema) else { return true };
        if said.is_empty() {
            return false;
        }
        let mut quoted = json!({"enum": said});
        if let Some(kind) = schema.get("type") {
            quoted["type"] = kind.clone();
        }
        *schema = quoted;
        true
    }

    /// The values of a schema that are said; `None` for one of which they need not be.
    fn said(&self, schema: &Value) -> Option<Vec<Value>> {
        let map = schema.as_object()?;
        if let Some(values) = map.get("enum").and_then(Value::as_array) {
            let said = |value: &&Value| is_grounded(value, &self.whole, Letters::AllScripts);
            return Some(values.iter().filter(said).cloned().collect());
        }
        if is_number(schema) && !says_more(map, &["const", "multipleOf"]) {
            return Some(self.numbers.iter().filter(|number| fits(map, number)).cloned().collect());
        }
        if is_text(schema) && !says_more(map, &OF_STRINGS) {
            let bound = |key: &str| map.get(key).and_then(Value::as_u64).map(|n| n as usize);
            let lengths = bound("minLength").unwrap_or(0)..=bound("maxLength").unwrap_or(usize::MAX);
            let fits = |text: &&String| lengths.contains(&text.chars().count());
            return Some(self.texts.iter().filter(fits).map(|text| json!(text)).collect());
        }
        None
    }
}

/// Whether a number is one of a schema.
fn fits(schema: &Map<String, Value>, number: &Value) -> bool {
    let whole = matches!(schema.get("type").and_then(Value::as_str), Some("integer" | "int"));
    let Some(value) = number.as_f64() else { return false };
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    (!whole || number.is_i64())
        && bound("minimum").is_none_or(|least| value >= least)
        && bound("maximum").is_none_or(|most| value <= most)
        && bound("exclusiveMinimum").is_none_or(|least| value > least)
        && bound("exclusiveMaximum").is_none_or(|most| value < most)
}

/// The numbers in a text: in digits, with signs, points and thousands separators, and in English words.
fn numbers(text: &str) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    let mut add = |number: Value| {
        if !found.contains(&number) {
            found.push(number);
        }
    };
    let in_number = |c: char| c.is_ascii_digit() || c == '.' || c == ',';
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let sign = rest[..start].ends_with('-');
        let end = rest[start..].find(|c| !in_number(c)).map_or(rest.len(), |length| start + length);
        let digits = rest[start..end].trim_end_matches(['.', ',']).replace(',', "");
        for digits in sign.then(|| format!("-{digits}")).into_iter().chain([digits.clone()]) {
            // "08" and "1.2.3" are no numbers.
            if let Ok(number @ Value::Number(_)) = serde_json::from_str(&digits) {
                add(number);
            }
        }
        rest = &rest[end..];
    }
    let words: String = text.chars().filter(|c| !c.is_ascii_digit()).collect();
    let in_words = (0..=20).chain((30..=90).step_by(10)).map(|number| json!(number));
    in_words.filter(|number| is_grounded(number, &words, Letters::AllScripts)).for_each(add);
    found
}

fn texts(conversation: &[Message]) -> Vec<String> {
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
        texts.extend(in_quotation_marks(line).map(str::to_owned));
        let words: Vec<(usize, usize)> = words(line);
        for first in 0..words.len() {
            for last in first..words.len().min(first + longest) {
                let whole = &line[words[first].0..words[last].1];
                let text = whole.trim_matches(is_mark);
                if !text.is_empty() {
                    texts.insert(text.to_owned());
                }
                texts.extend((first == last).then(|| exclaimed(whole, text)).flatten());
            }
        }
    }
    texts
}

/// The texts of a line that stand in quotation marks, whole: the marks at their ends are their own.
fn in_quotation_marks(line: &str) -> impl Iterator<Item = &str> {
    let of = move |(open, close): (char, char)| {
        let mut rest = line;
        std::iter::from_fn(move || {
            let (_, begun) = rest.split_once(open)?;
            let (text, after) = begun.split_once(close)?;
            rest = after;
            Some(text.trim())
        })
    };
    [('"', '"'), ('\u{201c}', '\u{201d}'), ('\u{ab}', '\u{bb}')]
        .into_iter()
        .flat_map(of)
        .filter(|text| !text.is_empty())
}

/// A word with digits and the exclamation mark behind it, which may belong to a password.
fn exclaimed(word: &str, text: &str) -> Option<String> {
    let marked = format!("{text}!");
    (text.contains(|c: char| c.is_ascii_digit()) && word.contains(&marked)).then_some(marked)
}

/// Where the words of a line begin and end.
fn words(line: &str) -> Vec<(usize, usize)> {
    let start = |word: &str| word.as_ptr() as usize - line.as_ptr() as usize;
    line.split_whitespace().map(|word| (start(word), start(word) + word.len())).collect()
}

fn is_mark(c: char) -> bool {
    c.is_whitespace() || ".,;:!?\"'`()[]{}<>\u{201c}\u{201d}\u{ab}\u{bb}".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_words_in_a_row_without_marks() {
        let found = texts(&[Message::user("Rate \"Dune\", please!")]);
        assert_eq!(
            found,
            ["Dune", "Dune\", please", "Rate", "Rate \"Dune", "Rate \"Dune\", please", "please"]
        );
        assert_eq!(
            texts(&[Message::user("It is Tara64!.\nStop!")]),
            ["It", "It is", "It is Tara64", "Stop", "Tara64", "Tara64!", "is", "is Tara64"]
        );
        let found = texts(&[Message::user("Say \"Where is it?\" or \u{201c}No.\u{201d}")]);
        assert!(
            ["Where is it?", "Where is it", "No.", "No"]
                .iter()
                .all(|text| found.contains(&(*text).to_owned()))
        );
        assert!(texts(&[]).is_empty());
        let long = vec!["word"; 500].iter().enumerate().map(|(i, w)| format!("{w}{i}")).collect::<Vec<_>>();
        let found = texts(&[Message::user(long.join(" "))]);
        assert!(found.len() <= TEXTS && found.len() > TEXTS / 2, "{}", found.len());
    }

    #[test]
    fn numbers_are_those_that_a_person_says() {
        let found = numbers("At 7pm, two of 1,200 for $4.50. It is -3 in room 08.");
        assert_eq!(
            found,
            [json!(7), json!(1200), serde_json::from_str("4.50").unwrap(), json!(-3), json!(3), json!(2)]
        );
        assert!(numbers("no number.").is_empty());
    }

    #[test]
    fn only_what_is_said_is_quoted() {
        let tool = ToolSpec::new("t", "", Map::new(), vec![])
            .with_parameter("a", json!({"type": "string", "description": "A name."}), true)
            .with_parameter("b", json!({"type": "string", "enum": ["x", "Rome"]}), true)
            .with_parameter("c", json!({"type": "array", "items": {"type": "string"}}), true)
            .with_parameter("d", json!({"type": "integer", "maximum": 5}), true)
            .with_parameter("e", json!({"type": "string", "format": "date"}), true)
            .with_parameter("f", json!({"type": "boolean"}), false);
        let quoted = |text: &str, tool: &ToolSpec| {
            Quotes::of(&[Message::user(text)]).tools(std::slice::from_ref(tool)).remove(0)
        };
        let said = quoted("rome 3 9", &tool);
        assert_eq!(said.parameters["a"]["enum"], json!(["3", "3 9", "9", "rome", "rome 3", "rome 3 9"]));
        assert_eq!(said.parameters["b"]["enum"], json!(["Rome"]));
        assert_eq!(said.parameters["c"]["items"]["enum"], said.parameters["a"]["enum"]);
        assert_eq!(said.parameters["d"], json!({"type": "integer", "enum": [3]}));
        for name in ["e", "f"] {
            assert_eq!(said.parameters[name], tool.parameters[name]);
        }
        // Nothing is said for `b` and `d`.
        let unsaid = quoted("Oslo", &tool);
        assert_eq!(
            (&unsaid.parameters["b"], &unsaid.parameters["d"]),
            (&tool.parameters["b"], &tool.parameters["d"])
        );
        let optional = ToolSpec { required: vec![], ..tool.clone() };
        let left: Vec<String> = quoted("Oslo", &optional).parameters.keys().cloned().collect();
        assert_eq!(left, ["a", "c", "e", "f"]);
        assert_eq!(Quotes::of(&[]).tools(std::slice::from_ref(&tool)), [tool]);
    }
}
