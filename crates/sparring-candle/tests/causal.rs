//! candle-transformers' models as samplers and scorers, on folders that we saved.
#![allow(clippy::unwrap_used)]

mod support;

use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use candle_transformers::models::{llama, qwen2};
use sparring_candle::{CandlePolicy, CausalModel, CausalSampler, Family, ModelConfig, transformers};
use sparring_core::{PolicyError, Prompt, SampleRequest, Sampler, SamplingParams, Scorer, Seed};
use sparring_testkit::conformance::{self, Options};
use std::path::Path;
use support::with_batch;

fn policy(family: Family) -> CandlePolicy {
    let mut config = ModelConfig::new(family, 40, 16, 2, 4, 24).with_kv_heads(2).with_max_positions(96);
    config.initializer_range = 0.3;
    CandlePolicy::init(config, support::tokenizer(40), support::options(), Seed::new(51)).unwrap()
}

fn weights(dir: &Path) -> VarBuilder<'static> {
    let bytes = std::fs::read(dir.join("model.safetensors")).unwrap();
    VarBuilder::from_buffered_safetensors(bytes, DType::F32, &Device::Cpu).unwrap()
}

fn config(dir: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(dir.join("config.json")).unwrap()).unwrap()
}

/// Their model on the weights of ours.
fn theirs(policy: &CandlePolicy) -> CausalSampler {
    let dir = tempfile::tempdir().unwrap();
    policy.save_pretrained(dir.path()).unwrap();
    let (weights, mut config) = (weights(dir.path()), config(dir.path()));
    if policy.config().family == Family::Qwen2 {
        // Fields that their reader wants although they say nothing here.
        config["sliding_window"] = 96.into();
        config["max_window_layers"] = 2.into();
        let config: qwen2::Config = serde_json::from_value(config).unwrap();
        let model = qwen2::ModelForCausalLM::new(&config, weights).unwrap();
        return sampler(transformers::qwen2(model, Device::Cpu));
    }
    let config: llama::LlamaConfig = serde_json::from_value(config).unwrap();
    let config = config.into_config(false);
    let model = llama::Llama::load(weights, &config).unwrap();
    sampler(transformers::llama(model, &config, DType::F32, Device::Cpu).unwrap())
}

fn sampler(model: impl CausalModel + 'static) -> CausalSampler {
    CausalSampler::new(model, support::tokenizer(40), 40, 96)
}

const FAMILIES: [Family; 2] = [Family::Qwen2, Family::Llama];

#[test]
fn tokens_and_log_probabilities_are_those_of_our_decoder() {
    for policy in FAMILIES.map(policy) {
        let theirs = theirs(&policy);
        for params in [SamplingParams::greedy(), SamplingParams::default()] {
            let prompts = [vec![5, 6, 7], vec![9], (0..30).collect()];
            let requests = prompts.map(|prompt: Vec<u32>| {
                SampleRequest::new(prompt, 5, params.clone().with_max_tokens(20), Seed::new(1))
            });
            let (want, got) = (policy.sample_all(&requests).unwrap(), theirs.sample_all(&requests).unwrap());
            for (want, got) in want.iter().flatten().zip(got.iter().flatten()) {
                assert_eq!((&want.tokens, want.finish), (&got.tokens, got.finish));
                assert!(want.logp.iter().zip(&got.logp).all(|(a, b)| (a - b).abs() < 1e-4));
            }
        }
        with_batch(&support::groups(1, 40), 0.7, |batch| {
            let (want, got) = (policy.score(batch).unwrap(), theirs.score(batch).unwrap());
            assert_eq!(want.len(), got.len());
            assert!(want.iter().zip(&got).all(|(a, b)| (a - b).abs() < 1e-4));
        });
    }
}

#[test]
fn contracts() {
    let prompts = [vec![5, 6, 7], vec![9]].map(|ids: Vec<u32>| Prompt::Tokens(ids.into()));
    let options = Options::default();
    for policy in FAMILIES.map(policy) {
        let theirs = theirs(&policy).with_rows(3);
        conformance::sampler(&theirs, &prompts, &options).unwrap();
        let request = |ids: &[u32]| {
            SampleRequest::new(ids.to_vec(), 4, SamplingParams::default().with_max_tokens(8), Seed::new(2))
        };
        let groups = theirs.sample_all(&[request(&[5, 6]), request(&[9])]).unwrap();
        conformance::scorer(&theirs, &groups, &options).unwrap();
    }
}

/// Logits of every token, where those of the last were wanted.
struct TooMany;

impl CausalModel for TooMany {
    fn forward(&mut self, ids: &[u32], _rows: usize, _position: usize) -> Result<Vec<f32>, PolicyError> {
        Ok(vec![0.0; 40 * ids.len()])
    }

    fn reset(&mut self) {}
}

#[test]
fn logits_of_another_shape_are_refused() {
    let request = SampleRequest::new(vec![5, 6], 1, SamplingParams::greedy(), Seed::new(1));
    let error = sampler(TooMany).sample_one(&request).unwrap_err().to_string();
    assert!(error.contains("80 logits for 1 rows; 40 were expected"), "{error}");
}
