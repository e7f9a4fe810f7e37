//! Gold answers as a model would write them: the highest reachable score, and a test of everything between an answer's
//! text and its verdict.

use crate::bfcl::gold_call;
use crate::{Answer, AnswerReader, Benchmark, Expected, Item};
use serde_json::Value;
use sparring_bfcl::Relevance;
use sparring_tools::{ToolCall, ToolSpec};
use std::collections::BTreeMap;

/// The calls of a right answer; `None` if the gold cannot be read.
///
/// If BFCL accepts several values, the result has the first one that is not `""`. A parameter without such a value is
/// left out unless it is required. Java and JavaScript arguments are the text of a literal. If any call is right, the
/// result is a call of the first tool without arguments.
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

/// Gives the call the name under which its function is offered, which may have underscores for dots.
fn as_offered(item: &Item, functions: &[Value], call: &mut ToolCall) {
    let at = functions.iter().position(|function| function["name"] == *call.name);
    if let Some(tool) = at.and_then(|i| item.tools.get(i)) {
        call.name.clone_from(&tool.name);
    }
}

/// The gold answers as text that `reader` reads. An unreadable gold becomes an answer without calls.
pub fn gold_answers(benchmark: &Benchmark, reader: &AnswerReader) -> BTreeMap<String, Answer> {
    let answer = |item: &Item| {
        let text = reader.render(&gold_calls(item).unwrap_or_default());
        Answer { id: item.id.clone(), text, ..Answer::default() }
    };
    benchmark.items.iter().map(|item| (item.id.clone(), answer(item))).collect()
}
