//! A request that mentions a value of another one besides.

use super::values::distinct;
use super::{Request, spans};
use crate::grammar::{is_said, said};
use std::ops::Range;

/// Words that people say in front of a value, so that it can stand at the end of another request.
const IN_FRONT: &[&str] = &[
    "about", "after", "around", "as", "at", "before", "by", "called", "during", "for", "from", "in", "into",
    "named", "near", "on", "over", "saying", "titled", "to", "under", "until", "using", "via", "with",
];
const ARTICLES: &[&str] = &["a", "an", "my", "our", "the", "your"];

/// The first request with a value of the second one, in its words, at the end: "Book a table at Luigi's." with "for 4"
/// of "I need a table for 4 people." A Generator seldom mentions more than two values, and people do.
///
/// `None` if both are not requests of one turn for one call of the same tool, or if the second has no value that fits:
/// of a parameter that the first leaves out, mentioned once, behind a word that says what it is.
pub(super) fn extended(first: &Request, second: &Request) -> Option<Request> {
    let (call, other) = (first.only_call()?, second.only_call()?);
    if call.name != other.name {
        return None;
    }
    let question = first.task.question.trim();
    let open = question.trim_end_matches(['.', '!', '?', ',']);
    let new =
        other.arguments.iter().filter(|(name, value)| !call.arguments.contains_key(*name) && is_said(value));
    for (name, value) in new {
        let text = said(value);
        let Some(phrase) = phrase(&second.task.question, &text) else { continue };
        let mut request = first.clone();
        let arguments = &mut request.task.calls[0].arguments;
        arguments.insert(name.clone(), value.clone());
        if distinct(arguments) && spans::of(question, &text).is_empty() {
            let tool = first.task.tools.iter().find(|tool| tool.name == call.name);
            request.task.question = format!("{open} {phrase}{}", &question[open.len()..]);
            let valid = tool.is_none_or(|tool| tool.validate(&request.task.calls[0]).is_ok());
            return valid.then_some(request);
        }
    }
    None
}

/// A text where it stands once, with the word in front of it, an article and its quotation marks.
fn phrase<'a>(request: &'a str, text: &str) -> Option<&'a str> {
    let places = spans::of(request, text);
    let [Range { start, end }] = places.as_slice() else { return None };
    let (mut start, mut end) = (*start, *end);
    if request[..start].ends_with('"') && request[end..].starts_with('"') {
        (start, end) = (start - 1, end + 1);
    }
    let before = |end: usize| -> Option<usize> {
        let words = request[..end].strip_suffix(' ')?;
        Some(words.rfind(' ').map_or(0, |space| space + 1))
    };
    let is = |words: &[&str], place: Range<usize>| {
        words.contains(&request[place].trim_end().to_lowercase().as_str())
    };
    let mut first = before(start)?;
    if is(ARTICLES, first..start) {
        start = first;
        first = before(start)?;
    }
    is(IN_FRONT, first..start).then(|| &request[first..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use sparring_tools::{ToolCall, ToolTask};

    fn request(question: &str, arguments: Value) -> Request {
        let Value::Object(arguments) = arguments else { panic!("an object") };
        ToolTask::new(question, vec![], vec![ToolCall::new("book", arguments)]).into()
    }

    #[test]
    fn a_value_comes_with_the_words_in_front_of_it() {
        let first = request("Book a table at Luigi's.", json!({"place": "Luigi's"}));
        let said = |question: &str, arguments: Value| {
            let whole = extended(&first, &request(question, arguments))?;
            Some((whole.task.question.clone(), Value::from(whole.task.calls[0].arguments.clone())))
        };
        let four = json!({"place": "Luigi's", "people": 4});
        for second in ["A table for 4, please.", "For 4 people at Rosa's."] {
            let (question, arguments) = said(second, json!({"place": "Rosa's", "people": 4})).unwrap();
            assert_eq!(question.to_lowercase(), "book a table at luigi's for 4.");
            assert_eq!(arguments, four);
        }
        let garden = said("A seat in the garden", json!({"area": "garden"})).unwrap();
        assert_eq!(garden.0, "Book a table at Luigi's in the garden.");
        let note = said("Book it saying \"no nuts\" please", json!({"note": "no nuts"})).unwrap();
        assert_eq!(note.0, "Book a table at Luigi's saying \"no nuts\".");
    }

    #[test]
    fn what_does_not_fit_stays_out() {
        let first = request("Book a table at Luigi's.", json!({"place": "Luigi's"}));
        for (question, arguments) in [
            // The same parameter; no word in front; twice; a value of the first.
            ("Go to Rosa's", json!({"place": "Rosa's"})),
            ("4 people", json!({"people": 4})),
            ("for 4 or for 4", json!({"people": 4})),
            ("for Luigi's", json!({"name": "Luigi's"})),
        ] {
            assert_eq!(extended(&first, &request(question, arguments)), None, "{question}");
        }
    }
}
