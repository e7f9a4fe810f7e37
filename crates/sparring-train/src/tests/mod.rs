//! Training runs of a toy, and what their tests share.

mod options;
mod resume;
mod run;

use crate::store::disk::fault;
use crate::{
    Epochs, Evaluation, ReferenceKind, StopFlag, TrainConfig, TrainError, TrainSummary, Trainer, Watch,
};
use sparring_core::{Message, Rollout, SamplingParams, Seed, reward_fn};
use sparring_grpo::DynamicSampling;
use sparring_testkit::ToyPolicy;
use std::cell::RefCell;
use std::path::Path;

const LETTERS: [&str; 4] = ["a", "b", "c", "d"];

thread_local! {
    /// After so many prompts of this thread, this flag asks to stop.
    static STOP: RefCell<Option<(usize, StopFlag)>> = const { RefCell::new(None) };
}

fn toy() -> ToyPolicy {
    ToyPolicy::new("abcd", Seed::new(1))
}

fn letters() -> Vec<String> {
    LETTERS.map(String::from).to_vec()
}

#[expect(clippy::ptr_arg, reason = "a prompt of `String` tasks")]
fn prompt(task: &String) -> Vec<Message> {
    STOP.with_borrow_mut(|stop| {
        if let Some((left, flag)) = stop {
            *left = left.saturating_sub(1);
            if *left == 0 {
                flag.request();
            }
        }
    });
    vec![Message::user(task.clone())]
}

fn repeated(task: &String, out: &Rollout) -> bool {
    out.text == *task
}

/// The policy is asked for a letter and is to repeat it.
fn config() -> TrainConfig {
    TrainConfig::default()
        .with_prompts_per_step(3)
        .with_group_size(6)
        .with_steps(12)
        .with_lr(0.1)
        .with_sampling(SamplingParams::default().with_max_tokens(1))
        .with_checkpoint_every(4)
        .with_evaluate_every(5)
}

/// The same with dynamic sampling in at most so many rounds; without, for 0.
fn dynamic(mut config: TrainConfig, rounds: usize) -> TrainConfig {
    config.grpo.dynamic_sampling = (rounds > 0).then_some(DynamicSampling::new(rounds));
    config
}

/// The same with everything that has a state of its own: a reference that moves, baselines, dynamic sampling.
fn stateful() -> TrainConfig {
    let mut config = dynamic(config().with_reference(ReferenceKind::Refreshed { every: 3 }), 3);
    config.grpo.kl.coef = 0.05;
    config.grpo.advantage = sparring_grpo::AdvantageKind::KeyedMovingAverage;
    config
}

fn trainer(config: TrainConfig, policy: &mut ToyPolicy, seed: u64) -> Trainer<'_, String> {
    fault::never_wait();
    let reward = reward_fn("repeats", |task: &String, out: &Rollout| Some(f32::from(repeated(task, out))));
    let source = Epochs::new(letters());
    Trainer::new(config.build().unwrap(), policy, source, prompt, reward, Seed::new(seed))
        .with_solved(repeated)
        .with_key(Clone::clone)
        .with_evaluation(Evaluation::greedy("heldout", letters()))
        .with_evaluation(Evaluation::sampled("tried", letters(), 1.0, 4))
        .with_recorder(|step, journal| {
            journal.record("my_tasks", &serde_json::json!({ "tasks": step.tasks }))
        })
}

/// What a run ends with: all that may not depend on interruptions.
#[derive(Debug, PartialEq)]
struct End {
    policy: ToyPolicy,
    summary: TrainSummary,
    events: Vec<String>,
}

/// Begins or resumes the run in `dir`, whichever it needs, as a new process would.
fn go_on(config: &TrainConfig, dir: &Path) -> Result<End, TrainError> {
    let mut policy = toy();
    let mut watch = Watch::default();
    if let Some(flag) = STOP.with_borrow(|stop| stop.as_ref().map(|(_, flag)| flag.clone())) {
        watch.stop = flag;
    }
    let mut trainer = trainer(config.clone(), &mut policy, 7).with_watch(watch);
    let begun = dir.join("run.json").exists();
    let summary = if begun { trainer.resume(dir) } else { trainer.run(dir) }?.without_times();
    drop(trainer);
    let text = std::fs::read_to_string(dir.join("events.jsonl")).unwrap();
    let events =
        text.lines().filter(|line| !line.contains(r#""kind":"resumed""#)).map(String::from).collect();
    Ok(End { policy, summary, events })
}

fn uninterrupted(config: &TrainConfig) -> End {
    go_on(config, tempfile::tempdir().unwrap().path()).unwrap()
}

/// Records of one kind.
fn records(dir: &Path, kind: &str) -> Vec<serde_json::Value> {
    crate::report::Records::read(dir).unwrap().of(kind).cloned().collect()
}
