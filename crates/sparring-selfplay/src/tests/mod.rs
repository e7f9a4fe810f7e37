//! A toy game for the loop, and what its tests share.

mod bootstrap;
mod choice;
mod likelihood;
mod own;
mod pool;
mod report;
mod resume;
mod run;
mod settings;

use crate::{Players, Seat, SelfPlay, SelfPlayConfig, SelfPlayError, Summary, Weights};
use serde::{Deserialize, Serialize};
use sparring_core::{Game, Message, Policy, Prompt, Rejection, Reward, Rollout, Seed, one_line, reward_fn};
use sparring_testkit::ToyPolicy;
use sparring_train::{Evaluation, StopFlag, Watch};
use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

const LETTERS: &str = "abcd";

thread_local! {
    /// After so many prompts of this thread, this flag asks to stop.
    static STOP: RefCell<Option<(usize, StopFlag)>> = const { RefCell::new(None) };
}

fn count_prompt() {
    STOP.with_borrow_mut(|stop| {
        if let Some((left, flag)) = stop {
            *left = left.saturating_sub(1);
            if *left == 0 {
                flag.request();
            }
        }
    });
}

/// The Generator is asked for two letters, of which the first is given; the Solver adds them up, modulo 4.
pub(super) struct Sums;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Sum {
    letters: String,
}

impl Sum {
    fn answer(&self) -> char {
        let places = self.letters.chars().filter_map(|c| LETTERS.find(c));
        LETTERS.as_bytes()[places.sum::<usize>() % LETTERS.len()] as char
    }
}

impl Game for Sums {
    type Spec = char;
    type Task = Sum;

    fn draw(&self, seed: Seed) -> char {
        LETTERS.as_bytes()[(seed.value() % 4) as usize] as char
    }

    fn generator_prompt(&self, spec: &char) -> Prompt {
        count_prompt();
        vec![Message::user(format!("write {spec}"))].into()
    }

    fn contrast_prompt(&self, _: &char) -> Option<Prompt> {
        Some(vec![Message::user("write")].into())
    }

    fn read(&self, spec: &char, out: &Rollout) -> Result<Sum, Rejection> {
        if !out.text.starts_with(*spec) {
            return Err(Rejection::new("first_letter", "another letter was asked for"));
        }
        if out.text.len() != 2 {
            return Err(Rejection::new("length", "two letters are wanted"));
        }
        Ok(Sum { letters: out.text.clone() })
    }

    fn solver_prompt(&self, task: &Sum) -> Vec<Message> {
        count_prompt();
        // One task has an invalid prompt: it is empty.
        if task.letters == "dd" { Vec::new() } else { vec![Message::user(task.letters.clone())] }
    }

    fn gold_answer(&self, task: &Sum) -> Option<String> {
        Some(task.answer().to_string())
    }

    fn solved(&self, task: &Sum, out: &Rollout) -> bool {
        out.text == task.answer().to_string()
    }

    fn stratum(&self, task: &Sum) -> String {
        task.letters[..1].to_owned()
    }

    fn derive(&self, task: &Sum, _: Option<&Sum>, _: Seed) -> Vec<Sum> {
        vec![Sum { letters: task.letters.chars().rev().collect() }]
    }
}

/// Settings for a toy: large steps, few tokens.
pub(super) fn toy_config() -> SelfPlayConfig {
    let text = r"
        iterations = 2
        checkpoint_every = 50
        [generator]
        steps = 50
        prompts_per_step = 6
        group_size = 6
        lr = 0.05
        grpo = { entropy_coef = 0.05 }
        max_tokens = 2
        probe_samples = 4
        [solver]
        steps = 80
        prompts_per_step = 8
        group_size = 8
        lr = 0.05
        grpo = { entropy_coef = 0.05 }
        max_tokens = 1
        [pool]
        candidates = 120
        temperature = 1.0
        verify_samples = 8
        verify_temperature = 1.0
        min_agreement = 0.0
        size = 12
        derived_share = 0.2
        replay = 0.5
        keep = { min_rate = 0.0, max_rate = 1.0 }
    ";
    SelfPlayConfig::from_toml(text, "toy.toml").unwrap()
}

/// As small as a run can be that still has every kind of step.
pub(super) fn tiny_config() -> SelfPlayConfig {
    let mut config = toy_config();
    config.checkpoint_every = 2;
    config.generator.steps = 3;
    config.solver.steps = 3;
    config.pool.candidates = 60;
    config
}

pub(super) fn toy(seed: u64) -> Box<dyn Policy> {
    Box::new(ToyPolicy::new(LETTERS, Seed::new(seed)))
}

fn evaluation_tasks() -> Vec<Sum> {
    let letters = LETTERS.chars();
    let pairs =
        letters.clone().flat_map(|a| letters.clone().map(move |b| Sum { letters: format!("{a}{b}") }));
    pairs.filter(|s| s.letters != "dd").collect()
}

/// The toy run of these settings.
pub(super) fn game(config: SelfPlayConfig) -> SelfPlay<'static, Sums> {
    let players = match config.weights {
        Weights::Separate => Players::Separate { generator: Seat::Learns(toy(1)), solver: toy(2) },
        Weights::Shared => Players::Shared(toy(1)),
    };
    let invents = reward_fn("readable", |spec: &char, out: &Rollout| {
        Some(f32::from(u8::from(out.text.starts_with(*spec))) + f32::from(u8::from(out.text.len() == 2)))
    });
    assemble(config, players, Box::new(invents), 7)
}

pub(super) fn assemble(
    config: SelfPlayConfig,
    players: Players,
    invents: Box<dyn Reward<char>>,
    seed: u64,
) -> SelfPlay<'static, Sums> {
    sparring_train::store::disk::fault::never_wait();
    let solves =
        reward_fn("solved", |task: &Sum, out: &Rollout| Some(f32::from(u8::from(Sums.solved(task, out)))));
    let mut watch = Watch::default();
    if let Some(flag) = STOP.with_borrow(|stop| stop.as_ref().map(|(_, flag)| flag.clone())) {
        watch.stop = flag;
    }
    SelfPlay::new(config.build().unwrap(), &Sums, invents, Box::new(solves), players, Seed::new(seed))
        .with_watch(watch)
        .with_preset("toy")
        .with_evaluation(Evaluation::greedy("heldout", evaluation_tasks()))
        .with_evaluation(Evaluation::sampled("heldout_t1", evaluation_tasks(), 1.0, 4))
}

/// A hash of every weight and every number of the optimiser, for each model.
pub(super) fn weights(players: &Players) -> Vec<u64> {
    let save = |(_, policy): (&str, &dyn Policy)| {
        let dir = tempfile::tempdir().unwrap();
        policy.save(dir.path()).unwrap();
        let mut hasher = DefaultHasher::new();
        let mut files: Vec<_> =
            std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty());
        for file in files {
            std::fs::read(file).unwrap().hash(&mut hasher);
        }
        hasher.finish()
    };
    players.named().into_iter().map(save).collect()
}

/// What a run ends with: all that may not depend on interruptions.
#[derive(Debug, PartialEq)]
pub(super) struct End {
    weights: Vec<u64>,
    summary: Summary,
    events: Vec<String>,
    tasks: Vec<String>,
}

pub(super) fn end(run: &SelfPlay<'_, Sums>, summary: Summary, dir: &Path) -> End {
    let events = lines(dir, "events.jsonl");
    let timeless =
        |line: &String| !line.contains(r#""kind":"timing""#) && !line.contains(r#""kind":"resumed""#);
    End {
        weights: weights(run.players()),
        summary: summary.without_times(),
        events: events.into_iter().filter(timeless).collect(),
        tasks: (1..=2).flat_map(|i| lines(dir, &format!("tasks/iteration-{i}.jsonl"))).collect(),
    }
}

pub(super) fn lines(dir: &Path, file: &str) -> Vec<String> {
    std::fs::read_to_string(dir.join(file)).unwrap().lines().map(String::from).collect()
}

/// Records of one kind.
pub(super) fn records(dir: &Path, kind: &str) -> Vec<serde_json::Value> {
    let all = lines(dir, "events.jsonl").into_iter().map(|l| serde_json::from_str(&l).unwrap());
    all.filter(|v: &serde_json::Value| v["kind"] == kind).collect()
}

/// Plays the run of `config` without interruption.
pub(super) fn uninterrupted(config: SelfPlayConfig) -> Result<End, SelfPlayError> {
    let dir = tempfile::tempdir().unwrap();
    let mut run = game(config);
    let summary = run.run(dir.path())?;
    Ok(end(&run, summary, dir.path()))
}
