//! A process that dies without unwinding, at many places of a run: the files on the disk suffice to resume.
#![allow(clippy::unwrap_used)]

use sparring_core::{Event, Game, Message, Prompt, Rejection, Rollout, Seed, reward_fn};
use sparring_selfplay::{Players, Seat, SelfPlay, SelfPlayConfig, Summary};
use sparring_testkit::ToyPolicy;
use sparring_train::Evaluation;
use std::path::Path;
use std::process::Command;

/// The Generator is asked for a letter, the Solver repeats it.
struct Echo;

impl Game for Echo {
    type Spec = ();
    type Task = String;

    fn draw(&self, _: Seed) {}

    fn generator_prompt(&self, (): &()) -> Prompt {
        vec![Message::user("a letter, please")].into()
    }

    fn read(&self, (): &(), out: &Rollout) -> Result<String, Rejection> {
        if out.text.len() == 1 { Ok(out.text.clone()) } else { Err(Rejection::new("length", "no letter")) }
    }

    fn solver_prompt(&self, task: &String) -> Vec<Message> {
        vec![Message::user(task.clone())]
    }

    fn solved(&self, task: &String, out: &Rollout) -> bool {
        out.text == *task
    }
}

const SETTINGS: &str = "iterations = 2\ncheckpoint_every = 2\n\
    generator = { steps = 4, lr = 0.05, max_tokens = 1 }\n\
    solver = { steps = 6, lr = 0.05, max_tokens = 1, grpo = { kl = { coef = 0.01 } } }\n\
    pool = { candidates = 20, min_agreement = 0.0, keep = { min_rate = 0.0 }, dedup_earlier = false }\n";

/// Begins or resumes the run in `dir`; the process dies at event `death`, if it gets there.
fn play(dir: &Path, death: usize) -> Summary {
    let toy = |seed| Box::new(ToyPolicy::new("abcd", Seed::new(seed)));
    let mut left = death;
    let observer = move |_: Event<'_>| {
        if left == 0 {
            std::process::abort();
        }
        left -= 1;
    };
    let mut run = SelfPlay::new(
        SelfPlayConfig::from_toml(SETTINGS, "settings").unwrap().build().unwrap(),
        &Echo,
        Box::new(reward_fn("letter", |(): &(), out: &Rollout| Some(out.text.len() as f32))),
        Box::new(reward_fn("same", |task: &String, out: &Rollout| {
            Some(f32::from(u8::from(out.text == *task)))
        })),
        Players::Separate { generator: Seat::Learns(toy(1)), solver: toy(2) },
        Seed::new(3),
    )
    .with_evaluation(Evaluation::greedy("heldout", ["a", "b", "c", "d"].map(String::from).to_vec()))
    .with_observer(observer);
    let begun = dir.join("run.json").exists();
    if begun { run.resume(dir) } else { run.run(dir) }.unwrap().without_times()
}

/// The child: dies at the event that the parent chose. Run as a test, it does nothing.
#[test]
fn child() {
    let Ok(order) = std::env::var("SPARRING_TEST_DEATH") else { return };
    let (death, dir) = order.split_once(' ').unwrap();
    play(Path::new(dir), death.parse().unwrap());
}

#[test]
fn dying_again_and_again_it_ends_the_same() {
    let whole = tempfile::tempdir().unwrap();
    let wanted = play(whole.path(), usize::MAX);
    let dir = tempfile::tempdir().unwrap();
    let mut deaths = 0;
    // A few events more each time, so that every session gets beyond the last checkpoint.
    for death in (7..).step_by(4) {
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
    assert!(deaths >= 4, "{deaths}");
    assert_eq!(play(dir.path(), usize::MAX), wanted);
    let newest = |dir: &Path| {
        let mut all: Vec<_> =
            std::fs::read_dir(dir.join("checkpoints")).unwrap().map(|e| e.unwrap().path()).collect();
        all.sort();
        let file =
            |player: &str| std::fs::read(all[all.len() - 1].join(player).join("next-token.bin")).unwrap();
        (file("generator"), file("solver"))
    };
    assert!(newest(dir.path()) == newest(whole.path()), "the same weights, bit for bit");
}
