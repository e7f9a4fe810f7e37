//! Proposals that the Generator would hardly write without its hook are left out of the pool.

use super::*;
use crate::PoolTask;
use sparring_core::{Encoder, TokenBatch, TokenGroup};
use std::collections::BTreeMap;

/// One pool, of an untrained Generator.
fn pool(change: impl FnOnce(&mut crate::PoolConfig)) -> (Vec<PoolTask<Sum>>, serde_json::Value) {
    pool_of(Seat::Learns(toy(1)), change)
}

fn pool_of(
    generator: Seat,
    change: impl FnOnce(&mut crate::PoolConfig),
) -> (Vec<PoolTask<Sum>>, serde_json::Value) {
    let mut config = tiny_config();
    config.iterations = 1;
    config.generator.first_iteration = 2;
    config.pool.per_spec = 10;
    config.pool.size = 60;
    config.pool.derived_share = 0.0;
    change(&mut config.pool);
    let dir = tempfile::tempdir().unwrap();
    let encoder = ToyPolicy::new(LETTERS, Seed::new(1));
    let players = Players::Separate { generator, solver: toy(2) };
    let invents = reward_fn("none", |_: &char, _: &Rollout| Some(0.0));
    assemble(config, players, Box::new(invents), 7).with_encoder(&encoder).run(dir.path()).unwrap();
    let rows = lines(dir.path(), "tasks/iteration-1.jsonl");
    let tasks = rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect();
    (tasks, records(dir.path(), "pool").remove(0))
}

/// The log-probability of a task's letters after this prompt.
fn logp(policy: &ToyPolicy, prompt: &str, letters: &str) -> f32 {
    let prompt = policy.prompt(&vec![Message::user(prompt)].into()).unwrap();
    let text = policy.encode(letters);
    let group = [TokenGroup::new(&prompt, vec![&text])];
    sparring_core::Scorer::score(policy, TokenBatch::new(&group, 1.0)).unwrap().iter().sum()
}

#[test]
fn the_likeliest_of_each_specification_stay() {
    let (all, _) = pool(|_| {});
    let (kept, record) = pool(|pool| pool.likeliest = Some(1));
    let policy = ToyPolicy::new(LETTERS, Seed::new(1));
    let likelihood =
        |task: &PoolTask<Sum>| logp(&policy, &format!("write {}", &task.stratum), &task.task.letters);
    let mut best: BTreeMap<usize, (f32, String)> = BTreeMap::new();
    for task in &all {
        let entry = best.entry(task.candidate / 10).or_insert((f32::NEG_INFINITY, String::new()));
        if likelihood(task) > entry.0 {
            *entry = (likelihood(task), task.task.letters.clone());
        }
    }
    let mut wanted: Vec<String> = best.into_values().map(|(_, letters)| letters).collect();
    let mut found: Vec<String> = kept.iter().map(|task| task.task.letters.clone()).collect();
    wanted.sort();
    found.sort();
    assert!(all.len() > kept.len() && found == wanted, "{found:?} {wanted:?}");
    assert_eq!(record["rejected"]["less_likely"], all.len() - kept.len());
}

#[test]
fn what_is_unlikely_or_misses_the_point_goes() {
    let (all, _) = pool(|_| {});
    let policy = ToyPolicy::new(LETTERS, Seed::new(1));
    // The toy ends a completion by its end token, which does not count.
    let mean =
        |task: &PoolTask<Sum>| logp(&policy, &format!("write {}", task.stratum), &task.task.letters) / 2.0;
    let relevance = |task: &PoolTask<Sum>| 2.0 * mean(task) - logp(&policy, "write", &task.task.letters);
    let middle = |mut values: Vec<f32>| {
        values.sort_by(f32::total_cmp);
        f32::midpoint(values[values.len() / 2 - 1], values[values.len() / 2])
    };
    let names = |tasks: &[PoolTask<Sum>]| {
        let mut names: Vec<String> = tasks.iter().map(|task| task.task.letters.clone()).collect();
        names.sort();
        names
    };
    let least = middle(all.iter().map(mean).collect());
    let (likely, record) = pool(|pool| pool.min_likelihood = Some(least));
    let wanted: Vec<PoolTask<Sum>> = all.iter().filter(|task| mean(task) >= least).cloned().collect();
    assert_eq!(names(&likely), names(&wanted));
    assert_eq!(record["rejected"]["unlikely"], all.len() - likely.len());
    let least = middle(all.iter().map(relevance).collect());
    let (relevant, record) = pool(|pool| pool.min_relevance = Some(least));
    let wanted: Vec<PoolTask<Sum>> = all.iter().filter(|task| relevance(task) >= least).cloned().collect();
    assert_eq!(names(&relevant), names(&wanted));
    assert_eq!(record["rejected"]["irrelevant"], all.len() - relevant.len());
}

#[test]
fn a_frozen_generator_that_scores_can_be_asked() {
    let frozen = Seat::FrozenScorer(Box::new(ToyPolicy::new(LETTERS, Seed::new(1))));
    let change = |pool: &mut crate::PoolConfig| pool.likeliest = Some(1);
    assert_eq!(pool_of(frozen, change).0, pool(change).0);
}

#[test]
fn a_generator_that_only_samples_cannot_be_asked() {
    let mut config = tiny_config();
    config.generator.train = false;
    config.pool.likeliest = Some(1);
    let players = Players::Separate { generator: Seat::Frozen(Box::new(toy(1))), solver: toy(2) };
    let dir = tempfile::tempdir().unwrap();
    let invents = reward_fn("none", |_: &char, _: &Rollout| Some(0.0));
    let error = assemble(config, players, Box::new(invents), 1).run(dir.path()).unwrap_err();
    assert!(one_line(&error).contains("Seat::FrozenScorer"), "{}", one_line(&error));
}
