//! Gradients against candle's automatic differentiation and finite differences; the laws of `Learner`.
#![allow(clippy::unwrap_used)]

mod support;

use proptest::prelude::*;
use sparring_candle::oracle::Oracle;
use sparring_candle::{CandlePolicy, ModelConfig, ModelFamily, PolicyOptions, RopeScaling};
use sparring_core::{Learner, Scorer, Seed, TokenBatch};
use support::{Group, Linear, completion_tokens, with_batch, with_hooks};

/// Largest difference of each parameter's gradient, relative to its largest element; a floor (a share of the
/// largest gradient) keeps gradients that vanish by symmetry (key biases) from being compared with rounding errors.
fn largest_relative_difference(policy: &CandlePolicy, want: &[Vec<f64>], floor: f64) -> f64 {
    let largest = want.iter().flatten().fold(0.0_f64, |m, w| m.max(w.abs()));
    let mut worst = 0.0_f64;
    for (got, want) in policy.gradients().iter().zip(want) {
        let scale = want.iter().fold(floor * largest, |m, w| m.max(w.abs()));
        for (g, w) in got.iter().zip(want) {
            worst = worst.max((f64::from(*g) - w).abs() / scale);
        }
    }
    worst
}

fn compare_with_oracle(
    config: &ModelConfig,
    groups: &[Group],
    temperature: f32,
    entropy: bool,
    shards: usize,
    tolerance: f64,
) {
    let loss = Linear::new(completion_tokens(groups), entropy);
    compare_loss_with_oracle(config, groups, temperature, &loss, shards, tolerance);
}

fn compare_loss_with_oracle(
    config: &ModelConfig,
    groups: &[Group],
    temperature: f32,
    loss: &Linear,
    shards: usize,
    tolerance: f64,
) {
    let options = support::options().with_shards(shards);
    let mut policy =
        CandlePolicy::init(config.clone(), support::tokenizer(config.vocab_size), options, Seed::new(4))
            .unwrap();
    let oracle = Oracle::new(&policy).unwrap();
    let zeros = vec![0.0; loss.logp.len()];
    let mut compare = |batch: TokenBatch<'_>| {
        let (logp, _) = oracle.score(batch).unwrap();
        for (got, want) in policy.score(batch).unwrap().iter().zip(&logp) {
            assert!((f64::from(*got) - want).abs() < 2e-5 * want.abs().max(1.0), "{got} {want}");
        }
        policy.accumulate(batch, loss).unwrap();
        let want = oracle.gradients(batch, &loss.logp, loss.entropy.as_ref().unwrap_or(&zeros)).unwrap();
        let worst = largest_relative_difference(&policy, &want, 1e-2);
        assert!(worst < tolerance, "{config:?}: {worst}");
        policy.discard();
    };
    with_batch(groups, temperature, &mut compare);
    with_hooks(groups, temperature, compare);
}

#[test]
fn gradients_are_those_of_the_oracle() {
    for (temperature, entropy) in [(1.0, false), (0.7, true)] {
        compare_with_oracle(&support::tiny_config(), &support::groups(1, 40), temperature, entropy, 2, 1e-4);
    }
}

#[test]
fn long_sequences_cross_tiles_and_chunks() {
    let mut config = support::tiny_config().with_max_positions(600).with_head_dim(20);
    config.initializer_range = 0.2;
    let groups = vec![
        ((0..290).map(|i| i % 40).collect(), vec![(0..270).map(|i| (i * 7) % 40).collect(), vec![3; 70]]),
        ((0..64).map(|i| (i * 3) % 40).collect(), vec![(0..65).map(|i| (i * 11) % 40).collect()]),
    ];
    compare_with_oracle(&config, &groups, 1.0, false, 1, 1e-4);
}

#[test]
fn heads_of_any_width_and_number() {
    let groups = support::groups(3, 40);
    let long = vec![((0..40).map(|i| i % 40).collect(), vec![(0..30).map(|i| (i * 7) % 40).collect()])];
    for (heads, kv_heads, dim) in [(2, 1, 16), (3, 3, 20), (4, 2, 32), (2, 2, 48), (80, 1, 2), (7, 1, 4)] {
        let mut config = ModelConfig::new(ModelFamily::Qwen3, 40, 12, 2, heads, 8)
            .with_kv_heads(kv_heads)
            .with_head_dim(dim)
            .with_max_positions(128);
        config.initializer_range = 0.3;
        compare_with_oracle(&config, &groups, 1.0, true, 2, 1e-3);
        compare_with_oracle(&config, &long, 1.0, false, 1, 1e-3);
    }
}

fn scalings() -> impl Strategy<Value = RopeScaling> {
    prop::sample::select(vec![
        RopeScaling::Plain,
        RopeScaling::Linear { factor: 3.0 },
        RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_positions: 16,
        },
        RopeScaling::Yarn {
            factor: 4.0,
            beta_fast: 32.0,
            beta_slow: 1.0,
            attention_factor: 1.14,
            truncate: true,
            original_positions: 64,
        },
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn gradients_are_those_of_the_oracle_for_any_shape(
        family in prop::sample::select(ModelFamily::ALL.to_vec()),
        scaling in scalings(),
        biased: bool,
        window in prop::option::of(1..8_usize),
        kv_heads in 1..=2_usize,
        group in 1..=3_usize,
        half in 1..=5_usize,
        ff in 3..20_usize,
        layers in 1..=3_usize,
        tied: bool,
        entropy: bool,
        shards in 1..=4_usize,
        temperature in 0.5_f32..2.0,
        shapes in prop::collection::vec((1..8_usize, prop::collection::vec(0..6_usize, 0..4)), 1..4),
        seed: u64,
    ) {
        use rand::Rng;
        let (heads, dim) = (kv_heads * group, 2 * half);
        let mut config = ModelConfig::new(family, 30, 12, layers, heads, ff)
            .with_kv_heads(kv_heads)
            .with_tied_embeddings(tied)
            .with_head_dim(dim)
            .with_rope_scaling(scaling)
            .with_max_positions(32);
        config.initializer_range = 0.3;
        let config = support::with_options(config, biased, window);
        let mut rng = Seed::new(seed).rng();
        let mut ids = |n: usize| -> Vec<u32> { (0..n).map(|_| rng.random_range(0..30)).collect() };
        let groups: Vec<Group> =
            shapes.iter().map(|(p, c)| (ids(*p), c.iter().map(|n| ids(*n)).collect())).collect();
        prop_assume!(completion_tokens(&groups) > 0);
        // Some of these shapes are badly conditioned: the norm of a head two wide may divide by almost nothing.
        compare_with_oracle(&config, &groups, temperature, entropy, shards, 1e-3);
    }
}

#[test]
fn finite_differences() {
    let groups = support::groups(2, 40);
    let loss = Linear::new(completion_tokens(&groups), true);
    let mut policy = support::tiny(5);
    let value = with_batch(&groups, 0.8, |batch| policy.accumulate(batch, &loss).unwrap());
    let oracle = |policy: &CandlePolicy| {
        let oracle = Oracle::new(policy).unwrap();
        let (logp, entropy) = with_batch(&groups, 0.8, |batch| oracle.score(batch).unwrap());
        let dot = |a: &[f64], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * f64::from(*b)).sum::<f64>();
        dot(&logp, &loss.logp) + dot(&entropy, loss.entropy.as_ref().unwrap())
    };
    assert!((oracle(&policy) - value).abs() < 1e-4);
    // One step of plain gradient descent by a tiny rate changes L by −rate·|g|² to first order.
    let gradients: Vec<Vec<f32>> = policy.gradients();
    let squared: f64 = gradients.iter().flatten().map(|g| f64::from(*g).powi(2)).sum();
    let rate = 1e-6;
    let moved = |sign: f64| {
        let dir = tempfile::tempdir().unwrap();
        let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = policy
            .parameters()
            .zip(&gradients)
            .map(|((name, shape, values), g)| {
                let at = |(w, g): (&f32, &f32)| (f64::from(*w) + sign * rate * f64::from(*g)) as f32;
                let bytes = values.iter().zip(g).flat_map(|pair| at(pair).to_le_bytes()).collect();
                (name.to_owned(), shape.to_vec(), bytes)
            })
            .collect();
        policy.save_pretrained(dir.path()).unwrap();
        let views = tensors.iter().map(|(name, shape, bytes)| {
            let dtype = safetensors::Dtype::F32;
            (name, safetensors::tensor::TensorView::new(dtype, shape.clone(), bytes).unwrap())
        });
        let bytes = safetensors::serialize(views, None).unwrap();
        std::fs::write(dir.path().join("model.safetensors"), bytes).unwrap();
        oracle(&CandlePolicy::load(dir.path(), support::options()).unwrap())
    };
    let slope = (moved(1.0) - moved(-1.0)) / (2.0 * rate);
    assert!((slope / squared - 1.0).abs() < 0.02, "slope {slope}, |g|² {squared}");
}

#[test]
fn every_parameter_gets_a_gradient() {
    let groups = support::groups(3, 40);
    let mut policy = support::tiny(6);
    let loss = Linear::new(completion_tokens(&groups), false);
    with_batch(&groups, 1.0, |batch| policy.accumulate(batch, &loss).unwrap());
    let names: Vec<String> = policy.parameters().map(|(name, ..)| name.to_owned()).collect();
    for (name, gradient) in names.iter().zip(policy.gradients()) {
        let largest = gradient.iter().fold(0.0_f32, |m, g| m.max(g.abs()));
        // A key bias moves every score of a query alike: its gradient vanishes except for rounding and rotation.
        assert!(largest > 1e-3 || name.ends_with("k_proj.bias"), "{name}: {largest}");
        assert!(gradient.iter().all(|g| g.is_finite()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Completions that share a prompt, against each completion with a separate prompt in a separate pass.
    #[test]
    fn a_shared_prompt_changes_no_gradient(
        family in prop::sample::select(ModelFamily::ALL.to_vec()),
        shapes in prop::collection::vec((1..90_usize, prop::collection::vec(0..40_usize, 1..6)), 1..4),
        window in prop::option::of(1..120_usize),
        shards in 1..=3_usize,
        temperature in 0.5_f32..2.0,
        seed: u64,
    ) {
        use rand::Rng;
        let mut config = ModelConfig::new(family, 40, 16, 2, 4, 24).with_kv_heads(2).with_max_positions(160);
        config.initializer_range = 0.2;
        let config = support::with_options(config, false, window);
        let mut rng = Seed::new(seed).rng();
        let mut ids = |n: usize| -> Vec<u32> { (0..n).map(|_| rng.random_range(0..40)).collect() };
        let groups: Vec<Group> =
            shapes.iter().map(|(p, c)| (ids(*p), c.iter().map(|n| ids(*n)).collect())).collect();
        prop_assume!(completion_tokens(&groups) > 0);
        let make = |shards: usize| {
            let options = support::options().with_shards(shards);
            CandlePolicy::init(config.clone(), support::tokenizer(40), options, Seed::new(7)).unwrap()
        };
        let loss = Linear::new(completion_tokens(&groups), true);
        let mut whole = make(shards);
        with_batch(&groups, temperature, |batch| whole.accumulate(batch, &loss).unwrap());

        let mut parts = make(1);
        let mut flat = 0;
        for (prompt, completions) in &groups {
            for completion in completions {
                let one = vec![(prompt.clone(), vec![completion.clone()])];
                let at = flat..flat + completion.len();
                flat = at.end;
                let entropy = loss.entropy.as_ref().map(|e| e[at.clone()].to_vec());
                let part = Linear { logp: loss.logp[at].to_vec(), entropy };
                with_batch(&one, temperature, |batch| parts.accumulate(batch, &part).unwrap());
            }
        }
        let want: Vec<Vec<f64>> =
            parts.gradients().iter().map(|g| g.iter().map(|&v| f64::from(v)).collect()).collect();
        let worst = largest_relative_difference(&whole, &want, 1e-3);
        prop_assert!(worst < 1e-5, "{worst}");
    }
}

/// Groups whose prompts begin alike: a chain, two branches, a beginning, an equal prompt, and one of its own between.
fn tree() -> Vec<Group> {
    let ids = |n: u32, k: u32| (0..n).map(|i| (i * k + n) % 40).collect::<Vec<u32>>();
    let long = ids(270, 7);
    vec![
        (long.clone(), vec![ids(9, 3), ids(5, 11)]),
        (ids(70, 9), vec![ids(4, 3)]),
        ([&long[..150], &ids(90, 11)].concat(), vec![ids(3, 5), vec![], ids(80, 9)]),
        (long[..129].to_vec(), vec![ids(1, 3), ids(12, 7)]),
        ([&long[..200], &ids(20, 3)].concat(), vec![ids(70, 3)]),
        (long[..64].to_vec(), vec![ids(6, 9)]),
        (long.clone(), vec![ids(2, 7), ids(8, 13)]),
    ]
}

#[test]
fn common_beginnings_have_the_gradients_of_the_oracle() {
    let mut config = support::tiny_config().with_max_positions(400).with_head_dim(12);
    config.initializer_range = 0.2;
    for shards in [1, 3] {
        compare_with_oracle(&config, &tree(), 0.9, true, shards, 1e-4);
    }
}

/// What has no gradient is left out: the first group but for what others need of it, some completions, and all but one.
#[test]
fn completions_without_a_gradient_change_none() {
    let mut config = support::tiny_config().with_max_positions(400).with_head_dim(12);
    config.initializer_range = 0.2;
    let groups = tree();
    for only in [!0b11, 0b1001_0110_1001, 1 << 5, 1 << 11, 0b1] {
        let loss = Linear::new(completion_tokens(&groups), true).only(&groups, only);
        compare_loss_with_oracle(&config, &groups, 0.9, &loss, 1, 1e-4);
    }
}

/// What the groups have alone, each in a pass of its own: scores, and the sum of the gradients.
fn alone(policy: &mut CandlePolicy, groups: &[Group], loss: &Linear) -> (Vec<f32>, Vec<Vec<f64>>) {
    let (mut scores, mut flat) = (Vec::new(), 0);
    for group in groups {
        let at = flat..flat + completion_tokens(std::slice::from_ref(group));
        flat = at.end;
        let entropy = loss.entropy.as_ref().map(|e| e[at.clone()].to_vec());
        let part = Linear { logp: loss.logp[at].to_vec(), entropy };
        with_batch(std::slice::from_ref(group), 0.9, |batch| {
            scores.extend(policy.score(batch).unwrap());
            policy.accumulate(batch, &part).unwrap();
        });
    }
    let gradients = policy.gradients();
    (scores, gradients.iter().map(|g| g.iter().map(|&v| f64::from(v)).collect()).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Scores keep their bits, gradients are sums in another order. Some completions have none.
    #[test]
    fn common_beginnings_change_no_score_and_no_gradient(
        family in prop::sample::select(ModelFamily::ALL.to_vec()),
        window in prop::option::of(1..300_usize),
        count in 2..9_usize,
        shards in 1..=3_usize,
        longest in 65..330_usize,
        again: bool,
        only in prop::sample::select(vec![u64::MAX, 0b1001_0110_0011_0001, 0b111 << 8, 1 << 5]),
        seed: u64,
    ) {
        let mut config = ModelConfig::new(family, 40, 16, 2, 4, 24).with_kv_heads(2).with_max_positions(400);
        config.initializer_range = 0.2;
        let config = support::with_options(config, false, window);
        let make = |shards: usize| {
            let options = support::options().with_shards(shards).with_checkpoint_layers(again);
            CandlePolicy::init(config.clone(), support::tokenizer(40), options, Seed::new(7)).unwrap()
        };
        let groups = support::branching_groups(seed, count, longest);
        prop_assume!(completion_tokens(&groups) > 0);
        let loss = Linear::new(completion_tokens(&groups), true).only(&groups, only);
        let mut whole = make(shards);
        let scores = with_batch(&groups, 0.9, |batch| {
            whole.accumulate(batch, &loss).unwrap();
            whole.score(batch).unwrap()
        });
        let (want_scores, want) = alone(&mut make(1), &groups, &loss);
        prop_assert!(scores == want_scores);
        let worst = largest_relative_difference(&whole, &want, 1e-3);
        prop_assert!(worst < 1e-5, "{worst}");
    }
}

#[test]
fn layers_that_are_computed_again_give_the_same_bits() {
    let gradients = |again: bool| {
        let options = support::options().with_checkpoint_layers(again);
        let mut config = support::tiny_config();
        config.num_hidden_layers = 3;
        let mut policy = CandlePolicy::init(config, support::tokenizer(40), options, Seed::new(3)).unwrap();
        let groups = support::groups(4, 40);
        let loss = Linear::new(completion_tokens(&groups), true);
        for _ in 0..2 {
            with_batch(&groups, 0.8, |batch| policy.accumulate(batch, &loss).unwrap());
        }
        policy.gradients().concat().into_iter().map(f32::to_bits).collect::<Vec<_>>()
    };
    assert_eq!(gradients(false), gradients(true));
}

#[test]
fn threads_do_not_change_a_bit() {
    let train = |threads: usize| {
        let options = PolicyOptions::default().with_threads(threads).with_shards(3);
        let mut policy =
            CandlePolicy::init(support::tiny_config(), support::tokenizer(40), options, Seed::new(8))
                .unwrap();
        let mut scores = Vec::new();
        for step in 0..3 {
            let groups = support::groups(step, 40);
            let loss = Linear::new(completion_tokens(&groups), true);
            with_batch(&groups, 1.0, |batch| policy.accumulate(batch, &loss).unwrap());
            policy.step(1e-2).unwrap();
            scores.extend(
                with_batch(&groups, 1.0, |batch| policy.score(batch).unwrap()).into_iter().map(f32::to_bits),
            );
            scores.extend(policy.parameters().flat_map(|(_, _, w)| w.to_vec()).map(f32::to_bits));
        }
        scores
    };
    let one = train(1);
    assert_eq!(one, train(2));
    assert_eq!(one, train(5));
}

#[test]
fn wrong_batches_are_refused() {
    let mut policy = support::tiny(12);
    let long = vec![1; 97];
    let cases: [(Vec<Group>, f32, &str); 5] = [
        (vec![(vec![], vec![vec![1]])], 1.0, "group 0: the prompt is empty"),
        (vec![(vec![1], vec![vec![2], vec![3, 40]])], 1.0, "group 0, completion 1: token 1 has id 40"),
        (vec![(vec![99], vec![vec![1]])], 1.0, "group 0: prompt: token 0 has id 99"),
        (vec![(vec![1], vec![long])], 1.0, "98 tokens with its prompt; the model's limit is 96"),
        (vec![(vec![1], vec![vec![1]])], 0.0, "temperature is 0"),
    ];
    for (groups, temperature, want) in cases {
        let loss = Linear::new(completion_tokens(&groups), false);
        with_batch(&groups, temperature, |batch| {
            let score = policy.score(batch).unwrap_err().to_string();
            let learn = policy.accumulate(batch, &loss).unwrap_err().to_string();
            assert!(score.contains(want) && learn == score, "{score}");
        });
    }
    assert!(policy.step(f64::NAN).is_err());
}

#[test]
fn batches_without_tokens_are_fine() {
    let mut policy = support::tiny(13);
    for groups in [vec![], vec![(vec![1, 2], vec![])], vec![(vec![1, 2], vec![vec![], vec![]])]] {
        with_batch(&groups, 1.0, |batch: TokenBatch<'_>| {
            assert!(policy.score(batch).unwrap().is_empty());
            policy.accumulate(batch, &Linear::new(0, true)).unwrap();
        });
    }
}
