//! The program with models of the hub, from a hub on this machine.

#![allow(clippy::unwrap_used)]

#[path = "../../sparring-candle/tests/support/hub_server.rs"]
mod server;

use server::{Fault, HubServer};
use std::path::Path;
use std::process::Command;

/// Runs the program in `dir`, with its cache there; its exit code 0, and what it wrote to standard error.
fn program(dir: &Path, endpoint: &str, arguments: &str) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_sparring"))
        .args(arguments.split(' '))
        .current_dir(dir)
        .env("HF_HOME", dir.join("hf"))
        .env("HF_ENDPOINT", endpoint)
        .env("HF_TOKEN", "hf_secret")
        .env_remove("HF_HUB_CACHE")
        .env_remove("HF_HUB_OFFLINE")
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

const TASKS: &str = r#"{"id": "1", "benchmark": "weather", "messages": [{"role": "user", "content": "Rain in Oslo?"}],
"tools": [{"name": "forecast", "description": "Forecast.", "parameters": {"type": "object", "properties":
{"city": {"type": "string"}}, "required": ["city"]}}], "answers": [{"name": "forecast", "arguments":
{"city": "Oslo"}}]}"#;

/// A hub with the miniature's base, and a folder to work in.
fn place() -> (HubServer, tempfile::TempDir) {
    let (server, dir) = (HubServer::start(), tempfile::tempdir().unwrap());
    let model = dir.path().join("made");
    sparring::miniature::write_base(&model).unwrap();
    server.host_folder(&model);
    std::fs::write(dir.path().join("tasks.jsonl"), TASKS.replace('\n', " ")).unwrap();
    (server, dir)
}

#[test]
fn a_run_on_a_model_of_the_hub_is_resumed_by_its_id() {
    let (server, dir) = place();
    let settings =
        "--preset toolrl/original --tasks tasks.jsonl --prompts-per-step 1 --group-size 2 --max-tokens 4";
    let run = format!("train {settings} --model tiny/model --out run --steps 1");
    let (ok, shown) = program(dir.path(), &server.endpoint, &run);
    assert!(ok, "{shown}");
    assert!(shown.contains("downloading model.safetensors: "), "{shown}");
    let log = server.log();
    assert!(!log.is_empty() && log.iter().all(|line| line.ends_with("token")), "{log:?}");
    // The branch moves; what the run began with is in the cache.
    server.set_commit(&"f".repeat(40));
    let (ok, shown) = program(dir.path(), &server.endpoint, "train --resume run --model tiny/model");
    assert!(ok && !shown.contains("downloading"), "{shown}");
    assert_eq!(server.log(), [""; 0]);
    // The same bytes under another name are the same model; another model is not.
    let (ok, shown) = program(dir.path(), &server.endpoint, "train --resume run --model made");
    assert!(ok, "{shown}");
    std::fs::write(dir.path().join("made/generation_config.json"), "{}").unwrap();
    let (ok, shown) = program(dir.path(), &server.endpoint, "train --resume run --model made");
    assert!(!ok && shown.contains("model"), "{shown}");
}

#[test]
fn failures_of_the_hub_are_one_line_that_names_the_option() {
    let (server, dir) = place();
    let eval = "eval --benchmark unified --data tasks.jsonl --model";
    server.fail("/api/", Fault::Status(401, "GatedRepo"));
    for (model, expected) in [
        ("tiny/model", "HF_TOKEN"),
        ("nowhere", "not a hub id (OWNER/NAME"),
        ("./tiny/model", "not a hub id (OWNER/NAME"),
    ] {
        let (ok, shown) = program(dir.path(), &server.endpoint, &format!("{eval} {model}"));
        assert!(!ok && shown.starts_with("error: --model") && shown.contains(expected), "{shown}");
        assert_eq!(shown.trim_end().lines().count(), 1, "{shown}");
        assert!(!shown.contains("hf_secret"), "{shown}");
    }
    server.heal();
    // A folder of that name wins.
    server.log();
    std::fs::create_dir_all(dir.path().join("tiny/model")).unwrap();
    let (ok, shown) = program(dir.path(), &server.endpoint, &format!("{eval} tiny/model"));
    assert!(!ok && shown.contains("config.json"), "{shown}");
    assert_eq!(server.log(), [""; 0]);
}

#[test]
fn a_report_has_the_models_name() {
    let (server, dir) = place();
    let eval = "eval --benchmark unified --data tasks.jsonl --max-tokens 2 --out out --model tiny/model@v1";
    let (ok, shown) = program(dir.path(), &server.endpoint, eval);
    assert!(ok, "{shown}");
    let report = std::fs::read_to_string(dir.path().join("out/report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["run"]["model"], "model", "{report}");
}
