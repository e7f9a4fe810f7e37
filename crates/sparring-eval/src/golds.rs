//! The gold of a benchmark as a perfect model would say it: the upper end of what can be scored, and a test of
//! everything between an answer's text and its verdict.

use crate::bfcl::gold_call;
use crate::{Answer, Benchmark, Expected, Item, Reader};
use serde_json::Value;
use sparring_bfcl::Relevance;
use sparring_tools::{ToolCall, ToolSpec};
use std::collections::BTreeMap;

/// The calls of a right answer; `None` where the gold cannot be read.
///
/// Where BFCL accepts several values, the first one is taken that is not `""`; a parameter that has no other is left
/// out, unless the function requires it. Java and JavaScript arguments are the text of a literal. Where any call will do, it
/// is the first tool's, without arguments.
pub fn gold_calls(item: &Item) -> Option<Vec<ToolCall>> {
    match &item.expected {
        Expected::Calls(calls) => Some(calls.clone()),
        Expected::Unreadable { .. } => None,
        Expected::Bfcl(entry) => match entry.category.relevance() {
            Some(Relevance::Irrelevant) => Some(Vec::new()),
            Some(Relevance::Relevant) => {
                let any = |tool: &ToolSpec| ToolCall::new(&tool.name, serde_json::Map::new());
                Some(item.tools.first().map(any).into_iter().collect())
            }
            None => {
                let mut calls: Vec<_> =
                    entry.ground_truth.iter().map(|gold| gold_call(entry, gold)).collect::<Option<_>>()?;
                for call in &mut calls {
                    as_offered(item, &entry.functions, call);
                }
                Some(calls)
            }
        },
    }
}

/// Names the call as its function is offered, which may be with underscores for dots.
fn as_offered(item: &Item, functions: &[Value], call: &mut ToolCall) {
    let at = functions.iter().position(|function| function["name"] == *call.name);
    if let Some(tool) = at.and_then(|i| item.tools.get(i)) {
        call.name.clone_from(&tool.name);
    }
}

/// The golds in the notation of `reader`, as if a model had said them. An unreadable gold is answered by no call.
pub fn gold_answers(benchmark: &Benchmark, reader: &Reader) -> BTreeMap<String, Answer> {
    let answer = |item: &Item| {
        let text = reader.render(&gold_calls(item).unwrap_or_default());
        Answer { id: item.id.clone(), text, ..Answer::default() }
    };
    benchmark.items.iter().map(|item| (item.id.clone(), answer(item))).collect()
}
