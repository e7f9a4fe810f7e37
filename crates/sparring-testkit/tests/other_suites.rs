//! The reward, advantage and game suites: each check catches a bug that is planted for it.
#![allow(missing_docs)]
use serde::{Deserialize, Serialize};
use sparring_core::{
    BoxError, Component, Game, Message, Rejection, Reward, RewardContext, Rollout, Seed, advantage_fn,
    reward_fn,
};
use sparring_testkit::conformance::{self, Options};
use std::sync::atomic::{AtomicU32, Ordering};

fn cases() -> Vec<(u32, Vec<Rollout>)> {
    vec![(1, vec![Rollout::from_text("1"), Rollout::from_text("")]), (2, vec![Rollout::from_text("3")])]
}

#[test]
fn reward_suite() {
    let right = |task: &u32, rollout: &Rollout| Some(f32::from(u8::from(rollout.text == task.to_string())));
    let check = |reward: &dyn Reward<u32>| conformance::reward(reward, &cases(), &Options::default());
    check(&reward_fn("right", right)).unwrap();

    let nameless = reward_fn("", right);
    assert_eq!(check(&nameless).unwrap_err().check, "reward/name");
    let infinite = reward_fn("nan", |_: &u32, rollout: &Rollout| Some(0.0 / rollout.text.len() as f32));
    assert_eq!(check(&infinite).unwrap_err().check, "reward/score");
    let calls = AtomicU32::new(0);
    let counts =
        reward_fn("counts", move |_: &u32, _: &Rollout| Some(calls.fetch_add(1, Ordering::Relaxed) as f32));
    assert_eq!(check(&counts).unwrap_err().check, "reward/repeatable");
    assert_eq!(check(&Broken { components: true }).unwrap_err().check, "reward/components");
    assert_eq!(check(&Broken { components: false }).unwrap_err().check, "reward/score");
}

/// Says too little: a component of no entries, or one entry for any group.
struct Broken {
    components: bool,
}

impl Reward<u32> for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn score(&self, _: &u32, group: &[Rollout], _: &RewardContext<'_>) -> Result<Vec<Option<f32>>, BoxError> {
        Ok(vec![None; if self.components { group.len() } else { 1 }])
    }

    fn components(&self, _: &u32, _: &[Rollout], _: &RewardContext<'_>) -> Result<Vec<Component>, BoxError> {
        Ok(vec![("part".to_owned(), Vec::new())])
    }
}

#[test]
fn advantage_suite() {
    let centre = |rewards: &[f32], out: &mut [f32]| {
        let equal = rewards.windows(2).all(|w| w[0].to_bits() == w[1].to_bits());
        let mean = rewards.iter().sum::<f32>() / rewards.len() as f32;
        for (out, r) in out.iter_mut().zip(rewards) {
            *out = if equal { 0.0 } else { r - mean };
        }
    };
    let check = |advantage: &dyn sparring_core::Advantage| {
        conformance::advantage(advantage, &Options::default()).map_err(|failure| failure.check)
    };
    assert_eq!(check(&advantage_fn(centre)), Ok(()));
    let unwritten = advantage_fn(|_: &[f32], _: &mut [f32]| {});
    assert_eq!(check(&unwritten), Err("advantage/finite"));
    let raw = advantage_fn(|rewards: &[f32], out: &mut [f32]| out.copy_from_slice(rewards));
    assert_eq!(check(&raw), Err("advantage/no signal"));
    let calls = AtomicU32::new(0);
    let counts = advantage_fn(move |_: &[f32], out: &mut [f32]| {
        out.fill(calls.fetch_add(1, Ordering::Relaxed) as f32);
    });
    assert_eq!(check(&counts), Err("advantage/repeatable"));
}

/// Sums of two digits: the Generator writes `a+b`, the Solver the sum.
#[derive(Default)]
struct Sums {
    bug: &'static str,
    calls: AtomicU32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Sum {
    a: u32,
    b: u32,
    /// Lost on disk.
    #[serde(skip)]
    hidden: u32,
}

impl Sums {
    /// Another number at every call, if this is the bug.
    fn noise(&self, bug: &str) -> u32 {
        if self.bug == bug { self.calls.fetch_add(1, Ordering::Relaxed) } else { 0 }
    }
}

impl Game for Sums {
    type Spec = u32;
    type Task = Sum;

    fn draw(&self, seed: Seed) -> u32 {
        (seed.value() % 5) as u32 + self.noise("draw")
    }

    fn ask(&self, spec: &u32) -> Vec<Message> {
        let text = if self.bug == "ask" { String::new() } else { format!("a sum with {spec}") };
        vec![Message::user(text)]
    }

    fn read(&self, _: &u32, out: &Rollout) -> Result<Sum, Rejection> {
        let rejection = Rejection::new(if self.bug == "rule" { "" } else { "form" }, "not a+b");
        let (a, b) = out.text.split_once('+').ok_or_else(|| rejection.clone())?;
        let number = |s: &str| s.parse::<u32>().map_err(|_| rejection.clone());
        Ok(Sum { a: number(a)? + self.noise("read"), b: number(b)?, hidden: 7 })
    }

    fn pose(&self, task: &Sum) -> Vec<Message> {
        let hidden = if self.bug == "pose" { task.hidden } else { 0 };
        vec![Message::user(format!("{}+{}{}", task.a, task.b, " ".repeat(hidden as usize)))]
    }

    fn solved(&self, task: &Sum, out: &Rollout) -> bool {
        let hidden = if self.bug == "solved" { task.hidden } else { 0 };
        out.text == (task.a + task.b + hidden).to_string()
    }

    fn answer(&self, _: &Sum, out: &Rollout) -> Option<String> {
        (self.bug != "answer").then(|| out.text.clone())
    }

    fn stratum(&self, task: &Sum) -> String {
        if self.bug == "stratum" { task.hidden.to_string() } else { String::new() }
    }

    fn derive(&self, task: &Sum, _: Seed) -> Vec<Sum> {
        vec![Sum { a: task.b + self.noise("derive"), b: task.a, hidden: 7 }]
    }
}

#[test]
fn game_suite() {
    let check = |bug: &'static str, proposal: &str| {
        let game = Sums { bug, ..Sums::default() };
        conformance::game(
            &game,
            |spec| vec![Rollout::from_text(format!("{spec}{proposal}"))],
            |task| vec![Rollout::from_text((task.a + task.b).to_string()), Rollout::from_text("0")],
            &Options::default(),
        )
        .map_err(|failure| failure.check)
    };
    assert_eq!(check("", "+1"), Ok(()));
    assert_eq!(check("", "-1"), Err("game/read"), "nothing accepted");
    for (bug, expected) in [
        ("draw", "game/draw"),
        ("ask", "game/ask"),
        ("read", "game/read"),
        ("rule", "game/read"),
        ("pose", "game/pose"),
        ("solved", "game/solved"),
        ("answer", "game/answer"),
        ("stratum", "game/signature"),
        ("derive", "game/derive"),
    ] {
        assert_eq!(check(bug, "+1"), Err(expected), "{bug}");
    }
}
