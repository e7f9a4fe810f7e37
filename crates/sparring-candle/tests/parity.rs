//! Against `transformers`: logits, greedy tokens and gradients of a small random checkpoint. The script that
//! makes the data lies beside it; the data is found by the environment variable `SPARRING_SHARED`.
#![allow(clippy::unwrap_used)]

mod support;

use safetensors::SafeTensors;
use sparring_candle::{CandlePolicy, PolicyOptions};
use sparring_core::{Prompt, SampleRequest, Sampler, SamplingParams, Scorer, Seed, TokenLoss};
use std::path::{Path, PathBuf};

fn fixture() -> Option<PathBuf> {
    let Some(shared) = std::env::var_os("SPARRING_SHARED") else {
        eprintln!("skipped: SPARRING_SHARED is not set");
        return None;
    };
    Some(Path::new(&shared).join("parity/qwen2-gqa-tied"))
}

/// The fixture has no tokenizer: a copy gets one.
fn load(fixture: &Path) -> CandlePolicy {
    let dir = tempfile::tempdir().unwrap();
    for name in ["config.json", "generation_config.json", "model.safetensors"] {
        std::fs::copy(fixture.join(name), dir.path().join(name)).unwrap();
    }
    std::fs::write(dir.path().join("tokenizer.json"), support::tokenizer_json(320)).unwrap();
    CandlePolicy::load(dir.path(), PolicyOptions::default()).unwrap()
}

fn ids(file: &SafeTensors<'_>, name: &str) -> Vec<u32> {
    let tensor = file.tensor(name).unwrap();
    tensor.data().chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as u32).collect()
}

fn floats(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let tensor = file.tensor(name).unwrap();
    tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn logits_and_greedy_tokens() {
    let Some(fixture) = fixture() else { return };
    let bytes = std::fs::read(fixture.join("reference.safetensors")).unwrap();
    let reference = SafeTensors::deserialize(&bytes).unwrap();
    let policy = load(&fixture);
    for j in 0..4 {
        let logits = policy.logits(&ids(&reference, &format!("ids.{j}"))).unwrap();
        let difference = largest_difference(&logits, &floats(&reference, &format!("logits.{j}")));
        assert!(difference < 1e-4, "sequence {j}: {difference}");
    }
    let want = ids(&reference, "greedy.tokens");
    let request = SampleRequest::new(
        Prompt::Tokens(ids(&reference, "greedy.prompt").into()),
        1,
        SamplingParams::greedy().with_max_tokens(want.len()),
        Seed::new(0),
    );
    assert_eq!(policy.sample(&[request]).unwrap()[0][0].tokens, want);
}

#[test]
fn gradients() {
    let Some(fixture) = fixture() else { return };
    let bytes = std::fs::read(fixture.join("reference.safetensors")).unwrap();
    let reference = SafeTensors::deserialize(&bytes).unwrap();
    let mut policy = load(&fixture);
    let tokens = ids(&reference, "grad.ids");
    let weights = floats(&reference, "grad.weights");
    let (prompt, completion) = tokens.split_at(tokens.len() - weights.len());
    let groups = vec![(prompt.to_vec(), vec![completion.to_vec()])];
    let loss = support::Linear { logp: weights, entropy: None };
    support::with_batch(&groups, 1.0, |batch| {
        let logp = policy.score(batch).unwrap();
        let want: f64 = logp.iter().zip(&loss.logp).map(|(l, w)| f64::from(*l) * f64::from(*w)).sum();
        let got = sparring_core::Learner::accumulate(&mut policy, batch, &loss as &dyn TokenLoss).unwrap();
        assert!((want - got).abs() < 1e-4 * want.abs());
    });
    let names: Vec<String> = policy.parameters().map(|(name, ..)| name.to_owned()).collect();
    for (name, gradient) in names.iter().zip(policy.gradients()) {
        let want = floats(&reference, &format!("grad.{name}"));
        let scale = want.iter().fold(0.0_f32, |m, w| m.max(w.abs()));
        let difference = largest_difference(&gradient, &want);
        assert!(difference <= 1e-4 * scale, "{name}: {difference} of {scale}");
    }
}
