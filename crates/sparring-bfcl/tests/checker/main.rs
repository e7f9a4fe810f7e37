//! BFCL's checker: one vector for each quirk, laws, and the recorded verdicts.
mod laws;
mod quirks;
mod recorded;

use serde_json::{Value, json};
use sparring_bfcl::{Checker, PyValue};

/// The document of a function `f` with these parameters.
fn function(required: &[&str], properties: &Value) -> Value {
    json!({"name": "f", "parameters": {"type": "dict", "required": required, "properties": properties}})
}

/// The error type of `f(x=found)` where `x` is declared as `details` and `accepted` are its values.
fn error(category: &str, details: &Value, accepted: &Value, found: &Value) -> Option<&'static str> {
    let functions = [function(&["x"], &json!({"x": details}))];
    let gold = [json!({"f": {"x": accepted}})];
    let output = PyValue::from_recorded(&json!([{"f": {"x": found}}]));
    Checker::of(category).check(&functions, &gold, &output).error_type()
}
