use super::*;
use sparring_train::TrainError;
use sparring_train::store::disk::fault::fail_after;
use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// Begins or resumes the run in `dir`, as a new process would.
fn go_on(config: &SelfPlayConfig, dir: &Path) -> Result<End, SelfPlayError> {
    continue_run(game(config.clone()), dir)
}

pub(super) fn continue_run(mut run: SelfPlay<'static, Sums>, dir: &Path) -> Result<End, SelfPlayError> {
    let begun = dir.join("run.json").exists();
    let summary = if begun { run.resume(dir) } else { run.run(dir) }?;
    Ok(end(&run, summary, dir))
}

fn with_kl() -> SelfPlayConfig {
    let mut config = tiny_config();
    config.checkpoint_every = 1;
    config.generator.grpo.kl.coef = 0.1;
    config.solver.grpo.kl.coef = 0.1;
    config
}

/// Fails every disk operation from the n-th on, for every `stride`-th n: a disk that fills up, or a kill between
/// any two.
pub(super) fn killed_at_writes(make: &dyn Fn() -> SelfPlay<'static, Sums>, stride: usize) {
    let wanted = continue_run(make(), tempfile::tempdir().unwrap().path()).unwrap();
    let mut kills = 0;
    for n in (0..).step_by(stride) {
        let dir = tempfile::tempdir().unwrap();
        fail_after(Some(n));
        let first = continue_run(make(), dir.path());
        fail_after(None);
        if let Ok(end) = first {
            assert_eq!(end, wanted);
            break;
        }
        kills += stride;
        assert_eq!(continue_run(make(), dir.path()).unwrap(), wanted, "killed at write {n}");
    }
    assert!(kills > 100, "only {kills} writes were met");
}

#[test]
fn killed_at_every_write_it_ends_the_same() {
    killed_at_writes(&|| game(tiny_config()), 1);
}

#[test]
fn killed_at_many_writes_with_a_reference_model_it_ends_the_same() {
    killed_at_writes(&|| game(with_kl()), 7);
}

#[test]
fn killed_at_every_event_it_ends_the_same() {
    let config = tiny_config();
    let wanted = uninterrupted(config.clone()).unwrap();
    for n in (0..).step_by(3) {
        let dir = tempfile::tempdir().unwrap();
        let mut left = n;
        let mut run = game(config.clone()).with_observer(move |_: sparring_core::Event<'_>| {
            assert!(left != 0, "killed");
            left -= 1;
        });
        if catch_unwind(AssertUnwindSafe(|| run.run(dir.path()).unwrap())).is_ok() {
            break;
        }
        drop(run);
        assert_eq!(go_on(&config, dir.path()).unwrap(), wanted, "killed at event {n}");
    }
}

/// Begins or resumes the run in `dir`, and asks it to stop once it has made so many prompts.
fn go_on_until(prompts: usize, config: &SelfPlayConfig, dir: &Path) -> Result<End, SelfPlayError> {
    STOP.set(Some((prompts, StopFlag::new())));
    let end = go_on(config, dir);
    STOP.set(None);
    end
}

/// In evaluations, between sampling and probing, in pools, between updates: with a reference model and without.
#[test]
fn stopped_at_many_moments_it_ends_the_same() {
    for config in [tiny_config(), with_kl()] {
        let wanted = uninterrupted(config.clone()).unwrap();
        let mut stops = BTreeSet::new();
        for prompts in (1..).step_by(11) {
            let dir = tempfile::tempdir().unwrap();
            let end = match go_on_until(prompts, &config, dir.path()) {
                Err(SelfPlayError::Train(TrainError::Stopped)) => go_on(&config, dir.path()),
                other => other,
            };
            assert_eq!(end.unwrap(), wanted, "stopped at prompt {prompts}");
            let Some(resumed) = records(dir.path(), "resumed").pop() else { break };
            stops.insert((resumed["iteration"].as_u64(), resumed["step"].as_u64()));
        }
        // Every update of an iteration is a place to stop at, and each of the two iterations.
        let steps: BTreeSet<_> = stops.iter().map(|&(_, step)| step).collect();
        assert!(steps == BTreeSet::from([Some(0), Some(1), Some(2)]) && stops.len() == 7, "{stops:?}");
    }
}

#[test]
fn stopped_again_and_again_it_ends_the_same() {
    let config = tiny_config();
    let wanted = uninterrupted(config.clone()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for sessions in 1.. {
        match go_on_until(90, &config, dir.path()) {
            Err(SelfPlayError::Train(TrainError::Stopped)) => {}
            end => {
                assert_eq!(end.unwrap(), wanted);
                assert!(sessions > 3, "the run was hardly interrupted");
                break;
            }
        }
    }
}

#[test]
fn killed_again_and_again_it_ends_the_same() {
    let config = with_kl();
    let wanted = uninterrupted(config.clone()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for sessions in 1.. {
        // Enough for a few checkpoints.
        fail_after(Some(60));
        let came = go_on(&config, dir.path());
        fail_after(None);
        if let Ok(end) = came {
            assert_eq!(end, wanted);
            assert!(sessions > 3, "the run was hardly interrupted");
            break;
        }
    }
}

/// A run that was stopped after some writes, and its checkpoints, newest first.
fn stopped(config: &SelfPlayConfig, writes: usize) -> (tempfile::TempDir, Vec<PathBuf>) {
    let dir = tempfile::tempdir().unwrap();
    fail_after(Some(writes));
    let error = go_on(config, dir.path()).unwrap_err();
    fail_after(None);
    assert!(one_line(&error).contains("no space left"), "{error}");
    assert!(one_line(&error).contains("free some space"), "{error}");
    let mut found: Vec<PathBuf> =
        fs::read_dir(dir.path().join("checkpoints")).unwrap().map(|e| e.unwrap().path()).collect();
    found.retain(|p| p.file_name().unwrap().to_str().unwrap().parse::<u64>().is_ok());
    found.sort();
    found.reverse();
    (dir, found)
}

#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let config = with_kl();
    let wanted = uninterrupted(config.clone()).unwrap();
    let breakages: [fn(&Path); 5] = [
        |c| {
            let file = c.join("solver/next-token.bin");
            let mut bytes = fs::read(&file).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(file, bytes).unwrap();
        },
        |c| fs::write(c.join("generator/next-token.bin"), "").unwrap(),
        |c| fs::remove_file(c.join("state.json")).unwrap(),
        |c| fs::write(c.join("manifest.json"), "{").unwrap(),
        |c| fs::remove_dir_all(c.join("solver")).unwrap(),
    ];
    for (i, breakage) in breakages.into_iter().enumerate() {
        let (dir, checkpoints) = stopped(&config, 100 + 15 * i);
        breakage(&checkpoints[0]);
        assert_eq!(go_on(&config, dir.path()).unwrap(), wanted, "breakage {i}");
        let said = &records(dir.path(), "resumed")[0];
        assert_eq!(said["damaged"].as_array().unwrap().len(), 1, "{said}");
    }
}

#[test]
fn with_no_whole_checkpoint_it_says_which_file_is_damaged() {
    let (dir, checkpoints) = stopped(&tiny_config(), 150);
    for checkpoint in &checkpoints {
        fs::write(checkpoint.join("solver/next-token.bin"), "junk").unwrap();
    }
    let error = go_on(&tiny_config(), dir.path()).unwrap_err();
    assert!(matches!(error, SelfPlayError::Train(TrainError::Damaged { .. })), "{error}");
    assert!(error.to_string().contains("next-token.bin"), "{error}");
    assert!(checkpoints.iter().all(|c| c.exists()), "nothing is thrown away");
}

#[test]
fn shortened_events_fall_back_to_what_they_cover() {
    let config = tiny_config();
    let (dir, _) = stopped(&config, 150);
    let events = dir.path().join("events.jsonl");
    let length = fs::metadata(&events).unwrap().len();
    fs::File::options().write(true).open(&events).unwrap().set_len(length / 2).unwrap();
    match go_on(&config, dir.path()) {
        Ok(end) => assert_eq!(end, uninterrupted(config).unwrap()),
        Err(error) => assert!(error.to_string().contains("events.jsonl: damaged"), "{error}"),
    }
}

#[test]
fn a_finished_run_gives_its_summary_and_models_again() {
    let config = tiny_config();
    let dir = tempfile::tempdir().unwrap();
    let first = go_on(&config, dir.path()).unwrap();
    let summary = || fs::read(dir.path().join("summary.json")).unwrap();
    let written = summary();
    assert_eq!(go_on(&config, dir.path()).unwrap(), first);
    assert!(summary() == written, "with the times and the memory of the run itself");
}

#[test]
fn a_folder_is_for_one_run() {
    let config = tiny_config();
    let (dir, _) = stopped(&config, 100);
    let message = |result: Result<Summary, SelfPlayError>| result.unwrap_err().to_string();
    assert!(message(game(config.clone()).run(dir.path())).contains("holds a run already"));
    let mut other = config.clone();
    other.iterations = 3;
    assert!(
        message(game(other).resume(dir.path()))
            .contains("config.toml: iterations = 3, but the run began with")
    );
    let players = Players::Separate { generator: Seat::Learns(toy(1)), solver: toy(2) };
    let silent = reward_fn("none", |_: &char, _: &Rollout| None);
    let mut seeded = assemble(config.clone(), players, Box::new(silent), 8);
    assert!(message(seeded.resume(dir.path())).contains("run.json: seed = 8, but the run began with"));
    let empty = tempfile::tempdir().unwrap();
    assert!(message(game(config.clone()).resume(empty.path())).contains("holds no run"));
    // A second process in the same folder, while the first runs.
    let mut tried = None;
    let path = dir.path().to_owned();
    let second = config.clone();
    let mut first = game(config).with_observer(|_: sparring_core::Event<'_>| {
        if tried.is_none() {
            tried = Some(message(game(second.clone()).resume(&path)));
        }
    });
    first.resume(dir.path()).unwrap();
    drop(first);
    assert!(tried.unwrap().contains("another process runs in this folder"));
}

#[test]
fn a_folder_that_cannot_be_made_is_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = one_line(&game(tiny_config()).run(file.join("run")).unwrap_err());
    assert!(error.contains("file/run: ") && error.contains("choose another folder"), "{error}");
    assert!(!error.contains('\n'));
}
