//! Tools of everyday life that a catalogue lacks: what people ask it for in vain.

use super::catalogue::{split, words};
use super::words::is_small;
use serde::Deserialize;
use serde_json::json;
use sparring_tools::ToolSpec;
use std::collections::BTreeSet;
use std::sync::LazyLock;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Outside {
    name: String,
    about: String,
    /// Names that the lexicon has values for. All are texts.
    parameters: Vec<String>,
    /// Words of tools that might serve the same requests, besides those of the name.
    words: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tool: Vec<Outside>,
}

// The text is part of the program; a test reads it.
#[allow(clippy::expect_used)]
static OUTSIDE: LazyLock<Vec<Outside>> =
    LazyLock::new(|| toml::from_str::<File>(include_str!("outside.toml")).expect("a list of tools").tool);

/// The everyday tools that share no telling word with any of these: none of these serves a request for them.
pub(super) fn of(tools: &[ToolSpec]) -> Vec<ToolSpec> {
    let known: BTreeSet<String> = tools.iter().flat_map(words).map(|word| singular(&word)).collect();
    let lacking = |tool: &&Outside| {
        let name = split(&tool.name).into_iter().filter(|word| !is_small(word));
        !name.chain(tool.words.iter().cloned()).any(|word| known.contains(&singular(&word)))
    };
    OUTSIDE.iter().filter(lacking).map(Outside::spec).collect()
}

fn singular(word: &str) -> String {
    word.strip_suffix('s').unwrap_or(word).to_owned()
}

impl Outside {
    fn spec(&self) -> ToolSpec {
        let tool = ToolSpec::new(&self.name, &self.about, serde_json::Map::new(), vec![]);
        let text = json!({"type": "string"});
        self.parameters.iter().fold(tool, |tool, name| tool.with_parameter(name, text.clone(), true))
    }
}

#[cfg(test)]
mod tests {
    use super::super::ParameterValues;
    use super::*;
    use sparring_core::Seed;
    use std::collections::HashSet;

    #[test]
    fn every_tool_has_another_name_and_known_values() {
        let values = ParameterValues::default();
        let mut names = HashSet::new();
        for tool in OUTSIDE.iter().map(Outside::spec) {
            assert!(names.insert(tool.name.clone()), "{}", tool.name);
            for name in tool.parameters.keys() {
                assert!(values.knows(&tool, name), "{} {name}", tool.name);
            }
            let parameters: Vec<String> = tool.parameters.keys().cloned().collect();
            assert!(values.arguments(&tool, &parameters, &mut Seed::new(1).rng()).is_some(), "{}", tool.name);
        }
    }

    #[test]
    fn what_the_catalogue_might_serve_is_not_outside() {
        let tool = |name: &str, about: &str| ToolSpec::new(name, about, serde_json::Map::new(), vec![]);
        let tools = [tool("PlayMusic", "Plays songs."), tool("findFlights", ""), tool("order_status", "")];
        let outside: Vec<String> = of(&tools).into_iter().map(|tool| tool.name).collect();
        for name in ["play_song", "book_flight", "follow_parcel"] {
            assert!(!outside.iter().any(|known| known == name), "{name}");
        }
        // A verb that many tools have says nothing.
        assert!(outside.iter().any(|known| known == "order_pizza") && outside.len() > 30, "{outside:?}");
    }
}
