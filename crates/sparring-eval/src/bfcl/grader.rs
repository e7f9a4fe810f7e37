use crate::{Benchmark, Expected, Grader, Item, Reading, Verdict};
use serde_json::{Map, Value};
use sparring_bfcl::{Checker, PyValue};
use sparring_tools::ToolCall;
use std::borrow::Cow;
use std::sync::Arc;

/// BFCL's own checker (`bfcl-eval` 2026.3.23, [`sparring_bfcl`]), with its error types.
///
/// An unreadable answer is `ast_decoder:decoder_failed`. In the relevance categories it counts as no call.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct BfclGrader {
    underscore_to_dot: bool,
}

impl BfclGrader {
    /// The checker for models that write names unchanged.
    pub const fn new() -> Self {
        Self { underscore_to_dot: false }
    }

    /// Sets whether the model writes `_` for the dots of names ([`Checker::underscore_to_dot`]).
    #[must_use]
    pub const fn with_underscore_to_dot(mut self, underscore_to_dot: bool) -> Self {
        self.underscore_to_dot = underscore_to_dot;
        self
    }
}

/// Adapts a BFCL benchmark to models that cannot write dots in names: tools are offered, and checked, with underscores.
#[must_use]
pub fn with_underscores(mut benchmark: Benchmark) -> Benchmark {
    for tool in benchmark.items.iter_mut().flat_map(|item| &mut item.tools) {
        tool.name = tool.name.replace('.', "_");
    }
    benchmark.grader = Arc::new(BfclGrader::new().with_underscore_to_dot(true));
    benchmark
}

impl Grader for BfclGrader {
    fn name(&self) -> &'static str {
        "BFCL's checker"
    }

    fn grade(&self, item: &Item, reading: &Reading) -> Verdict {
        let Expected::Bfcl(entry) = &item.expected else {
            return Verdict::wrong("gold_unreadable", "the item does not belong to BFCL");
        };
        let output = output(reading);
        if let Some(relevance) = entry.category.relevance() {
            return match relevance.judge(output.as_ref().ok().map(|value| &**value)) {
                Ok(()) => Verdict::right(),
                Err(error) => Verdict::wrong(error, said(output)),
            };
        }
        let output = match &output {
            Ok(output) => output,
            Err(why) => return Verdict::wrong("ast_decoder:decoder_failed", *why),
        };
        let checker = Checker::of(entry.category.name()).with_underscore_to_dot(self.underscore_to_dot);
        let verdict = checker.judge(&entry.functions, &entry.ground_truth, output);
        match verdict.error_type() {
            None => Verdict::right(),
            Some(error) => Verdict::wrong(error, verdict.to_string()),
        }
    }
}

fn output(reading: &Reading) -> Result<Cow<'_, PyValue>, &str> {
    match reading {
        Reading::Calls(calls) => {
            let call = |call: &ToolCall| {
                Value::Object(Map::from_iter([(call.name.clone(), Value::Object(call.arguments.clone()))]))
            };
            Ok(Cow::Owned(PyValue::from_json(&calls.iter().map(call).collect())))
        }
        Reading::Decoded(value) => Ok(Cow::Borrowed(value)),
        Reading::Unreadable { why } => Err(why),
    }
}

fn said(output: Result<Cow<'_, PyValue>, &str>) -> String {
    match output {
        Ok(value) => format!("the answer is {value}"),
        Err(why) => format!("the answer has no call: {why}"),
    }
}
