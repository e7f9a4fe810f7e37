use super::*;
use crate::store::disk::fault::fail_after;
use sparring_core::{Event, one_line};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[test]
fn killed_at_every_write_it_ends_the_same() {
    let config = stateful();
    let wanted = uninterrupted(&config);
    for n in 0.. {
        let dir = tempfile::tempdir().unwrap();
        fail_after(Some(n));
        let first = go_on(&config, dir.path());
        fail_after(None);
        if let Ok(end) = first {
            assert_eq!(end, wanted);
            assert!(n > 60, "only {n} writes were met");
            break;
        }
        assert_eq!(go_on(&config, dir.path()).unwrap(), wanted, "killed at write {n}");
    }
}

#[test]
fn killed_at_every_event_it_ends_the_same() {
    let config = stateful();
    let wanted = uninterrupted(&config);
    for n in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let (mut policy, mut left) = (toy(), n);
        let mut run = trainer(config.clone(), &mut policy, 7).with_observer(move |_: Event<'_>| {
            assert!(left != 0, "killed");
            left -= 1;
        });
        if catch_unwind(AssertUnwindSafe(|| run.run(dir.path()).unwrap())).is_ok() {
            assert!(n > 30, "only {n} events");
            break;
        }
        drop(run);
        assert_eq!(go_on(&config, dir.path()).unwrap(), wanted, "killed at event {n}");
    }
}

#[test]
fn killed_again_and_again_it_ends_the_same() {
    for config in [config().with_checkpoint_every(1), stateful().with_checkpoint_every(1)] {
        let wanted = uninterrupted(&config);
        let dir = tempfile::tempdir().unwrap();
        for sessions in 1.. {
            // Enough for a few checkpoints.
            fail_after(Some(40));
            let came = go_on(&config, dir.path());
            fail_after(None);
            if let Ok(end) = came {
                assert_eq!(end, wanted);
                assert!(sessions > 2, "the run was hardly interrupted");
                break;
            }
        }
    }
}

/// Begins or resumes the run in `dir`, and asks it to stop once it has made so many prompts.
fn go_on_until(prompts: usize, config: &TrainConfig, dir: &Path) -> Result<End, TrainError> {
    STOP.set(Some((prompts, StopFlag::new())));
    let end = go_on(config, dir);
    STOP.set(None);
    end
}

#[test]
fn stopped_anywhere_it_ends_the_same() {
    let config = stateful();
    let wanted = uninterrupted(&config);
    let mut stops = 0;
    for prompts in 1.. {
        let dir = tempfile::tempdir().unwrap();
        match go_on_until(prompts, &config, dir.path()) {
            Ok(end) => {
                assert_eq!(end, wanted);
                break;
            }
            Err(TrainError::Stopped) => stops += 1,
            Err(error) => panic!("{}", one_line(&error)),
        }
        assert_eq!(go_on(&config, dir.path()).unwrap(), wanted, "stopped at prompt {prompts}");
    }
    assert!(stops > 60, "{stops}");
}

#[test]
fn a_stopped_run_keeps_every_update_that_was_done() {
    let config = config().with_checkpoint_every(100);
    let dir = tempfile::tempdir().unwrap();
    // Two evaluations of four tasks, and seven updates of three, with another two evaluations after the fifth.
    let stopped = go_on_until(16 + 3 * 7, &config, dir.path());
    assert!(matches!(stopped, Err(TrainError::Stopped)), "{stopped:?}");
    go_on(&config, dir.path()).unwrap();
    assert_eq!(records(dir.path(), "resumed")[0]["step"], 6);
    // In the second evaluation after the fifth update: the first counts as not done.
    let dir = tempfile::tempdir().unwrap();
    go_on_until(8 + 3 * 5 + 7, &config, dir.path()).unwrap_err();
    assert_eq!(records(dir.path(), "step").len(), 5);
    assert_eq!(records(dir.path(), "evaluation").len(), 2);
    assert_eq!(go_on(&config, dir.path()).unwrap(), uninterrupted(&config));
    assert_eq!(records(dir.path(), "resumed")[0]["step"], 5);
}

#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let config = stateful().with_checkpoint_every(2);
    let wanted = uninterrupted(&config);
    let dir = tempfile::tempdir().unwrap();
    fail_after(Some(60));
    let error = go_on(&config, dir.path()).unwrap_err();
    fail_after(None);
    assert!(one_line(&error).contains("free some space"), "{error}");
    let mut checkpoints: Vec<_> =
        fs::read_dir(dir.path().join("checkpoints")).unwrap().map(|entry| entry.unwrap().path()).collect();
    checkpoints.sort();
    fs::write(checkpoints.last().unwrap().join("policy/next-token.bin"), "junk").unwrap();
    assert_eq!(go_on(&config, dir.path()).unwrap(), wanted);
    assert_eq!(records(dir.path(), "resumed")[0]["damaged"].as_array().unwrap().len(), 1);
}

/// A checkpoint that cannot be read now may be whole: nothing is renamed, and nothing older is used instead.
#[test]
fn a_checkpoint_that_cannot_be_read_now_stays() {
    let config = config().with_checkpoint_every(2);
    let dir = tempfile::tempdir().unwrap();
    fail_after(Some(60));
    go_on(&config, dir.path()).unwrap_err();
    fail_after(None);
    let checkpoints = || {
        let entries = fs::read_dir(dir.path().join("checkpoints")).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    };
    let before = checkpoints();
    let (file, aside) = (before.last().unwrap().join("state.json"), dir.path().join("aside"));
    fs::rename(&file, &aside).unwrap();
    fs::create_dir(&file).unwrap();
    let error = go_on(&config, dir.path()).unwrap_err();
    assert!(matches!(error, TrainError::Io { .. }), "{error}");
    assert_eq!(checkpoints(), before);
    fs::remove_dir(&file).unwrap();
    fs::rename(&aside, &file).unwrap();
    assert_eq!(go_on(&config, dir.path()).unwrap(), uninterrupted(&config));
}

#[test]
fn a_damaged_checkpoint_does_not_displace_new_ones() {
    let fixed = config().with_checkpoint_every(1).with_checkpoints_kept(1);
    let mut config = fixed.with_reference(ReferenceKind::Fixed);
    config.grpo.kl.coef = 0.05;
    let wanted = uninterrupted(&config);
    let dir = tempfile::tempdir().unwrap();
    let interrupt = |writes| {
        fail_after(Some(writes));
        go_on(&config, dir.path()).unwrap_err();
        fail_after(None);
    };
    interrupt(90);
    let checkpoints = || -> Vec<_> {
        let entries = fs::read_dir(dir.path().join("checkpoints")).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    };
    let written = checkpoints();
    let [reference, others @ .., newest] = written.as_slice() else { panic!("{written:?}") };
    assert!(reference.ends_with("000001"), "{written:?}");
    for folder in others {
        fs::remove_dir_all(folder).unwrap();
    }
    fs::write(newest.join("policy/next-token.bin"), "junk").unwrap();
    // The run goes back to the checkpoint of its reference model, and is interrupted again.
    interrupt(40);
    assert!(checkpoints()[0].file_name().unwrap().to_str().unwrap().starts_with(".damaged-"));
    assert_eq!(go_on(&config, dir.path()).unwrap(), wanted);
    let resumed = records(dir.path(), "resumed");
    assert_eq!(resumed[0]["checkpoint"], 1);
    assert!(resumed[1]["checkpoint"].as_u64().unwrap() > 1, "{resumed:?}");
}

#[test]
fn a_finished_run_gives_its_summary_and_weights_again() {
    let dir = tempfile::tempdir().unwrap();
    let first = go_on(&config(), dir.path()).unwrap();
    let summary = || fs::read(dir.path().join("summary.json")).unwrap();
    let written = summary();
    assert_eq!(go_on(&config(), dir.path()).unwrap(), first);
    assert!(summary() == written, "with the times and the memory of the run itself");
    fs::remove_file(dir.path().join("summary.json")).unwrap();
    assert_eq!(go_on(&config(), dir.path()).unwrap(), first);
    assert!(dir.path().join("summary.json").exists());
}

#[test]
fn a_folder_is_for_one_run() {
    let dir = tempfile::tempdir().unwrap();
    go_on(&config(), dir.path()).unwrap();
    let refused = |config: TrainConfig, seed: u64, resume: bool| {
        let mut policy = toy();
        let mut trainer = trainer(config, &mut policy, seed);
        let result = if resume { trainer.resume(dir.path()) } else { trainer.run(dir.path()) };
        result.unwrap_err().to_string()
    };
    assert!(refused(config(), 7, false).contains("holds a run already"));
    assert!(refused(config().with_steps(13), 7, true).contains("configuration differs"));
    assert!(refused(config(), 8, true).contains("seed differs"));
    let mut policy = toy();
    let inputs = [("model".to_owned(), "another".to_owned())].into();
    let error = trainer(config(), &mut policy, 7).with_inputs(inputs).resume(dir.path()).unwrap_err();
    assert!(error.to_string().contains("only one of the two runs has the input `model`"), "{error}");
    let dir = tempfile::tempdir().unwrap();
    let named = |model: &str| [("model".to_owned(), model.to_owned())].into();
    trainer(config(), &mut toy(), 7).with_inputs(named("one")).run(dir.path()).unwrap();
    trainer(config(), &mut toy(), 7).with_inputs(named("one")).resume(dir.path()).unwrap();
    let error = trainer(config(), &mut toy(), 7).with_inputs(named("two")).resume(dir.path()).unwrap_err();
    assert!(error.to_string().contains("its model differs"), "{error}");
    let empty = tempfile::tempdir().unwrap();
    let error = trainer(config(), &mut toy(), 7).resume(empty.path()).unwrap_err().to_string();
    assert!(error.contains("holds no run"), "{error}");
}
