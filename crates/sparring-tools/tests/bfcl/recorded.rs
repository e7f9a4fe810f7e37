use serde_json::Value;
use sparring_tools::bfcl::{Checker, Language, PyValue};
use std::path::PathBuf;
use std::process::Command;

/// Lines of a gzipped file of the shared folder; `None`, and a note, where there is no such folder.
fn lines(name: &str) -> Option<String> {
    let Some(shared) = std::env::var_os("SPARRING_SHARED") else {
        println!("skipped: SPARRING_SHARED is not set");
        return None;
    };
    let path = PathBuf::from(shared).join("conformance").join(name);
    let output = Command::new("gzip").arg("-dc").arg(path).output().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn verdicts_of_the_official_checker() {
    let files = ["bfcl_differential.jsonl.gz", "bfcl_edge_cases.jsonl.gz"];
    let text: String = files.into_iter().filter_map(lines).collect();
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        if row["stage"].as_str().is_some_and(|stage| stage != "ast_checker") {
            continue;
        }
        let language = match row["language"].as_str().unwrap() {
            "java" => Language::Java,
            "javascript" => Language::JavaScript,
            _ => Language::Python,
        };
        let checker = Checker::of(row["category"].as_str().unwrap())
            .with_language(language)
            .with_underscore_to_dot(row["model"] == "u2d");
        let output = PyValue::from_recorded(&row["predicted"]);
        let (functions, gold) = (row["functions"].as_array().unwrap(), row["gold"].as_array().unwrap());
        let verdict = checker.check(functions, gold, &output);
        assert_eq!(verdict.is_valid(), row["valid"].as_bool().unwrap_or(false), "{}: {verdict}", row["id"]);
        assert_eq!(verdict.error_type(), row["error_type"].as_str(), "{}: {verdict}", row["id"]);
    }
}
