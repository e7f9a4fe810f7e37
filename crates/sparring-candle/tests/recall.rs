//! Learning from rollouts that were just sampled does not run their forward pass again, and no bit shows it.
#![allow(clippy::unwrap_used)]

mod support;

use proptest::prelude::*;
use sparring_candle::{CandlePolicy, LoraConfig, LoraTargets, ModelConfig, ModelFamily, PolicyOptions};
use sparring_core::{
    Checkpoint, Learner, Rollout, SampleRequest, Sampler, SamplingParams, Seed, TokenGradients, TokenLoss,
    TokenStats,
};
use support::{Group, Linear, completion_tokens, with_batch};

fn requests(seed: u64, max_tokens: usize) -> Vec<SampleRequest> {
    let params = SamplingParams::default().with_max_tokens(max_tokens);
    let prompt = |n: u32| (0..n).map(|i| (7 * i + n) % 40).collect::<Vec<u32>>();
    // One prompt begins as the long one, two are its beginnings, and one equals it.
    let long = prompt(210);
    let other = [&long[..150], &[1; 9]].concat();
    let like = [(other, 2), (long[..64].to_vec(), 1), (long[..193].to_vec(), 2), (long.clone(), 1)];
    let prompts = [(prompt(3), 5), (long, 3), (prompt(1), 1), (prompt(70), 4)].into_iter().chain(like);
    let request = |(i, (prompt, count)): (u64, (Vec<u32>, usize))| {
        SampleRequest::new(prompt, count, params.clone(), Seed::new(seed).index(i))
    };
    (0..).zip(prompts).map(request).collect()
}

/// The rollouts as a trainer passes them on.
fn groups(rollouts: &[Vec<Rollout>]) -> Vec<Group> {
    let group = |rollouts: &Vec<Rollout>| {
        (rollouts[0].prompt.to_vec(), rollouts.iter().map(|r| r.tokens.clone()).collect())
    };
    rollouts.iter().map(group).collect()
}

/// Every fourth completion has no gradient.
fn accumulate(policy: &mut CandlePolicy, groups: &[Group]) -> f64 {
    let loss = Linear::new(completion_tokens(groups), true).only(groups, 0x7777_7777_7777_7777);
    with_batch(groups, 0.9, |batch| policy.accumulate(batch, &loss).unwrap())
}

fn gradient(policy: &CandlePolicy) -> Vec<u32> {
    policy.gradients().concat().into_iter().map(f32::to_bits).collect()
}

/// Learns from a call of the sampler, so that further ones are recorded, and forgets it.
fn begin(policy: &mut CandlePolicy) {
    let rollouts = policy.sample_all(&requests(99, 2)).unwrap();
    accumulate(policy, &groups(&rollouts));
    policy.discard();
}

#[derive(Debug, Clone)]
struct Case {
    config: ModelConfig,
    lora: Option<LoraConfig>,
    options: PolicyOptions,
    seed: u64,
}

impl Case {
    fn policy(&self, recall_mib: usize) -> CandlePolicy {
        let options = self.options.clone().with_recall_mib(recall_mib);
        let tokenizer = support::tokenizer(40);
        let base = CandlePolicy::init(self.config.clone(), tokenizer, options, Seed::new(self.seed)).unwrap();
        let mut policy = match &self.lora {
            Some(lora) => base.with_lora(lora.clone(), Seed::new(self.seed + 1)).unwrap(),
            None => base,
        };
        // Of a fresh adapter one factor is 0.
        support::train(&mut policy, 0..2);
        policy
    }

    /// Losses and the last gradient of rollouts that are learned from, four groups at a time.
    fn run(&self, recall_mib: usize) -> (Vec<u64>, Vec<u32>) {
        let mut policy = self.policy(recall_mib);
        begin(&mut policy);
        let mut losses = Vec::new();
        for step in 0..2 {
            let groups = groups(&policy.sample_all(&requests(self.seed + step, 30)).unwrap());
            for half in groups.chunks(4) {
                let before = policy.recall_report();
                losses.push(accumulate(&mut policy, half).to_bits());
                let after = policy.recall_report();
                let recalled = after.recalled_rows > before.recalled_rows;
                let computed = after.computed_rows > before.computed_rows;
                assert_eq!((recalled, computed), (recall_mib > 0, recall_mib == 0));
            }
            if step == 0 {
                policy.step(1e-2).unwrap();
            }
        }
        (losses, gradient(&policy))
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let family = prop::sample::select(ModelFamily::ALL.to_vec());
    let shape = (1..4_usize, prop::sample::select(vec![(2, 1), (4, 2), (6, 2)]), 1..12_usize, 5..40_usize);
    let window = prop::option::of(1..90_usize);
    let rest = (any::<[bool; 3]>(), 0.1..20.0_f64, 1..5_usize, 1..4_usize, 0..1000_u64);
    (family, shape, window, rest).prop_map(|(family, (layers, (heads, kv_heads), half, ff), window, rest)| {
        let ([bias, adapted, again], alpha, rows, shards, seed) = rest;
        let config = ModelConfig::new(family, 40, 24, layers, heads, ff);
        let mut config = config.with_kv_heads(kv_heads).with_max_positions(300);
        config.head_dim = 2 * half;
        config.initializer_range = 0.3;
        let config = support::with_options(config, bias, window);
        let lora = LoraConfig::new(3)
            .with_alpha(alpha)
            .with_targets(LoraTargets::Pattern(
                r".*\.(q_proj|v_proj|qkv_proj|o_proj|(gate_)?up_proj|down_proj)".to_owned(),
            ))
            .with_rank_of("v_proj", 2)
            .with_alpha_of("v_proj", 3.0 * alpha);
        let lora = adapted.then_some(lora);
        let options = support::options().with_shards(shards).with_checkpoint_layers(again);
        Case { config, lora, options: options.with_decode_rows(rows), seed }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_recalled_is_what_would_be_computed(case in cases()) {
        prop_assert!(case.run(64) == case.run(0));
    }
}

/// Sums over more than 256 numbers are cut, and so are those over the ranks of a product's adapters.
#[test]
fn wide_layers_too() {
    let mut config = ModelConfig::qwen2(40, 264, 2, 4, 520).with_kv_heads(2).with_max_positions(300);
    config.initializer_range = 0.1;
    let ranks = LoraConfig::new(100).with_targets(LoraTargets::AllLinear).with_rank_of("gate_proj", 300);
    for lora in [None, Some(LoraConfig::new(4)), Some(ranks)] {
        let case = Case { config: config.clone(), lora, options: support::options(), seed: 5 };
        assert!(case.run(64) == case.run(0));
    }
}

fn options(recall_mib: usize) -> PolicyOptions {
    support::options().with_recall_mib(recall_mib)
}

fn policy(recall_mib: usize) -> CandlePolicy {
    let config = support::tiny_config().with_max_positions(300);
    CandlePolicy::init(config, support::tokenizer(40), options(recall_mib), Seed::new(4)).unwrap()
}

/// Several calls of the sampler exceed one mebibyte, each of them does not, however the threads divide it.
#[test]
fn there_is_a_limit_within_which_the_last_call_is_recorded() {
    let (mut recalling, mut plain) = (policy(1), policy(0));
    begin(&mut recalling);
    let before = recalling.recall_report();
    for seed in 0..20 {
        let rollouts = recalling.sample_all(&requests(seed, 20)).unwrap();
        assert_eq!(rollouts, plain.sample_all(&requests(seed, 20)).unwrap());
        assert!(recalling.recall_report().bytes <= 1 << 20);
        let groups = groups(&rollouts);
        accumulate(&mut recalling, &groups);
        accumulate(&mut plain, &groups);
        assert!(gradient(&recalling) == gradient(&plain));
    }
    assert_eq!(recalling.recall_report().computed_rows, before.computed_rows);
    assert_eq!((plain.recall_report().recalled_rows, plain.recall_report().bytes), (0, 0));
}

/// Of a call that is too large the first groups are recorded, as a whole. Two requests have one prompt.
#[test]
fn what_does_not_fit_is_computed() {
    let (mut recalling, mut plain) = (policy(1), policy(0));
    recalling.set_options(options(1).with_threads(1).with_shards(1)).unwrap();
    plain.set_options(options(0).with_threads(1).with_shards(1)).unwrap();
    begin(&mut recalling);
    let params = SamplingParams::default().with_max_tokens(90).with_min_tokens(90);
    let request =
        |i: u32| SampleRequest::new(vec![i / 2; 100], 3, params.clone(), Seed::new(9).index(u64::from(i)));
    let requests: Vec<_> = (0..8).map(request).collect();
    let groups = groups(&recalling.sample_all(&requests).unwrap());
    let recalled: Vec<bool> = groups
        .iter()
        .map(|group| {
            let before = recalling.recall_report();
            accumulate(&mut recalling, std::slice::from_ref(group));
            accumulate(&mut plain, std::slice::from_ref(group));
            let after = recalling.recall_report();
            assert!(
                (after.recalled_rows > before.recalled_rows) != (after.computed_rows > before.computed_rows)
            );
            after.recalled_rows > before.recalled_rows
        })
        .collect();
    // A prompt takes 7 pages of 16 rows and each of its 6 completions 6, and there are 89.
    assert_eq!(recalled, [true, true, true, true, false, false, false, false]);
    assert!(gradient(&recalling) == gradient(&plain));
    assert!(recalling.recall_report().bytes <= 1 << 20);
    recalling.set_options(options(0)).unwrap();
    assert_eq!(recalling.recall_report().bytes, 0);
}

/// Prompts whose first 192 of 200 tokens are common, and prompts of other tokens.
fn long_prompts(alike: bool) -> Vec<SampleRequest> {
    let params = SamplingParams::default().with_max_tokens(17).with_min_tokens(17);
    let prompt = |i: u32| [vec![if alike { 39 } else { i }; 192], vec![i; 8]].concat();
    (0..12)
        .map(|i| SampleRequest::new(prompt(i), 1, params.clone(), Seed::new(9).index(u64::from(i))))
        .collect()
}

#[test]
fn common_beginnings_are_recorded_once() {
    let [alike, separate] = [true, false].map(|alike| {
        let mut policy = policy(64);
        policy.set_options(options(64).with_threads(1)).unwrap();
        begin(&mut policy);
        let groups = groups(&policy.sample_all(&long_prompts(alike)).unwrap());
        let before = policy.recall_report();
        accumulate(&mut policy, &groups);
        let after = policy.recall_report();
        assert_eq!(before.computed_rows, after.computed_rows);
        after.bytes
    });
    assert!(3 * alike < separate, "{alike} {separate}");
}

/// The beginning is given up with the first group or with the last, and groups are recalled or not.
#[test]
fn common_beginnings_that_do_not_fit_are_computed() {
    let params = SamplingParams::default().with_max_tokens(90).with_min_tokens(90);
    for threads in [1, 2] {
        let (mut recalling, mut plain) = (policy(1), policy(0));
        recalling.set_options(options(1).with_threads(threads).with_decode_rows(4)).unwrap();
        begin(&mut recalling);
        let mut rows = recalling.recall_report();
        for seed in 0..6 {
            let prompts = support::branching(seed, 12, 200);
            let requests = prompts
                .into_iter()
                .zip(0..)
                .map(|(prompt, i)| SampleRequest::new(prompt, 3, params.clone(), Seed::new(seed).index(i)));
            let groups = groups(&recalling.sample_all(&requests.collect::<Vec<_>>()).unwrap());
            for group in groups.chunks(2) {
                accumulate(&mut recalling, group);
                accumulate(&mut plain, group);
            }
            assert!(gradient(&recalling) == gradient(&plain));
            let before = std::mem::replace(&mut rows, recalling.recall_report());
            assert!(rows.recalled_rows > before.recalled_rows && rows.computed_rows > before.computed_rows);
            assert!(rows.bytes <= 1 << 20);
        }
    }
}

#[test]
fn a_loss_that_fails_pins_nothing() {
    struct NotANumber;
    impl TokenLoss for NotANumber {
        fn evaluate(&self, _: TokenStats<'_>, _: TokenGradients<'_>) -> f64 {
            f64::NAN
        }
    }
    let mut policy = policy(64);
    begin(&mut policy);
    let groups = groups(&policy.sample_all(&requests(1, 20)).unwrap());
    assert!(with_batch(&groups, 1.0, |batch| policy.accumulate(batch, &NotANumber).is_err()));
    assert!(policy.recall_report().bytes > 0);
    policy.set_options(options(0)).unwrap();
    assert_eq!(policy.recall_report().bytes, 0);
}

#[test]
fn dropout_is_not_what_was_sampled() {
    let gradient_of = |recall_mib| {
        let lora = LoraConfig::new(3).with_dropout(0.5);
        let mut policy = policy(recall_mib).with_lora(lora, Seed::new(1)).unwrap();
        support::train(&mut policy, 0..2);
        begin(&mut policy);
        let groups = groups(&policy.sample_all(&requests(1, 20)).unwrap());
        accumulate(&mut policy, &groups);
        assert_eq!(policy.recall_report().bytes, 0);
        gradient(&policy)
    };
    assert!(gradient_of(64) == gradient_of(0));
}

#[test]
fn other_weights_recall_nothing_of_these() {
    let mut policies = [64, 0].map(|mib| {
        let mut policy = policy(mib).with_lora(LoraConfig::new(2), Seed::new(1)).unwrap();
        support::train(&mut policy, 0..2);
        policy
    });
    let rollouts = policies.each_mut().map(|policy| {
        begin(policy);
        // Recorded before the merge and after it, by two sets of weights.
        let before = policy.sample_all(&requests(1, 20)).unwrap();
        policy.merge_adapter().unwrap();
        let merged = policy.sample_all(&requests(1, 20)).unwrap();
        policy.unmerge_adapter().unwrap();
        accumulate(policy, &groups(&merged));
        (before, merged)
    });
    assert_eq!(rollouts[0], rollouts[1]);
    assert!(gradient(&policies[0]) == gradient(&policies[1]));
}

#[test]
fn a_step_makes_other_weights() {
    let mut policies = [64, 0].map(policy);
    for policy in &mut policies {
        begin(policy);
        let groups = groups(&policy.sample_all(&requests(1, 20)).unwrap());
        accumulate(policy, &groups);
        let recalled = policy.recall_report().recalled_rows;
        policy.step(1e-2).unwrap();
        accumulate(policy, &groups);
        assert_eq!(policy.recall_report().recalled_rows, recalled);
    }
    assert!(gradient(&policies[0]) == gradient(&policies[1]));
}

#[test]
fn a_reset_frees_what_learning_needed() {
    let mut policy = policy(64);
    begin(&mut policy);
    let groups = groups(&policy.sample_all(&requests(1, 20)).unwrap());
    accumulate(&mut policy, &groups);
    assert!(policy.recall_report().bytes > 0);
    policy.reset();
    assert_eq!(policy.recall_report().bytes, 0);
    assert!(policy.gradients().concat().iter().all(|gradient| *gradient == 0.0));
    // Nothing says that something will be learned from what it samples now.
    policy.sample_all(&requests(2, 20)).unwrap();
    assert_eq!(policy.recall_report().bytes, 0);
}

#[test]
fn restored_weights_recall_nothing() {
    let (folder, mut policy) = (tempfile::tempdir().unwrap(), policy(64));
    policy.save(folder.path()).unwrap();
    begin(&mut policy);
    let groups = groups(&policy.sample_all(&requests(1, 20)).unwrap());
    policy.restore(folder.path()).unwrap();
    accumulate(&mut policy, &groups);
    assert_eq!(policy.recall_report().recalled_rows, 0);
}
