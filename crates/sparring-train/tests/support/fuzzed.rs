//! Properties of any bytes as records of a run, shared by the fuzz target and the test over its corpus.
use serde_json::Value;
use sparring_train::report::{EvaluationData, Records};

/// # Panics
/// If an error has no place, or what was read does not read the same once written.
pub(crate) fn check(data: &[u8]) {
    match Records::parse(data) {
        Err(what) => assert!(what.starts_with("line ") && !what.contains('\n'), "{what}"),
        Ok(records) => {
            let written: Vec<String> = records.iter().map(|record| format!("{record}\n")).collect();
            assert_eq!(Records::parse(written.concat().as_bytes()), Ok(records.clone()));
            assert!(records.iter().all(Value::is_object));
            EvaluationData::collect(&records, "step");
        }
    }
}
