//! A process that dies without unwinding, at many places of a training run: the files on the disk suffice to resume.
#![allow(clippy::unwrap_used)]

use sparring_core::{Event, Message, Rollout, Seed, reward_fn};
use sparring_testkit::ToyPolicy;
use sparring_train::{Epochs, Evaluation, TrainConfig, TrainSummary, Trainer};
use std::path::Path;
use std::process::Command;

const SETTINGS: &str = "steps = 12\nlr = 0.1\nprompts_per_step = 2\ngroup_size = 4\n\
    checkpoint_every = 2\nevaluate_every = 4\nsampling = { max_tokens = 1 }\n\
    reference = { kind = \"refreshed\", every = 5 }\n\
    grpo = { kl = { coef = 0.05 }, dynamic_sampling = { max_rounds = 2 } }\n";

/// Begins or resumes the run in `dir`; the process dies at event `death`, if it gets there.
fn train(dir: &Path, death: usize) -> (TrainSummary, ToyPolicy) {
    let mut policy = ToyPolicy::new("abcd", Seed::new(1));
    let same = |task: &String, out: &Rollout| out.text == *task;
    let letters = || ["a", "b", "c", "d"].map(String::from).to_vec();
    let mut left = death;
    let mut trainer = Trainer::new(
        TrainConfig::from_toml(SETTINGS, "settings").unwrap().build().unwrap(),
        &mut policy,
        Epochs::new(letters()),
        |task: &String| vec![Message::user(task.clone())],
        reward_fn("same", move |task: &String, out: &Rollout| Some(f32::from(same(task, out)))),
        Seed::new(3),
    )
    .with_solved(same)
    .with_evaluation(Evaluation::greedy("heldout", letters()))
    .with_observer(move |_: Event<'_>| {
        if left == 0 {
            std::process::abort();
        }
        left -= 1;
    });
    let begun = dir.join("run.json").exists();
    let summary = if begun { trainer.resume(dir) } else { trainer.run(dir) }.unwrap().without_times();
    drop(trainer);
    (summary, policy)
}

/// The child: dies at the event that the parent chose. Run as a test, it does nothing.
#[test]
fn child() {
    let Ok(order) = std::env::var("SPARRING_TEST_DEATH") else { return };
    let (death, dir) = order.split_once(' ').unwrap();
    train(Path::new(dir), death.parse().unwrap());
}

#[test]
fn dying_again_and_again_it_ends_the_same() {
    let wanted = train(tempfile::tempdir().unwrap().path(), usize::MAX);
    let dir = tempfile::tempdir().unwrap();
    let mut deaths = 0;
    // A few events more each time, so that every process gets beyond the last checkpoint.
    for death in (6..).step_by(3) {
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child"])
            .env("SPARRING_TEST_DEATH", format!("{death} {}", dir.path().display()))
            .output()
            .unwrap()
            .status;
        if status.success() {
            break;
        }
        deaths += 1;
    }
    assert!(deaths >= 3, "{deaths}");
    assert_eq!(train(dir.path(), usize::MAX), wanted);
}
