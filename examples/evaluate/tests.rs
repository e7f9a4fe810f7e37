//! The program scores golds, and the embedded miniature on a few items, twice with the same outcome.

use crate::evaluate;
use crate::settings::Args;
use clap::Parser;
use sparring::core::one_line;
use sparring::eval::Report;
use std::path::Path;

/// Two items in the unified form.
fn data(dir: &Path) {
    let item = |id: &str, city: &str| {
        let tool = serde_json::json!({"name": "get_weather", "description": "Tells the weather.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}});
        serde_json::json!({"id": id, "benchmark": "weather", "tools": [tool],
            "messages": [{"role": "user", "content": format!("How is the weather in {city}?")}],
            "answers": [{"name": "get_weather", "arguments": {"city": city}}]})
    };
    let lines = format!("{}\n{}\n", item("a", "Paris"), item("b", "Rome"));
    std::fs::write(dir.join("weather.jsonl"), lines).unwrap();
}

fn run(dir: &Path, arguments: &[&str]) -> Result<Report, String> {
    let data = dir.to_string_lossy().into_owned();
    let all = [&["evaluate", "--benchmark", "unified", "--data", &data], arguments].concat();
    let args = Args::try_parse_from(all).map_err(|error| error.to_string())?;
    evaluate(&args).map_err(|error| one_line(&*error))
}

#[test]
fn golds_score_in_every_format() {
    let dir = tempfile::tempdir().unwrap();
    data(dir.path());
    for format in sparring::tools::Format::ALL.map(sparring::tools::Format::name).into_iter().chain(["bfcl"])
    {
        let report = run(dir.path(), &["--golds", format]).unwrap();
        assert_eq!((report.total.tally.valid, report.total.tally.total), (2, 2), "{format}");
    }
}

#[test]
fn a_model_is_asked_once() {
    let dir = tempfile::tempdir().unwrap();
    data(dir.path());
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let (model, out) = (path("model"), path("out"));
    sparring::miniature::write_base(Path::new(&model)).unwrap();
    let arguments = ["--model", &model, "--out", &out, "--max-tokens", "8", "--limit", "1"];
    let report = run(dir.path(), &arguments).unwrap();
    assert_eq!((report.total.tally.total, report.unanswered, report.truncated), (1, 0, 1));
    let answers = || std::fs::read_to_string(Path::new(&out).join("answers.jsonl")).unwrap();
    let before = answers();
    assert_eq!(run(dir.path(), &arguments).unwrap(), report);
    assert_eq!(answers(), before);
    // Other settings are another run.
    let error = run(dir.path(), &["--model", &model, "--out", &out, "--max-tokens", "9"]).unwrap_err();
    assert!(error.contains("another run"), "{error}");
}

#[test]
fn mistakes_are_told_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    data(dir.path());
    for (arguments, want) in [
        (&["--golds", "nope"][..], "there is no format `nope`"),
        (&[], "--model"),
        (&["--model", "/nonexistent"], "/nonexistent"),
        (&["--golds", "hermes", "--categories", "x"], "there is no category `x`; there are weather"),
    ] {
        let error = run(dir.path(), arguments).unwrap_err();
        assert!(error.contains(want) && !error.contains('\n'), "{error}");
    }
}
