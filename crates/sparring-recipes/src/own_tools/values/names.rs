//! What the name of a parameter says of its values.

use super::lexicon::KINDS;
use super::spoken;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// The kinds by the names of parameters that take them.
static BY_NAME: LazyLock<HashMap<&'static str, Vec<usize>>> = LazyLock::new(|| {
    let mut kinds: HashMap<&str, Vec<usize>> = HashMap::new();
    for (k, kind) in KINDS.iter().enumerate() {
        kind.names.iter().for_each(|name| kinds.entry(name).or_default().push(k));
    }
    kinds
});

/// The words of all names.
static WORDS: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| BY_NAME.keys().flat_map(|name| name.split_whitespace()).collect());

/// Words behind which a description says more than what a value is.
const ENDS: [&str; 9] = ["for", "to", "in", "on", "that", "which", "where", "with", "from"];

/// Last words of a name that say less than the words before them, as numbers do.
const GENERAL: [&str; 12] = [
    "name",
    "value",
    "description",
    "text",
    "string",
    "info",
    "detail",
    "data",
    "item",
    "content",
    "from",
    "to",
];
/// Names that a description says more than.
const VAGUE: [&str; 10] =
    ["name", "value", "number", "text", "query", "input", "content", "id", "from", "to"];
/// Last words of a name that stand for a choice among few, whatever the words before them take.
const CLASSES: [&str; 4] = ["type", "kind", "category", "class"];

/// The kinds of everyday values that a parameter takes by its name, format or description; none if they say nothing.
pub(super) fn named(name: &str, schema: &Value) -> Vec<usize> {
    let field = |key: &str| schema.get(key).and_then(Value::as_str).unwrap_or_default();
    let about = field("description");
    if let Some(kind) = written(field("format"), about) {
        return kinds_called(kind);
    }
    let words = singular(&spoken(name));
    let by_name = of_words(&words);
    let vague = by_name.is_empty() || matches!(words.as_slice(), [word] if VAGUE.contains(&word.as_str()));
    let described = if vague { of_words(&subject(about)) } else { Vec::new() };
    if described.is_empty() { by_name } else { described }
}

/// Whether a name is one word, but for general ones behind it.
pub(in super::super) fn plain(name: &str) -> bool {
    let words = spoken(name);
    let mut words: Vec<&str> = words.split_whitespace().collect();
    while words.len() > 1 && words.last().is_some_and(|last| GENERAL.contains(last) && !ENDS.contains(last)) {
        words.pop();
    }
    words.len() == 1
}

/// The kind of a value that is written in a given way.
fn written(format: &str, about: &str) -> Option<&'static str> {
    let says = |marks: &[&str]| marks.iter().any(|mark| about.contains(mark));
    let date = format == "date" || says(&["%Y-%m-%d", "YYYY-MM-DD", "yyyy-mm-dd", "yyyy-MM-dd"]);
    let clock = format == "time" || says(&["%H:%M", "HH:MM", "HH:mm"]);
    match (date, clock, format) {
        (true, true, _) | (_, _, "date-time") => Some("date and time"),
        (true, false, _) => Some("numeric date"),
        (false, true, _) => Some("clock"),
        (_, _, "email") => Some("email"),
        (_, _, "uri") => Some("url"),
        _ => None,
    }
}

fn kinds_called(name: &str) -> Vec<usize> {
    (0..KINDS.len()).filter(|&k| KINDS[k].name == name).collect()
}

/// The kinds of the longest known name at the end of some words, or before their last ones.
fn of_words(words: &[String]) -> Vec<usize> {
    let Some((last, before)) = words.split_last() else { return Vec::new() };
    let known = |words: &[String]| BY_NAME.get(words.join(" ").as_str()).cloned();
    // A name of several words is better than what a general last word says.
    let longer = (0..words.len() - 1).find_map(|first| known(&words[first..]));
    if let Some(kinds) = longer {
        return kinds;
    }
    if CLASSES.contains(&last.as_str()) {
        return Vec::new();
    }
    let single = known(std::slice::from_ref(last)).unwrap_or_default();
    if !GENERAL.contains(&last.as_str()) && !last.chars().all(|c| c.is_ascii_digit()) {
        return single;
    }
    let others = of_words(before);
    if others.is_empty() { single } else { others }
}

/// What a description begins with: "The name of the patient, in capitals." has the words `patient name`.
fn subject(about: &str) -> Vec<String> {
    const SMALL: [&str; 7] = ["the", "a", "an", "your", "this", "given", "user's"];
    const MANY: [&str; 4] = ["list", "array", "set", "lists"];
    let clause = about.split(['.', ',', ';', ':', '(', '\n']).next().unwrap_or_default().to_lowercase();
    let mut parts: Vec<Vec<&str>> = vec![Vec::new()];
    for word in clause.split_whitespace().take_while(|word| !ENDS.contains(word)) {
        match word {
            "of" if parts
                .last()
                .is_some_and(|part| matches!(part.as_slice(), [one] if MANY.contains(one))) =>
            {
                parts = vec![Vec::new()];
            }
            "of" => parts.push(Vec::new()),
            _ if SMALL.contains(&word) => {}
            _ => parts.last_mut().into_iter().for_each(|part| part.push(word)),
        }
    }
    parts.truncate(2);
    parts.reverse();
    singular(&parts.concat().join(" "))
}

/// Words without the mark of the plural: the shortest known ones.
fn singular(text: &str) -> Vec<String> {
    let known = |word: &String| WORDS.contains(word.as_str());
    let one = |word: &str| {
        let cut = |end: &str, by: &str| word.strip_suffix(end).map(|stem| format!("{stem}{by}"));
        let forms = [cut("ren", ""), cut("ies", "y"), cut("es", ""), cut("s", "")];
        let whole = word.to_owned();
        if known(&whole) {
            return whole;
        }
        forms
            .into_iter()
            .flatten()
            .find(known)
            .or_else(|| cut("s", "").filter(|stem| stem.len() > 2))
            .unwrap_or(whole)
    };
    text.split_whitespace().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kinds(name: &str, schema: &Value) -> Vec<&'static str> {
        named(name, schema).into_iter().map(|k| KINDS[k].name.as_str()).collect()
    }

    #[test]
    fn names_say_what_they_take() {
        for (name, expected) in [
            ("cuisine", vec!["cuisine"]),
            ("movie_name", vec!["title"]),
            ("userName", vec!["user name"]),
            ("city_from", vec!["city"]),
            ("city_2", vec!["city"]),
            ("city_xyzzy", vec![]),
            ("artists", vec!["artist"]),
            ("movies", vec!["title"]),
            ("dishes", vec!["food"]),
            ("cities", vec!["city"]),
            ("address", vec!["address"]),
            ("ratingUnit", vec!["unit"]),
            ("xyzzy", vec![]),
            ("account_type", vec![]),
            ("vehicle_type", vec!["vehicle"]),
            ("patient_description", vec!["person"]),
        ] {
            assert_eq!(kinds(name, &json!({"type": "string"})), expected, "{name}");
        }
        assert!(kinds("name", &json!({})).contains(&"person"));
    }

    #[test]
    fn descriptions_and_formats_say_more() {
        let about = |text: &str| json!({"type": "string", "description": text});
        assert_eq!(kinds("name", &about("The name of the patient.")), ["person"]);
        assert_eq!(kinds("x1", &about("List of cities")), ["city"]);
        assert_eq!(kinds("year", &about("Year in YYYY format")), ["year"]);
        assert_eq!(kinds("at", &json!({"type": "string", "format": "date-time"})), ["date and time"]);
        assert_eq!(kinds("x1", &about("The email address for replies.")), ["email"]);
        assert_eq!(
            kinds("start", &about("Start of the meeting. Format: %Y-%m-%d %H:%M:%S")),
            ["date and time"]
        );
        assert_eq!(kinds("day", &json!({"type": "string", "format": "date"})), ["numeric date"]);
        assert_eq!(kinds("alarm", &about("Format: HH:MM")), ["clock"]);
    }

    #[test]
    fn every_name_is_singular() {
        for name in BY_NAME.keys() {
            assert_eq!(singular(name).join(" "), *name);
        }
    }
}
