use super::learner::LinearLoss;
use super::{Options, Outcome, difference, ensure, failed, grouped, samples};
use crate::conformance::ConformanceFailure;
use sparring_core::{Policy, Prompt, Rollout, TokenBatch};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Checks the contract of [`Checkpoint`](sparring_core::Checkpoint). `fresh` returns equal policies; `dir` is an empty
/// folder for the suite to fill.
///
/// Training that is saved and restored half-way must end with the same bits as uninterrupted training. A folder that
/// is missing or has a truncated file must be refused, without any change of the policy.
///
/// # Errors
/// The first check that fails.
pub fn checkpoint<P: Policy>(
    fresh: impl Fn() -> P,
    prompts: &[Prompt],
    dir: &Path,
    options: &Options,
) -> Outcome {
    let check = "checkpoint/resume";
    let groups = samples(&fresh(), prompts, options, check)?;
    let mut original = fresh();
    train(&mut original, &groups, options, check)?;
    let saved = dir.join("saved");
    fs::create_dir_all(&saved).map_err(failed(check))?;
    original.save(&saved).map_err(failed(check))?;
    let at_save = score(&original, &groups, check)?;
    train(&mut original, &groups, options, check)?;
    let uninterrupted = score(&original, &groups, check)?;

    let mut resumed = fresh();
    resumed.restore(&saved).map_err(failed(check))?;
    same("checkpoint/weights", &at_save, &score(&resumed, &groups, check)?)?;
    train(&mut resumed, &groups, options, check)?;
    same(check, &uninterrupted, &score(&resumed, &groups, check)?)?;
    // Restoring after further training must undo it.
    original.restore(&saved).map_err(failed(check))?;
    same("checkpoint/overwrites", &at_save, &score(&original, &groups, check)?)?;

    damaged(&mut original, &groups, &saved, &dir.join("damaged"), &at_save)
}

/// Two steps: the second depends on the optimiser's state of the first.
fn train<P: Policy>(
    policy: &mut P,
    groups: &[Vec<Rollout>],
    options: &Options,
    check: &'static str,
) -> Outcome {
    let tokens = grouped(groups);
    let batch = TokenBatch::new(&tokens, 1.0);
    let alternate =
        |sign: f32| (0..batch.completion_tokens()).map(move |t| if t % 3 == 0 { sign } else { 0.5 });
    for sign in [-1.0, 2.0] {
        let loss = LinearLoss::new(alternate(sign).collect());
        policy.accumulate(batch, &loss).map_err(failed(check))?;
        policy.step(options.lr).map_err(failed(check))?;
    }
    Ok(())
}

fn score<P: Policy>(
    policy: &P,
    groups: &[Vec<Rollout>],
    check: &'static str,
) -> Result<Vec<f32>, ConformanceFailure> {
    let tokens = grouped(groups);
    policy.score(TokenBatch::new(&tokens, 1.0)).map_err(failed(check))
}

fn same(check: &'static str, a: &[f32], b: &[f32]) -> Outcome {
    difference(a, b, 0.0).map_or(Ok(()), |what| ensure(false, check, || what))
}

/// Tries a missing folder, and a folder in which one file at a time is missing or truncated to half.
fn damaged<P: Policy>(
    policy: &mut P,
    groups: &[Vec<Rollout>],
    saved: &Path,
    work: &Path,
    state: &[f32],
) -> Outcome {
    let check = "checkpoint/damaged";
    ensure(policy.restore(&work.join("nowhere")).is_err(), check, || {
        "a missing folder was restored".to_owned()
    })?;
    same(check, state, &score(policy, groups, check)?)?;
    let files = files(saved).map_err(failed(check))?;
    ensure(!files.is_empty(), check, || "save wrote no file".to_owned())?;
    let largest = files.iter().map(|(_, size)| *size).max().unwrap_or(0);
    for (i, (file, size)) in files.iter().enumerate() {
        let copy = work.join(i.to_string());
        copy_all(saved, &files, &copy).map_err(failed(check))?;
        let path = copy.join(file);
        let bytes = fs::read(&path).map_err(failed(check))?;
        fs::write(&path, &bytes[..bytes.len() / 2]).map_err(failed(check))?;
        let outcome = policy.restore(&copy);
        // A small file may not matter, but the largest must.
        ensure(outcome.is_err() || *size < largest, check, || {
            format!("{} was restored although half of it is missing", file.display())
        })?;
        if let Some(what) = difference(state, &score(policy, groups, check)?, 0.0) {
            let file = file.display();
            return ensure(false, check, || format!("restoring a damaged {file} changed the policy: {what}"));
        }
    }
    Ok(())
}

/// Lists every file below `dir` by its relative path, with its size, in order.
fn files(dir: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(dir.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else {
                found.push((path, entry.metadata()?.len()));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn copy_all(from: &Path, files: &[(PathBuf, u64)], to: &Path) -> io::Result<()> {
    for (file, _) in files {
        let target = to.join(file);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(from.join(file), target)?;
    }
    Ok(())
}
