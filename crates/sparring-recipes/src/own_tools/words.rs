//! The words that a request may have besides its values.

use super::catalogue::{split, stem, words};
use super::plan::Wording;
use super::values::spoken;
use super::{CallPlan, Catalogue};
use sparring_tools::ToolSpec;
use std::collections::BTreeSet;

/// Words of any request. Hardly any is a value by itself, so that a request of these words, of its values and of the
/// names of its tools and parameters says little that its calls leave out.
const SMALL: &str = "a an the my your our some any this that these those in on at for to from of with by near about \
into over under before after until between around and or as called named titled like per i you me we us it he she they \
him her them there here am is are was be do does did can could would will should may have has had need want wish love \
please so then now just also only too not what which who when where how why many much what's i'd i'm i've let's it's \
don't up out off hey hi thanks right again saying says";

/// What people ask for in any request; some of these are also the verbs of tools' names.
const VERBS: &str = "find show give get tell look looking search see check make put add set start use help know go \
going take let send create play open book order call buy try hear listen watch read turn change";

/// What people ask for in the requests that these words fit. A word that another tool speaks of is left out: it would
/// ask for that tool.
const EVERYDAY: &str = "write fly schedule note remember remind forget pay cook eat drink travel visit stay leave arrive \
meet plan reserve cancel move switch stop wake mail text post share ask answer say speak learn fix clean wash pick drop \
bring keep save delete remove track follow rate translate convert count measure compare choose recommend hold block \
record list sort invite pack ship deliver drive walk ride park rent sell spend charge transfer download upload install \
print scan sign join";

/// Characters of a description whose words count.
const ABOUT: usize = 120;

/// The words of a plan's request; empty if it may have any.
pub(super) fn of(catalogue: &Catalogue, plan: &CallPlan) -> Vec<String> {
    if plan.wording == Wording::Any {
        return Vec::new();
    }
    let tools = || plan.calls.iter().filter_map(|call| catalogue.planned(&call.tool));
    let unsaid: BTreeSet<String> = match plan.wording {
        Wording::Any | Wording::Named => BTreeSet::new(),
        Wording::Unnamed => tools().flat_map(object).collect(),
        Wording::Implied => tools().flat_map(name_words).collect(),
    };
    let given = |name: &&String| plan.calls.iter().any(|call| call.parameters.contains(name));
    let names = tools().flat_map(|tool| {
        let parameters = tool.parameters.keys().filter(given).map(|name| spoken(name));
        let about: String = tool.description.chars().take(ABOUT).collect();
        [spoken(&tool.name), about].into_iter().chain(parameters).collect::<Vec<_>>()
    });
    let names: Vec<String> = names.collect();
    let names = names.iter().flat_map(|name| name.split_whitespace());
    let names =
        names.map(|word| word.trim_matches(|c: char| !c.is_alphanumeric())).filter(|word| is_word(word));
    // Names stand in descriptions too: `PlayMusic` is two words.
    let names = names.flat_map(split);
    let others = of_others(catalogue, plan);
    let everyday = EVERYDAY.split_whitespace().filter(|word| !others.contains(&stem(word)));
    // What is left out must not come back from a description.
    let words = of_any().chain(everyday).map(str::to_owned).chain(names);
    words.filter(|word| !unsaid.contains(word)).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The words of the catalogue's other tools, without their endings.
fn of_others(catalogue: &Catalogue, plan: &CallPlan) -> BTreeSet<String> {
    let called = |tool: &&ToolSpec| plan.calls.iter().any(|call| call.tool == tool.name);
    let others = catalogue.tools().iter().filter(|tool| !called(tool));
    others.flat_map(words).map(|word| stem(&word)).collect()
}

/// Whether a word is one of those that any request may have.
pub(super) fn is_small(word: &str) -> bool {
    of_any().any(|small| small.eq_ignore_ascii_case(word))
}

fn of_any() -> impl Iterator<Item = &'static str> {
    SMALL.split_whitespace().chain(VERBS.split_whitespace())
}

/// Words of letters only; numbers are values.
fn is_word(word: &str) -> bool {
    (1..=16).contains(&word.len()) && word.chars().all(char::is_alphabetic)
}

/// What a tool's name acts on: `search creative work` has `creative` and `work`, `play music` has `music`.
fn object(tool: &ToolSpec) -> Vec<String> {
    let name = spoken(&tool.name);
    name.split_whitespace().skip(1).filter(|word| !is_small(word)).map(str::to_owned).collect()
}

/// The words of a tool's name that say what it does: `search`, `creative` and `work`; `add to playlist` keeps its `to`.
fn name_words(tool: &ToolSpec) -> Vec<String> {
    let name = spoken(&tool.name);
    let says = |word: &&str| !SMALL.split_whitespace().any(|small| small == *word);
    name.split_whitespace().filter(says).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_request_has_small_words_and_names() {
        let tools = json!([{"name": "find_flight", "description": "FindFlight: user's 2 cheap flights.", "parameters": {
            "properties": {"cabinClass": {"type": "string"}}}},
            {"name": "dictionary", "description": "For translating."}]);
        let catalogue = Catalogue::from_text(&tools.to_string(), "t.json").unwrap();
        let plan = |wording: &str| -> CallPlan {
            serde_json::from_value(
                json!({"calls": [{"tool": "find_flight", "parameters": ["cabinClass"]}], "menu": ["find_flight"],
                "style": "wish", "wording": wording}),
            )
            .unwrap()
        };
        let words = |wording: &str| of(&catalogue, &plan(wording));
        let has = |wording: &str, word: &str| words(wording).iter().any(|known| known == word);
        assert!(words("any").is_empty());
        for word in ["please", "flight", "cabin", "class", "cheap", "flights"] {
            assert!(has("named", word), "{word}");
        }
        // Another tool speaks of "translating".
        for wording in ["named", "unnamed", "implied"] {
            assert!(has(wording, "fly") && !has(wording, "translate"), "{wording}");
        }
        assert!(!has("named", "2") && !has("named", "findflight") && !has("named", "s"));
        assert!(!has("unnamed", "flight") && has("unnamed", "find") && has("unnamed", "cabin"));
        assert!(!has("implied", "flight") && !has("implied", "find") && has("implied", "get"));
    }
}
