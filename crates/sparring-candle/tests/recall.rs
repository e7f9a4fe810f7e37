//! Learning from rollouts that were just sampled runs no forward pass again, and nobody can tell.
#![allow(clippy::unwrap_used)]

mod support;

use proptest::prelude::*;
use sparring_candle::{CandlePolicy, Family, LoraConfig, ModelConfig, PolicyOptions};
use sparring_core::{Learner, Rollout, SampleRequest, Sampler, SamplingParams, Seed};
use support::{Group, Linear, bits, completion_tokens, with_batch};

fn options(recall_mib: usize) -> PolicyOptions {
    support::options().with_recall_mib(recall_mib)
}

fn requests(seed: u64, max_tokens: usize) -> Vec<SampleRequest> {
    let params = SamplingParams::default().with_max_tokens(max_tokens);
    let prompt = |n: u32| (0..n).map(|i| (7 * i + n) % 40).collect::<Vec<u32>>();
    let request = |(i, (n, count)): (u64, (u32, usize))| {
        SampleRequest::new(prompt(n), count, params.clone(), Seed::new(seed).index(i))
    };
    (0..).zip([(3, 5), (210, 3), (1, 1), (70, 4)]).map(request).collect()
}

/// The rollouts as a trainer passes them on.
fn groups(rollouts: &[Vec<Rollout>]) -> Vec<Group> {
    let group = |rollouts: &Vec<Rollout>| {
        (rollouts[0].prompt.to_vec(), rollouts.iter().map(|r| r.tokens.clone()).collect())
    };
    rollouts.iter().map(group).collect()
}

fn accumulate(policy: &mut CandlePolicy, groups: &[Group]) -> f64 {
    let loss = Linear::new(completion_tokens(groups), true);
    with_batch(groups, 0.9, |batch| policy.accumulate(batch, &loss).unwrap())
}

fn gradient(policy: &CandlePolicy) -> Vec<u32> {
    policy.gradients().concat().into_iter().map(f32::to_bits).collect()
}

#[derive(Debug, Clone)]
struct Case {
    config: ModelConfig,
    lora: Option<LoraConfig>,
    options: PolicyOptions,
    seed: u64,
}

impl Case {
    /// Loss and gradient of one batch of rollouts after another, with some memory to recall.
    fn run(&self, recall_mib: usize) -> (Vec<u64>, Vec<u32>) {
        let options = self.options.clone().with_recall_mib(recall_mib);
        let tokenizer = support::tokenizer(40);
        let base = CandlePolicy::init(self.config.clone(), tokenizer, options, Seed::new(self.seed)).unwrap();
        let mut policy = match &self.lora {
            Some(lora) => base.with_lora(lora.clone(), Seed::new(self.seed + 1)).unwrap(),
            None => base,
        };
        // Of a fresh adapter one factor is 0.
        support::train(&mut policy, 0..2);
        let mut losses = Vec::new();
        for step in 0..2 {
            let groups = groups(&policy.sample(&requests(self.seed + step, 30)).unwrap());
            assert_eq!(policy.recalled_bytes() > 0, recall_mib > 0);
            for half in groups.chunks(2) {
                losses.push(accumulate(&mut policy, half).to_bits());
            }
            if step == 0 {
                policy.step(1e-2).unwrap();
                assert_eq!(policy.recalled_bytes(), 0);
            }
        }
        (losses, gradient(&policy))
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let family = prop::sample::select(vec![Family::Qwen2, Family::Qwen3, Family::Llama]);
    let shape = (1..4_usize, prop::sample::select(vec![(2, 1), (4, 2), (6, 2)]), 1..12_usize, 5..40_usize);
    let rest = (any::<[bool; 3]>(), 0.1..20.0_f64, 1..5_usize, 1..4_usize, 0..1000_u64);
    (family, shape, rest).prop_map(|(family, (layers, (heads, kv_heads), half, ff), rest)| {
        let ([bias, adapted, again], alpha, rows, shards, seed) = rest;
        let mut config = ModelConfig::new(family, 40, 24, layers, heads, ff)
            .with_kv_heads(kv_heads)
            .with_max_positions(300);
        config.head_dim = 2 * half;
        config.attention_bias = bias || family == Family::Qwen2;
        config.initializer_range = 0.3;
        let lora = adapted.then(|| LoraConfig::new(3).with_alpha(alpha));
        let options =
            support::options().with_decode_rows(rows).with_shards(shards).with_checkpoint_layers(again);
        Case { config, lora, options, seed }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_recalled_is_what_would_be_computed(case in cases()) {
        let (a, b) = (case.run(64), case.run(0));
        let d: Vec<_> = a.1.iter().zip(&b.1).enumerate().filter(|(_, (a, b))| a != b).map(|(i, (a, b))| (i, f32::from_bits(*a), f32::from_bits(*b))).collect();
        prop_assert!(a == b, "{:?} {:?} {} of {} {:?}", a.0, b.0, d.len(), a.1.len(), &d[..d.len().min(8)]);
    }
}

fn policy(recall_mib: usize) -> CandlePolicy {
    let config = support::tiny_config().with_max_positions(300);
    CandlePolicy::init(config, support::tokenizer(40), options(recall_mib), Seed::new(4)).unwrap()
}

#[test]
fn there_is_a_limit_and_the_last_call_counts() {
    let mut policy = policy(1);
    let mut plain = self::policy(0);
    for seed in 0..6 {
        let rollouts = policy.sample(&requests(seed, 80)).unwrap();
        assert_eq!(rollouts, plain.sample(&requests(seed, 80)).unwrap());
        assert!((1..=1 << 20).contains(&policy.recalled_bytes()), "{}", policy.recalled_bytes());
        let groups = groups(&rollouts);
        accumulate(&mut policy, &groups);
        accumulate(&mut plain, &groups);
        assert!(gradient(&policy) == gradient(&plain));
    }
}

#[test]
fn dropout_is_not_what_was_sampled() {
    let gradient_of = |recall_mib| {
        let lora = LoraConfig::new(3).with_dropout(0.5);
        let mut policy = policy(recall_mib).with_lora(lora, Seed::new(1)).unwrap();
        support::train(&mut policy, 0..2);
        let groups = groups(&policy.sample(&requests(1, 20)).unwrap());
        accumulate(&mut policy, &groups);
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
        policy.merge_adapter().unwrap();
        let rollouts = policy.sample(&requests(1, 20)).unwrap();
        policy.unmerge_adapter().unwrap();
        accumulate(policy, &groups(&rollouts));
        rollouts
    });
    assert_eq!(rollouts[0], rollouts[1]);
    assert!(gradient(&policies[0]) == gradient(&policies[1]));
    assert_eq!(bits(&policies[0]), bits(&policies[1]));
}
