//! What is particular to `DevicePolicy`: its passes, cohorts and precisions, and that it agrees with the engine.
#![allow(clippy::unwrap_used)]

mod support;

use proptest::prelude::*;
use sparring_candle::oracle::Oracle;
use sparring_candle::{
    CandlePolicy, DeviceKind, DeviceOptions, DevicePolicy, LoraConfig, ModelConfig, ModelFamily, Precision,
    RopeScaling,
};
use sparring_core::{
    Learner, Policy, PolicyError, Rollout, SampleRequest, Sampler, SamplingParams, Scorer, Seed, TokenBatch,
};
use support::backend::{Backend, device_options};
use support::{Group, Linear, completion_tokens, with_batch, with_hooks};

fn device(policy: &CandlePolicy, options: DeviceOptions) -> DevicePolicy {
    DevicePolicy::new(policy, options).unwrap()
}

/// Largest difference from the oracle's gradient, relative to the largest element of the parameter's, or a
/// thousandth of the largest of all (gradients that vanish by symmetry are rounding errors).
fn worst(got: &[Vec<f32>], want: &[Vec<f64>]) -> f64 {
    let largest = want.iter().flatten().fold(0.0_f64, |m, w| m.max(w.abs()));
    let one = |(got, want): (&Vec<f32>, &Vec<f64>)| {
        let scale = want.iter().fold(1e-3 * largest, |m, w| m.max(w.abs()));
        got.iter().zip(want).fold(0.0_f64, |m, (g, w)| m.max((f64::from(*g) - w).abs() / scale))
    };
    got.iter().zip(want).map(one).fold(0.0, f64::max)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn passes_of_any_size_give_the_gradient_of_one_tape_a_sequence(
        family in prop::sample::select(ModelFamily::ALL.to_vec()),
        window in prop::option::of(1..8_usize),
        (kv_heads, group, layers) in (1..=2_usize, 1..=3_usize, 1..=3_usize),
        tied: bool,
        lora: bool,
        entropy: bool,
        pass_tokens in 1..60_usize,
        temperature in 0.5_f32..2.0,
        shapes in prop::collection::vec((1..8_usize, prop::collection::vec(0..6_usize, 0..4)), 1..4),
        seed: u64,
    ) {
        use rand::Rng;
        let mut config = ModelConfig::new(family, 30, 12, layers, kv_heads * group, 9)
            .with_kv_heads(kv_heads)
            .with_tied_embeddings(tied)
            .with_head_dim(4)
            .with_rope_scaling(RopeScaling::Linear { factor: 2.0 })
            .with_max_positions(32);
        config.initializer_range = 0.3;
        let config = support::with_options(config, false, window);
        let mut rng = Seed::new(seed).rng();
        let mut ids = |n: usize| -> Vec<u32> { (0..n).map(|_| rng.random_range(0..30)).collect() };
        let groups: Vec<Group> =
            shapes.iter().map(|(p, c)| (ids(*p), c.iter().map(|n| ids(*n)).collect())).collect();
        prop_assume!(completion_tokens(&groups) > 0);
        let seed = Seed::new(seed);
        let mut policy =
            CandlePolicy::init(config, support::tokenizer(30), support::options(), seed).unwrap();
        if lora {
            policy = policy.with_lora(LoraConfig::new(2), seed).unwrap();
            // The second factor begins at zero: move it.
            let loss = Linear::new(completion_tokens(&groups), false);
            with_batch(&groups, 1.0, |batch| policy.accumulate(batch, &loss).unwrap());
            policy.step(0.3).unwrap();
        }
        let mut on_device = device(&policy, device_options().with_pass_tokens(pass_tokens));
        let oracle = Oracle::new(&policy).unwrap();
        let loss = Linear::new(completion_tokens(&groups), entropy);
        let zeros = vec![0.0; completion_tokens(&groups)];
        let mut compare = |batch: TokenBatch<'_>| {
            let (logp, _) = oracle.score(batch).unwrap();
            for (got, want) in on_device.score(batch).unwrap().iter().zip(&logp) {
                assert!((f64::from(*got) - want).abs() < 2e-5 * want.abs().max(1.0), "{got} {want}");
            }
            on_device.accumulate(batch, &loss).unwrap();
            let want = oracle.gradients(batch, &loss.logp, loss.entropy.as_ref().unwrap_or(&zeros)).unwrap();
            let worst = worst(&on_device.gradients().unwrap(), &want);
            assert!(worst < 1e-4, "{worst}");
            on_device.discard();
        };
        with_batch(&groups, temperature, &mut compare);
        with_hooks(&groups, temperature, compare);
    }
}

fn requests() -> Vec<SampleRequest> {
    let request = |(i, prompt): (u64, Vec<u32>)| {
        let params = SamplingParams::default().with_max_tokens(12 + i as usize).with_temperature(0.9);
        SampleRequest::new(prompt, 3 + i as usize, params, Seed::new(i))
    };
    let prompts = vec![vec![5, 6, 7], vec![9], (0..70).map(|i| i % 40).collect(), vec![3; 20]];
    (0..).zip(prompts).map(request).collect()
}

fn assert_alike(a: &[Vec<Rollout>], b: &[Vec<Rollout>]) {
    for (a, b) in a.iter().flatten().zip(b.iter().flatten()) {
        assert_eq!((&a.tokens, a.finish, &a.text), (&b.tokens, b.finish, &b.text));
        assert!(a.logp.iter().zip(&b.logp).all(|(a, b)| (a - b).abs() < 1e-4));
    }
}

#[test]
fn cohorts_of_any_size_draw_what_the_engine_draws() {
    let policy = support::tiny(41);
    let want = policy.sample_all(&requests()).unwrap();
    for (rows, pass_tokens) in [(1, 1), (2, 8192), (5, 80), (256, 8192)] {
        let options = device_options().with_decode_rows(rows).with_pass_tokens(pass_tokens);
        assert_alike(&want, &device(&policy, options).sample_all(&requests()).unwrap());
    }
}

#[test]
fn hooks_filters_and_stops_work_as_in_the_engine() {
    let policy = support::tiny(42);
    let params = SamplingParams::default().with_top_p(0.8).with_stop_tokens([7, 11]).with_min_tokens(3);
    let hook = sparring_core::AllowTokens::new([5, 7, 11, 20, 33]);
    let request =
        SampleRequest::new(vec![5, 6], 20, params.with_max_tokens(15), Seed::new(1)).with_hook(hook);
    let want = policy.sample_all(std::slice::from_ref(&request)).unwrap();
    assert_alike(&want, &device(&policy, device_options()).sample_all(&[request]).unwrap());
}

#[test]
fn requests_that_fail_leave_the_others_of_their_cohort() {
    type Rule = fn(&[u32], &[u32], &mut [f32]) -> Result<(), PolicyError>;
    let policy = support::tiny(45);
    let want = policy.sample_all(&requests()).unwrap();
    let bad =
        |hook: Rule| SampleRequest::new(vec![5], 2, SamplingParams::default(), Seed::new(9)).with_hook(hook);
    let mut asked = requests();
    asked
        .insert(3, bad(|_, drawn, _| if drawn.len() < 2 { Ok(()) } else { Err(PolicyError::invalid("no")) }));
    asked.insert(1, SampleRequest::new(vec![99], 1, SamplingParams::default(), Seed::new(1)));
    let mut answers = device(&policy, device_options()).sample(&asked);
    assert_eq!(answers.remove(4).unwrap_err().to_string(), "no");
    assert!(answers.remove(1).unwrap_err().to_string().contains("99"));
    assert_alike(&want, &answers.into_iter().collect::<Result<Vec<_>, _>>().unwrap());
}

/// Two steps, an accumulation that is not applied, and where it led.
fn train(policy: &mut dyn Policy, steps: u64) -> Vec<f32> {
    let groups = support::groups(7, 40);
    with_batch(&groups, 1.0, |batch| {
        for step in 0..steps {
            policy.accumulate(batch, &Linear::new(completion_tokens(&groups), step % 2 == 0)).unwrap();
            policy.step(3e-3).unwrap();
        }
        policy.accumulate(batch, &Linear::new(completion_tokens(&groups), false)).unwrap();
        policy.score(batch).unwrap()
    })
}

fn checkpoints_cross<A: Backend, B: Backend>(fresh: fn(u64) -> CandlePolicy) {
    let (mut first, mut second) = (A::of(fresh(43)), B::of(fresh(44)));
    train(&mut first, 2);
    let dir = tempfile::tempdir().unwrap();
    first.save(dir.path()).unwrap();
    second.restore(dir.path()).unwrap();
    assert_eq!(first.weights(), second.weights());
    let (first, second) = (train(&mut first, 2), train(&mut second, 2));
    for (a, b) in first.iter().zip(&second) {
        assert!((a - b).abs() < 1e-3, "{a} {b}");
    }
}

#[test]
fn a_checkpoint_of_one_backend_restores_in_the_other() {
    checkpoints_cross::<CandlePolicy, DevicePolicy>(support::tiny);
    checkpoints_cross::<DevicePolicy, CandlePolicy>(support::tiny);
    // The base is not in the checkpoint.
    let lora = |seed| support::tiny(48).with_lora(LoraConfig::new(3), Seed::new(seed)).unwrap();
    checkpoints_cross::<CandlePolicy, DevicePolicy>(lora);
    checkpoints_cross::<DevicePolicy, CandlePolicy>(lora);
}

#[test]
fn adapters_made_on_the_device_are_those_of_the_engine() {
    let policy = support::tiny(45);
    let (config, seed) = (LoraConfig::new(2), Seed::new(3));
    let ours = device(&policy, device_options()).with_lora(config.clone(), seed).unwrap();
    assert_eq!(Backend::weights(&ours), policy.with_lora(config.clone(), seed).unwrap().weights());
    let dropout = device(&policy, device_options()).with_lora(config.with_dropout(0.1), seed);
    assert!(matches!(dropout, Err(PolicyError::Unsupported { .. })));
    assert!(matches!(ours.with_lora(LoraConfig::new(2), seed), Err(PolicyError::Invalid { .. })));
}

#[test]
fn a_frozen_copy_stays_when_the_policy_learns() {
    let mut policy = DevicePolicy::tiny(46);
    let frozen = Policy::freeze(&policy).unwrap();
    let groups = support::groups(7, 40);
    let before = with_batch(&groups, 1.0, |batch| frozen.score(batch).unwrap());
    let after = train(&mut policy, 1);
    assert_eq!(before, with_batch(&groups, 1.0, |batch| frozen.score(batch).unwrap()));
    assert!(before.iter().zip(&after).any(|(a, b)| (a - b).abs() > 1e-4));
}

#[test]
fn half_the_bits_follow_single_precision() {
    let policy = support::tiny(47);
    let options = device_options();
    let mut single = device(&policy, options.clone());
    let mut half = device(&policy, options.with_precision(Precision::Bf16));
    let groups = support::groups(3, 40);
    let loss = Linear::new(completion_tokens(&groups), true);
    with_batch(&groups, 1.0, |batch| {
        let (a, b) = (single.score(batch).unwrap(), half.score(batch).unwrap());
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 0.3 && a.to_bits() != b.to_bits()));
        single.accumulate(batch, &loss).unwrap();
        half.accumulate(batch, &loss).unwrap();
    });
    let flat = |policy: &DevicePolicy| policy.gradients().unwrap().concat();
    let (a, b) = (flat(&single), flat(&half));
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let cosine = dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt();
    assert!(cosine > 0.99, "{cosine}");
    // Steps smaller than half precision resolves arrive: the trained weights are in single precision.
    let before = half.weights().unwrap();
    half.step(1e-6).unwrap();
    let moved = before
        .iter()
        .zip(&half.weights().unwrap())
        .any(|(a, b)| a.iter().zip(b).all(|(a, b)| a.to_bits() != b.to_bits()));
    assert!(moved);
}

#[test]
fn a_gradient_that_is_not_finite_is_named_and_changes_nothing() {
    let mut policy = DevicePolicy::tiny(49);
    let groups = support::groups(3, 40);
    let loss = Linear { logp: vec![f32::MAX; completion_tokens(&groups)], entropy: None };
    with_batch(&groups, 1.0, |batch| policy.accumulate(batch, &loss).unwrap());
    let before = policy.weights().unwrap();
    match policy.step(1e-3) {
        Err(PolicyError::NonFinite { what }) => assert!(what.starts_with("the gradient of "), "{what}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(before, policy.weights().unwrap());
}

#[test]
fn wrong_settings_are_named() {
    let refused = |options: DeviceOptions| match DevicePolicy::new(&support::tiny(1), options) {
        Err(error @ PolicyError::Invalid { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(refused(DeviceOptions::default().with_pass_tokens(0)).contains("device.pass_tokens"));
    assert!(refused(DeviceOptions::default().with_decode_rows(0)).contains("device.decode_rows"));
    if !cfg!(feature = "cuda") {
        assert!(
            refused(DeviceOptions::default().with_device(DeviceKind::Cuda(0))).contains("feature `cuda`")
        );
    }
}
