//! Parameters of one tool that take the same values.

use super::values::{plain, spoken};
use super::words::is_small;
use super::{ParameterValues, spans};
use crate::grammar::said;
use serde_json::{Map, Value};
use sparring_tools::ToolSpec;
use std::collections::BTreeSet;

/// What people say in front of a value, and words of the names of parameters that they mean by it.
const SAID_BEFORE: [(&str, &[&str]); 5] = [
    ("from", &["origin", "source", "departure", "start", "sender", "payer"]),
    ("to", &["destination", "target", "arrival", "end", "recipient", "receiver", "payee"]),
    ("until", &["end"]),
    ("about", &["subject", "topic", "title"]),
    ("saying", &["body", "message", "text", "content"]),
];

/// A given parameter whose value another parameter of the tool might have as well, as far as the request says: of two
/// cities, which one is left?
///
/// A request is clear about a parameter if it has a word of its name that no rival's name has; if it has all rivals and
/// is clear about them, as in "5 euros to yen" for `from_currency` and `to_currency`; or if only this parameter's name
/// is one plain word: with `city` and `current_city`, a city that is just mentioned is the `city`. The words of the
/// values themselves do not count, and small ones count in front of the value, as do those that people say for a name:
/// "from" for an `origin`. It is never clear where the word in front of the value stands for a rival, as in "convert
/// dollars to euros" for `from_currency = euros`.
pub(super) fn unclear<'a>(
    values: &ParameterValues,
    tool: &ToolSpec,
    given: &'a Map<String, Value>,
    request: &str,
) -> Option<&'a String> {
    let words = spoken(&around(request, given.values()));
    let words: BTreeSet<&str> = words.split_whitespace().collect();
    let named = |name: &str| {
        let theirs: Vec<String> = rivals(values, tool, name).into_iter().map(|rival| spoken(rival)).collect();
        let theirs: BTreeSet<&str> = theirs.iter().flat_map(|name| name.split_whitespace()).collect();
        let before = given.get(name).map(|value| before(request, &said(value))).unwrap_or_default();
        // A small word such as "to" has other uses, so it counts in front of the value only.
        let says = |word: &str| if is_small(word) { before.contains(word) } else { words.contains(word) };
        let own = spoken(name);
        let own = || own.split_whitespace().filter(|word| !theirs.contains(word));
        let meant = |names: &[&str]| {
            own().any(|word| names.contains(&word)) && !names.iter().any(|word| theirs.contains(word))
        };
        own().any(says) || SAID_BEFORE.iter().any(|(said, names)| before.contains(*said) && meant(names))
    };
    given.keys().find(|name| {
        let rivals = rivals(values, tool, name);
        let value = given.get(*name).map(said).unwrap_or_default();
        if is_said_as_another(request, &value, name, &rivals) {
            return true;
        }
        // The last one of those that are all given.
        let left = || rivals.iter().all(|rival| given.contains_key(*rival) && named(rival));
        !meant(name, &rivals) && !named(name) && !left()
    })
}

/// Whether the word in front of a value, but for articles, stands for a rival and not for this parameter.
fn is_said_as_another(request: &str, value: &str, name: &str, rivals: &[&String]) -> bool {
    const ARTICLES: [&str; 9] = ["the", "a", "an", "my", "our", "your", "this", "that", "these"];
    let stands_for = |word: &str, name: &str| {
        let of_name = |own: &str| {
            own == word || SAID_BEFORE.iter().any(|(said, names)| *said == word && names.contains(&own))
        };
        spoken(name).split_whitespace().any(of_name)
    };
    spans::of(request, value).into_iter().any(|place| {
        let words = spoken(&request[..place.start]);
        let word = words.split_whitespace().rev().find(|word| !ARTICLES.contains(word));
        word.is_some_and(|word| !stands_for(word, name) && rivals.iter().any(|rival| stands_for(word, rival)))
    })
}

/// A request without the values.
fn around<'a>(request: &str, values: impl Iterator<Item = &'a Value>) -> String {
    let mut text = request.to_owned();
    for value in values {
        for place in spans::of(&text, &said(value)).into_iter().rev() {
            text.replace_range(place, " ");
        }
    }
    text
}

/// The two words in front of each place of a value.
fn before(request: &str, value: &str) -> BTreeSet<String> {
    let places = spans::of(request, value).into_iter();
    places
        .flat_map(|place| {
            let words = spoken(&request[..place.start]);
            words.split_whitespace().rev().take(2).map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

/// Whether a value of this parameter is unclear unless its name is said.
pub(super) fn needs_a_name(values: &ParameterValues, tool: &ToolSpec, name: &str) -> bool {
    !meant(name, &rivals(values, tool, name))
}

fn rivals<'a>(values: &ParameterValues, tool: &'a ToolSpec, name: &str) -> Vec<&'a String> {
    tool.parameters.keys().filter(|other| *other != name && values.alike(tool, name, other)).collect()
}

/// Whether a value that is just mentioned is this parameter's.
fn meant(name: &str, rivals: &[&String]) -> bool {
    rivals.is_empty() || plain(name) && !rivals.iter().any(|rival| plain(rival))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn unclear_in(tool: &ToolSpec, name: &str, request: &str) -> bool {
        let given = json!({name: "Lake City"});
        unclear(&ParameterValues::default(), tool, given.as_object().unwrap(), request).is_some()
    }

    fn tool(names: &[&str]) -> ToolSpec {
        let text = json!({"type": "string"});
        let tool = ToolSpec::new("travel", "", Map::new(), vec![]);
        names.iter().fold(tool, |tool, name| tool.with_parameter(*name, text.clone(), false))
    }

    #[test]
    fn of_two_cities_the_request_says_which() {
        let journey = tool(&["from_city", "to_city", "cuisine"]);
        assert!(unclear_in(&journey, "from_city", "Go, Lake City!"));
        assert!(!unclear_in(&journey, "from_city", "Go from Lake City!"));
        assert!(unclear_in(&journey, "from_city", "Go to the city of Lake City!"));
        assert!(!unclear_in(&journey, "cuisine", "Something Thai."));
    }

    #[test]
    fn a_plain_name_is_what_is_meant() {
        let weather = tool(&["city", "current_city"]);
        assert!(!unclear_in(&weather, "city", "How is Oslo?"));
        assert!(unclear_in(&weather, "current_city", "How is Oslo?"));
        let music = tool(&["album", "track"]);
        assert!(unclear_in(&music, "album", "Play Moonlight."));
        assert!(!unclear_in(&music, "album", "Play the album Moonlight."));
    }

    #[test]
    fn the_last_of_two_is_clear_if_the_other_one_is() {
        let journey = tool(&["from_city", "to_city"]);
        let both = json!({"from_city": "Oslo", "to_city": "Rome"});
        let unclear =
            |request| unclear(&ParameterValues::default(), &journey, both.as_object().unwrap(), request);
        assert!(unclear("Book Oslo to Rome!").is_none());
        assert!(unclear("Book Oslo and Rome!").is_some());
        assert!(unclear("I want to go, Oslo and Rome!").is_some());
    }

    #[test]
    fn what_is_said_in_front_of_a_value_may_stand_for_a_name() {
        let flight = tool(&["origin", "destination", "arrival_city"]);
        assert!(!unclear_in(&flight, "origin", "Fly from Lake City."));
        assert!(unclear_in(&flight, "origin", "Fly to Lake City."));
        // Two of them are where one goes to.
        assert!(unclear_in(&flight, "destination", "Fly to Lake City."));
    }

    #[test]
    fn a_value_that_is_said_as_another_one_is_unclear() {
        let money = tool(&["from_city", "to_city"]);
        let unclear = |request| {
            let both = json!({"from_city": "Oslo", "to_city": "Rome"});
            unclear(&ParameterValues::default(), &money, both.as_object().unwrap(), request).is_some()
        };
        assert!(!unclear("Go from Oslo to Rome.") && !unclear("Oslo to Rome"));
        assert!(unclear("Go to Rome, then to Oslo.") && unclear("From Rome to the Oslo"));
    }

    #[test]
    fn the_words_of_a_value_do_not_count() {
        let journey = tool(&["near_city", "lake_city"]);
        assert!(unclear_in(&journey, "lake_city", "Go to Lake City."));
        assert!(!unclear_in(&journey, "lake_city", "Go to Lake City by the lake."));
    }
}
