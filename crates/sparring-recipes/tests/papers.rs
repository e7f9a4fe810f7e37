//! Every paper's preset loads, builds and gives the values of the paper or its code.

// Helpers of tests may fail loudly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::float_cmp)]

use serde_json::{Value, json};
use sparring_core::{Reward, RewardContext, Rollout};
use sparring_grpo::{AdvantageKind, LossKind};
use sparring_recipes::RecipeError;
use sparring_recipes::papers::{PaperConfig, PaperPreset};
use sparring_reward::Constant;
use sparring_reward::config::{Builder, Registry};
use sparring_reward::settings::{Layer, Settings, from_extending_toml};
use sparring_tools::{Format, ToolTask, calls_from_value};
use sparring_train::{ReferenceKind, TrainConfig};
use std::collections::BTreeMap;

fn task(reference: &Value) -> ToolTask {
    let calls = calls_from_value(reference).unwrap();
    ToolTask { question: String::new(), tools: vec![], calls, domain: String::new() }
}

fn at(step: usize) -> RewardContext<'static> {
    RewardContext::at(step, 105)
}

/// The preset's score of one completion at a step.
fn score(preset: &str, step: usize, task: &ToolTask, text: &str) -> f32 {
    let reward = PaperPreset::load(preset).expect(preset).reward().unwrap();
    reward.score(task, &[Rollout::from_text(text)], &at(step)).unwrap()[0].unwrap()
}

#[track_caller]
fn close(got: f32, want: f64, what: &str) {
    assert!((f64::from(got) - want).abs() < 1e-5, "{what}: {got}, expected {want}");
}

#[test]
fn every_preset_loads_builds_and_survives_a_round_trip() {
    assert_eq!(PaperPreset::all().len(), 27);
    for preset in PaperPreset::all() {
        let config = PaperPreset::load(preset.name()).unwrap();
        let again = PaperConfig::from_toml(&config.to_toml().unwrap(), "again.toml").unwrap();
        assert_eq!(again, config, "{}", preset.name());
        assert_eq!(config.reward.is_some(), config.solver_reward.is_none(), "{}", preset.name());
        assert_eq!(config.proposer_reward.is_some(), config.solver_reward.is_some(), "{}", preset.name());
        let roles = [
            (&config.reward, &config.update),
            (&config.proposer_reward, &config.proposer_update),
            (&config.solver_reward, &config.solver_update),
        ];
        assert!(
            roles.iter().all(|(reward, update)| reward.is_some() == update.is_some()),
            "{}",
            preset.name()
        );
    }
}

/// The settings of the papers' tables, as the updates have them.
#[test]
fn updates_are_those_of_the_papers() {
    let load = |name| PaperPreset::load(name).unwrap();
    let zero = load("tool-zero/plain").update.unwrap();
    assert_eq!((zero.prompts_per_step, zero.group_size, zero.lr), (128, 8, 5e-7));
    assert_eq!((zero.grpo.loss, zero.grpo.kl.coef, zero.sampling.temperature), (LossKind::Grpo, 0.0, 0.8));
    assert_eq!(zero.build().unwrap().updater().grpo().config().temperature, 0.8);
    let challenger = load("r-zero/code").proposer_update.unwrap();
    assert_eq!((challenger.grpo.clip_high, challenger.grpo.dual_clip), (0.3, Some(3.0)));
    assert_eq!(challenger.reference, ReferenceKind::Fixed);
    let azr =
        [load("absolute-zero/paper"), load("absolute-zero/code")].map(|c| c.solver_update.unwrap().grpo);
    assert_eq!(azr.each_ref().map(|grpo| grpo.advantage), [AdvantageKind::KeyedWhitening; 2]);
    assert_eq!(azr.map(|grpo| (grpo.clip_high, grpo.entropy_coef)), [(0.2, 0.001), (0.28, 0.0)]);
    let adapted = |update: Option<TrainConfig>| update.unwrap().build().unwrap().updater().adapted(0.3, 1);
    let scale = |name| adapted(load(name).solver_update).unwrap().0;
    assert_eq!((scale("agent0/paper"), scale("agent0/code")), (vec![0.6], vec![0.5]));
    assert_eq!(adapted(load("agent0/code").proposer_update), None);
    let lost = "extends = \"tool-n1/binary\"\n[update.grpo]\nkl = { coef = 0.0 }\n";
    let error = PaperConfig::from_toml(lost, "lost.toml").unwrap_err().to_string();
    assert!(error.contains("update.reference") && error.contains("tool-n1/binary.toml"), "{error}");
}

/// Tool-Zero's reference of several calls, and answers: the reference, its values all wrong, a wrong tool.
fn tool_zero() -> (ToolTask, [String; 3]) {
    let reference =
        json!([{"name": "f", "arguments": {"a": 1, "b": 2}}, {"name": "g", "arguments": {"c": 3}}]);
    let values = json!([{"name": "f", "arguments": {"a": 7, "b": 8}}, {"name": "g", "arguments": {"c": 9}}]);
    let tool = json!([{"name": "h", "arguments": {"d": 0}}]);
    let says = |calls: &Value| {
        let answer = Format::R1Python.parser().render(&calls_from_value(calls).unwrap());
        format!("<think>x</think>{answer}")
    };
    (task(&reference), [&reference, &values, &tool].map(says))
}

/// r = R_format + σ·r_strict + (1 - σ)·r_general with σ from the table; the wrong values overlap in f, a, b, g, c of
/// these and 1, 2, 3.
#[test]
fn tool_zero_moves_from_overlap_to_equality() {
    let (task, [right, values, tool]) = tool_zero();
    for t in [0_usize, 10, 25, 35, 50, 70, 100] {
        let sigma = 1.0 / (1.0 + (-0.1 * (t as f64 - 25.0)).exp());
        let total = |strict: f64, general: f64| 1.0 + sigma * strict + (1.0 - sigma) * general;
        close(score("tool-zero/paper", t, &task, &right), total(1.3, 0.5), "the reference");
        close(score("tool-zero/paper", t, &task, &values), total(0.3 - 0.9, 5.0 / 8.0 - 0.5), "wrong values");
        close(score("tool-zero/paper", t, &task, &tool), total(-0.3, -0.5), "a wrong tool");
        close(score("tool-zero/plain", t, &task, &right), 2.0, "plain");
        let step = if t < 25 { 1.5 } else { 2.3 };
        close(score("tool-zero/abrupt", t, &task, &right), step, "abrupt");
    }
}

/// Totals of Fig. 3, as given by the strict half: late in training, minus the format's 1.
#[test]
fn tool_zero_figure_3() {
    let (task, [right, values, tool]) = tool_zero();
    for (text, want) in [(&tool, -1.3), (&values, -1.0), (&right, 1.3)] {
        close(score("tool-zero/figure-3", 100_000, &task, text) - 1.0, want, text);
    }
}

#[test]
fn tool_zero_readings_change_one_thing() {
    let (task, [right, values, _]) = tool_zero();
    let turned = "<think>x</think><answer>[g(c=3), f(a=1, b=2)]</answer>";
    close(score("tool-zero/paper", 100_000, &task, turned), 2.0, "no bonus for a set");
    close(score("tool-zero/multiset-bonus", 100_000, &task, turned), 2.3, "a bonus for a set");
    let listing = right.replace("<answer>[", "<answer>[k, l, m, n, o, p, q, r, ");
    let general = |preset: &str, text: &str| {
        let sigma = 1.0 / (1.0 + 2.5_f64.exp());
        let strict = if text == values { -0.6 } else { 0.0 };
        (f64::from(score(preset, 0, &task, text)) - 1.0 - sigma * strict) / (1.0 - sigma)
    };
    assert!((general("tool-zero/paper", &values) - 0.125).abs() < 1e-5);
    assert!((general("tool-zero/precise", &values) - 0.125).abs() < 1e-5);
    assert!(
        score("tool-zero/precise", 0, &task, &listing) < score("tool-zero/paper", 0, &task, &listing) - 0.1
    );
    let thought = values.replace("<think>x", "<think> 1 2 3 ");
    close(
        score("tool-zero/response-scope", 0, &task, &thought) - score("tool-zero/paper", 0, &task, &thought),
        0.375 * (1.0 - 1.0 / (1.0 + 2.5_f64.exp())),
        "tokens of the reasoning",
    );
}

/// A completion in ToolRL's form, one call per line.
fn lines(calls: &[&str]) -> String {
    format!("<think>one two</think>\n<tool_call>\n{}\n</tool_call>", calls.join("\n"))
}

const F: &str = r#"{"name": "f", "parameters": {"a": 1, "b": 2}}"#;
const F3: &str = r#"{"name": "f", "parameters": {"a": 1, "b": 3}}"#;
const FA: &str = r#"{"name": "f", "parameters": {"a": 1}}"#;
const GAB: &str = r#"{"name": "g", "parameters": {"a": 1, "b": 2}}"#;
const G: &str = r#"{"name": "g", "parameters": {}}"#;
const GB: &str = r#"{"name": "g", "parameters": {"b": 2}}"#;

fn toolrl_tasks() -> [ToolTask; 2] {
    let f = json!({"name": "f", "arguments": {"a": 1, "b": 2}});
    let two = json!([{"name": "f", "arguments": {"a": 1}}, {"name": "g", "arguments": {"b": 2}}]);
    [task(&json!([f])), task(&two)]
}

/// The values of the released function, -3 to 3, and 1 for the format.
#[test]
fn toolrl_reference_values() {
    let [one, two] = toolrl_tasks();
    for (task, calls, want) in [
        (&one, &[F][..], 3.0),
        (&one, &[F3], 1.5),
        (&one, &[FA], 0.75),
        (&one, &[GAB], -3.0),
        (&one, &[F, G], 2.25),
        (&one, &[F, F], 2.25),
        (&two, &[GB, FA], 3.0),
        (&two, &[FA], 0.0),
    ] {
        close(score("toolrl/original", 0, task, &lines(calls)), 1.0 + want, &calls.join(" "));
    }
    close(score("toolrl/original", 0, &one, &lines(&["oops"])), 1.0 - 3.0, "an unreadable line");
    close(score("toolrl/original", 0, &one, "<think>x</think>"), -3.0, "no call");
    let decline = task(&json!([]));
    close(
        score("toolrl/original", 0, &decline, "<think>x</think>\n<response>y</response>"),
        1.0,
        "a response",
    );
    close(score("toolrl/original", 0, &decline, &lines(&[F])), 0.0, "a spurious call costs the format only");
}

/// (preset, step, scores of the exact call, of a wrong value, of an extra call, of a permutation)
#[test]
fn toolrl_variants() {
    let [one, two] = toolrl_tasks();
    let length = 0.0; // 2 of 512 words round to 0.
    for (preset, step, want) in [
        ("original", 0, [4.0, 2.5, 3.25, 4.0]),
        ("length", 0, [4.0 + length, 2.5, 3.25, 4.0]),
        ("dynamic-length", 0, [4.01, 2.51, 3.26, 4.01]), // 2 of 384 words: 0.01
        ("dynamic-length", 105, [4.0, 2.5, 3.25, 4.0]),
        ("equal-max", 0, [2.0, 1.5, 1.75, 2.0]),
        ("two-stage", 29, [2.0, 1.5, 1.75, 2.0]),
        ("two-stage", 30, [3.5, 2.0, 2.75, 3.5]),
        ("dynamic-scale", 0, [4.0, 3.0, 3.5, 4.0]),
        ("dynamic-scale", 75, [4.0, 2.75, 3.375, 4.0]),
        ("dynamic-scale", 150, [4.0, 2.5, 3.25, 4.0]),
        ("dynamic-scale", 900, [4.0, 2.5, 3.25, 4.0]),
        ("finegrained", 0, [4.0, 2.5, 2.5, 6.0 * 0.8 - 2.0]),
        ("intermediate", 0, [4.0, 1.0, 2.5, 4.0]),
        ("coarse", 0, [4.0, -2.0, -2.0, -2.0]),
    ] {
        let preset = format!("toolrl/{preset}");
        let texts = [lines(&[F]), lines(&[F3]), lines(&[F, G]), lines(&[GB, FA])];
        for (i, (text, want)) in texts.iter().zip(want).enumerate() {
            let task = if i == 3 { &two } else { &one };
            close(score(&preset, step, task, text), want, &format!("{preset} at {step}, {text}"));
        }
    }
    // The range of the format changes too: its minimum is -2 at first, -1 from the 75th step on.
    for (step, want) in [(0, -4.0), (75, -3.5), (150, -4.0)] {
        close(score("toolrl/dynamic-scale", step, &one, "nothing"), want, "neither format nor calls");
    }
    let words = format!("<think>{}</think>\n<tool_call>\n{F}\n</tool_call>", "word ".repeat(256));
    close(score("toolrl/length", 0, &one, &words), 4.5, "256 of 512 words");
}

#[test]
fn tool_n1_tables() {
    let task = task(&json!([{"name": "f", "arguments": {"a": 1, "b": 2}}, {"name": "g"}]));
    let calls = r#"[{"name": "g", "arguments": {}}, {"name": "f", "arguments": {"b": 2, "a": 1}}]"#;
    let right = &format!("<tool_call>{calls}</tool_call>");
    let tools =
        r#"<tool_call>[{"name": "g", "arguments": {}}, {"name": "f", "arguments": {"a": "1"}}]</tool_call>"#;
    let wrong = r#"<tool_call>{"name": "h", "arguments": {}}</tool_call>"#;
    let broken = "<tool_call>oops</tool_call>";
    let thinks = |text: &str| format!("<think>x</think>{text}");
    for (preset, want) in [
        ("binary", [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        ("v1", [1.2, 1.0, -0.2, 0.0, -0.2, 0.0, 0.0, 0.0]),
        ("v2", [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        ("v3", [1.0, 0.8, 0.2, 0.0, 0.2, 0.0, 0.2, 0.0]),
        ("v4", [1.0, 0.8, 0.4, 0.2, 0.2, 0.0, 0.2, 0.0]),
    ] {
        let texts = [right, tools, wrong, broken].map(|text| [thinks(text), text.to_owned()]).concat();
        for (text, want) in texts.iter().zip(want) {
            close(score(&format!("tool-n1/{preset}"), 0, &task, text), want, &format!("{preset}: {text}"));
        }
    }
    let none = ToolTask { calls: vec![], ..task };
    close(
        score("tool-n1/binary", 0, &none, &thinks("<tool_call>[]</tool_call>")),
        1.0,
        "empty matches empty",
    );
    close(score("tool-n1/binary", 0, &none, &thinks("nothing to call")), 0.0, "no block is no answer");
}

/// A proposer's scores of a group under these solve rates; the batch is the group.
fn proposals(preset: &str, texts: &[&str], rates: &[Option<f32>]) -> Vec<Option<f32>> {
    let reward = PaperPreset::load(preset).unwrap().proposer_reward::<str>().unwrap();
    let group: Vec<Rollout> = texts.iter().map(|text| Rollout::from_text(*text)).collect();
    reward.score("", &group, &RewardContext::default().with_solve_rates(rates)).unwrap()
}

#[track_caller]
fn all_close(got: &[Option<f32>], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    got.iter().zip(want).for_each(|(got, want)| close(got.unwrap(), *want, &format!("{got:?}")));
}

const ASKS: [&str; 4] = [
    r"<question>what is two plus two</question> \boxed{4}",
    r"<question>what is two plus three</question> \boxed{5}",
    r"<question>name any colour of the sea</question> \boxed{blue}",
    "no question",
];

/// A cluster of two out of four is a share of 1/2, a single one 1/4.
#[test]
fn r_zero_scores() {
    let rates = [Some(0.5), Some(0.9), Some(0.3), None];
    // max(0, tent - share): 1 - 0.5, 0.2 - 0.5, 0.6 - 0.25.
    all_close(&proposals("r-zero/paper", &ASKS, &rates), &[0.5, 0.0, 0.35, 0.0]);
    // min(p, 1 - p) - share, -1 - share.
    all_close(&proposals("r-zero/code", &ASKS, &rates), &[0.0, -0.4, 0.05, -1.25]);
}

#[test]
fn agent0_scores() {
    let used = format!("{} ```output 1``` ```output 2```", ASKS[2]);
    let texts = [ASKS[0], ASKS[1], used.as_str(), ASKS[3]];
    let rates = [Some(0.5), Some(0.9), Some(0.3), None];
    all_close(&proposals("agent0/paper", &texts, &rates), &[0.5, 0.0, 0.45, 0.0]);
    all_close(&proposals("agent0/code", &texts, &rates), &[0.0, -0.4, 0.15, -1.25]);
}

#[test]
fn the_majority_rewards_the_solver() {
    let texts = [r"\boxed{4}", r"\boxed{4}", r"\boxed{5}", "4"];
    let group: Vec<Rollout> = texts.iter().map(|text| Rollout::from_text(*text)).collect();
    for (preset, want) in [
        ("r-zero/paper", [1.0, 1.0, 0.0, 0.0]),
        ("r-zero/code", [1.0, 1.0, 0.1, 0.0]),
        ("agent0/paper", [1.0, 1.0, 0.0, 0.0]),
        ("agent0/code", [1.0, 1.0, 0.0, 0.0]),
    ] {
        let reward = PaperPreset::load(preset).unwrap().solver_reward().unwrap();
        all_close(&reward.score(&task(&json!([])), &group, &at(0)).unwrap(), &want);
    }
}

/// 1 - p, but 0 at p = 0 and at p = 1; -0.5 if well formed, -1 if not.
#[test]
fn absolute_zero_scores() {
    let formed = "<think>x</think><answer>y</answer>";
    let texts = [formed, formed, formed, formed, "nothing"];
    let rates = [Some(0.0), Some(0.25), Some(1.0), None, None];
    all_close(&proposals("absolute-zero/paper", &texts, &rates), &[0.0, 0.75, 0.0, -0.5, -1.0]);
    all_close(&proposals("absolute-zero/code", &texts, &rates), &[-0.5, 0.75, -0.5, -1.0, -1.0]);
    let one = task(&json!([{"name": "f", "arguments": {"a": 1}}]));
    let group = ["<think>x</think><answer>[f(a=1)]</answer>", formed, "[f(a=1)]"].map(Rollout::from_text);
    for preset in ["absolute-zero/paper", "absolute-zero/code"] {
        let reward = PaperPreset::load(preset).unwrap().solver_reward().unwrap();
        all_close(&reward.score(&one, &group, &at(0)).unwrap(), &[1.0, -0.5, -1.0]);
    }
}

#[test]
fn a_file_extends_a_preset_and_errors_name_the_place() {
    let text = "extends = \"toolrl/original\"\n[update]\nlr = 2e-6\n";
    let config = PaperConfig::from_toml(text, "my.toml").unwrap();
    assert_eq!(config.reward, PaperPreset::load("toolrl/original").unwrap().reward);
    let update = config.update.as_ref().unwrap();
    assert_eq!((update.lr, update.grpo.mini_batches), (2e-6, 4));
    assert!(config.proposer_reward::<str>().is_err());
    for (text, want) in [
        ("[reward]\nkind = \"sum\"\nparts = []", "my.toml:3: reward.parts: must have at least one part"),
        ("[reward]\nkind = \"nope\"", "my.toml:2: reward.kind: there is no kind `nope`"),
        ("[proposer_reward]\nkind = \"ast\"", "my.toml:1: proposer_reward: needs tool tasks"),
        ("[rewards]\nkind = \"ast\"", "my.toml:1: "),
        ("extends = \"toolrl\"", "there is no preset `toolrl`"),
    ] {
        let error = PaperConfig::from_toml(text, "my.toml").unwrap_err().to_string();
        assert!(error.starts_with(want), "{text}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

/// Errors of reading and building have file, line and path, for every file of a chain.
#[test]
fn mistakes_keep_their_file_line_and_path() {
    for (text, want) in [
        (
            "extends = 'toolrl/original'\n[reward]\nkind = 'sum'\nparts = [\n{ kind = 'weighted', wieght = 1 }]",
            "my.toml:5: reward.parts[0].wieght: unknown field `wieght`, expected `weight` or `reward`",
        ),
        (
            "extends = 'toolrl/original'\n[[reward.parts]]\nkind = 'readible'\n[[reward.parts]]\nkind = 'tags'",
            "my.toml:3: reward.parts[0].kind: there is no kind `readible` (did you mean `readable`?)",
        ),
        (
            "extends = 'r-zero/paper'\n[proposer_reward.reward.reward]\nname = ''",
            "my.toml:3: proposer_reward.reward.reward.name: must not be empty",
        ),
        (
            "extends = 'r-zero/paper'\n[solver_update.sampling]\nmax_tokens = 'all'",
            "my.toml:3: solver_update.sampling.max_tokens: invalid type",
        ),
        ("extends = 'tool-n1/v2'\n[update]\ngroup_sise = 8", "my.toml:3: update.group_sise: unknown field"),
        ("extends = 'toolrl/orignal'", "there is no preset `toolrl/orignal`"),
    ] {
        let error = PaperConfig::from_toml(text, "my.toml").unwrap_err().to_string();
        assert!(error.starts_with(want), "{error}\n{want}");
    }
}

/// A preset extended with a custom kind.
#[test]
fn custom_kinds_may_extend_a_preset() {
    let text = "extends = 'toolrl/original'\n[[reward.parts]]\nkind = 'worth'\nof = 2.5";
    let find = |name: &str| PaperPreset::find(name).map(|preset| Layer::new(preset.file(), preset.toml()));
    let paper: Settings<PaperConfig> = from_extending_toml::<_, RecipeError>(text, "my.toml", find).unwrap();
    let registry = Registry::new()
        .with_kind("worth", |worth: BTreeMap<String, f64>, _: &Builder<'_, ToolTask>| {
            Ok(Constant::new(worth["of"]))
        });
    let reward = paper.value.reward.as_ref().unwrap().build_with(&registry).unwrap();
    let scores = reward.score(&task(&json!([])), &[Rollout::from_text("x")], &at(0)).unwrap();
    assert_eq!(scores, [Some(2.5)]);
    let again: PaperConfig = toml::from_str(&paper.value.to_toml().unwrap()).unwrap();
    assert_eq!(again, paper.value);
    let error = PaperConfig::from_toml(text, "my.toml").unwrap_err().to_string();
    assert!(error.starts_with("my.toml:3: reward.parts[0].kind: there is no kind `worth`"), "{error}");
}
