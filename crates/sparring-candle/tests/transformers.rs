//! Every backend against `transformers` and PEFT: logits, greedy tokens and gradients of small random
//! checkpoints of each family. The script that makes the data lies beside it; the data is found by the
//! environment variable `SPARRING_SHARED`.
#![allow(clippy::unwrap_used)]

mod support;

use safetensors::SafeTensors;
use sparring_candle::{CandlePolicy, PolicyOptions};
use sparring_core::{SampleRequest, SamplingParams, Seed};
use std::path::{Path, PathBuf};
use support::backend::{Backend, on_both};

on_both!(
    #[ignore = "needs SPARRING_SHARED, the folder of recorded references"]
    logits,
    #[ignore = "needs SPARRING_SHARED, the folder of recorded references"]
    greedy_tokens,
    #[ignore = "needs SPARRING_SHARED, the folder of recorded references"]
    gradients,
    #[ignore = "needs SPARRING_SHARED, the folder of recorded references"]
    logits_with_adapter,
);

const FAMILIES: [&str; 3] = ["qwen2-gqa-tied", "qwen3-headdim", "llama32-ropescale"];

/// Largest difference of a logit, and of a gradient's element over the largest of its parameter.
const BOUND: f32 = 1e-4;

/// A recorded family.
struct Fixture {
    name: &'static str,
    dir: PathBuf,
    recorded: Vec<u8>,
}

impl Fixture {
    fn all() -> Vec<Self> {
        let shared = std::env::var_os("SPARRING_SHARED").unwrap();
        let open = |name| {
            let dir = Path::new(&shared).join("parity").join(name);
            let recorded = std::fs::read(dir.join("reference.safetensors")).unwrap();
            Self { name, dir, recorded }
        };
        FAMILIES.map(open).into()
    }

    fn file(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.recorded).unwrap()
    }

    /// The fixture has no tokenizer: a copy gets one.
    fn load(&self) -> CandlePolicy {
        let dir = tempfile::tempdir().unwrap();
        for name in ["config.json", "generation_config.json", "model.safetensors"] {
            std::fs::copy(self.dir.join(name), dir.path().join(name)).unwrap();
        }
        std::fs::write(dir.path().join("tokenizer.json"), support::tokenizer_json(300)).unwrap();
        CandlePolicy::load(dir.path(), PolicyOptions::default()).unwrap()
    }
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

fn logits<B: Backend>() {
    for fixture in Fixture::all() {
        let policy = B::of(fixture.load());
        compare_logits(&policy, &fixture, &fixture.file());
    }
}

fn logits_with_adapter<B: Backend>() {
    for fixture in Fixture::all() {
        let lora = fixture.dir.join("lora");
        let policy = B::of(fixture.load().load_adapter(&lora).unwrap());
        let recorded = std::fs::read(lora.join("reference.safetensors")).unwrap();
        compare_logits(&policy, &fixture, &SafeTensors::deserialize(&recorded).unwrap());
    }
}

fn compare_logits<B: Backend>(policy: &B, fixture: &Fixture, recorded: &SafeTensors<'_>) {
    for j in 0..4 {
        let logits = policy.logits(&ids(&fixture.file(), &format!("ids.{j}")));
        let difference = largest_difference(&logits, &floats(recorded, &format!("logits.{j}")));
        assert!(difference < BOUND, "{}, sequence {j}: {difference}", fixture.name);
    }
}

fn greedy_tokens<B: Backend>() {
    for fixture in Fixture::all() {
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

fn gradients<B: Backend>() {
    for fixture in Fixture::all() {
        let (file, mut policy) = (fixture.file(), B::of(fixture.load()));
        let (tokens, weights) = (ids(&file, "grad.ids"), floats(&file, "grad.weights"));
        let (prompt, completion) = tokens.split_at(tokens.len() - weights.len());
        let loss = support::Linear { logp: weights, entropy: None };
        support::with_batch(&[(prompt.to_vec(), vec![completion.to_vec()])], 1.0, |batch| {
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

/// A folder that says that its head is the embedding, with a head that is another.
#[test]
#[ignore = "needs SPARRING_SHARED, the folder of recorded references"]
fn a_head_that_was_not_tied() {
    let shared = std::env::var_os("SPARRING_SHARED").unwrap();
    let dir = Path::new(&shared).join("reports/cases/tied_other_head");
    let recorded = std::fs::read(dir.join("reference.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&recorded).unwrap();
    let saved = tempfile::tempdir().unwrap();
    CandlePolicy::load(&dir, PolicyOptions::default()).unwrap().save_pretrained(saved.path()).unwrap();
    for dir in [dir.as_path(), saved.path()] {
        let policy = CandlePolicy::load(dir, PolicyOptions::default()).unwrap();
        for j in 0..3 {
            let logits = policy.logits(&ids(&file, &format!("ids.{j}"))).unwrap();
            let difference = largest_difference(&logits, &floats(&file, &format!("logits.{j}")));
            assert!(difference < BOUND, "sequence {j}: {difference}");
        }
    }
}
