//! Two requests in one.

use super::Request;
use super::spans;
use super::words::is_small;
use crate::grammar::said;
use rand::Rng;

/// Whether two requests can be asked at once: of one turn and one call each, of different tools.
pub(super) fn fit(first: &Request, second: &Request) -> bool {
    matches!((first.only_call(), second.only_call()), (Some(one), Some(other)) if one.name != other.name)
}

/// A request for what both ask for, in one sentence or in two.
pub(super) fn joined(first: &Request, second: &Request, rng: &mut impl Rng) -> Request {
    let question = first.task.question.trim();
    let (open, next) = (question.trim_end_matches(['.', '!', ',']), continued(second));
    let asks = open.ends_with('?');
    let question = match rng.random_range(0..4) {
        0 if !asks => format!("{open} and {next}"),
        1 if !asks => format!("{open}, then {next}"),
        2 => format!("{} Also, {next}", ended(question)),
        _ => format!("{} {}", ended(question), second.task.question.trim()),
    };
    let mut request = first.clone();
    request.task.question = question;
    request.task.calls.extend(second.task.calls.iter().cloned());
    request
}

/// A question as a sentence goes on: with a small letter, if its first word is a small word and not of a value.
fn continued(request: &Request) -> String {
    let text = request.task.question.trim();
    let first = text.split_whitespace().next().unwrap_or_default();
    let values = request.task.calls.iter().flat_map(|call| call.arguments.values());
    let of_value = values.flat_map(|value| spans::of(text, &said(value))).any(|place| place.start == 0);
    let is_i = first == "I" || first.starts_with("I'");
    if of_value || is_i || !is_small(first) {
        return text.to_owned();
    }
    first.to_lowercase() + &text[first.len()..]
}

fn ended(text: &str) -> String {
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use sparring_core::Seed;
    use sparring_tools::{ToolCall, ToolTask};
    use std::collections::BTreeSet;

    fn request(question: &str, tool: &str, title: &str) -> Request {
        ToolTask::new(question, vec![], vec![ToolCall::new(tool, [("title", json!(title))])]).into()
    }

    #[test]
    fn two_requests_become_one() {
        let first = request("Play Moonlight.", "play", "Moonlight");
        let said = |second: &Request| -> BTreeSet<String> {
            let joined = |i| joined(&first, second, &mut Seed::new(i).rng());
            (0..50)
                .map(joined)
                .inspect(|request| assert_eq!(request.task.calls.len(), 2))
                .map(|r| r.task.question)
                .collect()
        };
        let all = |next: &str, whole: &str| -> BTreeSet<String> {
            let ways = ["Play Moonlight and {}", "Play Moonlight, then {}", "Play Moonlight. Also, {}"];
            ways.map(|way| way.replace("{}", next))
                .into_iter()
                .chain([format!("Play Moonlight. {whole}")])
                .collect()
        };
        let second = request("Find the book Dune", "find", "Dune");
        assert_eq!(said(&second), all("find the book Dune", "Find the book Dune"));
        for kept in ["I want Dune.", "The Dune, please."] {
            assert_eq!(said(&request(kept, "find", "The Dune")), all(kept, kept));
        }
    }

    #[test]
    fn a_question_stays_one() {
        let (first, second) = (request("Is it Dune?", "find", "Dune"), request("Play it.", "play", "it"));
        for i in 0..20 {
            let text = joined(&first, &second, &mut Seed::new(i).rng()).task.question;
            assert!(["Is it Dune? Also, play it.", "Is it Dune? Play it."].contains(&&*text), "{text}");
        }
        assert!(fit(&first, &second) && !fit(&first, &first));
    }
}
