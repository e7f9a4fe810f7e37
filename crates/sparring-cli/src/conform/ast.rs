//! Calls against possible answers.
use crate::conform::rows;
use crate::conform::tally::{Ours, Tally};
use serde_json::Value;
use sparring::bfcl::{Checker, Language, PyValue};
use sparring::core::BoxError;
use std::path::Path;

/// Compares the rows of a file.
pub(crate) fn compare(file: &Path) -> Result<Tally, BoxError> {
    let mut tally = Tally::default();
    for row in rows::read(file)? {
        let row = row?;
        tally.compare(&row, &check(&row)?);
    }
    Ok(tally)
}

/// Our verdict on a row: what the AST checker says of calls that are already decoded.
pub(crate) fn check(row: &Value) -> Result<Ours, BoxError> {
    let output = PyValue::from_recorded(&row["predicted"]);
    let (functions, gold) = (rows::list(row, "functions")?, rows::list(row, "gold")?);
    let verdict = checker(row)?.check(functions, gold, &output);
    Ok(Ours {
        valid: verdict.is_valid(),
        error_type: verdict.error_type().map(str::to_owned),
        explanation: verdict.to_string(),
    })
}

/// The checker that a row was recorded with.
pub(crate) fn checker(row: &Value) -> Result<Checker, BoxError> {
    let language = match rows::text(row, "language") {
        "python" => Language::Python,
        "java" => Language::Java,
        "javascript" => Language::JavaScript,
        other => return Err(format!("{}: unknown language {other:?}", rows::text(row, "id")).into()),
    };
    let underscores = rows::text(row, "model") == "u2d";
    let checker = Checker::of(rows::text(row, "category"));
    Ok(checker.with_language(language).with_underscore_to_dot(underscores))
}
