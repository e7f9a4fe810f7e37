//! What people say besides their request.

use super::Request;
use rand::Rng;
use rand::seq::IndexedRandom;

/// Sentences without a value of any parameter: no number, name, place, time or thing that a tool might ask for.
const ASIDES: [&str; 48] = [
    "I'm so tired.",
    "It has been quite something for all of us.",
    "Sorry to bother you again.",
    "I hope you are well.",
    "My hands are full.",
    "I keep forgetting this.",
    "You have been such a help.",
    "I'm in a bit of a hurry.",
    "My head is spinning.",
    "I can't believe it's that late already!",
    "I can hardly stay awake.",
    "We are so excited!",
    "This is getting out of hand.",
    "My sister told me that you could do it.",
    "I have no idea how this works.",
    "The others are already waiting.",
    "I really don't want to mess this up.",
    "Things are finally getting better.",
    "It took me forever to decide.",
    "You know how bad I am at these things.",
    "Nobody else had the chance to do it.",
    "I almost forgot!",
    "Everyone keeps asking me about it.",
    "It's the least that I can do.",
    "I was hoping that you could help.",
    "We talked about it for ages.",
    "My neighbour gave me the idea.",
    "I've been looking forward to this.",
    "That would make me very happy.",
    "I'm not sure where to begin.",
    "Don't ask me why.",
    "I'm a little nervous, to be honest.",
    "Guess who forgot again?",
    "It can't go on like this.",
    "The whole family is counting on me.",
    "Somebody has to do it.",
    "I'd do it myself, but I'm busy.",
    "It's kind of important.",
    "I know, I'm hopeless.",
    "Finally, some peace and quiet.",
    "What a mess!",
    "Okay, here we go.",
    "It's for a surprise.",
    "I changed my mind.",
    "My battery is about to die.",
    "I don't have much energy left.",
    "That's all I can think of.",
    "You're wonderful.",
];

/// The same request with a sentence before or behind it that asks for nothing; in a dialogue, the request itself.
pub(super) fn with_aside(mut request: Request, rng: &mut impl Rng) -> Request {
    let (Some(aside), true) = (ASIDES.choose(rng), request.earlier.is_empty()) else { return request };
    let question = request.task.question.trim();
    request.task.question =
        if rng.random() { format!("{aside} {question}") } else { format!("{} {aside}", ended(question)) };
    request
}

/// The text as a sentence.
pub(super) fn ended(text: &str) -> String {
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

#[cfg(test)]
mod tests {
    use super::super::Catalogue;
    use super::super::values::ParameterValues;
    use super::*;
    use sparring_core::Seed;
    use std::collections::BTreeSet;

    #[test]
    fn an_aside_stands_before_or_behind() {
        let request = || Request::of(vec![sparring_core::Message::user("wake me at six")], vec![], vec![]);
        let said: BTreeSet<String> = (0..400)
            .map(|seed| with_aside(request(), &mut Seed::new(seed).rng()).task.question)
            .inspect(|text| assert!(text.contains("wake me at six"), "{text}"))
            .collect();
        assert!(said.iter().any(|text| text == "wake me at six. You're wonderful."), "{said:?}");
        assert!(said.iter().any(|text| text == "You're wonderful. wake me at six"));
        assert!(said.len() > 80);
    }

    #[test]
    fn an_aside_has_no_value() {
        // Every outside tool's parameters, which are everyday ones.
        let catalogue = Catalogue::from_text(r#"[{"name": "x"}]"#, "t.json").unwrap();
        for tool in catalogue.outside() {
            for (name, value) in tool
                .parameters
                .keys()
                .flat_map(|name| ParameterValues::everyday(tool, name).map(move |value| (name, value)))
            {
                let aside = ASIDES.iter().find(|aside| !super::super::spans::of(aside, value).is_empty());
                assert_eq!(aside, None, "{value} is a {name}");
            }
        }
    }
}
