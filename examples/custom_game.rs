//! A game that is not tool calling: one model invents words to sort, another one sorts them, both learn.
//!
//! ```sh
//! cargo run --release --example custom_game
//! ```
//!
//! A game is five methods; the loop (probe, pool, curriculum, checkpoints, report) comes with it. The players
//! are toys that learn each prompt by heart. Put real models into `Players`, and nothing else changes.

use sparring::core::{BoxError, Prompt, Rejection};
use sparring::prelude::*;
use sparring::reward::{Sum, solve_rate::SolveRate};
use sparring::selfplay::{GeneratorSummary, Players, Seat, SelfPlay, SelfPlayConfig, Summary, write_report};
use sparring::testkit::ToyPolicy;
use sparring::train::Evaluation;
use std::{io::Write, path::Path};

struct Sorting;

impl Game for Sorting {
    type Spec = usize; // What the Generator is asked for: how many letters.
    type Task = String; // What the Solver gets: a word whose letters are not in order.

    fn draw(&self, seed: Seed) -> usize {
        2 + (seed.value() % 2) as usize
    }

    fn generator_prompt(&self, letters: &usize) -> Prompt {
        vec![Message::user(format!("Write {letters} letters that are not in order."))].into()
    }

    /// A proposal that breaks a rule is no error: it is rejected by the rule's name, and the report counts it.
    fn read(&self, letters: &usize, out: &Rollout) -> Result<String, Rejection> {
        if out.text.chars().count() != *letters || !out.text.bytes().all(|c| c.is_ascii_lowercase()) {
            return Err(Rejection::new("letters", format!("expected {letters} lowercase letters")));
        }
        if out.text == sorted(&out.text) {
            return Err(Rejection::new("in_order", "there is nothing to sort"));
        }
        Ok(out.text.clone())
    }

    fn solver_prompt(&self, word: &String) -> Vec<Message> {
        vec![Message::user(format!("Sort {word}"))]
    }

    /// The verifier: right or not. What is nearly right is for the reward to say, never for the verifier.
    fn solved(&self, word: &String, out: &Rollout) -> bool {
        out.text == sorted(word)
    }
}

fn sorted(word: &str) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    letters.sort_unstable();
    letters.into_iter().collect()
}

fn paid(good: bool) -> f32 {
    f32::from(u8::from(good))
}

/// Paid for what can be read, and for what the Solver can solve sometimes, but not always: p(1 − p).
fn invents() -> Sum<usize> {
    let readable = |letters: &usize, out: &Rollout| Some(paid(Sorting.read(letters, out).is_ok()));
    Sum::new("invents").with(reward_fn("readable", readable)).with(SolveRate::shaped(|p| 4.0 * p * (1.0 - p)))
}

/// Paid for each letter in its place, and once more for a solution.
fn sorts() -> impl Reward<String> {
    reward_fn("sorts", |word: &String, out: &Rollout| {
        let places = sorted(word).chars().zip(out.text.chars()).filter(|(a, b)| a == b).count();
        Some(places as f32 / word.len() as f32 + paid(Sorting.solved(word, out)))
    })
}

const SETTINGS: &str = "
    iterations = 2
    generator = { steps = 30, group_size = 8, lr = 0.03, max_tokens = 4, grpo.entropy_coef = 0.3 }
    solver = { steps = 150, group_size = 8, lr = 0.05, max_tokens = 4, grpo.entropy_coef = 0.1 }
    pool = { candidates = 200, temperature = 1.0, min_agreement = 0.0, keep.min_rate = 0.0, dedup_earlier = false }
";

fn play(dir: &Path) -> Result<Summary, BoxError> {
    let toy = |seed| Box::new(ToyPolicy::new("abc", Seed::new(seed)));
    let players = Players::Separate { generator: Seat::Learns(toy(1)), solver: toy(2) };
    let plan = SelfPlayConfig::from_toml(SETTINGS, "SETTINGS")?.build()?;
    let words = ["ba", "ca", "cb", "aba", "aca", "acb", "bac", "bca", "cab", "cba"].map(String::from);
    let run = SelfPlay::new(plan, &Sorting, Box::new(invents()), Box::new(sorts()), players, Seed::new(3));
    Ok(run.with_evaluation(Evaluation::greedy("words", words.to_vec())).run(dir)?)
}

fn main() -> Result<(), BoxError> {
    let (dir, mut out) = (tempfile::tempdir()?, std::io::stdout().lock());
    let summary = play(dir.path())?;
    write_report(dir.path())?; // report.html, beside tasks/, events.jsonl and checkpoints/
    for (when, scores) in [("before", &summary.base), ("after", &summary.last)] {
        writeln!(out, "{when}: share of the words that the Solver sorts: {}", scores["words_accuracy"])?;
    }
    let GeneratorSummary { valid_rate_first: first, valid_rate_last: last, .. } = summary.generator;
    writeln!(out, "share of the Generator's words that obey the rules: {first:.2?}, then {last:.2?}")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sparring::testkit::conformance::{self, Options};

    #[test]
    fn the_game_keeps_the_contract_and_both_learn() {
        let say = |texts: [&str; 3]| texts.map(Rollout::from_text).to_vec();
        let (propose, solve) = (["ba", "cab", "abc"], ["ab", "abc", "?"]);
        conformance::game(&Sorting, |_| say(propose), |_| say(solve), &Options::default()).unwrap();
        let summary = play(tempfile::tempdir().unwrap().path()).unwrap();
        assert!(summary.base["words_accuracy"].as_f64() < Some(0.2), "{:?}", summary.base);
        assert!(summary.last["words_accuracy"].as_f64() > Some(0.7), "{:?}", summary.last);
        assert!(summary.generator.valid_rate_last > summary.generator.valid_rate_first);
    }
}
