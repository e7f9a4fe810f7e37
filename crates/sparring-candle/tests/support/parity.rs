//! Recorded checkpoints: what `transformers` and PEFT computed, against what a backend computes.

use super::backend::Backend;
use safetensors::SafeTensors;
use sparring_candle::{CandlePolicy, PolicyOptions};
use sparring_core::{SampleRequest, SamplingParams, Seed};
use std::path::{Path, PathBuf};

/// Largest difference of a logit, and of a gradient's element over the largest of its parameter.
pub(crate) const BOUND: f32 = 1e-4;

/// A recorded checkpoint: a model folder with `reference.safetensors`, and an adapter in `lora`.
pub(crate) struct Fixture {
    pub(crate) name: String,
    pub(crate) dir: PathBuf,
    recorded: Vec<u8>,
}

impl Fixture {
    pub(crate) fn open(dir: PathBuf) -> Self {
        let recorded = std::fs::read(dir.join("reference.safetensors")).unwrap();
        Self { name: dir.file_name().unwrap().to_str().unwrap().to_owned(), dir, recorded }
    }

    pub(crate) fn file(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.recorded).unwrap()
    }

    /// A copy of the folder, with a tokenizer, which the fixture does not have.
    pub(crate) fn folder(&self) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in ["config.json", "generation_config.json", "model.safetensors"] {
            if self.dir.join(name).exists() {
                std::fs::copy(self.dir.join(name), dir.path().join(name)).unwrap();
            }
        }
        let config: serde_json::Value =
            serde_json::from_slice(&std::fs::read(self.dir.join("config.json")).unwrap()).unwrap();
        let words = config["vocab_size"].as_u64().unwrap().min(300) as usize;
        std::fs::write(dir.path().join("tokenizer.json"), super::tokenizer_json(words)).unwrap();
        dir
    }

    pub(crate) fn load(&self) -> CandlePolicy {
        CandlePolicy::load(self.folder().path(), PolicyOptions::default()).unwrap()
    }
}

pub(crate) fn ids(file: &SafeTensors<'_>, name: &str) -> Vec<u32> {
    let tensor = file.tensor(name).unwrap();
    tensor.data().chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as u32).collect()
}

pub(crate) fn floats(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let tensor = file.tensor(name).unwrap();
    tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

pub(crate) fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

pub(crate) fn logits<B: Backend>(fixtures: &[Fixture]) {
    for fixture in fixtures {
        let policy = B::of(fixture.load());
        compare_logits(&policy, fixture, &fixture.file());
    }
}

pub(crate) fn logits_with_adapter<B: Backend>(fixtures: &[Fixture]) {
    for fixture in fixtures {
        let lora = fixture.dir.join("lora");
        let policy = B::of(fixture.load().load_adapter(&lora).unwrap());
        let recorded = std::fs::read(lora.join("reference.safetensors")).unwrap();
        compare_logits(&policy, fixture, &SafeTensors::deserialize(&recorded).unwrap());
    }
}

pub(crate) fn compare_logits<B: Backend>(policy: &B, fixture: &Fixture, recorded: &SafeTensors<'_>) {
    let count = recorded.names().iter().filter(|name| name.starts_with("logits.")).count();
    assert!(count > 0);
    for j in 0..count {
        let logits = policy.logits(&ids(&fixture.file(), &format!("ids.{j}")));
        let difference = largest_difference(&logits, &floats(recorded, &format!("logits.{j}")));
        assert!(difference < BOUND, "{}, sequence {j}: {difference}", fixture.name);
    }
}

pub(crate) fn greedy_tokens<B: Backend>(fixtures: &[Fixture]) {
    for fixture in fixtures {
        let (file, policy) = (fixture.file(), B::of(fixture.load()));
        let mut want = ids(&file, "greedy.tokens");
        let params = SamplingParams::greedy().with_max_tokens(want.len());
        let request = SampleRequest::new(ids(&file, "greedy.prompt"), 1, params, Seed::new(0));
        let got = policy.sample_one(&request).unwrap().remove(0).tokens;
        // Ours may end where the recorded one was not asked to.
        if got.last().is_some_and(|&token| fixture.load().tokenizer().is_end(token)) {
            want.truncate(got.len());
        }
        assert_eq!(got, want, "{}", fixture.name);
    }
}

pub(crate) fn gradients<B: Backend>(fixtures: &[Fixture]) {
    for fixture in fixtures {
        let (file, mut policy) = (fixture.file(), B::of(fixture.load()));
        let (tokens, weights) = (ids(&file, "grad.ids"), floats(&file, "grad.weights"));
        let (prompt, completion) = tokens.split_at(tokens.len() - weights.len());
        let loss = super::Linear { logp: weights, entropy: None };
        super::with_batch(&[(prompt.to_vec(), vec![completion.to_vec()])], 1.0, |batch| {
            let logp = policy.score(batch).unwrap();
            let want: f64 = logp.iter().zip(&loss.logp).map(|(l, w)| f64::from(*l) * f64::from(*w)).sum();
            let got = policy.accumulate(batch, &loss).unwrap();
            assert!((want - got).abs() < 1e-4 * want.abs());
        });
        for (name, gradient) in policy.gradients() {
            let want = floats(&file, &format!("grad.{name}"));
            let scale = want.iter().fold(0.0_f32, |m, w| m.max(w.abs()));
            let difference = largest_difference(&gradient, &want);
            assert!(difference <= BOUND * scale, "{}, {name}: {difference} of {scale}", fixture.name);
        }
    }
}
