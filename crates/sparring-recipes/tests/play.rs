//! The whole loop with Tool-R0's game and scripted models.

// Helpers of tests may fail loudly.
#![allow(clippy::unwrap_used)]

use serde_json::{Map, Value, json};
use sparring_core::{
    Checkpoint, Learner, Policy, PolicyError, Rollout, SampleRequest, Sampler, Scorer, Seed, StepReport,
    TokenBatch, TokenLoss,
};
use sparring_recipes::tool_r0::{Preset, ToolR0, ToolR0Config, render_answer, render_proposal};
use sparring_selfplay::{Players, Seat, SelfPlay, Summary};
use sparring_testkit::ScriptedSampler;
use sparring_tools::{ToolCall, ToolSpec, ToolTask};
use sparring_train::Evaluation;
use std::path::Path;

/// A model that never changes.
struct Actor(ScriptedSampler);

impl Checkpoint for Actor {
    fn save(&self, dir: &Path) -> Result<(), PolicyError> {
        std::fs::write(dir.join("actor"), b"").map_err(|error| PolicyError::io(dir, error))
    }

    fn restore(&mut self, _: &Path) -> Result<(), PolicyError> {
        Ok(())
    }
}

impl Scorer for Actor {
    fn score(&self, batch: TokenBatch<'_>) -> Result<Vec<f32>, PolicyError> {
        Ok(vec![0.0; batch.completion_tokens()])
    }
}

impl Learner for Actor {
    fn accumulate(&mut self, _: TokenBatch<'_>, _: &dyn TokenLoss) -> Result<f64, PolicyError> {
        Ok(0.0)
    }

    fn step(&mut self, _: f64) -> Result<StepReport, PolicyError> {
        Ok(StepReport::new(0.0, false))
    }

    fn reset(&mut self) {}
}

impl Sampler for Actor {
    fn sample(&self, requests: &[SampleRequest]) -> Vec<Result<Vec<Rollout>, PolicyError>> {
        self.0.sample(requests)
    }
}

impl Policy for Actor {}

const CITIES: [&str; 8] = ["Paris", "Rome", "Oslo", "Lima", "Cairo", "Delhi", "Tokyo", "Quito"];

fn booking(city: &str) -> ToolTask {
    let tool = |name: &str| {
        ToolSpec::new(name, format!("{name} in some city"), Map::new(), Vec::new()).with_parameter(
            "city",
            json!({"type": "string"}),
            true,
        )
    };
    ToolTask {
        question: format!("Please book a room for me in {city}."),
        tools: vec![tool("book_room"), tool("sing_song")],
        calls: vec![ToolCall::new("book_room", [("city", Value::from(city))])],
        domain: String::new(),
    }
}

/// Proposes a booking for the cities in rotation; every fourth proposal is malformed.
fn generator() -> Actor {
    Actor(ScriptedSampler::new(|prompt, i| {
        let turn = i + prompt.len();
        let text = render_proposal(&booking(CITIES[turn % CITIES.len()]), "plan");
        if turn % 4 == 3 { text.replace("</question>", "") } else { text }
    }))
}

/// Makes the right booking half of the time, and never declines.
fn solver() -> Actor {
    Actor(ScriptedSampler::new(|prompt, i| {
        let city =
            CITIES.into_iter().find(|city| prompt.contains(&format!("in {city}"))).unwrap_or("Nowhere");
        let city = if i % 2 == 0 { city } else { "Elsewhere" };
        render_answer(&booking(city).calls, "book it")
    }))
}

fn config() -> ToolR0Config {
    let text = "
        extends = 'quick'
        [spec]
        calls = [{ calls = 1, single_turn = 1.0, multi_turn = 1.0, tools = [{ from = 2, to = 2, weight = 1.0 }] }]
        [self_play]
        iterations = 2
        [self_play.pool]
        dedup_earlier = false
        [self_play.generator]
        max_tokens = 2000
        [self_play.solver]
        max_tokens = 2000
    ";
    ToolR0Config::from_toml(text, "test.toml").unwrap()
}

fn play(config: ToolR0Config, dir: &Path) -> Summary {
    let recipe: ToolR0 = config.build().unwrap();
    let generator = if recipe.self_play.config().generator.train {
        Seat::Learns(Box::new(generator()))
    } else {
        Seat::Frozen(Box::new(generator().0))
    };
    let players = Players::Separate { generator, solver: Box::new(solver()) };
    SelfPlay::new(
        recipe.self_play,
        &recipe.game,
        Box::new(recipe.generator_reward),
        Box::new(recipe.solver_reward),
        players,
        Seed::new(3),
    )
    .with_evaluation(Evaluation::greedy("heldout", vec![booking("Rome"), booking("Oslo")]))
    .run(dir)
    .unwrap()
}

#[test]
fn tool_r0_plays_end_to_end() {
    let dir = tempfile::tempdir().unwrap();
    let summary = play(config(), &dir.path().join("run"));
    assert_eq!(summary.iterations.len(), 2);
    let row = &summary.iterations[0];
    // A quarter of the proposals is malformed, the others are solved by every second sample.
    assert!(row.generator.valid_rate.iter().all(|rate| (0.5..1.0).contains(rate)));
    assert!(row.generator.solve_rate.iter().flatten().all(|rate| (rate - 0.5).abs() < 1e-6));
    assert!(row.pool.rejected.contains_key("missing_block"));
    assert!(row.pool.readable < row.pool.candidates);
    assert!(row.pool.distinct <= CITIES.len());
    assert!(row.pool.proposed > 0 && row.pool.derived > 0, "{:?}", row.pool);
    // Greedy evaluations take the first completion, which is right.
    assert!((summary.base_evaluations[0].accuracy - 1.0).abs() < 1e-9);
    let tasks = std::fs::read_to_string(dir.path().join("run/tasks/iteration-1.jsonl")).unwrap();
    assert_eq!(tasks.lines().count(), row.pool.selected);
}

#[test]
fn the_same_seed_plays_the_same_run() {
    let dir = tempfile::tempdir().unwrap();
    let first = play(config(), &dir.path().join("a")).without_times();
    let second = play(config(), &dir.path().join("b")).without_times();
    assert_eq!(first, second);
}

#[test]
fn every_ablation_plays() {
    for name in ["frozen-generator", "no-difficulty", "rectangular-band"] {
        let preset = Preset::load(name).unwrap();
        let mut config = config();
        config.generator_reward = preset.generator_reward;
        config.self_play.generator.train = preset.self_play.generator.train;
        config.self_play.iterations = 1;
        let dir = tempfile::tempdir().unwrap();
        let summary = play(config, &dir.path().join("run"));
        let trained = !summary.iterations[0].generator.reward.is_empty();
        assert_eq!(trained, name != "frozen-generator");
    }
}
