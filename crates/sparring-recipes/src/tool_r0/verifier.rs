use super::options::Verifier;
use super::tags;
use serde_json::Value;
use sparring_tools::blocks::{Case, last_block};
use sparring_tools::{CallParser, ToolCall, ToolR0Tags, call_from_value, canonical_json, same_calls};

/// Returns whether the text has a non-empty think block.
pub(crate) fn has_think(text: &str) -> bool {
    last_block(text, tags::THINK, Case::Insensitive).is_ok()
}

impl Verifier {
    /// Returns whether the answer in `text` makes the gold calls.
    pub(crate) fn solved(self, gold: &[ToolCall], text: &str) -> bool {
        match self {
            Self::EveryCall => ToolR0Tags::default().parse(text).is_ok_and(|calls| same_calls(gold, &calls)),
            Self::FirstCall => match (gold.first(), first_call(text)) {
                (Some(gold), Some(call)) => {
                    canonical_json(&gold.to_json()) == canonical_json(&call.to_json())
                }
                _ => false,
            },
        }
    }

    /// Returns the answer in canonical form; `None` if it cannot be read.
    pub(crate) fn answer(self, text: &str) -> Option<String> {
        let calls = ToolR0Tags::default().parse(text).ok()?;
        Some(match self {
            Self::EveryCall => canonical_calls(&calls),
            Self::FirstCall => list(calls.iter().map(|call| Value::from(call.name.clone()).to_string())),
        })
    }
}

/// Returns calls in canonical form; their order does not count.
pub(crate) fn canonical_calls(calls: &[ToolCall]) -> String {
    let mut parts: Vec<String> = calls.iter().map(|call| canonical_json(&call.to_json())).collect();
    parts.sort();
    list(parts.into_iter())
}

fn list(parts: impl Iterator<Item = String>) -> String {
    format!("[{}]", parts.collect::<Vec<_>>().join(","))
}

/// Returns the first call of the last answer block, read as strict JSON.
fn first_call(text: &str) -> Option<ToolCall> {
    let block = last_block(text, tags::ANSWER, Case::Insensitive).ok()?;
    let value: Value = serde_json::from_str(block.content.trim()).ok()?;
    let call = match &value {
        Value::Array(list) => list.first()?,
        other => other,
    };
    call_from_value(call).ok()
}
