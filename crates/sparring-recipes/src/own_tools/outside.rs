//! Tools of everyday life that a catalogue lacks: what people ask it for in vain.

use super::catalogue::{split, stem, words};
use super::words::is_small;
use serde::Deserialize;
use serde_json::json;
use sparring_tools::ToolSpec;
use std::collections::BTreeSet;
use std::sync::LazyLock;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutsideTool {
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
    tool: Vec<OutsideTool>,
}

static OUTSIDE: LazyLock<Vec<OutsideTool>> = LazyLock::new(|| {
    // The file is a part of the program, and a test reads it.
    toml::from_str::<File>(include_str!("outside.toml")).map_or_else(|_| Vec::new(), |file| file.tool)
});

/// Words in the names of tools that serve requests of any kind.
const GENERAL: [&str; 20] = [
    "agent",
    "api",
    "ask",
    "assistant",
    "browse",
    "browser",
    "chat",
    "code",
    "command",
    "execute",
    "http",
    "internet",
    "llm",
    "prompt",
    "query",
    "question",
    "run",
    "shell",
    "url",
    "web",
];

/// The everyday tools that share no telling word with any of these, up to its ending; none, if one of these may serve
/// any request. So hardly any request for them is served here.
pub(super) fn of(tools: &[ToolSpec]) -> Vec<ToolSpec> {
    if tools.iter().flat_map(|tool| split(&tool.name)).any(|word| GENERAL.contains(&word.as_str())) {
        return Vec::new();
    }
    let known: BTreeSet<String> = tools.iter().flat_map(words).map(|word| stem(&word)).collect();
    let lacking = |tool: &&OutsideTool| {
        let name = split(&tool.name).into_iter().filter(|word| !is_small(word));
        !name.chain(tool.words.iter().cloned()).any(|word| known.contains(&stem(&word)))
    };
    OUTSIDE.iter().filter(lacking).map(OutsideTool::spec).collect()
}

impl OutsideTool {
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
        let file = toml::from_str::<File>(include_str!("outside.toml")).unwrap();
        assert_eq!(file.tool.len(), OUTSIDE.len());
        let mut names = HashSet::new();
        for tool in OUTSIDE.iter().map(OutsideTool::spec) {
            assert!(names.insert(tool.name.clone()), "{}", tool.name);
            for name in tool.parameters.keys() {
                assert!(values.knows(&tool, name), "{} {name}", tool.name);
            }
            let parameters: Vec<String> = tool.parameters.keys().cloned().collect();
            assert!(values.arguments(&tool, &parameters, &mut Seed::new(1).rng()).is_some(), "{}", tool.name);
        }
    }

    /// The names of what is outside a catalogue of one tool.
    fn outside(name: &str, about: &str) -> Vec<String> {
        let tool = ToolSpec::new(name, about, serde_json::Map::new(), vec![]);
        of(&[tool]).into_iter().map(|tool| tool.name).collect()
    }

    #[test]
    fn what_the_catalogue_might_serve_is_not_outside() {
        for (name, about, served) in [
            ("PlayMusic", "Plays songs.", vec!["play_song"]),
            ("findFlights", "", vec!["book_flight"]),
            ("order_status", "", vec!["follow_parcel"]),
            ("list_deliveries", "", vec!["follow_parcel"]),
            ("make_call", "Calls a number.", vec!["call_person"]),
            ("set_lighting", "", vec!["dim_lamp"]),
            ("turn_on_heater", "", vec!["set_heating"]),
            ("create_booking", "", vec!["book_hotel", "book_flight", "book_table", "book_haircut"]),
        ] {
            let outside = outside(name, about);
            assert!(
                served.iter().all(|served| !outside.iter().any(|known| known == served)),
                "{name}: {outside:?}"
            );
            // A verb that many tools have says nothing.
            assert!(
                outside.iter().any(|known| known == "order_pizza") && outside.len() > 30,
                "{name}: {outside:?}"
            );
        }
        assert!(
            outside("web_search", "Searches the web.").is_empty() && outside("runCommand", "").is_empty()
        );
    }
}
