//! Further families against `transformers` and PEFT, by small recorded checkpoints in `tests/parity`, where the script
//! that makes them lies: logits, greedy tokens, gradients, adapters, exported folders, and what is refused.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use sparring_candle::{CandlePolicy, DevicePolicy, LoraConfig, ModelConfig, ModelFamily, PolicyOptions};
use sparring_core::{Learner, SampleRequest, Sampler, SamplingParams, Scorer, Seed};
use std::path::{Path, PathBuf};
use support::backend::{Backend, on_both};
use support::parity::{self, Fixture};
use support::{Linear, with_batch};

on_both!(logits, greedy_tokens, gradients, logits_with_adapter, exports_are_the_same_model);

const NAMES: [&str; 6] = ["mistral", "smollm3", "gemma3", "phi3", "olmo2", "granite"];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity").join(name)
}

fn fixtures() -> Vec<Fixture> {
    NAMES.map(|name| Fixture::open(folder(name))).into()
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

fn load(dir: &Path) -> CandlePolicy {
    CandlePolicy::load(dir, PolicyOptions::default()).unwrap()
}

/// What is exported is the same model, and so is what is exported from that.
fn exports_are_the_same_model<B: Backend>() {
    for fixture in fixtures() {
        let (once, twice) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let policy = fixture.load();
        policy.save_pretrained(once.path()).unwrap();
        let again = load(once.path());
        assert_eq!(again.config().family, policy.config().family);
        parity::compare_logits(&B::of(again), &fixture, &fixture.file());
        load(once.path()).save_pretrained(twice.path()).unwrap();
        for name in ["config.json", "model.safetensors"] {
            let [once, twice] = [&once, &twice].map(|dir| std::fs::read(dir.path().join(name)).unwrap());
            assert!(once == twice, "{}: {name}", fixture.name);
        }
        // For a check by Python: see the script.
        if let Some(out) = std::env::var_os("SPARRING_EXPORTS") {
            export(&policy, &fixture, &Path::new(&out).join(&fixture.name));
        }
    }
}

/// The model after a step, with the logits that we compute.
fn export(policy: &CandlePolicy, fixture: &Fixture, out: &Path) {
    let mut policy = policy.duplicate();
    learn(&mut policy);
    policy.save_pretrained(out).unwrap();
    let mut tensors = std::collections::HashMap::new();
    for j in 0..2 {
        let ids = parity::ids(&fixture.file(), &format!("ids.{j}"));
        let logits = policy.logits(&ids).unwrap();
        let (n, place) = (ids.len(), &candle_core::Device::Cpu);
        let logits = candle_core::Tensor::from_vec(logits, (n, policy.config().vocab_size), place).unwrap();
        tensors.insert(format!("logits.{j}"), logits);
        tensors.insert(format!("ids.{j}"), candle_core::Tensor::new(ids, place).unwrap());
    }
    candle_core::safetensors::save(&tensors, out.join("ours.safetensors")).unwrap();
}

fn learn(policy: &mut CandlePolicy) {
    let groups = [(vec![5, 6, 7], vec![vec![8, 9, 10, 11, 12, 13, 14, 15], vec![16, 3]])];
    with_batch(&groups, 1.0, |batch| policy.accumulate(batch, &Linear::new(10, true)).unwrap());
    policy.step(1e-2).unwrap();
}

/// Sampling with a cache has the bits of a pass over the whole sequence, with and without an adapter.
#[test]
fn sampled_log_probabilities_are_those_of_the_whole_sequence() {
    for fixture in fixtures() {
        let base = fixture.load();
        let mut adapted = base.with_lora(LoraConfig::new(2), Seed::new(1)).unwrap();
        learn(&mut adapted);
        for policy in [base, adapted] {
            let params = SamplingParams::default().with_max_tokens(30);
            let request =
                SampleRequest::new((3..32).chain(3..13).collect::<Vec<_>>(), 4, params, Seed::new(2));
            for rollout in policy.sample_one(&request).unwrap() {
                let groups = [(rollout.prompt.to_vec(), vec![rollout.tokens.clone()])];
                let scores = with_batch(&groups, 1.0, |batch| policy.score(batch).unwrap());
                for (score, own) in scores.iter().zip(&rollout.logp) {
                    assert!(
                        (score - own).abs() < 2e-5 * own.abs().max(1.0),
                        "{}: {score} {own}",
                        fixture.name
                    );
                }
            }
        }
    }
}

/// The factors that PEFT would make are those of the checkpoint's matrices: fused ones have one pair.
#[test]
fn adapters_have_the_names_of_the_checkpoint() {
    let names = |name: &str| -> Vec<String> {
        let policy = Fixture::open(folder(name)).load().with_lora(LoraConfig::new(2), Seed::new(1)).unwrap();
        policy
            .parameters()
            .filter(|(name, ..)| name.contains("layers.0."))
            .map(|(n, ..)| n.to_owned())
            .collect()
    };
    assert_eq!(names("olmo2").len(), 2 * 7);
    let fused = names("phi3");
    assert_eq!(fused.len(), 2 * 4);
    assert_eq!(fused[0], "base_model.model.model.layers.0.self_attn.qkv_proj.lora_A.weight");
    let dir = tempfile::tempdir().unwrap();
    let policy = Fixture::open(folder("phi3")).load();
    let mut adapted = policy.with_lora(LoraConfig::new(2), Seed::new(1)).unwrap();
    learn(&mut adapted);
    adapted.save_pretrained(dir.path()).unwrap();
    let ids: Vec<u32> = (3..20).collect();
    let loaded = policy.load_adapter(dir.path()).unwrap();
    assert_eq!(loaded.logits(&ids).unwrap(), adapted.logits(&ids).unwrap());
    let merged = loaded.into_merged().unwrap();
    let difference =
        parity::largest_difference(&merged.logits(&ids).unwrap(), &adapted.logits(&ids).unwrap());
    assert!(difference < 1e-4, "{difference}");
}

/// What loading says of a folder whose configuration has this value.
fn refused(name: &str, field: &str, value: Value) -> String {
    let dir = Fixture::open(folder(name)).folder();
    let file = dir.path().join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    config[field] = value;
    std::fs::write(&file, config.to_string()).unwrap();
    CandlePolicy::load(dir.path(), PolicyOptions::default()).unwrap_err().to_string()
}

#[test]
fn what_the_decoder_does_not_have_is_refused_by_name() {
    let cases: [(&str, &str, Value, &str); 14] = [
        (
            "gemma3",
            "final_logit_softcapping",
            json!(30.0),
            "\"final_logit_softcapping\" is 30.0; this backend has",
        ),
        ("gemma3", "attn_logit_softcapping", json!(50.0), "\"attn_logit_softcapping\" is 50.0"),
        ("gemma3", "use_bidirectional_attention", json!(true), "\"use_bidirectional_attention\" is true"),
        ("gemma3", "hidden_activation", json!("relu"), "\"hidden_activation\" is \"relu\""),
        ("gemma3", "layer_types", json!(["full_attention"]), "\"layer_types\" has 1 entries"),
        (
            "gemma3",
            "layer_types",
            json!(["full_attention", "chunked_attention"]),
            "\"layer_types\" holds \"chunked_attention\"; this backend knows \"full_attention\"",
        ),
        ("gemma3", "query_pre_attn_scalar", json!(0), "\"query_pre_attn_scalar\" is 0"),
        ("smollm3", "no_rope_layers", json!([1, 2]), "\"no_rope_layers\" holds 2"),
        ("smollm3", "mlp_bias", json!(true), "\"mlp_bias\" is true"),
        ("granite", "residual_multiplier", json!(-1), "\"residual_multiplier\" is -1"),
        ("olmo2", "partial_rotary_factor", json!(0.5), "\"partial_rotary_factor\" is below 1"),
        ("mistral", "sliding_window", json!(0), "\"sliding_window\" is 0"),
        ("phi3", "partial_rotary_factor", json!(0.1), "\"partial_rotary_factor\" must leave an even part"),
        (
            "phi3",
            "rope_scaling",
            json!({"rope_type": "longrope", "short_factor": [1, 2], "long_factor": [1, 2, 3]}),
            "\"rope_scaling\" needs one short_factor and one long_factor for each pair",
        ),
    ];
    for (name, field, value, want) in cases {
        let error = refused(name, field, value);
        assert!(error.contains(want), "{name}: {error}");
    }
}

/// LongRoPE has other frequencies beyond the original length.
#[test]
fn sequences_are_as_long_as_their_frequencies_hold() {
    let policy = Fixture::open(folder("phi3")).load();
    assert_eq!((policy.config().max_position_embeddings, policy.config().longest_sequence()), (128, 64));
    assert!(policy.logits(&[5; 64]).is_ok());
    let error = policy.logits(&[5; 65]).unwrap_err().to_string();
    assert!(error.contains("65 tokens") && error.contains("limit is 64"), "{error}");
    assert!(
        DevicePolicy::new(&policy, support::backend::device_options()).unwrap().logits(&[5; 65]).is_err()
    );
}

/// A window hides what is before it, and no window hides nothing.
#[test]
fn a_window_is_as_wide_as_it_says() {
    for family in ModelFamily::ALL.into_iter().filter(|&family| support::may_have_window(family)) {
        let make = |window: Option<usize>| {
            let mut config = ModelConfig::new(family, 40, 16, 1, 2, 8).with_max_positions(64);
            config.layer_kinds[0].slides = true;
            config.sliding_window = window;
            config.initializer_range = 0.3;
            CandlePolicy::init(config, support::tokenizer(40), support::options(), Seed::new(1)).unwrap()
        };
        let last = |policy: &CandlePolicy, first: u32| {
            let ids: Vec<u32> = [first].into_iter().chain(10..19).collect();
            policy.logits(&ids).unwrap().split_off(9 * 40)
        };
        // One layer: the last of ten tokens sees the first through it, or not at all.
        assert_eq!(last(&make(Some(9)), 5), last(&make(Some(9)), 6), "{family:?}");
        assert_ne!(last(&make(Some(10)), 5), last(&make(Some(10)), 6), "{family:?}");
        assert_eq!(last(&make(Some(10)), 5), last(&make(None), 5), "{family:?}");
    }
}
