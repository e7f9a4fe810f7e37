//! The program plays, is resumed, and reports, with a tiny model of random weights.

use crate::play::play;
use sparring::candle::{CandlePolicy, ChatTokenizer, ModelConfig, PolicyOptions};
use sparring::core::{Game, Rollout, Seed, one_line};
use sparring::miniature;
use sparring::miniature::{Split, TaskShape, World};
use sparring::recipes::tool_r0::{Preset, TaskSpec, render_answer, render_proposal};
use sparring::tools::ToolTask;
use sparring::train::Evaluation;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A byte-level tokenizer without merges: every byte is a token.
fn tokenizer() -> ChatTokenizer {
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;
    let mut alphabet: Vec<char> = ByteLevel::alphabet().into_iter().collect();
    alphabet.sort_unstable();
    let vocabulary: serde_json::Map<_, _> =
        alphabet.iter().enumerate().map(|(id, c)| (c.to_string(), id.into())).collect();
    let special: Vec<_> = ["<|im_start|>", "<|im_end|>"]
        .into_iter()
        .enumerate()
        .map(|(i, text)| {
            serde_json::json!({"id": alphabet.len() + i, "content": text, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": true})
        })
        .collect();
    let byte_level = serde_json::json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false,
        "use_regex": false});
    let json = serde_json::json!({"version": "1.0", "added_tokens": special, "pre_tokenizer": byte_level,
        "decoder": byte_level, "model": {"type": "BPE", "vocab": vocabulary, "merges": []}});
    ChatTokenizer::from_text(&json.to_string(), None, Some("<|im_end|>")).unwrap()
}

pub(crate) fn tiny_model(folder: &Path) {
    let config = ModelConfig::qwen2(258, 16, 1, 2, 32);
    let policy = CandlePolicy::init(config, tokenizer(), PolicyOptions::default(), Seed::new(1)).unwrap();
    policy.save_pretrained(folder).unwrap();
}

const SETTINGS: &str = r#"
extends = "quick"
[self_play]
checkpoint_every = 1
[self_play.generator]
steps = 2
prompts_per_step = 2
group_size = 2
max_tokens = 12
[self_play.pool]
candidates = 6
[self_play.solver]
steps = 2
max_tokens = 8
[[prompts.generator]]
role = "user"
content = "Invent: {{ domain }}"
[[prompts.solver]]
role = "user"
content = "{{ question }}"
"#;

fn evaluations() -> Vec<Evaluation<ToolTask>> {
    let mut evaluations = miniature::evaluations();
    for evaluation in &mut evaluations {
        evaluation.tasks.truncate(3);
    }
    evaluations
}

fn run(arguments: &[&str]) -> Result<(), String> {
    let args = crate::parse(arguments).map_err(|error| error.to_string())?;
    play(&args, evaluations()).map_err(|error| one_line(&*error))
}

#[test]
fn plays_reports_and_resumes() {
    let (_dir, path) = set_up(SETTINGS);
    let (model, settings, out) = (path("model"), path("settings.toml"), path("run"));
    run(&["--model", &model, "--config", &settings, "--out", &out, "--threads", "1"]).unwrap();
    for file in [
        "config.toml",
        "events.jsonl",
        "summary.json",
        "report.html",
        "tasks/iteration-1.jsonl",
        "model/config.json",
    ] {
        assert!(Path::new(&out).join(file).exists(), "{file}");
    }
    let summary = std::fs::read_to_string(Path::new(&out).join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    for field in ["heldout_accuracy", "no_call_accuracy", "familiar_t1_accuracy"] {
        assert!(summary["final"][field].is_number(), "{field}");
    }
    // A finished run has nothing left to do, and says the same again.
    run(&["--resume", &out, "--model", &model]).unwrap();
    // It continues with the models that it was started with, on the same device.
    for (words, what) in [
        (&["--resume", &out][..], "its model differs"),
        (&["--resume", &out, "--model", &model, "--lora", "2"], "cannot be used with"),
        (&["--resume", &out, "--model", &model, "--device", "candle-cpu"], "its device differs"),
    ] {
        let error = run(words).unwrap_err();
        assert!(error.contains(what), "{words:?}: {error}");
    }
    // A folder with a run in it is not overwritten.
    let again = run(&["--model", &model, "--config", &settings, "--out", &out]).unwrap_err();
    assert!(again.contains("holds a run already"), "{again}");
}

#[test]
fn changed_settings_are_refused_or_taken_and_a_damaged_checkpoint_is_told() {
    let (_dir, path) = set_up(SETTINGS);
    let (model, settings, out) = (path("model"), path("settings.toml"), path("run"));
    run(&["--model", &model, "--config", &settings, "--out", &out]).unwrap();
    let file = |name: &str| Path::new(&out).join(name);
    let edit = |name: &str, from: &str, to: &str| {
        let text = std::fs::read_to_string(file(name)).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(file(name), text.replacen(from, to, 1)).unwrap();
    };
    edit("config.toml", "[self_play]\n", "# mine\n[self_play] # more\n");
    run(&["--resume", &out, "--model", &model]).unwrap();
    edit("config.toml", "checkpoint_every = 1\n", "checkpoint_every = 2\n");
    edit("run.json", "\"seed\": 1", "\"seed\": 5");
    let error = run(&["--resume", &out, "--model", &model]).unwrap_err();
    for wanted in [
        "run.json: seed = 5, but the run began with 1",
        "config.toml: self_play.checkpoint_every = 2, but the run began with 1",
        "--take-changes",
    ] {
        assert!(error.contains(wanted), "{error}");
    }
    run(&["--resume", &out, "--model", &model, "--take-changes"]).unwrap();
    let events = std::fs::read_to_string(file("events.jsonl")).unwrap();
    assert_eq!(events.matches("\"kind\":\"settings_changed\"").count(), 1);
    edit("config.toml", "checkpoint_every = 2\n", "checkpoint_every = 1\n");
    edit("run.json", "\"seed\": 5", "\"seed\": 1");
    // The newest checkpoint is damaged: the one before it is used, and the log says so.
    let checkpoints = std::fs::read_dir(file("checkpoints")).unwrap();
    let newest = checkpoints.map(|entry| entry.unwrap().path()).max().unwrap();
    let weights = newest.join("solver/model.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    run(&["--resume", &out, "--model", &model]).unwrap();
    let log = std::fs::read_to_string(file("run.log")).unwrap();
    assert!(
        log.contains("continues from the older checkpoint") && log.contains("its checksum is wrong"),
        "{log}"
    );
}

/// A folder with a tiny model and settings for it.
fn set_up(settings: &str) -> (tempfile::TempDir, impl Fn(&str) -> String + use<>) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().to_owned();
    let path = move |name: &str| root.join(name).to_string_lossy().into_owned();
    tiny_model(Path::new(&path("model")));
    std::fs::write(path("settings.toml"), settings).unwrap();
    (dir, path)
}

/// `summary.json` without what depends on the clock or the machine; the models of the newest checkpoint and the
/// tasks, file by file.
fn outcome(dir: &Path) -> (serde_json::Value, BTreeMap<PathBuf, Vec<u8>>) {
    let text = std::fs::read_to_string(dir.join("summary.json")).unwrap();
    let mut summary: serde_json::Value = serde_json::from_str(&text).unwrap();
    for field in ["wall_seconds", "phase_seconds", "peak_rss_mib"] {
        summary.as_object_mut().unwrap().remove(field).unwrap();
    }
    let checkpoints = std::fs::read_dir(dir.join("checkpoints")).unwrap();
    let newest = checkpoints.map(|entry| entry.unwrap().path()).max().unwrap();
    let folders = [newest.join("generator"), newest.join("solver"), dir.join("tasks")];
    let files = folders.iter().flat_map(|dir| std::fs::read_dir(dir).unwrap()).map(|entry| {
        let path = entry.unwrap().path();
        (path.strip_prefix(dir).unwrap().to_owned(), std::fs::read(&path).unwrap())
    });
    (summary, files.collect())
}

#[test]
fn one_thread_and_two_give_the_same_run() {
    let (_dir, path) = set_up(SETTINGS);
    let outcomes = ["1", "2"].map(|threads| {
        let (model, settings, out) = (path("model"), path("settings.toml"), path(threads));
        run(&["--model", &model, "--config", &settings, "--out", &out, "--threads", threads]).unwrap();
        outcome(Path::new(&out))
    });
    assert!(outcomes[0].1.len() > 6);
    assert_eq!(outcomes[0], outcomes[1]);
}

#[test]
fn adapters_on_one_base_play_and_resume() {
    let (_dir, path) = set_up(SETTINGS);
    let (model, settings, out) = (path("model"), path("settings.toml"), path("run"));
    run(&["--model", &model, "--config", &settings, "--out", &out, "--lora", "2"]).unwrap();
    let (_, files) = outcome(Path::new(&out));
    let adapters = files.keys().filter(|file| file.ends_with("adapter_model.safetensors")).count();
    assert!(adapters == 2 && !files.keys().any(|file| file.ends_with("model.safetensors")));
    assert!(Path::new(&out).join("adapter/adapter_config.json").exists());
    run(&["--resume", &out, "--model", &model]).unwrap();
}

/// Folder in which [`a_run_to_be_killed`] plays.
const VICTIM: &str = "SPARRING_TEST_VICTIM";

/// Does nothing unless [`end_once_it_shows`] starts it, as a process of its own.
#[test]
fn a_run_to_be_killed() {
    let Ok(dir) = std::env::var(VICTIM) else { return };
    let path = |name: &str| Path::new(&dir).join(name).to_string_lossy().into_owned();
    let ended = run(&["--model", &path("model"), "--config", &path("settings.toml"), "--out", &path("run")]);
    // By SIGTERM; SIGKILL leaves no time to say so.
    let wanted = format!("stopped; to continue: sparring play --resume {}", path("run"));
    assert!(ended.unwrap_err().starts_with(&wanted));
}

/// Where a run is killed: a phase, and what `events.jsonl` holds once the phase is under way.
///
/// A model of random weights writes no task, so there is no training of the Solver here to be killed in; the
/// tests of `sparring-selfplay` kill that one.
const KILLS: [(&str, &str); 3] = [
    ("evaluate", "\"kind\":\"run_started\""),
    ("train generator", "\"kind\":\"generator_step\""),
    ("build pool", "\"phase\":\"train_generator\""),
];

/// Settings of a run long enough to be interrupted, and what it yields when it is not.
#[cfg(unix)]
fn uninterrupted() -> (String, (serde_json::Value, BTreeMap<PathBuf, Vec<u8>>)) {
    let settings = SETTINGS.replace("steps = 2", "steps = 40").replace("candidates = 6", "candidates = 200");
    let (_dir, path) = set_up(&settings);
    run(&["--model", &path("model"), "--config", &path("settings.toml"), "--out", &path("run")]).unwrap();
    let wanted = outcome(Path::new(&path("run")));
    (settings, wanted)
}

#[test]
#[cfg(unix)]
fn killed_it_ends_the_same() {
    use std::os::unix::process::ExitStatusExt;
    let (settings, wanted) = uninterrupted();
    for (phase, sign) in KILLS {
        let (dir, path) = set_up(&settings);
        assert_eq!(end_once_it_shows(sign, dir.path(), "KILL").signal(), Some(9), "it ended before");
        run(&["--resume", &path("run"), "--model", &path("model")]).unwrap();
        assert_eq!(outcome(Path::new(&path("run"))), wanted, "killed in phase {phase}");
    }
}

#[test]
#[cfg(unix)]
fn stopped_it_ends_the_same() {
    let (settings, wanted) = uninterrupted();
    for (phase, sign) in KILLS {
        let (dir, path) = set_up(&settings);
        assert!(end_once_it_shows(sign, dir.path(), "TERM").success(), "it was not stopped");
        run(&["--resume", &path("run"), "--model", &path("model")]).unwrap();
        assert_eq!(outcome(Path::new(&path("run"))), wanted, "stopped in phase {phase}");
        let log = std::fs::read_to_string(path("run/run.log")).unwrap();
        // A first session and a second.
        assert_eq!(log.matches("estimate: the run takes about").count(), 2, "{log}");
        assert!(log.contains("iteration 1: evaluate") && log.contains(", elapsed "), "{log}");
    }
}

/// Starts [`a_run_to_be_killed`] in `dir`, and ends it by a signal once its events show `sign`.
#[cfg(unix)]
fn end_once_it_shows(sign: &str, dir: &Path, signal: &str) -> std::process::ExitStatus {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "play::tests::a_run_to_be_killed"])
        .env(VICTIM, dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !std::fs::read_to_string(dir.join("run/events.jsonl")).unwrap_or_default().contains(sign) {
        assert!(victim.try_wait().unwrap().is_none(), "it ended before it showed {sign}");
        assert!(begun.elapsed() < Duration::from_secs(300), "it never showed {sign}");
        std::thread::sleep(Duration::from_millis(2));
    }
    let sent = Command::new("kill").args(["-s", signal, &victim.id().to_string()]).status().unwrap();
    assert!(sent.success(), "it ended before it was sent SIG{signal}");
    victim.wait().unwrap()
}

#[test]
fn mistakes_are_told_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path().to_string_lossy().into_owned();
    let bad = dir.path().join("bad.toml");
    std::fs::write(&bad, "[self_play]\nnope = 1\n").unwrap();
    let cases: [(&[&str], &str); 4] = [
        (&["--model", "/nonexistent", "--out", &here], "--model /nonexistent: no such folder or GGUF file"),
        (&["--preset", "nope"], "there is no preset `nope`"),
        (&["--config", &bad.to_string_lossy()], "bad.toml:2: "),
        (&["--resume", &here], "holds no run"),
    ];
    for (arguments, expected) in cases {
        let error = run(arguments).unwrap_err();
        assert!(error.contains(expected) && !error.contains('\n'), "{error}");
    }
}

#[test]
fn tasks_of_the_miniature_pass_its_game() {
    let config = Preset::load("miniature").unwrap().with_prompts(miniature::prompts());
    let game = config.build().unwrap().game;
    let world = World::new();
    let (mut derived, mut earlier) = (0, None);
    for i in 0..300 {
        let spec = game.draw(Seed::new(1).index(i));
        let task = world.task(Split::Training, TaskShape::new(spec.tools, spec.calls), Seed::new(2).index(i));
        let spec = TaskSpec { domain: task.domain.clone(), arguments: None, ..spec };
        let read = game.read_text(&spec, &render_proposal(&task, "plan"));
        assert_eq!(read.as_ref(), Ok(&task));
        let answer = Rollout::from_text(render_answer(&task.calls, "plan"));
        assert!(game.solved(&task, &answer), "{task:?}");
        for task in game.derive(&task, earlier.as_ref(), Seed::new(3).index(i)) {
            assert!(task.calls.is_empty(), "{task:?}");
            assert!(game.solved(&task, &Rollout::from_text(render_answer(&task.calls, "plan"))));
            derived += 1;
        }
        earlier = Some(task);
    }
    assert!(derived > 250, "{derived} no-call tasks of 300");
}

const OWN_TOOLS: &str = r#"
extends = "own-tools-quick"
[game]
gap = 1
value_chars = 6
answer_chars = 6
[self_play]
iterations = 2
[self_play.generator]
steps = 1
prompts_per_step = 2
group_size = 2
max_tokens = 220
[self_play.pool]
candidates = 12
[self_play.solver]
steps = 1
prompts_per_step = 2
group_size = 2
max_tokens = 16
[self_play.solver.imitation]
steps = 2
tasks_per_step = 2
"#;

const TOOLS: &str = r#"[{"name": "ring", "description": "Rings.", "parameters": {"type": "object",
    "properties": {"at": {"type": "string"}}, "required": ["at"]}}, {"name": "stop", "parameters": {}}]"#;

const REQUESTS: &str = concat!(
    r#"{"id": "1", "benchmark": "mine", "messages": [{"role": "user", "content": "Ring at 7."}], "tools": [{"name": "#,
    r#""ring", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}}, {"name": "stop", "#,
    r#""parameters": {"type": "object", "properties": {}}}], "answers": [{"name": "ring", "arguments": {"at": "7"}}]}"#,
);

#[test]
fn own_tools_are_played_evaluated_and_resumed() {
    let (_dir, path) = set_up(OWN_TOOLS);
    std::fs::write(path("tools.json"), TOOLS).unwrap();
    std::fs::write(path("requests.jsonl"), REQUESTS).unwrap();
    let (model, settings, out, tools) =
        (path("model"), path("settings.toml"), path("run"), path("tools.json"));
    let eval = format!("mine:{}", path("requests.jsonl"));
    let played = ["--model", &model, "--tools", &tools, "--eval", &eval, "--eval-free"];
    run(&[&played[..], &["--config", &settings, "--out", &out]].concat()).unwrap();
    let summary = std::fs::read_to_string(Path::new(&out).join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    for name in ["mine", "mine-free"] {
        let scores = &summary["evaluations"][name];
        for state in ["base", "final"] {
            assert!(
                scores[state]["accuracy"].is_number() && scores[state]["no_call_accuracy"].is_number(),
                "{scores}"
            );
        }
        assert_eq!(scores["iterations"].as_array().unwrap().len(), 2);
        assert!(scores["paired_difference"]["interval"]["low"].is_number());
    }
    let card = std::fs::read_to_string(Path::new(&out).join("model/README.md")).unwrap();
    assert!(card.contains("| mine | 1 |") && card.contains("sparring chat --model"), "{card}");
    assert!(Path::new(&out).join("tasks/iteration-1.jsonl").exists());
    let kept = super::recipe::kept_game(&Path::new(&out).join("model")).unwrap().unwrap();
    assert_eq!(kept.decline, "No tool fits.");
    run(&[&played[..], &["--resume", &out]].concat()).unwrap();
    std::fs::write(path("other.json"), TOOLS.replace("Rings", "Calls")).unwrap();
    let other = path("other.json");
    let moved = ["--model", &model, "--tools", &other, "--eval", &eval, "--eval-free", "--resume", &out];
    let other = run(&moved).unwrap_err();
    assert!(other.contains("its tools differs"), "{other}");
    // Another seed of the same base reuses its answers.
    let shared = std::fs::read_dir(path("base-answers")).unwrap().count();
    assert_eq!(shared, 4, "two ways to ask, with the tools and without");
    let again = path("again");
    run(&[&played[..], &["--config", &settings, "--out", &again, "--seed", "2"]].concat()).unwrap();
    assert_eq!(std::fs::read_dir(path("base-answers")).unwrap().count(), shared);
}

#[test]
fn bad_tools_and_evaluations_are_one_line() {
    let (_dir, path) = set_up(OWN_TOOLS);
    std::fs::write(path("tools.json"), TOOLS).unwrap();
    std::fs::write(path("broken.json"), "[{\"name\": \"ring\",").unwrap();
    std::fs::write(path("none.json"), "[]").unwrap();
    std::fs::write(path("wrong.jsonl"), "{\"id\": 1}\n").unwrap();
    let (model, settings, tools, out) =
        (path("model"), path("settings.toml"), path("tools.json"), path("out"));
    let (broken, none, wrong) = (path("broken.json"), path("none.json"), path("wrong.jsonl"));
    let (in_wrong_form, missing) = (format!("mine:{wrong}"), format!("mine:{}", path("missing.jsonl")));
    let folder = format!("mine:{model}");
    for (words, what) in [
        (&["--tools", &broken][..], "broken.json: it is not JSON: EOF"),
        (&["--tools", &none], "none.json: it has no tools"),
        (&["--tools", "nowhere.json"], "nowhere.json: No such file"),
        (&["--tools", &tools, "--eval", &in_wrong_form], "wrong.jsonl"),
        (&["--tools", &tools, "--eval", &missing], "no such file or folder"),
        (&["--tools", &tools, "--eval", &folder], "name it one of bfcl"),
        (&["--tools", &tools, "--eval", "requests.jsonl"], "NAME:PATH"),
    ] {
        let all = [&["--model", &model, "--config", &settings, "--out", &out], words].concat();
        let error = run(&all).unwrap_err();
        assert!(error.contains(what), "{words:?}: {error}");
        assert!(!Path::new(&out).exists(), "{words:?} left a folder");
    }
    for (words, what) in [
        (&["--preset", "own-tools"][..], "--tools FILE"),
        (&["--preset", "quick", "--model", &model, "--tools", &tools], "choose own-tools or own-tools-quick"),
        (&["--preset", "nope"], "own-tools-quick"),
    ] {
        let error = run(words).unwrap_err();
        assert!(error.contains(what), "{words:?}: {error}");
    }
}
