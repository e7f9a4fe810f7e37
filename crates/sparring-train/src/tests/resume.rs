use super::*;
use crate::store::disk::fault::fail_after;
use crate::store::{Changes, RunInfo, check_settings};
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
    let error = refused(config().with_steps(13), 7, true);
    assert!(error.contains("config.toml: steps = 13, but the run began with 12: restore"), "{error}");
    let error = refused(config(), 8, true);
    assert!(error.contains("run.json: seed = 8, but the run began with 7"), "{error}");
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

/// A run that was stopped in the middle.
fn interrupted(config: &TrainConfig) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fail_after(Some(60));
    go_on(config, dir.path()).unwrap_err();
    fail_after(None);
    dir
}

fn edit(path: impl AsRef<Path>, from: &str, to: &str) {
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

/// As a program resumes a run: with the settings and the seed that its files have.
fn resume_by_its_files(dir: &Path, changes: Changes) -> Result<TrainSummary, TrainError> {
    let info = RunInfo::read(dir)?;
    let config = TrainConfig::from_toml(&info.config, "config.toml")?;
    let text = toml::to_string_pretty(&config).unwrap();
    let mut policy = toy();
    trainer(config, &mut policy, info.seed).with_config_text(text).with_changes(changes).resume(dir)
}

#[test]
fn a_changed_value_is_refused_and_a_comment_is_not() {
    let config = config().with_checkpoint_every(2);
    let dir = interrupted(&config);
    let file = |name: &str| dir.path().join(name);
    let kept = ["config.toml", "run.json"].map(|name| (name, fs::read(file(name)).unwrap()));
    let cases = [
        (
            "config.toml",
            "lr = 0.1\n",
            "lr = 0.2\n",
            "config.toml: lr = 0.2, but the run began with 0.1: restore",
        ),
        ("config.toml", "lr = 0.1\n", "", "config.toml: lr = 0.000001, but the run began with 0.1"),
        ("config.toml", "temperature = 1.0", "temperature = 1.5", "sampling.temperature = 1.5, but"),
        ("run.json", "\"seed\": 7", "\"seed\": 8", "run.json: seed = 8, but the run began with 7"),
        (
            "run.json",
            "\"preset\": \"\"",
            "\"preset\": \"x\"",
            "run.json: preset = \"x\", but the run began with \"\"",
        ),
        ("run.json", "\"inputs\": {}", "\"inputs\": {\"model\": \"m\"}", "has the input `model` (`m`)"),
    ];
    for (name, from, to, wanted) in cases {
        edit(file(name), from, to);
        let error = resume_by_its_files(dir.path(), Changes::Refuse).unwrap_err().to_string();
        assert!(error.contains(wanted), "{to:?} gave {error}");
        // Before any model is loaded, it is the same.
        let info = RunInfo::read(dir.path()).unwrap();
        let now = TrainConfig::from_toml(&info.config, "config.toml").unwrap();
        let info = info.with_config(toml::to_string_pretty(&now).unwrap());
        assert_eq!(check_settings(dir.path(), &info).unwrap_err().to_string(), error);
        for (name, bytes) in &kept {
            fs::write(file(name), bytes).unwrap();
        }
    }
    // A file that the program does not read may not say something else either.
    edit(file("config.toml"), "lr = 0.1\n", "lr = 0.2\n");
    let error = go_on(&config, dir.path()).unwrap_err().to_string();
    assert!(error.contains("config.toml: lr = 0.2, but the run began with 0.1"), "{error}");
    edit(file("config.toml"), "lr = 0.2\n", "# the rate of\n# the run\nlr  =  1e-1 # sic\n");
    assert_eq!(go_on(&config, dir.path()).unwrap(), uninterrupted(&config));
    let text = fs::read_to_string(file("config.toml")).unwrap();
    assert!(text.contains("# sic"), "the user's file stays: {text}");
    // A finished run too.
    resume_by_its_files(dir.path(), Changes::Refuse).unwrap();
    edit(file("run.json"), "\"seed\": 7", "\"seed\": 8");
    let error = resume_by_its_files(dir.path(), Changes::Refuse).unwrap_err().to_string();
    assert!(error.contains("seed = 8, but the run began with 7"), "{error}");
}

#[test]
fn changes_are_taken_on_purpose_and_recorded() {
    let config = config().with_checkpoint_every(2);
    let dir = interrupted(&config);
    edit(dir.path().join("config.toml"), "lr = 0.1\n", "lr = 0.2\n");
    edit(dir.path().join("run.json"), "\"seed\": 7", "\"seed\": 8");
    resume_by_its_files(dir.path(), Changes::Take).unwrap();
    let recorded = records(dir.path(), "settings_changed");
    assert_eq!(recorded.len(), 1);
    let changes = serde_json::json!([
        { "file": "run.json", "field": "seed", "before": "7", "now": "8" },
        { "file": "config.toml", "field": "lr", "before": "0.1", "now": "0.2" },
    ]);
    assert_eq!(recorded[0]["changes"], changes);
    // From then on, these are the run's settings.
    resume_by_its_files(dir.path(), Changes::Refuse).unwrap();
    resume_by_its_files(dir.path(), Changes::Take).unwrap();
    assert_eq!(records(dir.path(), "settings_changed").len(), 1);
    // Settings of the program, rather than of the file: the file then has them.
    let dir = interrupted(&config);
    let mut policy = toy();
    let mut run = trainer(config.with_lr(0.3), &mut policy, 7).with_changes(Changes::Take);
    run.resume(dir.path()).unwrap();
    assert!(fs::read_to_string(dir.path().join("config.toml")).unwrap().contains("lr = 0.3"));
    assert_eq!(records(dir.path(), "settings_changed").len(), 1);
}

#[test]
fn a_run_whose_checkpoints_do_not_hold_its_settings_is_resumed() {
    let config = config().with_checkpoint_every(2);
    let dir = interrupted(&config);
    let text = fs::read_to_string(dir.path().join("config.toml")).unwrap();
    let older = text.replacen("lr = 0.1\n", "lr = 0.2\n", 1);
    // Without a checkpoint, the files are all that there is.
    fs::remove_dir_all(dir.path().join("checkpoints")).unwrap();
    fs::write(dir.path().join("config.toml"), &older).unwrap();
    let error = go_on(&config, dir.path()).unwrap_err().to_string();
    assert!(error.contains("lr = 0.1, but the run began with 0.2"), "{error}");
    fs::write(dir.path().join("config.toml"), text).unwrap();
    assert_eq!(go_on(&config, dir.path()).unwrap(), uninterrupted(&config));
}

#[test]
fn damaged_events_are_named_with_line_and_byte() {
    let config = config().with_checkpoint_every(2);
    let dir = interrupted(&config);
    let path = dir.path().join("events.jsonl");
    let whole = fs::read(&path).unwrap();
    let line = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let mut bytes = whole.clone();
    bytes[line + 3] ^= 0x80;
    fs::write(&path, &bytes).unwrap();
    let error = go_on(&config, dir.path()).unwrap_err().to_string();
    let wanted = format!("line 2: byte {} of the file is not UTF-8", line + 3);
    assert!(
        error.contains(&format!("events.jsonl: {wanted}")) && error.contains("restore the file from a copy"),
        "{error}"
    );
    let error = crate::report::Records::read(dir.path()).unwrap_err().to_string();
    assert!(error.contains(&format!("events.jsonl: damaged: {wanted}")), "{error}");
    bytes[line + 3] = b'{';
    bytes[line] = b'[';
    fs::write(&path, &bytes).unwrap();
    let error = go_on(&config, dir.path()).unwrap_err().to_string();
    assert!(error.contains("events.jsonl: line 2: it is not JSON at column"), "{error}");
    fs::write(&path, &whole).unwrap();
    assert_eq!(go_on(&config, dir.path()).unwrap(), uninterrupted(&config));
}

#[cfg(unix)]
#[test]
fn nothing_is_written_through_a_link() {
    use std::os::unix::fs::symlink;
    let config = config().with_checkpoint_every(2);
    let elsewhere = tempfile::tempdir().unwrap();
    let victim = elsewhere.path().join("victim");
    fs::write(&victim, "kept").unwrap();
    let kept = || assert_eq!(fs::read_to_string(&victim).unwrap(), "kept");
    // A link to a file in place of a file that is opened is refused by name.
    for name in [".lock", "events.jsonl"] {
        let dir = interrupted(&config);
        let path = dir.path().join(name);
        fs::remove_file(&path).unwrap();
        symlink(&victim, &path).unwrap();
        let error = go_on(&config, dir.path()).unwrap_err().to_string();
        kept();
        assert!(error.contains(name), "{error}");
        let fresh = tempfile::tempdir().unwrap();
        symlink(&victim, fresh.path().join(name)).unwrap();
        let error = go_on(&config, fresh.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("{name}: is a symbolic link, which is not written to")), "{error}");
        kept();
    }
    // One in place of a temporary or of what is renamed into place is replaced.
    for name in [".report.html.tmp", "report.html", ".summary.json.tmp", "summary.json", ".run.json.tmp"] {
        let dir = interrupted(&config);
        symlink(&victim, dir.path().join(name)).unwrap();
        go_on(&config, dir.path()).unwrap();
        crate::write_report(dir.path()).unwrap();
        kept();
    }
    // Folders of the run may not be elsewhere.
    let fresh = tempfile::tempdir().unwrap();
    symlink(elsewhere.path(), fresh.path().join("checkpoints")).unwrap();
    let error = go_on(&config, fresh.path()).unwrap_err().to_string();
    assert!(error.contains("checkpoints: is a symbolic link"), "{error}");
    let dir = interrupted(&config);
    symlink(elsewhere.path(), dir.path().join("checkpoints/.writing")).unwrap();
    assert_eq!(go_on(&config, dir.path()).unwrap(), uninterrupted(&config));
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
    kept();
}
