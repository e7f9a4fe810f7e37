use super::*;
use crate::{GeneratorSummary, Order, Origin, PoolTask};
use sparring_core::{Backoff, Event, PolicyError, Retry, RewardContext, SampleRequest, Sampler};
use sparring_testkit::ScriptedSampler;
use sparring_train::store::disk::fault::fail_after;
use std::collections::BTreeMap;
use std::sync::Mutex;

#[test]
fn both_players_improve() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = game(toy_config());
    let summary = run.run(dir.path()).unwrap();
    let accuracy =
        |scores: &serde_json::Map<String, serde_json::Value>| scores["heldout_accuracy"].as_f64().unwrap();
    // One answer for all solves a quarter.
    assert!(accuracy(&summary.base) < 0.4, "{:?}", summary.base);
    assert!(accuracy(&summary.last) > accuracy(&summary.base) + 0.3, "{:?}", summary.last);
    let GeneratorSummary { valid_rate_first, valid_rate_last, .. } = summary.generator;
    assert!(valid_rate_last.unwrap() > valid_rate_first.unwrap() + 0.3, "{:?}", summary.generator);
}

#[test]
fn the_summary_file_has_its_places() {
    let dir = tempfile::tempdir().unwrap();
    let summary = game(tiny_config()).run(dir.path()).unwrap();
    let text = lines(dir.path(), "summary.json").join("\n");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    for path in [
        "/seed",
        "/preset",
        "/base/heldout_accuracy",
        "/final/heldout_accuracy",
        "/final/heldout_t1_standard_error",
        "/relative_gain",
        "/generator/valid_rate_first",
        "/generator/valid_rate_last",
        "/wall_seconds",
        "/peak_rss_mib",
        "/phase_seconds/train_solver",
        "/iterations/1/pool/selected",
    ] {
        assert!(json.pointer(path).is_some_and(|v| !v.is_null()), "{path} is missing");
    }
    assert_eq!(serde_json::from_value::<Summary>(json).unwrap(), summary);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    assert_eq!(uninterrupted(tiny_config()).unwrap(), uninterrupted(tiny_config()).unwrap());
}

#[test]
fn a_model_that_rests_has_no_optimiser_unless_the_next_phase_goes_on_with_it() {
    for fresh in [true, false] {
        let config = SelfPlayConfig { fresh_optimizer: fresh, ..tiny_config() };
        assert_eq!(uninterrupted(config.clone()).unwrap(), uninterrupted(config.clone()).unwrap());
        let mut run = game(config);
        run.run(tempfile::tempdir().unwrap().path()).unwrap();
        let mut players = run.into_players();
        let ended = weights(&players);
        players.named_mut().into_iter().for_each(|(_, policy)| policy.reset());
        assert_eq!(weights(&players) == ended, fresh);
    }
}

#[test]
fn the_pool_reaches_the_optimiser_from_easy_to_hard() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = toy_config();
    (config.iterations, config.solver.steps, config.solver.prompts_per_step) = (1, 3, 2);
    game(config).run(dir.path()).unwrap();
    let steps = records(dir.path(), "solver_step");
    let rates: Vec<f64> = steps.iter().map(|r| r["pool_solve_rate"].as_f64().unwrap()).collect();
    assert!(rates.len() == 3 && rates.windows(2).all(|w| w[0] >= w[1]), "{rates:?}");
    assert!(rates[0] > rates[2] + 0.05, "a short training meets the whole range: {rates:?}");
}

#[test]
fn what_is_replayed_was_proposed_before() {
    let dir = tempfile::tempdir().unwrap();
    game(toy_config()).run(dir.path()).unwrap();
    let of = |iteration: usize, origin: Origin| -> Vec<String> {
        let rows = lines(dir.path(), &format!("tasks/iteration-{iteration}.jsonl"));
        let tasks = rows.iter().map(|row| serde_json::from_str::<PoolTask<Sum>>(row).unwrap());
        tasks.filter(|t| t.origin == origin).map(|t| t.task.letters).collect()
    };
    let (before, replayed) = (of(1, Origin::Proposed), of(2, Origin::Replayed));
    assert!(!of(1, Origin::Derived).is_empty() && !replayed.is_empty());
    assert!(replayed.iter().all(|letters| before.contains(letters)), "{replayed:?} of {before:?}");
}

#[test]
fn the_pool_is_distinct_balanced_and_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = toy_config();
    config.pool.replay = 0.0;
    config.solver.order = Order::AsIs;
    game(config.clone()).run(dir.path()).unwrap();
    let read = |i: usize| -> Vec<PoolTask<Sum>> {
        let rows = lines(dir.path(), &format!("tasks/iteration-{i}.jsonl"));
        rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect()
    };
    let (first, second) = (read(1), read(2));
    let mut all: Vec<&str> = first.iter().chain(&second).map(|t| t.task.letters.as_str()).collect();
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count, "no task is in two pools, or twice in one");
    assert!(first.len() <= config.pool.size && !first.is_empty());
    assert!(first.windows(2).all(|w| w[0].candidate <= w[1].candidate), "as proposed");
    let pools = records(dir.path(), "pool");
    assert_eq!(pools[0]["selected"], first.len());
    for pool in &pools {
        let stages = ["candidates", "readable", "distinct", "verified", "in_band", "proposed"];
        let counts: Vec<u64> = stages.iter().map(|s| pool[s].as_u64().unwrap()).collect();
        assert!(counts.windows(2).all(|w| w[0] >= w[1]), "{pool}");
        let rejected: u64 =
            ["first_letter", "length"].iter().filter_map(|r| pool["rejected"][r].as_u64()).sum();
        assert_eq!(counts[0], counts[1] + rejected, "every candidate is read or rejected: {pool}");
    }
}

#[test]
fn identical_proposals_are_probed_once() {
    let dir = tempfile::tempdir().unwrap();
    game(toy_config()).run(dir.path()).unwrap();
    let last = records(dir.path(), "generator_step").pop().unwrap();
    let readable = (last["valid"].as_f64().unwrap() * 36.0).round() as u64;
    assert!(last["probed"].as_u64().unwrap() < readable, "{last}");
}

#[test]
fn shared_weights_and_a_frozen_generator_run() {
    let mut shared = tiny_config();
    shared.weights = Weights::Shared;
    assert_eq!(uninterrupted(shared.clone()).unwrap().weights.len(), 1);
    let mut frozen = tiny_config();
    frozen.generator.train = false;
    let end = uninterrupted(frozen).unwrap();
    let untouched = game(tiny_config());
    assert_eq!(end.weights[0], weights(untouched.players())[0], "the Generator stays as it was");
    assert_ne!(end.weights[1], weights(untouched.players())[1], "the Solver learns");
    assert!(end.summary.generator.valid_rate_first.is_some(), "measured on the pool's candidates");

    let mut run = assemble(tiny_config(), Players::Shared(toy(1)), Box::new(Broken(None)), 7);
    assert!(run.run("unused").unwrap_err().to_string().contains("weights"));
}

/// Proposes the requested letter and another one; every third request first fails `failures` times.
struct Remote {
    script: ScriptedSampler,
    failures: u32,
    asked: Mutex<BTreeMap<u64, u32>>,
}

impl Remote {
    fn new(failures: u32) -> Self {
        let script = ScriptedSampler::new(|prompt, _| {
            let wanted = prompt.chars().next_back().unwrap_or('a');
            format!("{wanted}{}", LETTERS.as_bytes()[prompt.len() % 2] as char)
        });
        Self { script, failures, asked: Mutex::default() }
    }
}

impl Sampler for Remote {
    fn sample(&self, requests: &[SampleRequest]) -> Vec<Result<Vec<Rollout>, PolicyError>> {
        let mut asked = self.asked.lock().unwrap();
        let mut answer = |request: &SampleRequest| {
            let times = asked.entry(request.seed.value()).or_default();
            *times += 1;
            // Every third request is unavailable at first.
            if request.seed.value().is_multiple_of(3) && *times <= self.failures {
                return Err(PolicyError::transient("asking the server", "status 429"));
            }
            self.script.sample_one(request)
        };
        requests.iter().map(&mut answer).collect()
    }
}

fn with_frozen_generator(
    config: SelfPlayConfig,
    generator: impl Sampler + 'static,
) -> SelfPlay<'static, Sums> {
    let players = Players::Separate { generator: Seat::Frozen(Box::new(generator)), solver: toy(2) };
    assemble(config, players, Box::new(Broken(None)), 7)
}

#[test]
fn a_generator_may_be_a_sampler_only() {
    let mut config = tiny_config();
    config.generator.train = false;
    config.pool.dedup_earlier = false;
    let dir = tempfile::tempdir().unwrap();
    let mut run = with_frozen_generator(config.clone(), Remote::new(0));
    let summary = run.run(dir.path()).unwrap();
    let wanted = end(&run, summary, dir.path());
    assert_eq!(wanted.weights.len(), 1, "checkpoints hold the Solver alone");
    assert_ne!(wanted.weights[0], weights(game(tiny_config()).players())[1], "the Solver learns");

    // With retries, a request that fails for a moment is repeated, also in a run that is stopped and resumed.
    let dir = tempfile::tempdir().unwrap();
    let retrying = || {
        let retry = Retry::new(Remote::new(2), Backoff::default()).with_sleep(|_| ());
        with_frozen_generator(config.clone(), retry)
    };
    fail_after(Some(60));
    let error = retrying().run(dir.path()).unwrap_err();
    fail_after(None);
    assert!(one_line(&error).contains("no space left"), "{error}");
    let checkpoints = std::fs::read_dir(dir.path().join("checkpoints")).unwrap();
    let newest = checkpoints.map(|entry| entry.unwrap().path()).max().unwrap();
    assert!(newest.join("solver").is_dir() && !newest.join("generator").exists());
    let mut resumed = retrying();
    let summary = resumed.resume(dir.path()).unwrap();
    assert_eq!(end(&resumed, summary, dir.path()), wanted);

    // Without retries the run stops.
    let dir = tempfile::tempdir().unwrap();
    let error = with_frozen_generator(config, Remote::new(2)).run(dir.path()).unwrap_err();
    assert_eq!(
        one_line(&error),
        "the generator failed: temporarily unavailable: asking the server: status 429"
    );
}

#[test]
fn a_frozen_generator_is_not_trained() {
    let mut run = with_frozen_generator(tiny_config(), Remote::new(0));
    let error = run.run("unused").unwrap_err().to_string();
    assert!(error.contains("generator.train = true") && error.contains("Seat::Learns"), "{error}");
    assert!(!Path::new("unused").exists());
}

#[test]
fn an_empty_pool_leaves_the_solver_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = tiny_config();
    config.pool.keep.min_rate = 1.0;
    config.pool.candidates = 3;
    let mut run = game(config);
    let before = weights(run.players())[1];
    let summary = run.run(dir.path()).unwrap();
    assert_eq!(summary.iterations[0].pool.selected, 0);
    assert_eq!(records(dir.path(), "empty_pool").len(), 2);
    assert_eq!(weights(run.players())[1], before);
}

#[test]
fn a_task_with_an_invalid_prompt_is_counted_not_fatal() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = toy_config();
    config.pool.candidates = 2000;
    config.generator.train = false;
    config.iterations = 1;
    game(config).run(dir.path()).unwrap();
    let pool = &records(dir.path(), "pool")[0];
    assert_eq!(pool["rejected"]["invalid_prompt"], 1, "the task `dd`: {pool}");
}

/// A reward that breaks its contract in a chosen way.
struct Broken(Option<Vec<Option<f32>>>);

impl<T> Reward<T> for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn score(
        &self,
        _: &T,
        _: &[Rollout],
        _: &RewardContext<'_>,
    ) -> Result<Vec<Option<f32>>, sparring_core::BoxError> {
        self.0.clone().ok_or_else(|| "the judge is away".into())
    }
}

#[test]
fn a_broken_reward_stops_the_run_by_name() {
    let cases = [
        (None, "the judge is away"),
        (Some(vec![Some(1.0)]), "\"broken\" gave 1 scores for 6 completions"),
        (
            Some([vec![Some(1.0); 5], vec![Some(f32::NAN)]].concat()),
            "gave completion 5 a score that is not finite",
        ),
    ];
    for (scores, wanted) in cases {
        let dir = tempfile::tempdir().unwrap();
        let players = Players::Separate { generator: Seat::Learns(toy(1)), solver: toy(2) };
        let mut run = assemble(tiny_config(), players, Box::new(Broken(scores)), 7);
        let error = one_line(&run.run(dir.path()).unwrap_err());
        assert!(error.starts_with("reward `broken` failed") && error.contains(wanted), "{error}");
    }
}

#[test]
fn observers_get_every_phase_and_step_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut phases: Vec<String> = Vec::new();
    let mut steps = 0;
    let mut kinds = 0;
    let observer = |event: Event<'_>| match event {
        Event::PhaseStarted { iteration, phase, .. } => {
            phases.push(format!("{iteration} {}", phase.as_str()));
        }
        Event::PhaseEnded { seconds, .. } => assert!(seconds >= 0.0),
        Event::Progress { .. } => steps += 1,
        Event::Record { json, .. } => {
            let value: serde_json::Value = serde_json::from_str(json).unwrap();
            assert!(value["kind"].is_string());
            kinds += 1;
        }
        _ => {}
    };
    game(tiny_config()).with_observer(observer).run(dir.path()).unwrap();
    let iteration =
        |i| ["train_generator", "build_pool", "train_solver", "evaluate"].map(|p| format!("{i} {p}"));
    let wanted: Vec<String> =
        std::iter::once("0 evaluate".to_owned()).chain(iteration(1)).chain(iteration(2)).collect();
    assert_eq!(phases, wanted);
    assert_eq!(kinds, lines(dir.path(), "events.jsonl").len());
    assert!(steps > 12);
}
