//! A start from nothing: imitation, unverified tasks, several candidates a specification; and benchmarks.

use super::resume::killed_at_writes;
use super::*;
use serde_json::{Value, json};
use sparring_core::{BoxError, SampleRequest, Sampler, SamplingParams};
use sparring_grpo::LrSchedule;
use sparring_train::Benchmark;

fn encoder() -> &'static ToyPolicy {
    static ENCODER: std::sync::OnceLock<ToyPolicy> = std::sync::OnceLock::new();
    ENCODER.get_or_init(|| ToyPolicy::new(LETTERS, Seed::new(0)))
}

fn imitating() -> SelfPlay<'static, Sums> {
    let mut config = tiny_config();
    config.solver.imitation.steps = 40;
    config.solver.imitation.tasks_per_step = 8;
    config.solver.imitation.lr = 0.05;
    config.solver.imitation.lr_schedule = LrSchedule::Linear { warmup: 0, to: 0.5 };
    config.generator.first_iteration = 2;
    config.pool.verify_from = 2;
    config.pool.per_spec = 4;
    config.pool.dedup_earlier = false;
    game(config).with_encoder(encoder())
}

#[test]
fn imitation_comes_first_and_in_the_first_iteration_only() {
    let dir = tempfile::tempdir().unwrap();
    let summary = imitating().run(dir.path()).unwrap();
    let steps = records(dir.path(), "imitation_step");
    assert_eq!(steps.len(), 40);
    assert!(steps.iter().all(|step| step["iteration"] == 1));
    let loss = |step: &Value| step["update"]["loss"].as_f64().unwrap();
    assert!(loss(&steps[39]) < 0.5 * loss(&steps[0]), "{} {}", loss(&steps[0]), loss(&steps[39]));
    let rates: Vec<f64> = steps.iter().map(|step| step["lr"].as_f64().unwrap()).collect();
    assert!((rates[0] - 0.05).abs() < 1e-9);
    assert!(rates.windows(2).all(|pair| pair[1] < pair[0]) && rates[39] > 0.025);
    // Three reinforced updates cannot have taught this.
    assert!(summary.last["heldout_accuracy"].as_f64() > Some(0.5), "{:?}", summary.last);
    let generator = records(dir.path(), "generator_step");
    assert!(generator.len() == 3 && generator.iter().all(|step| step["iteration"] == 2));
    // Nothing is attempted in the first pool.
    let pools = records(dir.path(), "pool");
    assert_eq!(pools[0]["solve_rate"], 0.0);
    assert!(pools[1]["solve_rate"].as_f64() > Some(0.0));
    assert_eq!(pools[0]["candidates"], 60);
}

#[test]
fn imitation_without_an_encoder_says_what_is_missing() {
    let mut config = tiny_config();
    config.solver.imitation.steps = 1;
    let dir = tempfile::tempdir().unwrap();
    let error = one_line(&game(config).run(dir.path()).unwrap_err());
    assert!(error.contains("SelfPlay::with_encoder"), "{error}");
}

/// Asks for the answers to two sums.
struct TwoSums;

impl Benchmark for TwoSums {
    fn name(&self) -> &'static str {
        "two"
    }

    fn items(&self) -> usize {
        2
    }

    fn run(
        &self,
        sampler: &dyn Sampler,
        at: &str,
        dir: &Path,
        done: &mut dyn FnMut(usize),
    ) -> Result<Value, BoxError> {
        let ask = |letters: &str| {
            let params = SamplingParams::greedy().with_max_tokens(1);
            SampleRequest::new(vec![Message::user(letters)], 1, params, Seed::new(1))
        };
        let answers = sampler.sample_all(&[ask("ab"), ask("bc")])?;
        let text = answers.iter().map(|group| group[0].text.as_str()).collect::<String>();
        std::fs::write(dir.join(format!("{at}.txt")), &text)?;
        done(2);
        Ok(json!({ "answers": text, "accuracy": 0.5 }))
    }

    fn summary(&self, base: &Value, later: &[Value]) -> Value {
        json!({"base": base, "final": {"accuracy": 0.25}, "later": later})
    }

    fn note(&self, score: &Value) -> String {
        score["answers"].to_string()
    }
}

#[test]
fn benchmarks_are_run_before_and_after_each_iteration() {
    let dir = tempfile::tempdir().unwrap();
    let summary = imitating().with_benchmark(TwoSums).run(dir.path()).unwrap();
    assert_eq!(summary.evaluations["two"]["later"].as_array().unwrap().len(), 2);
    for at in ["base", "iteration-1", "iteration-2"] {
        assert!(dir.path().join(format!("evaluations/two/{at}.txt")).exists(), "{at}");
    }
    assert_eq!(records(dir.path(), "benchmark").len(), 3);
    let shown = crate::Outcome::new(&summary, dir.path()).unwrap().to_string();
    let row = shown.lines().find(|line| line.starts_with("  two")).unwrap();
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["two", "50.0", "25.0"]);
}

#[test]
fn killed_at_many_writes_it_ends_the_same() {
    killed_at_writes(&|| imitating().with_benchmark(TwoSums), 7);
}
