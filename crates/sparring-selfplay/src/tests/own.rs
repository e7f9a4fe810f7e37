//! Tasks and records of one's own.

use super::resume::{continue_run, killed_at_writes};
use super::*;
use crate::{Origin, PoolTask, Report, StepInput};
use sparring_core::{BoxError, Player, TaskSource, task_source_fn};
use sparring_train::Epochs;

fn own(letters: &[&str]) -> Epochs<Sum> {
    Epochs::new(letters.iter().map(|letters| Sum { letters: (*letters).to_owned() }).collect())
}

fn with_tasks(share: f32, source: impl TaskSource<Sum> + 'static) -> SelfPlay<'static, Sums> {
    game(tiny_config()).with_tasks(source, share)
}

fn pool(dir: &Path, iteration: usize) -> Vec<PoolTask<Sum>> {
    let rows = lines(dir, &format!("tasks/iteration-{iteration}.jsonl"));
    rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect()
}

fn numbers(pool: &[PoolTask<Sum>]) -> Vec<usize> {
    let own = pool.iter().filter(|task| task.origin == Origin::Own);
    let mut numbers: Vec<usize> = own.map(|task| task.candidate).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn own_tasks_are_their_share_of_every_pool_and_are_drawn_in_order() {
    let dir = tempfile::tempdir().unwrap();
    with_tasks(0.4, own(&["ab", "bc", "cd"])).run(dir.path()).unwrap();
    let mut next = 0;
    for iteration in [1, 2] {
        let pool = pool(dir.path(), iteration);
        let numbers = numbers(&pool);
        let others = pool.len() - numbers.len();
        assert!(others > 0, "the Generator's tasks are in it too");
        assert_eq!(numbers.len(), (others as f64 * 0.4 / 0.6).round() as usize);
        assert_eq!(numbers, (next..next + numbers.len()).collect::<Vec<_>>(), "each number once");
        next += numbers.len();
        let rates: Vec<f32> =
            pool.iter().filter(|t| t.origin != Origin::Derived).map(|t| t.solve_rate).collect();
        assert!(rates.windows(2).all(|w| w[0] >= w[1]), "own tasks have solve rates, and lie in order");
        let record = &records(dir.path(), "pool")[iteration - 1];
        assert_eq!((&record["own"], &record["selected"]), (&numbers.len().into(), &pool.len().into()));
    }
    let page = std::fs::read_to_string(crate::write_report(dir.path()).unwrap()).unwrap();
    assert!(
        page.contains(" own</p>") && page.contains(", own, "),
        "in the pool's counts and among its tasks"
    );
}

#[test]
fn a_share_of_one_needs_no_generator() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = tiny_config();
    config.generator.train = false;
    // One task has an invalid prompt.
    let mut run = game(config.clone()).with_tasks(own(&["ab", "dd"]), 1.0);
    run.run(dir.path()).unwrap();
    let pool = pool(dir.path(), 1);
    let invalid = records(dir.path(), "pool")[0]["rejected"]["invalid_prompt"].as_u64().unwrap();
    assert_eq!(pool.len(), config.pool.size - invalid as usize);
    assert!(pool.iter().all(|task| task.origin == Origin::Own && task.task.letters == "ab"));
    assert_eq!(records(dir.path(), "pool")[0]["candidates"], 0);
    let untouched = weights(game(config).players());
    assert_eq!(weights(run.players())[0], untouched[0]);
    assert_ne!(weights(run.players())[1], untouched[1], "the Solver learns");
}

#[test]
fn an_exhausted_source_leaves_a_smaller_pool() {
    let five = || task_source_fn(|i, _| Ok((i < 5).then(|| Sum { letters: "ab".into() })));
    let counts = |share| {
        let dir = tempfile::tempdir().unwrap();
        with_tasks(share, five()).run(dir.path()).unwrap();
        let own =
            records(dir.path(), "pool").iter().map(|pool| pool["own"].as_u64().unwrap()).collect::<Vec<_>>();
        (own, records(dir.path(), "empty_pool").len())
    };
    assert_eq!(counts(0.3).0.iter().sum::<u64>(), 5);
    assert_eq!(counts(1.0), (vec![5, 0], 1), "without tasks, the Solver is not trained");
}

#[test]
fn a_failing_source_stops_the_run_by_its_task() {
    let fails = |share, source: fn(u64) -> Result<Option<Sum>, BoxError>| {
        let dir = tempfile::tempdir().unwrap();
        one_line(&with_tasks(share, task_source_fn(move |i, _| source(i))).run(dir.path()).unwrap_err())
    };
    let broken = |i| if i < 3 { Ok(Some(Sum { letters: "ab".into() })) } else { Err("no network".into()) };
    assert_eq!(fails(0.5, broken), "the task source failed at task 0: no network");
    for share in [1.5, -0.1, f32::NAN] {
        assert!(fails(share, broken).contains("must be in [0, 1]"));
    }
}

/// A run with tasks and records of its own.
fn with_both() -> SelfPlay<'static, Sums> {
    let mut config = tiny_config();
    config.checkpoint_every = 1;
    game(config).with_tasks(own(&["ab", "bc", "cd", "aa"]), 0.3).with_recorder(|step, journal| {
        let prompts = match &step.input {
            StepInput::Specs(specs) => specs.iter().map(char::to_string).collect::<Vec<_>>(),
            StepInput::Tasks(tasks) => tasks.iter().map(|task| task.task.letters.clone()).collect(),
        };
        assert_eq!((prompts.len(), step.scored.groups.len()), (step.groups.len(), step.groups.len()));
        let player = step.player().as_str();
        let record = serde_json::json!({ "player": player, "step": step.step, "prompts": prompts });
        journal.record("my_prompts", &record)
    })
}

#[test]
fn killed_at_many_writes_it_draws_and_records_the_same() {
    killed_at_writes(&with_both, 5);
}

#[test]
fn resuming_needs_the_same_share() {
    let dir = tempfile::tempdir().unwrap();
    continue_run(with_both(), dir.path()).unwrap();
    let other = with_both().with_tasks(own(&["ab"]), 0.4);
    let error = continue_run(other, dir.path()).unwrap_err().to_string();
    assert!(error.contains("its share of own tasks differs"), "{error}");
}

#[test]
fn own_records_reach_sections_of_the_report() {
    let dir = tempfile::tempdir().unwrap();
    with_both().run(dir.path()).unwrap();
    let own = records(dir.path(), "my_prompts");
    let of = |player: Player| own.iter().filter(|record| record["player"] == player.as_str()).count();
    assert_eq!((of(Player::Generator), of(Player::Solver)), (6, 6), "each update of each player");
    let path = Report::open(dir.path())
        .unwrap()
        .with_section("My <prompts>", |records| {
            format!("<p>{} of mine</p>", records.of("my_prompts").count())
        })
        .with_section("Nothing", |_| String::new())
        .write()
        .unwrap();
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page.contains("My &lt;prompts&gt;") && page.contains("<p>12 of mine</p>"));
    assert!(!page.contains("Nothing"));
    assert!(page.find("of mine") < page.find("config.toml"), "above the settings");
}
