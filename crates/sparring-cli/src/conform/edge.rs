//! Corner cases, each of one stage of the official code.
use crate::conform::rows;
use crate::conform::tally::Tally;
use crate::conform::{ast, decode};
use serde_json::Value;
use sparring::bfcl::{PyValue, Relevance, is_empty_output, is_function_call_format};
use sparring::core::BoxError;
use std::path::Path;

/// Compares the rows of a file. Rows of stages without a counterpart here are counted as not covered.
pub(crate) fn compare(file: &Path) -> Result<Tally, BoxError> {
    let mut tally = Tally::default();
    for row in rows::read(file)? {
        let row = row?;
        match rows::text(&row, "stage") {
            "ast_checker" => tally.compare(&row, &ast::check(&row)?),
            "format" => format(&row, &mut tally),
            "decode" => decode::edge(&row, &mut tally)?,
            other => tally.skip(other),
        }
    }
    Ok(tally)
}

/// Whether an output is a list of calls, and what the relevance categories make of it.
fn format(row: &Value, tally: &mut Tally) {
    let output = PyValue::from_recorded(&row["predicted"]);
    let ours = [
        ("function_calling_format", is_function_call_format(&output)),
        ("is_empty_output", is_empty_output(&output)),
        ("irrelevance_valid", Relevance::Irrelevant.judge(Some(&output)).is_ok()),
        ("relevance_valid", Relevance::Relevant.judge(Some(&output)).is_ok()),
    ];
    let agree = ours.iter().all(|(key, ours)| row[*key].as_bool() == Some(*ours));
    tally.count(row, agree, agree, || format!("ours: {ours:?}"));
}
