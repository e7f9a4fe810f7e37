//! The miniature's base, in steps of a few tokens.

use crate::bench::report::median;
use crate::bench::separate::Separate;
use crate::bench::settings::Settings;
use crate::bench::step::{Bench, scores};
use crate::bench::{load, prompts, run};
use crate::models::Model;
use sparring::candle::{CandlePolicy, PolicyOptions};
use sparring::core::{Prompt, SampleRequest, Sampler, SamplingParams, Scorer, Seed, TokenBatch, TokenGroup};
use std::path::Path;

fn settings(model: &Path, more: &[&str]) -> Settings {
    let sizes = "--prompts 3 --group 4 --prompt-tokens 6 --completion-tokens 5 --steps 2 --threads 2";
    let words: Vec<&str> =
        sizes.split(' ').chain(["--model", model.to_str().unwrap()]).chain(more.iter().copied()).collect();
    crate::parse(&words).unwrap()
}

fn base() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    sparring::miniature::write_base(folder.path()).unwrap();
    folder
}

#[test]
fn a_run_reports_every_measured_step_and_repeats() {
    let folder = base();
    for more in [
        &[] as &[&str],
        &["--no-sharing", "--micro", "3", "--no-entropy"],
        &["--recall-mib", "0"],
        &["--device", "candle-cpu", "--lora", "2"],
    ] {
        let settings = settings(folder.path(), more);
        let mut progress = Vec::new();
        let report = run(&settings, &mut progress).unwrap();
        assert_eq!(String::from_utf8(progress).unwrap().lines().count(), 3);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["per_step"]["train_s"].as_array().unwrap().len(), 2);
        assert_eq!(json["per_step"]["entropy"][0].is_null(), settings.no_entropy);
        assert_eq!(json["settings"]["no_sharing"], settings.no_sharing);
        assert!((report.train_tok_s * report.train_s - 12.0 * 11.0).abs() < 1e-9);
        assert!((report.rollout_tok_s * report.rollout_s - 12.0 * 5.0).abs() < 1e-9);
        assert!(report.step_s >= report.rollout_s.min(report.train_s) && report.peak_rss_mib != Some(0.0));
        let again = run(&settings, &mut std::io::sink()).unwrap();
        assert_eq!(report.per_step.reward, again.per_step.reward);
    }
}

/// Sharing is a matter of speed: the update is the same, for any micro-batch.
#[test]
fn sharing_and_micro_batches_do_not_change_the_update() {
    let folder = base();
    let shared = settings(folder.path(), &[]);
    let model = load(&shared).unwrap();
    let ids = prompts::read(&shared, &model).unwrap();
    let Model::Cpu(policy) = model else { unreachable!("the default device") };
    let mut policy = *policy;
    let params = SamplingParams::default().with_max_tokens(5).with_min_tokens(5);
    let request = |(i, ids): (u64, _)| {
        SampleRequest::new(Prompt::Tokens(ids), 4, params.clone(), Seed::new(3).index(i))
    };
    let requests: Vec<_> = (0..).zip(ids.clone()).map(request).collect();
    let rollouts = policy.sample_all(&requests).unwrap();
    let scored = scores(&rollouts);
    let norm = |settings: &Settings| {
        let bench = Bench::new(settings, ids.clone()).unwrap();
        bench.learn(&mut policy.duplicate(), &rollouts, &scored).unwrap().grad_norm
    };
    let expected = norm(&shared);
    assert!(expected > 0.0);
    for more in [&["--micro", "1"] as &[&str], &["--no-sharing"], &["--no-sharing", "--micro", "5"]] {
        let other = norm(&settings(folder.path(), more));
        assert!((other - expected).abs() < 1e-4 * expected, "{more:?}: {other} instead of {expected}");
    }
    let batch = [TokenGroup::new(&ids[0], vec![&[1, 2, 3], &[], &[4, 5]])];
    let batch = TokenBatch::new(&batch, 1.0);
    let expected = policy.score(batch).unwrap();
    let separate = Separate(&mut policy).score(batch).unwrap();
    assert_eq!(separate.len(), 5);
    assert!(separate.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4));
}

#[test]
fn prompts_are_those_of_the_folder() {
    let folder = base();
    let settings = settings(folder.path(), &[]);
    let model = load(&settings).unwrap();
    let random = prompts::read(&settings, &model).unwrap();
    assert_eq!(random.iter().map(|ids| ids.len()).collect::<Vec<_>>(), [6, 6, 6]);
    let text = model.tokenizer().decode(&[5]).unwrap();
    let file = folder.path().join("prompts_6.json");
    std::fs::write(&file, serde_json::to_string(&[&text]).unwrap()).unwrap();
    let error = prompts::read(&settings, &model).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: prompt 0 has 1 tokens", file.display())), "{error}");
    std::fs::write(&file, "[]").unwrap();
    assert!(prompts::read(&settings, &model).unwrap_err().to_string().contains("no prompts"));
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let folder = base();
    let error = |settings: Settings| run(&settings, &mut std::io::sink()).unwrap_err().to_string();
    assert!(error(settings(folder.path(), &["--micro", "0"])).starts_with("--micro is 0"));
    assert!(error(settings(Path::new("/nonexistent"), &[])).starts_with("--model /nonexistent: "));
    let limit =
        CandlePolicy::load(folder.path(), PolicyOptions::default()).unwrap().config().max_position_embeddings;
    let long = Settings { prompts: 1, group: 1, prompt_tokens: limit - 2, ..settings(folder.path(), &[]) };
    assert!(error(long).contains(&format!("are {} together; the model's limit is {limit}", limit + 3)));
}

#[test]
fn medians() {
    let of = |values: &[f64]| (2.0 * median(values)) as i64;
    assert_eq!([of(&[]), of(&[3.0]), of(&[4.0, 1.0]), of(&[9.0, 1.0, 2.0])], [0, 6, 5, 4]);
}
