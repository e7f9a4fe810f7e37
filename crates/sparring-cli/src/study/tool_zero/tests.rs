//! Every arm makes two updates of the embedded base; results are kept, continued and reported.

use crate::study::tool_zero::compare;
use crate::study::tool_zero::settings::{Args, Settings};
use serde_json::Value;
use sparring::train::report::read_json;
use std::path::Path;

fn settings(out: &Path, arguments: &[&str]) -> Settings {
    let arms = "sft,sft_then_rl,grpo,value_penalty,multi_call,masking,progressive,switching";
    let out = out.display().to_string();
    let all = [&["--preset", "quick", "--updates", "2", "--out", &out, "--arms", arms], arguments];
    let mut settings = Settings::read(&crate::parse::<Args>(&all.concat()).unwrap()).unwrap();
    let (c, tasks) = (&mut settings.config.tool_zero, &mut settings.config.tasks);
    (c.prompts_per_step, c.group_size, c.max_tokens, c.supervised.examples_per_step) = (1, 2, 12, 1);
    (tasks.training, tasks.evaluation, tasks.coverage) = (4, 1, 1);
    settings
}

/// A result without what depends on the machine.
fn result(dir: &Path, name: &str) -> Value {
    let mut value: Value = read_json(&dir.join("runs").join(name)).unwrap().unwrap();
    value["seconds"] = Value::Null;
    value
}

#[test]
fn runs_goes_on_and_reports() {
    let dir = tempfile::tempdir().unwrap();
    compare(&settings(dir.path(), &["--threads", "2"])).unwrap();
    let first = result(dir.path(), "progressive-1.json");
    assert_eq!(first["records"].as_array().unwrap().len(), 2);
    let events = std::fs::read_to_string(dir.path().join("events.jsonl")).unwrap();
    assert_eq!(events.lines().count(), 8 * (2 + 2));
    let page = std::fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert!(page.contains("overlap, unweighted") && page.contains("progressive (full)"));

    // A result that is missing is made again, to the same numbers with other threads; the others are read.
    std::fs::remove_file(dir.path().join("runs/progressive-1.json")).unwrap();
    let kept = dir.path().join("runs/sft-1.json");
    let before = std::fs::metadata(&kept).unwrap().modified().unwrap();
    compare(&settings(dir.path(), &["--threads", "1"])).unwrap();
    assert_eq!(result(dir.path(), "progressive-1.json"), first);
    assert_eq!(std::fs::metadata(&kept).unwrap().modified().unwrap(), before);

    // Results of other settings are not mixed with these.
    let error = compare(&settings(dir.path(), &["--middle", "0.5"])).unwrap_err().to_string();
    assert!(error.contains("config.toml") && error.contains("--out"), "{error}");
}

#[test]
fn wrong_command_lines_are_refused() {
    let read = |arguments: &[&str]| {
        Settings::read(&crate::parse::<Args>(arguments).unwrap()).unwrap_err().to_string()
    };
    assert!(read(&["--preset", "huge"]).contains("full or quick"));
    assert!(read(&["--arms", "sft,nope"]).contains("there is no arm `nope`"));
    assert!(read(&["--seeds", "0"]).contains("seeds"));
}
