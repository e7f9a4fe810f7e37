//! The laws of low-rank adapters.
#![allow(clippy::unwrap_used)]

mod support;

use proptest::prelude::*;
use sparring_candle::oracle::Oracle;
use sparring_candle::{
    AdamWConfig, CandlePolicy, DeviceOptions, DevicePolicy, LoraConfig, LoraTargets, ModelConfig, ModelFamily,
};
use sparring_core::{
    Checkpoint, Learner, Policy, Prompt, Rollout, SampleRequest, Sampler, SamplingParams, Scorer, Seed,
};
use sparring_testkit::conformance::{self, Options};
use std::fs;
use std::path::Path;
use support::{Linear, accumulate, bits, completion_tokens, train, with_batch};

const TOKENS: [u32; 12] = [5, 9, 30, 2, 11, 17, 39, 4, 4, 21, 8, 3];

fn base(family: ModelFamily, seed: u64) -> CandlePolicy {
    let mut config = ModelConfig::new(family, 40, 16, 2, 4, 24).with_kv_heads(2).with_max_positions(96);
    config.initializer_range = 0.3;
    CandlePolicy::init(config, support::tokenizer(40), support::options(), Seed::new(seed)).unwrap()
}

/// A policy whose adapter does something.
fn trained(config: LoraConfig, seed: u64) -> CandlePolicy {
    let mut policy = base(ModelFamily::Qwen3, seed).with_lora(config, Seed::new(seed + 1)).unwrap();
    train(&mut policy, 0..2);
    policy
}

fn sample(policy: &CandlePolicy) -> Vec<Rollout> {
    let params = SamplingParams::default().with_max_tokens(20);
    let request = SampleRequest::new(Prompt::Tokens(TOKENS.into()), 4, params, Seed::new(3));
    let mut rollouts = policy.sample_one(&request).unwrap();
    // How often the weights changed says nothing of what they are.
    for rollout in &mut rollouts {
        rollout.weights_version = None;
    }
    rollouts
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).fold(0.0, |m, (a, b)| m.max((a - b).abs()))
}

fn configs() -> impl Strategy<Value = LoraConfig> {
    let targets = prop::sample::select(vec![
        LoraTargets::AllLinear,
        LoraTargets::names(["q_proj", "v_proj"]),
        LoraTargets::names(["layers.1.self_attn.o_proj", "down_proj", "k_proj"]),
        LoraTargets::Pattern(r".*\.1\..*\.(gate|up)_proj".to_owned()),
    ]);
    (1..6_usize, 0.1..20.0_f64, any::<bool>(), targets).prop_map(|(rank, alpha, rslora, targets)| {
        LoraConfig::new(rank).with_alpha(alpha).with_rslora(rslora).with_targets(targets)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_fresh_adapter_is_the_base(config in configs(), seed: u64) {
        let base = base(ModelFamily::Qwen2, 7);
        let policy = base.with_lora(config, Seed::new(seed)).unwrap();
        prop_assert_eq!(policy.logits(&TOKENS).unwrap(), base.logits(&TOKENS).unwrap());
        prop_assert_eq!(sample(&policy), sample(&base));
    }

    #[test]
    fn merged_is_unmerged(config in configs(), seed in 0..1000_u64) {
        let mut policy = trained(config, seed);
        let apart = policy.logits(&TOKENS).unwrap();
        let rollouts = sample(&policy);
        policy.merge_adapter().unwrap();
        let merged = policy.logits(&TOKENS).unwrap();
        prop_assert!(largest_difference(&apart, &merged) < 1e-4);
        prop_assert!(accumulate_fails(&mut policy) && policy.step(1.0).is_err() && policy.merge_adapter().is_err());
        let dir = tempfile::tempdir().unwrap();
        prop_assert!(policy.save(dir.path()).is_err() && policy.restore(dir.path()).is_err());
        policy.unmerge_adapter().unwrap();
        prop_assert_eq!(&policy.logits(&TOKENS).unwrap(), &apart);
        prop_assert_eq!(sample(&policy), rollouts);
        let whole = policy.into_merged().unwrap();
        prop_assert!(whole.lora().is_none() && whole.parameter_count() > 1000);
        prop_assert_eq!(whole.logits(&TOKENS).unwrap(), merged);
    }

    /// With w' = w + s·b·a: ∂L/∂a = s·bᵀ·∂L/∂w' and ∂L/∂b = s·∂L/∂w'·aᵀ; ∂L/∂w' from candle's automatic
    /// differentiation of the merged model.
    #[test]
    fn gradients_are_those_of_the_oracle(config in configs(), seed in 0..1000_u64) {
        let mut policy = trained(config.clone(), seed);
        let whole = policy.duplicate().into_merged().unwrap();
        let loss = Linear::new(completion_tokens(&support::groups(5, 40)), true);
        let entropy = loss.entropy.clone().unwrap();
        let names: Vec<String> = whole.parameters().map(|(name, ..)| name.to_owned()).collect();
        let want = with_batch(&support::groups(5, 40), 0.9, |batch| {
            Oracle::new(&whole).unwrap().gradients(batch, &loss.logp, &entropy).unwrap()
        });
        accumulate(&mut policy, 5);
        let factors: Vec<_> = policy.parameters().map(|(n, s, w)| (n.to_owned(), s.to_vec(), w.to_vec())).collect();
        let gradients = policy.gradients();
        for ((a, b), pair) in gradients.chunks(2).map(|g| (&g[0], &g[1])).zip(factors.chunks(2)) {
            let [(name, a_shape, a_values), (_, b_shape, b_values)] = pair else { unreachable!() };
            let matrix = name.strip_prefix("base_model.model.").unwrap().replace("lora_A.weight", "weight");
            let dw = &want[names.iter().position(|n| *n == matrix).unwrap()];
            let (rank, inputs, outputs) = (a_shape[0], a_shape[1], b_shape[0]);
            let s = config.scale();
            let da = |r: usize, i: usize| -> f64 {
                (0..outputs).map(|o| s * f64::from(b_values[o * rank + r]) * dw[o * inputs + i]).sum()
            };
            let db = |o: usize, r: usize| -> f64 {
                (0..inputs).map(|i| s * dw[o * inputs + i] * f64::from(a_values[r * inputs + i])).sum()
            };
            let a_want: Vec<f64> = (0..rank).flat_map(|r| (0..inputs).map(move |i| (r, i))).map(|(r, i)| da(r, i)).collect();
            let b_want: Vec<f64> = (0..outputs).flat_map(|o| (0..rank).map(move |r| (o, r))).map(|(o, r)| db(o, r)).collect();
            for (got, want) in [(a, a_want), (b, b_want)] {
                let scale = want.iter().fold(1e-3_f64, |m, w| m.max(w.abs()));
                for (got, want) in got.iter().zip(want) {
                    prop_assert!((f64::from(*got) - want).abs() < 2e-4 * scale, "{name}: {got} {want}");
                }
            }
        }
    }
}

fn accumulate_fails(policy: &mut CandlePolicy) -> bool {
    let loss = Linear::new(completion_tokens(&support::groups(1, 40)), false);
    with_batch(&support::groups(1, 40), 1.0, |batch| policy.accumulate(batch, &loss)).is_err()
}

#[test]
fn policies_share_a_base_and_leave_it_alone() {
    let base = base(ModelFamily::Llama, 3);
    let before = (bits(&base), base.logits(&TOKENS).unwrap());
    let mut solver = base.with_lora(LoraConfig::new(4), Seed::new(1)).unwrap();
    let mut generator = base.with_lora(LoraConfig::new(2), Seed::new(2)).unwrap();
    train(&mut solver, 0..3);
    let alone = generator.logits(&TOKENS).unwrap();
    train(&mut generator, 3..6);
    assert_eq!((bits(&base), base.logits(&TOKENS).unwrap()), before);
    assert_ne!(solver.logits(&TOKENS).unwrap(), generator.logits(&TOKENS).unwrap());
    assert_eq!(alone, before.1, "one policy's training moved another's adapter");
    // A frozen copy keeps its adapter while the policy learns on.
    let frozen = Policy::freeze(&solver).unwrap();
    let score = |scorer: &dyn Scorer| with_batch(&support::groups(1, 40), 1.0, |b| scorer.score(b).unwrap());
    let kept = score(frozen.as_ref());
    train(&mut solver, 6..8);
    assert_eq!(score(frozen.as_ref()), kept);
    assert_ne!(score(&solver), kept);
}

#[test]
fn the_sampler_uses_the_adapter() {
    let mut policy = trained(LoraConfig::new(3).with_alpha(20.0), 5);
    assert_ne!(sample(&policy), sample(&base(ModelFamily::Qwen3, 5)));
    for rollout in sample(&policy) {
        let groups = vec![(TOKENS.to_vec(), vec![rollout.tokens.clone()])];
        let scores = with_batch(&groups, 1.0, |batch| policy.score(batch).unwrap());
        assert!(largest_difference(&scores, &rollout.logp) < 1e-4);
    }
    let apart = sample(&policy);
    train(&mut policy, 5..6);
    assert_ne!(sample(&policy), apart, "the packed factors are those of before the step");
}

#[test]
fn conformance_with_an_adapter() {
    let config = LoraConfig::new(3);
    let prompts = [vec![5, 6, 7], vec![9]].map(|ids: Vec<u32>| Prompt::Tokens(ids.into())).to_vec();
    let make = || {
        let mut policy = trained(config.clone(), 8);
        policy.reset();
        policy
    };
    conformance::policy(&make(), &prompts, &Options::default()).unwrap();
    conformance::learner(make, &prompts, &Options::default()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    conformance::checkpoint(make, &prompts, dir.path(), &Options::default()).unwrap();
}

#[test]
fn dropout_is_the_same_forwards_and_backwards_and_however_a_batch_is_divided() {
    let adapter = tempfile::tempdir().unwrap();
    trained(LoraConfig::new(3).with_dropout(0.4), 9).save_pretrained(adapter.path()).unwrap();
    let load = |dir: &Path, shards: usize| {
        let mut policy = base(ModelFamily::Qwen3, 9).load_adapter(dir).unwrap();
        policy.set_options(support::options().with_shards(shards)).unwrap();
        policy
    };
    let mut policy = load(adapter.path(), 1);
    let value = accumulate(&mut policy, 3);
    let gradients = policy.gradients();
    let mut split = load(adapter.path(), 4);
    assert!((accumulate(&mut split, 3) - value).abs() < 1e-4 * value.abs());
    for (a, b) in gradients.iter().zip(split.gradients()) {
        let scale = a.iter().fold(1e-3_f32, |m, g| m.max(g.abs()));
        assert!(largest_difference(a, &b) < 1e-4 * scale);
    }
    // The second call drops other elements.
    assert!((accumulate(&mut policy, 3) - value).abs() > 1e-3);
    // A small step against the gradient changes the loss by −rate·|g|².
    let squared: f64 = gradients.iter().flatten().map(|g| f64::from(*g).powi(2)).sum();
    let mut plain = load(adapter.path(), 1);
    let optimiser = AdamWConfig::default().with_grad_clip(None).with_betas(0.0, 0.0).with_eps(1e6);
    plain.set_options(support::options().with_shards(1).with_adamw(optimiser)).unwrap();
    accumulate(&mut plain, 3);
    // With such an eps the step is lr/eps·g.
    let rate = 1e-2 / squared.sqrt() * 0.1;
    plain.step(rate * 1e6).unwrap();
    let moved = tempfile::tempdir().unwrap();
    plain.save_pretrained(moved.path()).unwrap();
    let after = accumulate(&mut load(moved.path(), 1), 3);
    let (got, want) = (after - value, -rate * squared);
    assert!((got / want - 1.0).abs() < 0.05, "{got} {want}");
}

/// Rows that several prompts have in common have the same masks where each prompt has rows of its own.
#[test]
fn dropout_does_not_depend_on_which_prompts_share_rows() {
    let gradients = |shards: usize| {
        let options = support::options().with_shards(shards);
        let config = support::tiny_config().with_max_positions(400);
        let base = CandlePolicy::init(config, support::tokenizer(40), options, Seed::new(2)).unwrap();
        let lora = LoraConfig::new(3).with_dropout(0.4).with_targets(LoraTargets::AllLinear);
        let mut policy = base.with_lora(lora, Seed::new(3)).unwrap();
        // Of a fresh adapter one factor is 0.
        train(&mut policy, 0..2);
        let groups = support::branching_groups(6, 12, 300);
        let loss = Linear::new(completion_tokens(&groups), true);
        with_batch(&groups, 0.9, |batch| policy.accumulate(batch, &loss).unwrap());
        policy.gradients()
    };
    let whole = gradients(1);
    for shards in [2, 5, 12] {
        for (a, b) in whole.iter().zip(gradients(shards)) {
            let scale = a.iter().fold(1e-3_f32, |m, g| m.max(g.abs()));
            let difference = largest_difference(a, &b) / scale;
            assert!(difference < 1e-4, "{shards} shards: {difference}");
        }
    }
}

#[test]
fn dropout_resumes_where_it_was() {
    let config = LoraConfig::new(2).with_dropout(0.3);
    let make = |seed| base(ModelFamily::Qwen2, 4).with_lora(config.clone(), Seed::new(seed)).unwrap();
    let mut straight = make(6);
    train(&mut straight, 0..3);
    let dir = tempfile::tempdir().unwrap();
    straight.save(dir.path()).unwrap();
    train(&mut straight, 3..5);
    let loaded = base(ModelFamily::Qwen2, 4).load_adapter(dir.path()).unwrap();
    for mut resumed in [make(6), make(7), loaded] {
        resumed.restore(dir.path()).unwrap();
        train(&mut resumed, 3..5);
        assert_eq!(bits(&straight), bits(&resumed));
    }
    // What is scored and sampled is the whole adapter.
    straight.save_pretrained(dir.path()).unwrap();
    let file = dir.path().join("adapter_config.json");
    let text = fs::read_to_string(&file).unwrap().replace("\"lora_dropout\": 0.3", "\"lora_dropout\": 0.0");
    fs::write(&file, text).unwrap();
    let whole = base(ModelFamily::Qwen2, 4).load_adapter(dir.path()).unwrap();
    assert_eq!(whole.lora().map(|l| l.dropout), Some(0.0));
    assert_eq!(straight.logits(&TOKENS).unwrap(), whole.logits(&TOKENS).unwrap());
    assert_eq!(sample(&straight), sample(&whole));
}

#[test]
fn an_adapter_folder_reads_back() {
    let mut config = LoraConfig::new(4).with_rslora(true).with_dropout(0.1);
    // The first that matches counts.
    config = config.with_rank_of("layers.0.self_attn.q_proj", 3).with_rank_of("q_proj", 2);
    config = config.with_alpha_of(r"layers.0.*down_proj", 1.0);
    let policy = trained(config.clone(), 2);
    let dir = tempfile::tempdir().unwrap();
    policy.save_pretrained(dir.path()).unwrap();
    let loaded = base(ModelFamily::Qwen3, 2).load_adapter(dir.path()).unwrap();
    assert_eq!(loaded.lora(), Some(&config));
    assert_eq!(bits(&loaded), bits(&policy));
    assert_eq!(loaded.logits(&TOKENS).unwrap(), policy.logits(&TOKENS).unwrap());
    let shapes: Vec<_> = loaded.parameters().filter(|(n, ..)| n.contains("q_proj.lora_A")).collect();
    assert_eq!((shapes.len(), shapes[0].1, shapes[1].1), (2, &[3, 16][..], &[2, 16][..]));
}

#[test]
fn an_adapter_belongs_to_the_weights_that_it_was_trained_on() {
    let (dir, policy) = (tempfile::tempdir().unwrap(), trained(LoraConfig::new(2), 2));
    policy.save(dir.path()).unwrap();
    let other = base(ModelFamily::Qwen3, 3);
    let on_device = |policy: &CandlePolicy| DevicePolicy::new(policy, DeviceOptions::default()).unwrap();
    let mut restored = other.with_lora(LoraConfig::new(2), Seed::new(1)).unwrap();
    for error in [
        other.load_adapter(dir.path()).unwrap_err(),
        on_device(&other).load_adapter(dir.path()).unwrap_err(),
        restored.restore(dir.path()).unwrap_err(),
    ] {
        let error = error.to_string();
        assert!(error.contains("adapter_model.safetensors: its factors were trained on a base"), "{error}");
    }
    // The same base, however it was loaded, and the adapter of a device.
    let saved = tempfile::tempdir().unwrap();
    base(ModelFamily::Qwen3, 2).save_pretrained(saved.path()).unwrap();
    let again = CandlePolicy::load(saved.path(), support::options()).unwrap();
    assert_eq!(bits(&again.load_adapter(dir.path()).unwrap()), bits(&policy));
    on_device(&again).load_adapter(dir.path()).unwrap().save_pretrained(dir.path()).unwrap();
    assert_eq!(bits(&again.load_adapter(dir.path()).unwrap()), bits(&policy));
    // Another program's adapter does not say what it was trained on.
    with_whole(dir.path(), &[]);
    assert!(other.load_adapter(dir.path()).is_ok());
}

#[test]
fn what_cannot_be_read_is_named() {
    let saved = |change: &dyn Fn(&mut serde_json::Value)| {
        let dir = tempfile::tempdir().unwrap();
        trained(LoraConfig::new(2), 1).save_pretrained(dir.path()).unwrap();
        let file = dir.path().join("adapter_config.json");
        let mut value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        change(&mut value);
        fs::write(&file, value.to_string()).unwrap();
        base(ModelFamily::Qwen3, 1).load_adapter(dir.path()).unwrap_err().to_string()
    };
    let cases: [(&str, serde_json::Value, &str); 14] = [
        ("init_lora_weights", "pissa".into(), "\"init_lora_weights\" is \"pissa\", which changes the base"),
        ("layers_to_transform", serde_json::json!([0]), "needs target_modules to be a list of names"),
        ("r", "two".into(), "invalid type"),
        ("use_dora", true.into(), "\"use_dora\" is set"),
        ("bias", "all".into(), "\"bias\" is \"all\""),
        ("peft_type", "IA3".into(), "\"peft_type\" is \"IA3\""),
        (
            "modules_to_save",
            serde_json::json!(["lm_head"]),
            "names \"lm_head\", but the file has no tensor of it",
        ),
        ("task_type", "SEQ_CLS".into(), "\"task_type\" is \"SEQ_CLS\", an adapter for another task"),
        (
            "target_modules",
            serde_json::json!(["c_attn"]),
            "\"c_attn\" matches no matrix of the model; it has q_proj, k_proj",
        ),
        ("target_modules", "(".into(), "is not a regular expression"),
        ("r", 3.into(), "has shape [2, 16], where [3, 16] is expected"),
        ("r", 65536.into(), "has shape [2, 16], where [65536, 16] is expected"),
        ("r", 1_000_000_000.into(), "adapter_config.json: lora.r is 1000000000; it must be at most 65536"),
        (
            "target_modules",
            serde_json::json!(["q_proj"]),
            "belongs to no matrix that adapter_config.json names",
        ),
    ];
    for (field, value, want) in cases {
        let error = saved(&|config| config[field] = value.clone());
        assert!(error.contains(want) && error.contains("adapter_"), "{error}");
    }
    let empty = tempfile::tempdir().unwrap();
    let error = base(ModelFamily::Qwen3, 1).load_adapter(empty.path()).unwrap_err().to_string();
    assert!(error.contains("adapter_config.json: not found; an adapter folder needs"), "{error}");
    for bad in
        [LoraConfig::new(0), LoraConfig::new(1).with_dropout(1.0), LoraConfig::new(1).with_alpha(f64::NAN)]
    {
        assert!(base(ModelFamily::Llama, 1).with_lora(bad, Seed::new(1)).is_err());
    }
    for bad in [LoraConfig::new(1_000_000_000), LoraConfig::new(1).with_rank_of("q_proj", 1_000_000_000)] {
        let error = base(ModelFamily::Llama, 1).with_lora(bad, Seed::new(1)).unwrap_err().to_string();
        assert!(error.contains("lora.r is 1000000000; it must be at most 65536"), "{error}");
    }
    let named = LoraConfig::new(1).with_targets(LoraTargets::names(["q_proj"]));
    for (layers, want) in [(vec![0, 9], "there is no layer 9"), (vec![], "matches no matrix")] {
        let error = base(ModelFamily::Llama, 1).with_lora(named.clone().with_layers(layers), Seed::new(1));
        assert!(error.unwrap_err().to_string().contains(want));
    }
    let one = base(ModelFamily::Llama, 1).with_lora(named.with_layers([1]), Seed::new(1)).unwrap();
    assert!(one.parameters().count() == 2 && one.parameters().all(|(name, ..)| name.contains("layers.1.")));
    let policy = trained(LoraConfig::new(1), 1);
    assert!(policy.with_lora(LoraConfig::new(1), Seed::new(1)).is_err());
}

/// The names of the matrices with factors, without their common beginning.
fn adapted(policy: &CandlePolicy) -> Vec<String> {
    let first = policy.parameters().filter_map(|(name, ..)| name.strip_suffix(".lora_A.weight"));
    first.map(|name| name.trim_start_matches("base_model.model.model.layers.").to_owned()).collect()
}

#[test]
fn targets_are_chosen_as_by_peft() {
    let chosen =
        |config: LoraConfig| adapted(&base(ModelFamily::Llama, 1).with_lora(config, Seed::new(1)).unwrap());
    let names = |names: &[&str]| LoraConfig::new(1).with_targets(LoraTargets::names(names.iter().copied()));
    let excluded =
        names(&["q_proj", "v_proj"]).with_excluded(LoraTargets::names(["layers.0.self_attn.v_proj"]));
    assert_eq!(chosen(excluded.clone()), ["0.self_attn.q_proj", "1.self_attn.q_proj", "1.self_attn.v_proj"]);
    let pattern = LoraTargets::Pattern(r".*\.1\..*".to_owned());
    assert_eq!(chosen(names(&["q_proj"]).with_excluded(pattern)), ["0.self_attn.q_proj"]);
    // A pattern may look ahead.
    let ahead = LoraTargets::Pattern(r"(?!.*layers\.0\.).*\.(q|k)_proj".to_owned());
    assert_eq!(chosen(LoraConfig::new(1).with_targets(ahead)), ["1.self_attn.q_proj", "1.self_attn.k_proj"]);
    let mut counted = names(&["q_proj"]).with_layers([1]);
    counted.layers_pattern = vec!["layers".to_owned()];
    assert_eq!(chosen(counted.clone()), ["1.self_attn.q_proj"]);
    counted.layers_pattern = vec!["h".to_owned()];
    assert!(base(ModelFamily::Llama, 1).with_lora(counted, Seed::new(1)).is_err());

    // Settings are kept, and of the names in a file one must match.
    let dir = tempfile::tempdir().unwrap();
    base(ModelFamily::Llama, 1)
        .with_lora(excluded.clone(), Seed::new(1))
        .unwrap()
        .save_pretrained(dir.path())
        .unwrap();
    let file = dir.path().join("adapter_config.json");
    let mut value: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let load = || base(ModelFamily::Llama, 1).load_adapter(dir.path()).unwrap();
    assert_eq!(load().lora(), Some(&excluded));
    value["target_modules"] = serde_json::json!(["q_proj", "v_proj", "c_attn"]);
    value["modules_to_save"] = serde_json::json!([]);
    fs::write(&file, value.to_string()).unwrap();
    assert_eq!(adapted(&load()).len(), 3);
}

/// An adapter whose file also has parameters of the base.
fn with_whole(dir: &Path, names: &[&str]) -> Vec<f32> {
    let file = dir.join("adapter_model.safetensors");
    let bytes = fs::read(&file).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let values: Vec<f32> = (0..40 * 16).map(|i| (i as f32 * 0.7).sin()).collect();
    let data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let view =
        |data| safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![40, 16], data).unwrap();
    let mut all = tensors.tensors();
    all.extend(names.iter().map(|name| ((*name).to_owned(), view(&data))));
    fs::write(&file, safetensors::serialize(all, None).unwrap()).unwrap();
    values
}

#[test]
fn parameters_that_are_saved_whole_replace_the_base() {
    const EMBEDDING: &str = "base_model.model.model.embed_tokens.weight";
    const HEAD: &str = "base_model.model.lm_head.weight";
    let dir = tempfile::tempdir().unwrap();
    trained(LoraConfig::new(2), 1).save_pretrained(dir.path()).unwrap();
    let plain = base(ModelFamily::Qwen3, 1);
    let before = bits(&plain);
    let values = with_whole(dir.path(), &[EMBEDDING, HEAD]);
    let policy = plain.load_adapter(dir.path()).unwrap();
    // The base that others share is left alone.
    assert_eq!(bits(&plain), before);
    let expect: Vec<u32> = values.iter().map(|v| v.to_bits()).collect();
    let merged = plain.load_adapter(dir.path()).unwrap().into_merged().unwrap();
    assert_eq!(bits(&merged)[..expect.len()], expect);
    assert_ne!(policy.logits(&TOKENS).unwrap(), trained(LoraConfig::new(2), 1).logits(&TOKENS).unwrap());
    // On a device, and after being saved, it is the same.
    let device =
        DevicePolicy::new(&plain, DeviceOptions::default()).unwrap().load_adapter(dir.path()).unwrap();
    assert!(largest_difference(&device.logits(&TOKENS).unwrap(), &policy.logits(&TOKENS).unwrap()) < 1e-4);
    let again = tempfile::tempdir().unwrap();
    policy.save(again.path()).unwrap();
    let mut loaded = plain.load_adapter(again.path()).unwrap();
    assert_eq!(loaded.logits(&TOKENS).unwrap(), policy.logits(&TOKENS).unwrap());
    loaded.restore(again.path()).unwrap();
    let mut other = trained(LoraConfig::new(2), 1);
    assert!(other.restore(again.path()).unwrap_err().to_string().contains("does not match"));
    // A tied base has no room for a head of its own.
    trained(LoraConfig::new(2), 1).save_pretrained(dir.path()).unwrap();
    with_whole(dir.path(), &[HEAD]);
    let error = plain.load_adapter(dir.path()).unwrap_err().to_string();
    assert!(error.contains("differs from the embedding"), "{error}");
}
