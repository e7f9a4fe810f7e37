//! A game may choose the tasks of an update, and what the Solver sees of them.

use super::*;
use crate::StepInput;
use sparring_core::Player;

/// The sums, of which each update takes the first of the pool, with the letter of the update's number behind.
struct Chosen;

impl Game for Chosen {
    type Spec = char;
    type Task = Sum;

    fn draw(&self, seed: Seed) -> char {
        Sums.draw(seed)
    }

    fn generator_prompt(&self, spec: &char) -> Prompt {
        Sums.generator_prompt(spec)
    }

    fn read(&self, spec: &char, out: &Rollout) -> Result<Sum, Rejection> {
        Sums.read(spec, out)
    }

    fn solver_prompt(&self, task: &Sum) -> Vec<Message> {
        Sums.solver_prompt(task)
    }

    fn gold_answer(&self, task: &Sum) -> Option<String> {
        Sums.gold_answer(task)
    }

    fn solved(&self, task: &Sum, out: &Rollout) -> bool {
        Sums.solved(task, out)
    }

    fn choose(&self, pool: &[&Sum], n: usize, update: u64, _: Seed) -> Option<Vec<(usize, Sum)>> {
        let letter = LETTERS.as_bytes()[update as usize % 4] as char;
        let shown = Sum { letters: format!("{}{letter}", pool[0].letters) };
        Some(vec![(0, shown); n])
    }
}

#[test]
fn updates_take_the_tasks_that_the_game_chooses() {
    let mut config = tiny_config();
    config.iterations = 1;
    config.generator.train = false;
    config.solver.imitation.steps = 2;
    let encoder = ToyPolicy::new(LETTERS, Seed::new(0));
    let dir = tempfile::tempdir().unwrap();
    let invents = reward_fn("none", |_: &char, _: &Rollout| Some(0.0));
    let solves =
        reward_fn("solved", |task: &Sum, out: &Rollout| Some(f32::from(u8::from(Chosen.solved(task, out)))));
    let mut seen: Vec<String> = Vec::new();
    let players = Players::Separate { generator: Seat::Learns(toy(1)), solver: toy(2) };
    SelfPlay::new(
        config.build().unwrap(),
        &Chosen,
        Box::new(invents),
        Box::new(solves),
        players,
        Seed::new(7),
    )
    .with_encoder(&encoder)
    .with_recorder(|step, _| {
        assert_eq!(step.player(), Player::Solver);
        if let StepInput::Tasks(tasks) = &step.input {
            assert!(tasks.len() == 8 && tasks.iter().all(|task| task.task == tasks[0].task));
            seen.push(tasks[0].task.letters.clone());
        }
        Ok(())
    })
    .run(dir.path())
    .unwrap();
    let first: serde_json::Value =
        serde_json::from_str(&lines(dir.path(), "tasks/iteration-1.jsonl")[0]).unwrap();
    let first = first["task"]["letters"].as_str().unwrap();
    // Updates 0 and 1 were supervised.
    assert_eq!(seen, ["c", "d", "a"].map(|letter| format!("{first}{letter}")));
}
