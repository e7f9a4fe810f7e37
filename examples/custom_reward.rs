//! Rewards of your own: a closure, a type that sees the whole group, and a schedule that wraps any of them.
//!
//! ```sh
//! cargo run --release --example custom_reward
//! ```
//!
//! One question, five answers, a reward of three parts: every part's score at the first and the last step of a
//! training. `custom_backend.rs` and `custom_game.rs` train with rewards of their own.

use sparring::core::BoxError;
use sparring::prelude::*;
use sparring::reward::accuracy::{Accuracy, AccuracySettings};
use sparring::reward::{Schedule, Sum, Weighted};
use sparring::tools::ToolR0Tags;
use std::io::Write;

type Scores = Result<Vec<Option<f32>>, BoxError>;

/// 1. A closure judges one completion at a time. `None` is "nothing to judge here", which is not a 0.
fn brief() -> impl Reward<ToolTask> {
    reward_fn("brief", |_: &ToolTask, out: &Rollout| {
        let hundreds = out.text.len() as f32 / 100.0;
        (!out.text.is_empty()).then_some(1.0 / (1.0 + hundreds))
    })
}

/// 2. A type sees the whole group: an answer earns 1 / (number of completions that make the same calls), so
///    that a model explores before it repeats itself. Calls that cannot be read cannot be compared: `None`.
struct Rare;

impl Reward<ToolTask> for Rare {
    fn name(&self) -> &'static str {
        "rare"
    }

    fn score(&self, _: &ToolTask, group: &[Rollout], _: &RewardContext<'_>) -> Scores {
        let read = |out: &Rollout| ToolR0Tags::default().parse(&out.text).ok();
        let calls: Vec<Option<Vec<ToolCall>>> = group.iter().map(read).collect();
        let equals = |own: &Vec<ToolCall>| calls.iter().flatten().filter(|other| *other == own).count();
        Ok(calls.iter().map(|own| own.as_ref().map(|own| 1.0 / equals(own) as f32)).collect())
    }
}

/// 3. The context knows the step. This wrapper halves the weight of any reward every so many steps, which no
///    `Schedule` does; the curves that `Schedule` has (linear, step, sigmoid, cosine) need no type of yours.
struct Halving<R> {
    every: f32,
    reward: R,
}

impl<T: ?Sized, R: Reward<T>> Reward<T> for Halving<R> {
    fn name(&self) -> &str {
        self.reward.name()
    }

    fn score(&self, task: &T, group: &[Rollout], ctx: &RewardContext<'_>) -> Scores {
        let weight = 0.5_f32.powf(ctx.step as f32 / self.every);
        let scores = self.reward.score(task, group, ctx)?;
        Ok(scores.into_iter().map(|score| score.map(|score| weight * score)).collect())
    }
}

/// 4. Composed: accuracy counts more and more, rarity less and less. A sum leaves out what does not apply.
fn reward() -> Sum<ToolTask> {
    let accuracy = Accuracy::new(ToolR0Tags::default(), AccuracySettings::default());
    Sum::new("own")
        .with(Weighted::new(Schedule::Linear { from: 1.0, to: 2.0 }, accuracy))
        .with(Halving { every: 10.0, reward: Rare })
        .with(Weighted::new(0.2, brief()))
}

/// The question, and its answers: right, right again but wordy, wrong, unreadable, empty.
fn question() -> (ToolTask, Vec<Rollout>) {
    let gold = [ToolCall::new("forecast", [("city", "Oslo".into())])];
    let wrong = [ToolCall::new("forecast", [("city", "Rome".into())])];
    let [right, wrong] = [&gold, &wrong].map(|calls| ToolR0Tags::default().render(calls));
    let wordy = format!("{}{right}", "Let me think. ".repeat(10));
    let answers = [right, wordy, wrong, "No idea.".into(), String::new()].map(Rollout::from_text).to_vec();
    let question = "Will it rain in Oslo?".into();
    (ToolTask { question, tools: vec![], calls: gold.to_vec(), domain: String::new() }, answers)
}

fn main() -> Result<(), BoxError> {
    let (reward, (task, answers)) = (reward(), question());
    let mut out = std::io::stdout().lock();
    for step in [0, 49] {
        let ctx = RewardContext::at(step, 50);
        writeln!(out, "step {step:<8} right   wordy   wrong  noidea   empty")?;
        let total = (reward.name().to_owned(), reward.score(&task, &answers, &ctx)?);
        for (name, scores) in reward.components(&task, &answers, &ctx)?.into_iter().chain([total]) {
            let cell = |score: &Option<f32>| score.map_or("      -".to_owned(), |s| format!("{s:7.2}"));
            writeln!(out, "{name:<11} {}", scores.iter().map(cell).collect::<Vec<_>>().join(" "))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sparring::testkit::conformance;

    #[test]
    fn rewards_keep_the_contract_and_say_what_they_should() {
        let (task, answers) = question();
        let at = |step| reward().score(&task, &answers, &RewardContext::at(step, 50)).unwrap();
        let rare = Rare.score(&task, &answers, &RewardContext::default()).unwrap();
        assert_eq!(rare, [Some(0.5), Some(0.5), Some(1.0), None, None]);
        assert!(at(0)[2] > at(0)[1], "at first, a wrong call that is rare beats a wordy, common one");
        assert!(at(49)[1] > at(49)[2], "at last, the right call wins");
        assert_eq!(at(0)[4], Some(0.0), "empty: neither rare nor brief applies, accuracy does");
        let rewards: [&dyn Reward<ToolTask>; 3] = [&brief(), &Rare, &reward()];
        for reward in rewards {
            conformance::reward(reward, &[(task.clone(), answers.clone())]).unwrap();
        }
    }
}
