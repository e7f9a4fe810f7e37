//! Every preset trains a tiny model of random weights, and an interrupted run ends as one that was not.

use super::settings::Settings;
use super::train;
use crate::models::{Device, Model};
use crate::play::tests::tiny_model;
use serde_json::{Value, json};
use sparring::candle::PolicyOptions;
use sparring::core::{BoxError, Event, one_line};
use sparring::recipes::papers::PaperPreset;
use sparring::train::report::Records;
use sparring::train::{TrainSummary, Watch};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// A folder with a tiny model and two tasks.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        tiny_model(&place.path("model"));
        let line = |id: &str, city: &str| {
            let tool = json!({"name": "f", "description": "", "parameters": {"type": "object",
                "properties": {"city": {"type": "string"}}, "required": ["city"]}});
            json!({"id": id, "benchmark": "b", "messages": [{"role": "user", "content": city}], "tools": [tool],
                "answers": [{"name": "f", "arguments": {"city": city}}]})
        };
        let lines = format!("{}\n{}\n", line("a", "Oslo"), line("b", "Rome"));
        std::fs::write(place.path("tasks.jsonl"), lines).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A new run of two small updates in the folder `out`.
    fn settings(&self, out: &str, more: &[&str]) -> Result<Settings, BoxError> {
        let [model, tasks, out] =
            ["model", "tasks.jsonl", out].map(|name| self.path(name).display().to_string());
        let small = "--steps 2 --prompts-per-step 2 --group-size 2 --max-tokens 12 --probes 2 --threads 1";
        let words: Vec<&str> = small.split(' ').collect();
        let given = words.chunks(2).filter(|pair| !more.contains(&pair[0])).flatten().copied();
        let words: Vec<&str> = given.collect();
        let files = ["--model", &model, "--tasks", &tasks, "--out", &out];
        Settings::read(&crate::parse(&[&words, &files[..], more].concat())?)
    }

    fn resumed(&self, out: &str, more: &[&str]) -> Result<Settings, BoxError> {
        let [model, out] = ["model", out].map(|name| self.path(name).display().to_string());
        Settings::read(&crate::parse(&[&["--model", &model, "--resume", &out], more].concat())?)
    }

    /// The weights of the newest checkpoint.
    fn weights(&self, out: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let checkpoints = std::fs::read_dir(self.path(out).join("checkpoints")).unwrap();
        let newest = checkpoints.map(|entry| entry.unwrap().path()).max().unwrap();
        let files = std::fs::read_dir(newest.join("policy")).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> = files.collect();
        files.sort();
        files.iter().map(|f| (f.file_name().unwrap().into(), std::fs::read(f).unwrap())).collect()
    }
}

/// Nobody watches.
fn silent(_: Event<'_>) {}

fn steps(dir: &Path) -> Vec<Value> {
    Records::read(dir).unwrap().of("step").cloned().collect()
}

#[test]
fn every_preset_runs() {
    let place = Place::new();
    let mut proposers = 0;
    for preset in PaperPreset::all() {
        let proposes = PaperPreset::load(preset.name()).unwrap().proposer_reward.is_some();
        proposers += usize::from(proposes);
        for player in ["solver", "proposer"].into_iter().take(1 + usize::from(proposes)) {
            let out = format!("{}-{player}", preset.name().replace('/', "-"));
            let settings = place.settings(&out, &["--preset", preset.name(), "--player", player]).unwrap();
            let (summary, _) = train(&settings, silent, &Watch::default())
                .unwrap_or_else(|error| panic!("{out}: {}", one_line(&*error)));
            assert_eq!((summary.steps, summary.preset.clone()), (2, preset.name().replace('/', "-")));
            for step in steps(&place.path(&out)) {
                assert!(
                    step["components"].as_object().is_some_and(|parts| !parts.is_empty()),
                    "{out}: {step}"
                );
            }
        }
    }
    assert_eq!(proposers, 6);
}

#[test]
fn a_stopped_run_ends_as_an_uninterrupted_one() {
    let place = Place::new();
    let tasks = place.path("tasks.jsonl").display().to_string();
    let config = place.path("mine.toml").display().to_string();
    // A KL term, a changing learning rate, and a checkpoint every second update.
    let text =
        "extends = 'tool-n1/binary'\n[update]\ncheckpoint_every = 2\nlr_schedule = { kind = 'cosine' }\n";
    std::fs::write(&config, text).unwrap();
    let arguments: [&[&str]; 3] = [
        &["--config", &config, "--evaluate", &tasks, "--evaluate-every", "2"],
        &["--config", &config, "--lora", "2", "--device", "candle-cpu"],
        &["--preset", "r-zero/code", "--player", "proposer"],
    ];
    for (i, arguments) in arguments.into_iter().enumerate() {
        let arguments = [arguments, &["--steps", "4", "--lr", "0.01"]].concat();
        let arguments = &arguments[..];
        let (whole, cut) = (format!("whole-{i}"), format!("cut-{i}"));
        let (expected, _) =
            train(&place.settings(&whole, arguments).unwrap(), silent, &Watch::default()).unwrap();
        let settings = place.settings(&cut, arguments).unwrap();
        let stop = |event: Event<'_>| assert!(!matches!(event, Event::Progress { done: 3, .. }), "stopped");
        assert!(catch_unwind(AssertUnwindSafe(|| train(&settings, stop, &Watch::default()))).is_err());
        let device: &[&str] = if i == 1 { &["--device", "candle-cpu"] } else { &[] };
        let (ended, _): (TrainSummary, _) =
            train(&place.resumed(&cut, device).unwrap(), silent, &Watch::default()).unwrap();
        assert_eq!(ended.without_times(), expected.without_times());
        assert!(place.weights(&cut) == place.weights(&whole), "{arguments:?}");
    }
}

#[test]
fn the_command_prints_reports_and_continues() {
    let place = Place::new();
    let [model, tasks, out] =
        ["model", "tasks.jsonl", "run"].map(|name| place.path(name).display().to_string());
    let run = |words: &[&str]| -> Result<(), String> {
        let args = crate::parse(words).map_err(|error| error.to_string())?;
        super::run(&args).map_err(|error| one_line(&*error))
    };
    let new = ["--preset", "toolrl/coarse", "--model", &model, "--out", &out, "--tasks", &tasks];
    let small = ["--steps", "1", "--prompts-per-step", "1", "--group-size", "2", "--max-tokens", "4"];
    run(&[&new[..], &small, &["--evaluate", &tasks]].concat()).unwrap();
    let page = std::fs::read_to_string(place.path("run/report.html")).unwrap();
    assert!(page.contains("toolrl-coarse") && page.contains("heldout"));
    // The trained model is a folder that can be loaded; an adapter is one that goes on the base.
    let load = |folder: &Path| Model::load(Some(folder), Device::Cpu, PolicyOptions::default());
    load(&place.path("run/model")).unwrap();
    let adapted = place.path("adapted").display().to_string();
    let lora =
        ["--preset", "toolrl/coarse", "--model", &model, "--out", &adapted, "--tasks", &tasks, "--lora", "2"];
    run(&[&lora[..], &small].concat()).unwrap();
    let base = load(&place.path("model")).unwrap();
    base.with_adapter(&place.path("adapted/adapter")).unwrap();
    run(&["--resume", &out, "--model", &model]).unwrap();
    // The tasks may have moved.
    let moved = place.path("moved.jsonl").display().to_string();
    std::fs::rename(&tasks, &moved).unwrap();
    run(&["--resume", &out, "--model", &model, "--tasks", &moved, "--evaluate", &moved]).unwrap();
    std::fs::rename(&moved, &tasks).unwrap();
    for (words, want) in [
        (&new[..], "holds a run already"),
        (&["--resume", &out], "its model differs"),
        (&["--resume", &out, "--steps", "3"], "cannot be used with"),
        (&["--tasks", &tasks], "--preset"),
        (&["--preset", "toolrl/nope", "--tasks", &tasks], "choose one of tool-zero/paper"),
        (&["--preset", "toolrl/coarse", "--tasks", "/nonexistent"], "/nonexistent"),
        (&["--preset", "toolrl/coarse", "--tasks", &tasks, "--player", "proposer"], "have no proposer"),
        (
            &["--preset", "r-zero/code", "--tasks", &tasks, "--player", "proposer", "--evaluate", &tasks],
            "--evaluate",
        ),
    ] {
        let error = run(words).unwrap_err();
        assert!(error.contains(want), "{words:?}: {error}");
    }
    std::fs::write(place.path("tasks.jsonl"), "{}").unwrap();
    let error = run(&["--resume", &out, "--model", &model]).unwrap_err();
    assert!(error.contains("its evaluation file differs"), "{error}");
}

/// The prompt asks for what the reward reads.
#[test]
fn prompts_ask_for_what_is_rewarded() {
    use super::reads::Reads;
    let reads = |name: &str, proposer: bool| {
        let paper = PaperPreset::load(name).unwrap();
        let solver = paper.reward.as_ref().or(paper.solver_reward.as_ref());
        Reads::of(if proposer { paper.proposer_reward.as_ref() } else { solver }.unwrap())
    };
    for (name, wants) in [
        ("toolrl/original", &["<think>"][..]),
        ("tool-zero/paper", &["<think>"]),
        ("tool-n1/binary", &["<think>"]),
        ("tool-n1/v2", &[]),
        ("absolute-zero/code", &["<think>"]),
        ("r-zero/code", &["\\boxed{}"]),
        ("agent0/paper", &["\\boxed{}"]),
    ] {
        let text = reads(name, false).instruction();
        assert!(wants.iter().all(|want| text.contains(want)), "{name}: {text}");
        assert_eq!(text.is_empty(), wants.is_empty(), "{name}: {text}");
    }
    for (name, question, wants) in [
        ("r-zero/paper", "question", &["<question>", "\\boxed{}"][..]),
        ("agent0/code", "question", &["<question>", "\\boxed{}"]),
        ("absolute-zero/paper", "answer", &["<think>", "<answer>"]),
    ] {
        let reads = reads(name, true);
        let text = reads.proposal();
        assert!(wants.iter().all(|want| text.contains(want)), "{name}: {text}");
        let proposal = format!("<{question}>Why?</{question}>");
        assert_eq!(reads.question.of(&proposal).as_deref(), Some("Why?"), "{name}");
    }
}

/// A question's rate is the share of the base's most frequent answer; what is no question has none.
#[test]
fn questions_are_tried_by_the_base() {
    use super::problems::Problems;
    use super::{propose::Proposer, reads::Reads};
    use crate::asking::{Method, PromptChoice};
    use sparring::core::{Rollout, Seed};
    use sparring::testkit::ScriptedSampler;
    let place = Place::new();
    let words = ["--preset", "r-zero/paper", "--player", "proposer", "--probes", "4"];
    let settings = place.settings("out", &words).unwrap().recorded;
    let reads = Reads::of(settings.solver().unwrap());
    let method = Method::choose(reads.notation(), PromptChoice::Words, false, "").unwrap();
    let model =
        Model::load(Some(&place.path("model")), "cpu".parse().unwrap(), PolicyOptions::default()).unwrap();
    let problems = Problems { prompter: method.prompter(model.tokenizer()).unwrap(), reads: &reads };
    // Three of four answers agree; to hopeless questions there is none.
    let base = ScriptedSampler::new(|prompt, i| {
        if prompt.contains("hopeless") { "no".to_owned() } else { format!("\\boxed{{{}}}", i / 3) }
    });
    let proposer = Proposer::new(&settings, &problems, &base).unwrap();
    let tasks = proposer.load(&place.path("tasks.jsonl")).unwrap();
    let say = |texts: [&str; 2]| texts.map(Rollout::from_text).to_vec();
    let groups = [
        say(["<question>Rain?</question>", "no question"]),
        say(["<question>hopeless</question>", "<question></question>"]),
    ];
    let rates = proposer.solve_rates(&tasks, &groups, Seed::new(1)).unwrap();
    assert_eq!(rates, [[Some(0.75), None], [Some(0.0), None]]);
}
