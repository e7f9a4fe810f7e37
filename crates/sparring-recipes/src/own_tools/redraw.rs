//! Other values in the same words.

use super::values::{ParameterValues, distinct};
use super::{Catalogue, Request, spans};
use crate::grammar::{is_said, said};
use rand::Rng;
use serde_json::Value;

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
            let Some(value) = values.one(tool, &name, rng) else { continue };
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
