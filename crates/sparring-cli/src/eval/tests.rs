//! Golds score, and the embedded miniature scores the same twice.

use crate::asking::PromptStyle;
use crate::eval::evaluate;
use crate::eval::identity::{data_files, model_digest, model_name};
use crate::eval::settings::Args;
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
    let all = [&["--benchmark", "unified", "--data", &data], arguments].concat();
    let args = crate::parse(&all).map_err(|error| error.to_string())?;
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
fn answers_are_sampled_once() {
    let dir = tempfile::tempdir().unwrap();
    data(dir.path());
    let elsewhere = tempfile::tempdir().unwrap();
    let path = |name: &str| elsewhere.path().join(name).to_string_lossy().into_owned();
    let (model, out) = (path("model"), path("out"));
    sparring::miniature::write_base(Path::new(&model)).unwrap();
    let asked = ["--out", &out, "--max-tokens", "8", "--limit", "1", "--prompt", "template"];
    let arguments = [&["--model", &model, "--format", "hermes"], &asked[..]].concat();
    let report = run(dir.path(), &arguments).unwrap();
    assert_eq!((report.total.tally.total, report.unanswered, report.refused), (1, 0, 0));
    let answers = || std::fs::read_to_string(Path::new(&out).join("answers.jsonl")).unwrap();
    let before = answers();
    assert_eq!(run(dir.path(), &arguments).unwrap(), report);
    assert_eq!(answers(), before);
    // Neither another batch, nor another place, nor another way to read asks again.
    let moved = path("moved");
    std::fs::rename(&model, &moved).unwrap();
    let arguments = [&["--model", &moved, "--format", "xlam", "--batch", "3"], &asked[..]].concat();
    assert_eq!(run(dir.path(), &arguments).unwrap().format, "xlam");
    assert_eq!(answers(), before);
    let model = moved;
    // Other settings are another run.
    let error = run(dir.path(), &["--model", &model, "--out", &out, "--max-tokens", "9"]).unwrap_err();
    assert!(error.contains("another run"), "{error}");
}

#[test]
fn mistakes_are_reported_in_one_line() {
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

#[test]
fn the_digest_is_of_the_models_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let files =
        [("config.json", "{}"), ("tokenizer.json", "{}"), ("model.safetensors", "012345678"), ("x.txt", "x")];
    let digest = |change: Option<(&str, &str)>| {
        let model = tempfile::tempdir_in(dir.path()).unwrap();
        for (name, text) in files.into_iter().chain(change) {
            std::fs::write(model.path().join(name), text).unwrap();
        }
        model_digest(model.path()).unwrap()
    };
    let plain = digest(None);
    assert_eq!(plain, digest(None));
    assert_eq!(plain, digest(Some(("x.txt", "y"))));
    for change in [
        ("model.safetensors", "012345679"),
        ("model.safetensors", "012345678\0"),
        ("config.json", "{} "),
        ("tokenizer.json", "[]"),
        ("chat_template.jinja", ""),
    ] {
        assert_ne!(plain, digest(Some(change)), "{change:?}");
    }
}

#[test]
fn names_are_those_of_folders_and_files() {
    let dir = tempfile::tempdir().unwrap();
    data(dir.path());
    std::fs::create_dir(dir.path().join("more")).unwrap();
    std::fs::write(dir.path().join("more/a.json"), "").unwrap();
    assert_eq!(data_files(dir.path()).unwrap(), ["weather.jsonl", "more/a.json"]);
    assert_eq!(model_name(&dir.path().join("more/../more/.")).unwrap(), "more");
    assert!(!model_name(Path::new(".")).unwrap().is_empty());
}

#[test]
fn a_model_is_read_as_it_is_asked() {
    let method = |arguments: &[&str], template: &str| {
        let all = [&["--benchmark", "bfcl", "--data", "x"], arguments].concat();
        crate::parse::<Args>(&all).unwrap().method(template)
    };
    let dir = tempfile::tempdir().unwrap();
    let system = dir.path().join("system.txt").to_string_lossy().into_owned();
    std::fs::write(&system, "Call {functions}").unwrap();
    let (hermes, unknown, plain) = ("{{ tools }} <tool_call>", "{{ tools }}", "{{ messages }}");
    let (by_template, own) = (PromptStyle::Template, PromptStyle::Words);
    for (arguments, template, want) in [
        (&[][..], hermes, (by_template, "hermes", false)),
        (&[], unknown, (own, "bfcl", true)),
        (&[], plain, (own, "bfcl", false)),
        (&["--prompt", "words"], hermes, (own, "hermes", false)),
        (&["--format", "xlam"], unknown, (by_template, "xlam", false)),
        (&["--format", "xlam"], hermes, (own, "xlam", true)),
        (&["--format", "bfcl"], hermes, (own, "bfcl", true)),
        (&["--format", "xlam", "--prompt", "template"], hermes, (by_template, "xlam", false)),
        (&["--system", &system, "--format", "bfcl"], hermes, (own, "bfcl", false)),
    ] {
        let found = method(arguments, template).unwrap();
        let found = (found.style, found.reader.name().to_owned(), found.note.is_some());
        assert_eq!(found, (want.0, want.1.to_owned(), want.2), "{arguments:?} {template}");
    }
    assert!(method(&["--prompt", "template"], unknown).is_err());
    assert!(method(&["--prompt", "template", "--system", "f", "--format", "bfcl"], hermes).is_err());
    assert!(method(&["--system", "f"], hermes).is_err());
}
