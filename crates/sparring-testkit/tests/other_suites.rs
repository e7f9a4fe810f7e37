//! The reward, advantage and game suites: each check catches a bug planted for it.
#![allow(missing_docs)]
use serde::{Deserialize, Serialize};
use sparring_core::{
    AllowTokens, BoxError, Component, Game, HookState, LogitHook, Message, OneOf, PolicyError, Prompt,
    Rejection, Reward, RewardContext, Rollout, Seed, TokenMask, advantage_fn, reward_fn,
};
use sparring_testkit::conformance::{self, Options};
use std::sync::atomic::{AtomicU32, Ordering};

fn cases() -> Vec<(u32, Vec<Rollout>)> {
    vec![(1, vec![Rollout::from_text("1"), Rollout::from_text("")]), (2, vec![Rollout::from_text("3")])]
}

#[test]
fn reward_suite() {
    let right = |task: &u32, rollout: &Rollout| Some(f32::from(u8::from(rollout.text == task.to_string())));
    let check = |reward: &dyn Reward<u32>| conformance::reward(reward, &cases());
    check(&reward_fn("right", right)).unwrap();

    let nameless = reward_fn("", right);
    assert_eq!(check(&nameless).unwrap_err().check, "reward/name");
    let infinite = reward_fn("nan", |_: &u32, rollout: &Rollout| Some(0.0 / rollout.text.len() as f32));
    assert_eq!(check(&infinite).unwrap_err().check, "reward/score");
    let calls = AtomicU32::new(0);
    let counts =
        reward_fn("counts", move |_: &u32, _: &Rollout| Some(calls.fetch_add(1, Ordering::Relaxed) as f32));
    assert_eq!(check(&counts).unwrap_err().check, "reward/repeatable");
    for (bug, caught) in [
        ("score/count", "reward/score"),
        ("components/count", "reward/components"),
        ("components/finite", "reward/components"),
        ("components/name", "reward/components"),
        ("components/repeatable", "reward/components"),
        ("components/missing", "reward/sum"),
        ("components/extra", "reward/sum"),
        ("components/none", "reward/sum"),
    ] {
        assert_eq!(check(&TwoParts { bug, calls: AtomicU32::new(0) }).unwrap_err().check, caught, "{bug}");
    }
    check(&TwoParts { bug: "", calls: AtomicU32::new(0) }).unwrap();
    // Bugs that the default context does not reveal.
    for (bug, place) in [
        ("sum/later", "last step"),
        ("sum/rate", "with solve rates"),
        ("sum/unprobed", "with solve rates, some `None`"),
        ("sum/batch", "with a batch"),
        ("sum/rates and batch", "with solve rates and a batch"),
    ] {
        let failure = check(&TwoParts { bug, calls: AtomicU32::new(0) }).unwrap_err();
        assert_eq!(failure.check, "reward/sum", "{bug}");
        assert!(failure.detail.starts_with(&format!("case 0, {place}, completion")), "{bug}: {failure}");
    }
}

/// Whether the bug has an effect in this context.
fn shows(bug: &str, group: &[Rollout], context: &RewardContext<'_>) -> bool {
    let rates = context.solve_rates;
    let this = context.batch.iter().any(|other| other == group);
    match bug {
        "sum/later" => context.step > 0 && rates.is_empty() && context.batch.is_empty(),
        "sum/rate" => rates.contains(&Some(0.5)),
        "sum/unprobed" => rates.contains(&None),
        "sum/batch" => this,
        "sum/rates and batch" => !rates.is_empty() && this,
        _ => false,
    }
}

/// 0.3 for everything, and the length of text that is not empty, except for the bug.
struct TwoParts {
    bug: &'static str,
    calls: AtomicU32,
}

impl Reward<u32> for TwoParts {
    fn name(&self) -> &'static str {
        "two parts"
    }

    fn score(&self, _: &u32, group: &[Rollout], _: &RewardContext<'_>) -> Result<Vec<Option<f32>>, BoxError> {
        if self.bug == "score/count" {
            return Ok(vec![None]);
        }
        Ok(group.iter().map(|rollout| Some(0.3 + rollout.text.len() as f32)).collect())
    }

    fn components(
        &self,
        _: &u32,
        group: &[Rollout],
        context: &RewardContext<'_>,
    ) -> Result<Vec<Component>, BoxError> {
        let size = |rollout: &Rollout| (!rollout.text.is_empty()).then_some(rollout.text.len() as f32);
        let mut parts = vec![
            ("constant".to_owned(), vec![Some(0.3); group.len()]),
            ("length".to_owned(), group.iter().map(size).collect()),
        ];
        match self.bug {
            "components/count" => parts[1].1.push(None),
            "components/finite" => parts[1].1.fill(Some(f32::NAN)),
            "components/name" => parts[1].0.clear(),
            "components/repeatable" => parts[0].0 += &self.calls.fetch_add(1, Ordering::Relaxed).to_string(),
            "components/missing" => drop(parts.pop()),
            "components/extra" => parts.push(("extra".to_owned(), vec![Some(0.01); group.len()])),
            "components/none" => parts.clear(),
            bug if shows(bug, group, context) => parts.truncate(1),
            _ => {}
        }
        Ok(parts)
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
    /// Lost when serialised.
    #[serde(skip)]
    hidden: u32,
}

impl Sums {
    /// A different number at every call, for this bug.
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

    fn generator_prompt(&self, spec: &u32) -> Prompt {
        let text = if self.bug == "ask" { String::new() } else { format!("a sum with {spec}") };
        vec![Message::user(text)].into()
    }

    fn read(&self, _: &u32, out: &Rollout) -> Result<Sum, Rejection> {
        let rejection = Rejection::new(if self.bug == "rule" { "" } else { "form" }, "not a+b");
        let (a, b) = out.text.split_once('+').ok_or_else(|| rejection.clone())?;
        let number = |s: &str| s.parse::<u32>().map_err(|_| rejection.clone());
        Ok(Sum { a: number(a)? + self.noise("read"), b: number(b)?, hidden: 7 })
    }

    fn solver_prompt(&self, task: &Sum) -> Vec<Message> {
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

    fn contrast_prompt(&self, spec: &u32) -> Option<Prompt> {
        match self.bug {
            "contrast" => Some(self.generator_prompt(spec)),
            _ => Some(vec![Message::user("a sum")].into()),
        }
    }

    fn gold_answer(&self, task: &Sum) -> Option<String> {
        Some((task.a + task.b + u32::from(self.bug == "gold")).to_string())
    }

    fn choose(&self, pool: &[&Sum], n: usize, update: u64, _: Seed) -> Option<Vec<(usize, Sum)>> {
        let first = update as usize + self.noise("choose") as usize;
        let n = if self.bug == "fewer" { n - 1 } else { n };
        Some((first..first + n).map(|i| i % pool.len()).map(|i| (i, pool[i].clone())).collect())
    }

    fn stratum(&self, task: &Sum) -> String {
        if self.bug == "stratum" { task.hidden.to_string() } else { String::new() }
    }

    fn derive(&self, task: &Sum, _: Option<&Sum>, _: Seed) -> Vec<Sum> {
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
        ("ask", "game/generator prompt"),
        ("read", "game/read"),
        ("rule", "game/read"),
        ("pose", "game/solver prompt"),
        ("solved", "game/solved"),
        ("answer", "game/answer"),
        ("stratum", "game/signature"),
        ("derive", "game/derive"),
        ("contrast", "game/contrast prompt"),
        ("gold", "game/gold answer"),
        ("choose", "game/choose"),
        ("fewer", "game/choose"),
    ] {
        assert_eq!(check(bug, "+1"), Err(expected), "{bug}");
    }
}

/// Never the token before, and a bug.
struct NotAgain {
    bug: &'static str,
    calls: AtomicU32,
}

struct After<'a>(&'a NotAgain, u32);

impl LogitHook for NotAgain {
    fn start<'a>(&'a self, prompt: &'a [u32]) -> Box<dyn HookState + 'a> {
        Box::new(After(self, prompt[0]))
    }
}

impl HookState for After<'_> {
    fn apply(&mut self, logits: &mut [f32]) -> Result<(), PolicyError> {
        match self.0.bug {
            "biases" => logits[0] += 1.0,
            "random" => logits[1] = self.0.calls.fetch_add(1, Ordering::Relaxed) as f32,
            "fails" => return Err(PolicyError::invalid("no")),
            _ => {}
        }
        logits[self.1 as usize] = f32::NEG_INFINITY;
        Ok(())
    }

    fn accept(&mut self, token: u32) -> Result<(), PolicyError> {
        self.1 = token;
        Ok(())
    }

    fn mask(&mut self, vocab_size: usize) -> Result<Option<TokenMask>, PolicyError> {
        let tokens = || (0..vocab_size as u32).filter(|token| *token != self.1);
        match self.0.bug {
            "none" | "random" => return Ok(None),
            "all" => return Ok(Some(TokenMask::All)),
            "words" => return Ok(Some(TokenMask::Some([tokens().map(|token| 1 << token).sum()].into()))),
            _ => {}
        }
        Ok(Some(TokenMask::from_tokens(tokens(), vocab_size)))
    }
}

#[test]
fn hook_suite() {
    let check = |bug: &'static str, vocab_size: usize| {
        let hook = NotAgain { bug, calls: AtomicU32::new(0) };
        conformance::hook(&hook, &[1], vocab_size, &Options::default()).map_err(|failure| failure.check)
    };
    for vocab_size in [2, 5, 70] {
        assert_eq!(check("", vocab_size), Ok(()));
        assert_eq!(check("none", vocab_size), Ok(()));
    }
    assert_eq!(check("all", 5), Err("hook/mask"));
    assert_eq!(check("biases", 5), Err("hook/mask"));
    assert_eq!(check("words", 2), Err("hook/mask variant"));
    assert_eq!(check("random", 5), Err("hook/repeatable"));
    assert_eq!(check("fails", 5), Err("hook/apply"));
    let options = Options::default();
    conformance::hook(&AllowTokens::new([3, 1]), &[1], 5, &options).unwrap();
    conformance::hook(&OneOf::new([vec![1, 2], vec![3], vec![4, 69, 7]]), &[1], 70, &options).unwrap();
}
