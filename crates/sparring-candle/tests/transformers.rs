//! Every backend against `transformers` and PEFT: logits, greedy tokens and gradients of small random
//! checkpoints of each family. The script that makes the data lies beside it; the data is found by the
//! environment variable `SPARRING_SHARED`.
#![allow(clippy::unwrap_used)]

mod support;

use safetensors::SafeTensors;
use sparring_candle::{CandlePolicy, PolicyOptions};
use std::path::Path;
use support::backend::{Backend, on_both};
use support::parity::{self, BOUND, Fixture, floats, ids, largest_difference};

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

fn fixtures() -> Vec<Fixture> {
    let shared = std::env::var_os("SPARRING_SHARED").unwrap();
    let parity = Path::new(&shared).join("parity");
    ["qwen2-gqa-tied", "qwen3-headdim", "llama32-ropescale"]
        .map(|name| Fixture::open(parity.join(name)))
        .into()
}

fn logits<B: Backend>() {
    parity::logits::<B>(&fixtures());
}

fn logits_with_adapter<B: Backend>() {
    parity::logits_with_adapter::<B>(&fixtures());
}

fn greedy_tokens<B: Backend>() {
    parity::greedy_tokens::<B>(&fixtures());
}

fn gradients<B: Backend>() {
    parity::gradients::<B>(&fixtures());
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
