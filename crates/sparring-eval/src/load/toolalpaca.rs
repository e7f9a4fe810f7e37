//! ToolAlpaca (tangqiaoyu/ToolAlpaca): ten or eleven APIs per file, each with instructions and golden answers.
//!
//! A golden argument may be a placeholder (`{"id": ${id from search}}`) for the result of an earlier call. It is read
//! as a string, which no honest answer equals, and recorded as [`Defect::Placeholder`]. Golds that are still not JSON
//! are [`Defect::UnreadableGold`].

use super::{present, schema, source};
use crate::{Defect, EvalError, Expected, Item};
use serde_json::{Map, Value, json};
use source::Record;
use sparring_core::Message;
use sparring_tools::{ToolCall, ToolSpec};
use std::path::Path;

const FILES: [(&str, &str); 2] =
    [("eval_real.json", "toolalpaca_real"), ("eval_simulated.json", "toolalpaca_simulated")];

pub(super) fn load(data: &Path) -> Result<Vec<Item>, EvalError> {
    let mut items = Vec::new();
    for (path, category) in present(data, &FILES)? {
        let mut of_file = Vec::new();
        for api in source::read(&path)? {
            api_items(&api, category, &mut of_file)?;
        }
        items.append(&mut of_file);
    }
    Ok(items)
}

fn api_items(api: &Record, category: &str, items: &mut Vec<Item>) -> Result<(), EvalError> {
    let tools: Vec<ToolSpec> = api
        .object("Function_Description")?
        .iter()
        // Not a function: the types that results have.
        .filter(|(name, _)| *name != "components")
        .map(|(name, text)| tool(api, name, text))
        .collect::<Result<_, _>>()?;
    let (questions, golds) = (api.list("Instructions")?, api.list("Golden_Answers")?);
    if questions.len() != golds.len() {
        let what = format!("has {} entries for {} instructions", golds.len(), questions.len());
        return Err(api.bad("Golden_Answers", what));
    }
    for (i, (question, gold)) in questions.iter().zip(golds).enumerate() {
        let question =
            question.as_str().ok_or_else(|| api.bad(&format!("Instructions[{i}]"), "must be a string"))?;
        let messages = vec![Message::user(question)];
        let gold = gold_calls(api, &format!("Golden_Answers[{i}]"), gold)?;
        let id = format!("{category}_{}", items.len());
        let mut item = Item::calls(id, category, messages, tools.clone(), gold.calls);
        item.defects.extend(gold.placeholder.then_some(Defect::Placeholder));
        if let Some(why) = gold.unreadable {
            item.defects.push(Defect::UnreadableGold);
            item.expected = Expected::Unreadable { why };
        }
        item.defects.sort();
        items.push(item);
    }
    Ok(())
}

/// A function from its description: `WHAT IT DOES\nParameters: {"name": "[Required. ]TYPE. ABOUT"}\nOutput: ...`.
fn tool(api: &Record, name: &str, text: &Value) -> Result<ToolSpec, EvalError> {
    let field = format!("Function_Description.{name}");
    let bad = |what: &str| api.bad(&field, what);
    let text = text.as_str().ok_or_else(|| bad("must be a string"))?;
    let (about, rest) = text.split_once("Parameters: ").ok_or_else(|| bad("has no \"Parameters: \""))?;
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Map<String, Value>>();
    let Some(Ok(parameters)) = values.next() else {
        return Err(bad("has no JSON object after \"Parameters: \""));
    };
    let mut spec =
        ToolSpec { name: name.to_owned(), description: about.trim().to_owned(), ..ToolSpec::default() };
    for (parameter, text) in parameters {
        let text =
            text.as_str().ok_or_else(|| bad("describes a parameter by something other than a string"))?;
        let (required, text) = match text.strip_prefix("Required. ") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (kind, about) = text.split_once('.').unwrap_or((text, ""));
        let schema = json!({"type": schema::head(kind), "description": about.trim()});
        spec = spec.with_parameter(parameter, schema, required);
    }
    Ok(spec)
}

#[derive(Default)]
struct Gold {
    calls: Vec<ToolCall>,
    placeholder: bool,
    unreadable: Option<String>,
}

fn gold_calls(api: &Record, field: &str, gold: &Value) -> Result<Gold, EvalError> {
    let mut out = Gold::default();
    for call in gold.as_array().ok_or_else(|| api.bad(field, "must be a list"))? {
        let part = |key: &str| {
            call[key].as_str().ok_or_else(|| api.bad(&format!("{field}.{key}"), "must be a string"))
        };
        let (name, input) = (part("Action")?, part("Action_Input")?);
        out.placeholder |= input.contains("${");
        match arguments(input) {
            Ok(arguments) => out.calls.push(ToolCall::new(name, arguments)),
            Err(error) => out.unreadable = Some(format!("the input of {name} is not a JSON object: {error}")),
        }
    }
    Ok(out)
}

fn arguments(input: &str) -> Result<Map<String, Value>, serde_json::Error> {
    serde_json::from_str(input).or_else(|error| serde_json::from_str(&quoted(input)).map_err(|_| error))
}

/// The text with quotes around every bare `${...}`.
fn quoted(input: &str) -> String {
    let (mut out, mut rest) = (String::new(), input);
    while let Some(start) = rest.find("${") {
        let Some(end) = rest[start..].find('}').map(|end| start + end + 1) else { break };
        out.push_str(&rest[..start]);
        let bare = !out.ends_with('"');
        out.push_str(if bare { "\"" } else { "" });
        out.push_str(&rest[start..end]);
        out.push_str(if bare { "\"" } else { "" });
        rest = &rest[end..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_become_strings() {
        let read = |text| arguments(text).map(Value::Object);
        assert_eq!(read(r#"{"a": ${a from f}}"#).unwrap(), json!({"a": "${a from f}"}));
        assert_eq!(read(r#"{"a": "${x}", "b": [${y}]}"#).unwrap(), json!({"a": "${x}", "b": ["${y}"]}));
        assert!(read(r#"{"a": ${x from f, "b": 1}"#).is_err());
        assert!(read(r#"{"a": "a": 1}"#).is_err());
    }
}
