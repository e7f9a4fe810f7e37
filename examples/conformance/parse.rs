//! Texts of models: read whole, and in pieces; beside what a peer's server read.
use crate::rows::{self, BoxError};
use serde_json::Value;
use sparring::tools::{CallParser, Format, Reading, ToolCall, conformance};
use std::fmt;
use std::path::Path;

/// Rows compared so far.
#[derive(Debug, Default)]
pub(crate) struct Parses {
    rows: usize,
    streamed: usize,
    agree: usize,
    listed: Vec<String>,
}

/// Compares the rows of a file.
pub(crate) fn compare(file: &Path) -> Result<Parses, BoxError> {
    let mut parses = Parses::default();
    for row in rows::read(file)? {
        parses.add(&row?)?;
    }
    Ok(parses)
}

impl Parses {
    fn add(&mut self, row: &Value) -> Result<(), BoxError> {
        let (id, name, raw) = (rows::text(row, "id"), rows::text(row, "format"), rows::text(row, "raw"));
        let format = Format::from_name(name).ok_or_else(|| format!("{id}: unknown format {name:?}"))?;
        let parser = format.parser();
        let whole = parser.read(raw);
        self.rows += 1;
        match conformance::streams_as_whole(&*parser, raw) {
            Ok(()) => self.streamed += 1,
            Err(breach) => self.listed.push(format!("{id}, {name}: STREAMED DIFFERENTLY {breach}")),
        }
        let peer = peer_calls(row)?;
        if peer == whole.calls {
            self.agree += 1;
        } else {
            let note = rows::text(row, "note");
            self.listed.push(format!("{id}, {name}, {note}: peer {}, ours {}", show(&peer), ours(&whole)));
        }
        Ok(())
    }

    /// Whether every text reads the same in pieces as whole.
    pub(crate) fn agrees(&self) -> bool {
        self.rows > 0 && self.streamed == self.rows
    }
}

impl fmt::Display for Parses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.listed {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "peer's calls, read whole: agree {} of {}", self.agree, self.rows)?;
        writeln!(f, "streamed = one-shot: {} of {}", self.streamed, self.rows)
    }
}

/// What the peer read of the whole text. Arguments that are no object are read as models mean them.
fn peer_calls(row: &Value) -> Result<Vec<ToolCall>, BoxError> {
    let calls = rows::list(&row["sglang_oneshot"], "calls")?.iter();
    let read = |call: &Value| {
        let arguments: serde_json::Map<String, Value> =
            serde_json::from_str(rows::text(call, "arguments")).unwrap_or_default();
        ToolCall::new(rows::text(call, "name"), arguments)
    };
    Ok(calls.map(read).collect())
}

fn show(calls: &[ToolCall]) -> String {
    let calls: Vec<_> =
        calls.iter().map(|call| format!("{}({})", call.name, Value::from(call.arguments.clone()))).collect();
    format!("[{}]", calls.join(", "))
}

fn ours(reading: &Reading) -> String {
    let repairs: Vec<_> = reading.repairs.iter().map(ToString::to_string).collect();
    let repairs = if repairs.is_empty() { String::new() } else { format!(" ({})", repairs.join("; ")) };
    format!("{}{repairs}", show(&reading.calls))
}
