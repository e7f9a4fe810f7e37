//! Every function of the Berkeley Function Calling Leaderboard.
#![cfg(feature = "validate")]
#![allow(clippy::unwrap_used)] // helpers of tests

use serde_json::Value;
use sparring_tools::{Dialect, ToolSpec};
use std::fs;
use std::path::Path;

/// Reads the functions of one file: a column of the questions, or separate lines.
fn functions(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.flat_map(|row| match row.get("function") {
        Some(Value::Array(functions)) => functions.clone(),
        _ if row.get("parameters").is_some() => vec![row],
        _ => Vec::new(),
    })
    .collect()
}

#[test]
#[ignore = "needs SPARRING_SHARED, the folder of recorded references"]
fn every_function_survives_and_is_valid_json_schema() {
    let shared = std::env::var_os("SPARRING_SHARED").unwrap();
    let bfcl = Path::new(&shared).join("benchmarks/bfcl");
    let (mut files, mut count) = (0, 0);
    for folder in [bfcl.clone(), bfcl.join("multi_turn_func_doc")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            files += 1;
            for function in functions(&path) {
                let spec = ToolSpec::from_json(&function).unwrap();
                assert_eq!(spec.to_json(Dialect::Bfcl), function, "{}", path.display());
                let schema = spec.parameters_schema();
                let valid = jsonschema::meta::validate(&schema);
                assert!(valid.is_ok(), "{}: {} {valid:?}", path.display(), spec.name);
                assert!(jsonschema::draft202012::new(&schema).is_ok(), "{}", spec.name);
                assert_eq!(
                    ToolSpec::from_json(&spec.to_json(Dialect::OpenAiChat)).unwrap().parameters_schema(),
                    schema
                );
                count += 1;
            }
        }
    }
    println!("{count} functions of {files} files");
    assert!(count > 0, "no functions found");
}
