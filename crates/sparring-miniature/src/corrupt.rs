//! Plausible wrong calls, and the habit of calling the first tool: these make the base weak at the task.

use crate::request::draw_value;
use crate::vocabulary::{Kind, SLOTS, slot_by_name};
use rand::Rng;
use rand::seq::IndexedRandom;
use serde_json::{Map, Value};
use sparring_tools::{ToolCall, ToolTask};

/// The calls of `task` with one mistake. The result always differs from the gold calls.
pub(crate) fn corrupt(task: &ToolTask, rng: &mut impl Rng) -> Vec<ToolCall> {
    let mut calls = task.calls.clone();
    if calls.is_empty() {
        // No tool serves the request, so any call is a mistake.
        return vec![misuse(task, None, rng)];
    }
    let at = rng.random_range(0..calls.len());
    for _ in 0..8 {
        match rng.random_range(0..6) {
            0 | 1 => calls[at] = misuse(task, Some(&calls[at]), rng),
            2 => drop_argument(&mut calls[at], rng),
            3 => replace_value(&mut calls[at], rng),
            4 => rename_argument(&mut calls[at], rng),
            _ if calls.len() > 1 => drop(calls.remove(at)),
            _ => calls.push(misuse(task, None, rng)),
        }
        if calls != task.calls {
            return calls;
        }
    }
    Vec::new()
}

/// A call of another offered tool, with the available values.
fn misuse(task: &ToolTask, right: Option<&ToolCall>, rng: &mut impl Rng) -> ToolCall {
    let values: Vec<Value> = task.calls.iter().flat_map(|c| c.arguments.values().cloned()).collect();
    let others: Vec<_> = task.tools.iter().filter(|t| right.is_none_or(|r| r.name != t.name)).collect();
    let Some(tool) = others.choose(rng).copied().or(task.tools.first()) else {
        return ToolCall::default();
    };
    let arguments: Map<String, Value> = tool
        .parameters
        .keys()
        .map(|name| {
            let drawn = slot_by_name(name).map(|s| draw_value(s, rng).0);
            let value = if rng.random_bool(0.5) { values.choose(rng).cloned() } else { None };
            (name.clone(), value.or(drawn).unwrap_or(Value::from(1)))
        })
        .collect();
    ToolCall::new(&tool.name, arguments)
}

/// The answer of a reader who stops at the first offered tool: a call of it, with the request's values where parameter
/// names agree, and with any available values for the rest.
pub(crate) fn first_tool(task: &ToolTask, rng: &mut impl Rng) -> Vec<ToolCall> {
    let said: Map<String, Value> = task.calls.iter().flat_map(|c| c.arguments.clone()).collect();
    let Some(tool) = task.tools.first() else { return Vec::new() };
    let at_hand = said.values().next();
    let arguments: Map<String, Value> = tool
        .parameters
        .keys()
        .filter_map(|name| {
            let value = said.get(name).cloned().or_else(|| {
                let drawn = || slot_by_name(name).map(|slot| draw_value(slot, rng).0);
                let value = at_hand.cloned().or_else(drawn);
                value.filter(|_| tool.required.contains(name))
            })?;
            Some((name.clone(), value))
        })
        .collect();
    vec![ToolCall::new(&tool.name, arguments)]
}

fn any_key(call: &ToolCall, rng: &mut impl Rng) -> Option<String> {
    let keys: Vec<&String> = call.arguments.keys().collect();
    keys.choose(rng).map(|k| (*k).clone())
}

fn drop_argument(call: &mut ToolCall, rng: &mut impl Rng) {
    if let Some(key) = any_key(call, rng) {
        call.arguments.shift_remove(&key);
    }
}

fn replace_value(call: &mut ToolCall, rng: &mut impl Rng) {
    let Some(key) = any_key(call, rng) else { return };
    if let Some(slot) = slot_by_name(&key) {
        call.arguments.insert(key, draw_value(slot, rng).0);
    }
}

/// Renames a parameter to another slot's name, so its value is in the wrong place.
fn rename_argument(call: &mut ToolCall, rng: &mut impl Rng) {
    let Some(key) = any_key(call, rng) else { return };
    let alike: Vec<&str> = SLOTS
        .iter()
        .filter(|s| !matches!(s.kind, Kind::Boolean(..)))
        .map(|s| s.name)
        .filter(|name| !call.arguments.contains_key(*name))
        .collect();
    if let (Some(name), Some(value)) = (alike.choose(rng), call.arguments.shift_remove(&key)) {
        call.arguments.insert((*name).to_owned(), value);
    }
}
