//! What a step does with gradients.
#![allow(clippy::unwrap_used)]

mod support;

use sparring_candle::{AdamWConfig, CandlePolicy, ParamGroup};
use sparring_core::{Learner, Policy, PolicyError, Scorer, TokenGradients, TokenLoss, TokenStats};
use support::{Linear, completion_tokens, with_batch};

#[test]
fn parameter_groups_have_their_own_rate_and_decay() {
    let groups = support::groups(5, 40);
    let loss = Linear::new(completion_tokens(&groups), false);
    let adamw = AdamWConfig::default()
        .with_weight_decay(0.1)
        .with_group(ParamGroup::new("layers.0").with_lr_scale(0.0))
        .with_group(ParamGroup::new("layers").with_lr_scale(0.5).with_weight_decay(0.0));
    let after = |adamw: AdamWConfig| {
        let mut policy = support::tiny(9);
        policy.set_options(support::options().with_adamw(adamw)).unwrap();
        with_batch(&groups, 1.0, |batch| policy.accumulate(batch, &loss).unwrap());
        policy.step(1e-2).unwrap();
        policy.parameters().map(|(name, _, w)| (name.to_owned(), w.to_vec())).collect::<Vec<_>>()
    };
    let before: Vec<Vec<f32>> = support::tiny(9).parameters().map(|(_, _, w)| w.to_vec()).collect();
    let plain = after(AdamWConfig::default());
    let decayed = after(AdamWConfig::default().with_weight_decay(0.1));
    for ((((name, got), before), (_, plain)), (_, decayed)) in
        after(adamw).into_iter().zip(&before).zip(&plain).zip(&decayed)
    {
        for (((got, before), plain), decayed) in got.iter().zip(before).zip(plain).zip(decayed) {
            let want = if name.contains("layers.0") {
                *before
            } else if name.contains("layers") {
                f32::midpoint(*before, *plain)
            } else {
                *decayed
            };
            assert!((got - want).abs() < 1e-6, "{name}: {got} {want}");
        }
    }
}

#[test]
fn zero_gradients_change_nothing_but_decay() {
    struct Silent;
    impl TokenLoss for Silent {
        fn evaluate(&self, _: TokenStats<'_>, _: TokenGradients<'_>) -> f64 {
            0.0
        }
    }
    let groups = support::groups(5, 40);
    for decay in [0.0, 0.1] {
        let mut policy = support::tiny(9);
        let adamw = AdamWConfig::default().with_weight_decay(decay);
        policy.set_options(support::options().with_adamw(adamw)).unwrap();
        let before: Vec<(Vec<usize>, Vec<f32>)> =
            policy.parameters().map(|(_, s, w)| (s.to_vec(), w.to_vec())).collect();
        with_batch(&groups, 1.0, |batch| policy.accumulate(batch, &Silent).unwrap());
        let report = policy.step(0.5).unwrap();
        assert_eq!(report.grad_norm.to_bits(), 0.0_f64.to_bits());
        for ((name, _, after), (shape, before)) in policy.parameters().zip(&before) {
            let keep = if shape.len() > 1 { 1.0 - 0.5 * decay as f32 } else { 1.0 };
            for (a, b) in after.iter().zip(before) {
                assert!((a - b * keep).abs() <= 1e-7 * b.abs(), "{name}: {a} {b}");
            }
        }
    }
}

#[test]
fn adamw_against_the_formula() {
    let groups = support::groups(6, 40);
    let loss = Linear::new(completion_tokens(&groups), false);
    let adamw = AdamWConfig::default().with_betas(0.8, 0.9).with_weight_decay(0.1).with_grad_clip(Some(0.5));
    let mut policy = support::tiny(10);
    policy.set_options(support::options().with_adamw(adamw)).unwrap();
    let shapes: Vec<usize> = policy.parameters().map(|(_, s, _)| s.len()).collect();
    let flat = |p: &CandlePolicy| p.parameters().map(|(_, _, w)| w.to_vec()).collect::<Vec<_>>();
    let (mut m, mut v) = (vec![], vec![]);
    for step in 1..=3 {
        with_batch(&groups, 1.0, |batch| policy.accumulate(batch, &loss).unwrap());
        let gradients = policy.gradients();
        let norm = gradients.iter().flatten().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let before = flat(&policy);
        let report = policy.step(1e-2).unwrap();
        assert!((report.grad_norm / norm - 1.0).abs() < 1e-5 && report.clipped);
        m.resize_with(gradients.len(), Vec::new);
        v.resize_with(gradients.len(), Vec::new);
        for (i, after) in flat(&policy).iter().enumerate() {
            m[i].resize(after.len(), 0.0);
            v[i].resize(after.len(), 0.0);
            for j in 0..after.len() {
                let g = f64::from(gradients[i][j]) * 0.5 / norm;
                m[i][j] = 0.8 * m[i][j] + 0.2 * g;
                v[i][j] = 0.9 * v[i][j] + 0.1 * g * g;
                let (mh, vh): (f64, f64) =
                    (m[i][j] / (1.0 - 0.8_f64.powi(step)), v[i][j] / (1.0 - 0.9_f64.powi(step)));
                let decay = if shapes[i] > 1 { 0.1 } else { 0.0 };
                let w = f64::from(before[i][j]);
                let want = w - 1e-2 * decay * w - 1e-2 * mh / (vh.sqrt() + 1e-8);
                assert!((f64::from(after[j]) - want).abs() < 2e-6, "step {step}: {} {want}", after[j]);
            }
        }
    }
}

/// Writes one value into one gradient, or returns it as the loss.
struct Broken {
    at: Option<usize>,
    value: f32,
}

impl TokenLoss for Broken {
    fn evaluate(&self, _: TokenStats<'_>, gradients: TokenGradients<'_>) -> f64 {
        gradients.logp.fill(1.0);
        match self.at {
            Some(at) => {
                gradients.logp[at] = self.value;
                0.0
            }
            None => f64::from(self.value),
        }
    }
}

#[test]
fn what_is_not_finite_is_named_and_changes_nothing() {
    let groups = support::groups(7, 40);
    let mut policy = support::tiny(11);
    let told = |error: PolicyError| {
        assert!(matches!(error, PolicyError::NonFinite { .. }), "{error:?}");
        error.to_string()
    };
    // The second group's only completion begins at 4 + 7 + 1.
    let broken = Broken { at: Some(13), value: f32::NAN };
    let error = with_batch(&groups, 1.0, |batch| policy.accumulate(batch, &broken).unwrap_err());
    assert!(told(error).contains("group 1, completion 0, token 1"));
    let broken = Broken { at: None, value: f32::INFINITY };
    let error = with_batch(&groups, 1.0, |batch| policy.accumulate(batch, &broken).unwrap_err());
    assert!(told(error).contains("the loss"));
    assert!(policy.gradients().iter().flatten().all(|g| *g == 0.0));

    // A finite gradient whose gradient overflows is found at the step.
    let before: Vec<f32> = policy.parameters().flat_map(|(_, _, w)| w.to_vec()).collect();
    let huge = Broken { at: Some(0), value: f32::MAX };
    with_batch(&groups, 1.0, |batch| policy.accumulate(batch, &huge).unwrap());
    assert!(told(policy.step(1e-3).unwrap_err()).contains("the gradient of model."));
    let after: Vec<f32> = policy.parameters().flat_map(|(_, _, w)| w.to_vec()).collect();
    assert_eq!(before, after);
    policy.discard();
    assert!(policy.step(1e-3).is_ok());
}

#[test]
fn frozen_weights_stay() {
    let groups = support::groups(8, 40);
    let loss = Linear::new(completion_tokens(&groups), false);
    let mut policy = support::tiny(14);
    let frozen = Policy::freeze(&policy).unwrap();
    let copy = policy.duplicate();
    let score = |s: &dyn Scorer| with_batch(&groups, 1.0, |batch| s.score(batch).unwrap());
    let before = score(&policy);
    with_batch(&groups, 1.0, |batch| policy.accumulate(batch, &loss).unwrap());
    policy.step(1e-2).unwrap();
    assert_eq!(score(frozen.as_ref()), before);
    assert_eq!(score(&copy), before);
    assert_ne!(score(&policy), before);
}

#[test]
fn learning_lowers_the_loss() {
    struct Likelihood;
    impl TokenLoss for Likelihood {
        fn evaluate(&self, stats: TokenStats<'_>, gradients: TokenGradients<'_>) -> f64 {
            gradients.logp.fill(-1.0);
            -stats.logp.iter().map(|l| f64::from(*l)).sum::<f64>()
        }
    }
    let groups = support::groups(9, 40);
    let mut policy = support::tiny(15);
    let mut losses = Vec::new();
    for _ in 0..150 {
        losses.push(with_batch(&groups, 1.0, |batch| policy.accumulate(batch, &Likelihood).unwrap()));
        policy.step(1e-2).unwrap();
    }
    // The prompts distinguish the groups, so that almost everything can be memorised.
    assert!(losses[149] < 0.15 * losses[0], "{} {}", losses[0], losses[149]);
}
