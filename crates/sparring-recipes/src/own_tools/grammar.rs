//! The grammars that both players write under.

use super::game::{GameSettings, Order};
use super::prompts::{REQUEST, VALUES};
use super::values::switched_on;
use super::{CallPlan, Catalogue, words};
use crate::grammar::{simple, texts};
use serde_json::{Map, Value, json};
use sparring_core::Hook;
use sparring_guided::{CallGrammar, Constraint, Guide, GuidedError, Staged};
use sparring_tools::ToolSpec;

/// Maximum length of a tool's name, in characters, and maximum number of names, in a thought.
const NAME_CHARS: usize = 128;
const MOST_NAMES: usize = 64;

/// Whether a thought can have this name.
pub(super) fn is_name(name: &str) -> bool {
    (1..=NAME_CHARS).contains(&name.chars().count()) && !name.contains(['<', ',', '\n'])
}

/// Calls of these tools, or none.
pub(super) fn answers(
    guide: &Guide,
    tools: &[ToolSpec],
    settings: &GameSettings,
) -> Result<Constraint, GuidedError> {
    let mut grammar = CallGrammar::new(settings.format)
        .with_calls(0..=settings.most_calls)
        .with_decline(&settings.decline)
        .with_string_chars(settings.answer_chars);
    if settings.name_first {
        let name = format!("[^<,\\n]{{1,{NAME_CHARS}}}");
        let more = settings.most_calls.min(MOST_NAMES) - 1;
        grammar = grammar.with_thought(format!("{name}(, {name}){{0,{more}}}"));
    }
    guide.calls(tools, &grammar)
}

/// What the Generator writes behind its prompt: a request; with the values, if the plan does not give them.
pub(super) fn proposal(
    guide: &Guide,
    catalogue: &Catalogue,
    plan: &CallPlan,
    settings: &GameSettings,
) -> Result<Hook, GuidedError> {
    let gap = settings.gap;
    let grounded = |arguments: &[Map<String, Value>]| {
        if settings.grounded { texts(arguments) } else { Vec::new() }
    };
    if !plan.arguments.is_empty() {
        return guide
            .sentence(
                " ",
                &grounded(&as_said(plan.mentioned(), &plan.quoted)),
                gap,
                &words::of(catalogue, plan),
                "\n",
            )
            .map(Hook::new);
    }
    let values = values_schema(catalogue, plan, settings);
    Ok(match settings.order {
        Order::CallsFirst => {
            let (requests, whole) = (guide.clone(), settings.grounded);
            let request = move |text: &str| {
                let arguments: Vec<Map<String, Value>> =
                    serde_json::from_str(text.trim()).unwrap_or_default();
                let texts = if whole { texts(&as_said(arguments, &[])) } else { Vec::new() };
                requests.sentence(&format!("\n{REQUEST} "), &texts, gap, &[], "\n")
            };
            Hook::new(Staged::new(guide.json_after(" ", values)?, request))
        }
        Order::RequestFirst => {
            let request = guide.sentence(" ", &[], 3 * gap, &[], "\n")?;
            let calls = guide.json_after(&format!("{VALUES} "), values)?;
            Hook::new(Staged::new(request, move |_| Ok(calls.clone())))
        }
    })
}

/// The arguments as a request mentions them; the `quoted` ones stand in quotation marks.
fn as_said(mut mentioned: Vec<Map<String, Value>>, quoted: &[String]) -> Vec<Map<String, Value>> {
    for (name, value) in mentioned.iter_mut().flatten() {
        match value {
            Value::Bool(true) => *value = switched_on(name).into(),
            Value::String(text) if quoted.contains(name) && !text.contains('"') => {
                *value = format!("\"{text}\"").into();
            }
            _ => {}
        }
    }
    mentioned
}

/// The schema of the values that the Generator invents: a list of the arguments of each planned call.
fn values_schema(catalogue: &Catalogue, plan: &CallPlan, settings: &GameSettings) -> Value {
    let mut calls = Vec::with_capacity(plan.calls.len());
    for call in &plan.calls {
        let Some(tool) = catalogue.planned(&call.tool) else { continue };
        let schema = |name: &String| tool.parameters.get(name).cloned().unwrap_or_default();
        let properties: Map<String, Value> = call
            .parameters
            .iter()
            .map(|name| (name.clone(), simple(&schema(name), settings.value_chars)))
            .collect();
        let mut object = tool.parameters_schema();
        if let Value::Object(object) = &mut object {
            object.insert("type".to_owned(), json!("object"));
            object.insert("properties".to_owned(), properties.into());
            object.insert("required".to_owned(), json!(call.parameters));
            object.insert("additionalProperties".to_owned(), json!(false));
        }
        calls.push(object);
    }
    let n = calls.len();
    json!({"type": "array", "prefixItems": calls, "items": false, "minItems": n, "maxItems": n})
}
