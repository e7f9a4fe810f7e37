//! Other values in the same words.

use super::values::{ParameterValues, distinct};
use super::{Catalogue, Request, spans};
use crate::grammar::{is_said, said};
use rand::Rng;
use serde_json::Value;
use sparring_core::Role;

/// The request with other values for some arguments, each with the probability `share`: a pool's few requests are used
/// several times, and a Solver would learn their values by heart.
///
/// A value is exchanged where it stands once in the conversation, and only if it is known what else the parameter
/// takes.
pub(super) fn redrawn(
    mut request: Request,
    catalogue: &Catalogue,
    values: &ParameterValues,
    share: f64,
    rng: &mut impl Rng,
) -> Request {
    for c in 0..request.task.calls.len() {
        let Some(tool) = catalogue.get(&request.task.calls[c].name) else { continue };
        let names: Vec<String> = request.task.calls[c].arguments.keys().cloned().collect();
        for name in names {
            if rng.random::<f64>() >= share || !values.knows(tool, &name) {
                continue;
            }
            let Some(value) = values.another(tool, &name, rng) else { continue };
            let mut call = request.task.calls[c].clone();
            let Some(old) = call.arguments.insert(name, value.clone()) else { continue };
            if distinct(&call.arguments)
                && tool.validate(&call).is_ok()
                && exchanged(&mut request, &old, &value)
            {
                request.task.calls[c] = call;
            }
        }
    }
    request
}

/// The request as it is typed in small letters, with the texts of its calls; unchanged if these must have others.
pub(super) fn in_lower_case(request: Request, catalogue: &Catalogue) -> Request {
    let mut lower = request.clone();
    let theirs = lower.earlier.iter_mut().filter(|message| message.role == Role::User);
    let texts = theirs.map(|message| &mut message.content).chain([&mut lower.task.question]);
    texts.for_each(|text| *text = text.to_lowercase());
    let valid = lower.task.calls.iter_mut().all(|call| {
        let Some(tool) = catalogue.planned(&call.name) else { return false };
        for (name, value) in &mut call.arguments {
            let chosen = tool.parameters.get(name).is_some_and(|schema| schema.get("enum").is_some());
            if !chosen {
                lower_texts(value);
            }
        }
        tool.validate(call).is_ok()
    });
    if valid { lower } else { request }
}

fn lower_texts(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.to_lowercase(),
        Value::Array(items) => items.iter_mut().for_each(lower_texts),
        _ => {}
    }
}

/// Exchanges a text or number in the conversation, if it stands there once, and in no other argument, and the new one
/// does not.
fn exchanged(request: &mut Request, old: &Value, new: &Value) -> bool {
    if !is_said(old) || !is_said(new) {
        return false;
    }
    let (old, new) = (said(old), said(new));
    let arguments = request.task.calls.iter().flat_map(|call| call.arguments.values());
    if arguments.filter(|value| !spans::of(&said(value), &old).is_empty()).count() != 1 {
        return false;
    }
    let earlier = request.earlier.iter_mut().map(|message| &mut message.content);
    let mut texts: Vec<&mut String> = earlier.chain([&mut request.task.question]).collect();
    if texts.iter().any(|text| !spans::of(text, &new).is_empty()) {
        return false;
    }
    let places: Vec<_> = (0..texts.len())
        .flat_map(|t| spans::of(texts[t], &old).into_iter().map(move |place| (t, place)))
        .collect();
    let [(t, place)] = places.as_slice() else { return false };
    texts[*t].replace_range(place.clone(), &new);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use sparring_core::{Message, Seed};
    use sparring_tools::ToolCall;
    use sparring_tools::grounding::{Letters, is_grounded};

    fn catalogue() -> Catalogue {
        let tools = json!([{"name": "book", "parameters": {"type": "object", "properties": {
            "city": {"type": "string"}, "guests": {"type": "integer", "minimum": 1}, "name": {"type": "string"},
            "pets": {"type": "boolean"}}}}]);
        Catalogue::from_text(&tools.to_string(), "t.json").unwrap()
    }

    fn request(question: &str) -> Request {
        let call = ToolCall::new(
            "book",
            [("city", "Oslo".into()), ("guests", 7.into()), ("name", "Eve".into()), ("pets", true.into())],
        );
        let earlier = vec![Message::user("A room in Oslo."), Message::assistant("For how many?")];
        let conversation = earlier.into_iter().chain([Message::user(question)]).collect();
        Request::of(conversation, catalogue().tools().to_vec(), vec![call])
    }

    proptest! {
        #[test]
        fn a_request_stays_right_for_its_call(seed: u64, share in 0.0..=1.0) {
            let values = ParameterValues::default();
            let other = redrawn(request("For 7, in Eve's name"), &catalogue(), &values, share, &mut Seed::new(seed).rng());
            let call = &other.task.calls[0];
            let said: Vec<String> = other.conversation().into_iter().map(|message| message.content).collect();
            for name in ["city", "guests", "name"] {
                prop_assert!(is_grounded(&call.arguments[name], &said.join("\n"), Letters::AllScripts));
            }
            prop_assert!(catalogue().tools()[0].validate(call).is_ok());
            prop_assert_eq!(&call.arguments["pets"], &json!(true));
        }
    }

    #[test]
    fn small_letters_are_those_of_the_person_and_of_free_texts() {
        let tools = json!([{"name": "book", "parameters": {"type": "object", "properties": {
            "city": {"type": "string"}, "class": {"enum": ["First"]}, "code": {"type": "string", "pattern": "^[A-Z]$"}}}}]);
        let catalogue = Catalogue::from_text(&tools.to_string(), "t.json").unwrap();
        let typed = |arguments: Value| {
            let Value::Object(arguments) = arguments else { panic!() };
            let calls = vec![ToolCall::new("book", arguments)];
            let said = vec![Message::assistant("Where?"), Message::user("To Oslo, First class, X")];
            in_lower_case(Request::of(said, catalogue.tools().to_vec(), calls), &catalogue)
        };
        let lower = typed(json!({"city": "Oslo", "class": "First"}));
        assert_eq!(lower.task.question, "to oslo, first class, x");
        assert_eq!(lower.earlier[0].content, "Where?");
        assert_eq!(
            Value::from(lower.task.calls[0].arguments.clone()),
            json!({"city": "oslo", "class": "First"})
        );
        let kept = typed(json!({"city": "Oslo", "code": "X"}));
        assert_eq!(kept.task.question, "To Oslo, First class, X");
        assert_eq!(kept.task.calls[0].arguments["city"], json!("Oslo"));
    }

    #[test]
    fn values_that_stand_twice_stay() {
        let before = request("For 7 from Oslo, Oslo please");
        let after =
            redrawn(before.clone(), &catalogue(), &ParameterValues::default(), 1.0, &mut Seed::new(1).rng());
        assert_eq!(after.task.calls[0].arguments["city"], json!("Oslo"));
        assert_eq!(after.task.calls[0].arguments["name"], json!("Eve"));
        assert_ne!(after.task.calls[0].arguments["guests"], json!(7));
        let never =
            redrawn(before.clone(), &catalogue(), &ParameterValues::default(), 0.0, &mut Seed::new(1).rng());
        assert_eq!(never, before);
    }
}
