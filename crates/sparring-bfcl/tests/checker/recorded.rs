use flate2::read::MultiGzDecoder;
use serde_json::Value;
use sparring_bfcl::{Checker, Language, PyValue};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

/// The lines of a gzipped file.
fn lines(path: &Path) -> io::Result<impl Iterator<Item = io::Result<String>> + use<>> {
    Ok(BufReader::new(MultiGzDecoder::new(File::open(path)?)).lines())
}

#[test]
#[ignore = "needs SPARRING_SHARED, the folder of recorded references"]
fn verdicts_of_the_official_checker() {
    let shared = std::env::var_os("SPARRING_SHARED").unwrap();
    let files = ["bfcl_differential.jsonl.gz", "bfcl_edge_cases.jsonl.gz"];
    let conformance = Path::new(&shared).join("conformance");
    for line in files.iter().flat_map(|name| lines(&conformance.join(name)).unwrap()) {
        let row: Value = serde_json::from_str(&line.unwrap()).unwrap();
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
