//! No setting is silently ignored: each changes what an update does, or `build` refuses it by name.
#![allow(clippy::unwrap_used, missing_docs)]
mod common;

use common::{Spy, logged, rollouts, toy};
use serde_json::{Map, Value, json};
use sparring_core::{Finish, PolicyError, Rollout, Scorer, TokenBatch, advantage_fn};
use sparring_grpo::advantage::WeightedPart;
use sparring_grpo::{
    AdvantageKind, GrpoConfig, GrpoError, KlConfig, KlPlacement, LossKind, OldLogp, RolloutGroup,
    SoftOverlong,
};
use std::cell::OnceCell;

/// Every field, as a path, with values that differ from the default: several where one may be the base's own. A value
/// is a patch of the configuration, since a loss without a constant length has to drop the length.
fn variants() -> Vec<(&'static str, Vec<Value>)> {
    let field = |name: &'static str, values: &[Value]| {
        let patch = |value: &Value| match name.split_once('.') {
            Some((table, key)) => json!({ table: { key: value } }),
            None => json!({ name: value }),
        };
        (name, values.iter().map(patch).collect())
    };
    let unlimited = |name: &'static str, values: &[Value]| {
        let patch = |value: &Value| json!({ name: value, "max_completion_tokens": null });
        (name, values.iter().map(patch).collect())
    };
    vec![
        unlimited("loss", &[json!("luspo"), json!("sapo"), json!("gpg")]),
        // One value would not suffice for losses that agree at ratio 1.
        field(
            "surrogate",
            &[json!({"kind": "reinforce"}), json!({"kind": "sapo", "positive": 2, "negative": 3})],
        ),
        field("ratio_level", &[json!("sequence"), json!("token")]),
        unlimited("aggregation", &[json!("completion_sum"), json!("step_token_mean")]),
        field("max_completion_tokens", &[json!(3)]),
        field("advantage", &[json!("max_rl"), json!("group_mean")]),
        field("advantage_epsilon", &[json!(0.5)]),
        field("advantage_decay", &[json!(0.5)]),
        field("clip_low", &[json!(0.01)]),
        field("clip_high", &[json!(0.01)]),
        field("ratio_cap", &[json!(1.25)]),
        field("dual_clip", &[json!(1.05)]),
        field("kl.coef", &[json!(0.3)]),
        field("kl.estimator", &[json!("k1")]),
        field("kl.placement", &[json!("reward"), json!("loss")]),
        field("kl.ratio_weighted", &[json!(true)]),
        field("kl.bounded", &[json!(true)]),
        field("entropy_coef", &[json!(0.1)]),
        field("report_entropy", &[json!(true)]),
        field("top_entropy_share", &[json!(0.3)]),
        field("importance", &[json!({"level": "token", "outside": "truncate", "max": 1.1})]),
        field("off_policy_threshold", &[json!(0.01)]),
        field("log_ratio_coef", &[json!(0.3)]),
        field("expert_gamma", &[json!(0.1)]),
        field("epochs", &[json!(3)]),
        field("mini_batches", &[json!(3)]),
        field("micro_batch_tokens", &[json!(1)]),
        field("old_logp", &[json!("sampler"), json!("recompute")]),
        field("hooked_logp", &[json!(false)]),
        field("mask_truncated", &[json!(true)]),
        field("soft_overlong", &[json!({"max": 6, "cache": 4}), json!({"max": 7, "cache": 5})]),
        field("learn_from_shaping", &[json!(true)]),
        field("drop_zero_advantage", &[json!(true)]),
        field("dynamic_sampling", &[json!({"max_rounds": 3})]),
        field("drift_threshold", &[json!(1e9)]),
        field("temperature", &[json!(0.7)]),
    ]
}

fn merge(base: &mut Map<String, Value>, patch: &Value) {
    for (key, value) in patch.as_object().unwrap() {
        match (base.get_mut(key), value) {
            (Some(Value::Object(table)), Value::Object(_)) if key == "kl" => merge(table, value),
            _ => drop(base.insert(key.clone(), value.clone())),
        }
    }
}

fn patched(base: &GrpoConfig, patch: &Value) -> GrpoConfig {
    let Value::Object(mut map) = serde_json::to_value(base).unwrap() else { unreachable!() };
    merge(&mut map, patch);
    serde_json::from_value(Value::Object(map)).unwrap()
}

/// Numbers in (-1, 1), the same for the same seed.
fn noise(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1_u64 << 23) as f32) - 1.0
    }
}

/// A reference model far from the policy, for some tokens beyond the bounds of the KL estimate.
struct Far(u64);

impl Scorer for Far {
    fn score(&self, batch: TokenBatch<'_>) -> Result<Vec<f32>, PolicyError> {
        let mut noise = noise(self.0);
        let mut logp = toy().score(batch)?;
        for l in &mut logp {
            *l += if noise() > 0.7 { -14.0 } else { noise() };
        }
        Ok(logp)
    }
}

/// A batch that contains everything that a setting may depend on: a sampler that differs from the learner, groups with
/// and without advantages, truncated completions, observations, expert tokens, keys and parts.
fn observed(config: &GrpoConfig, seed: u64) -> Result<String, GrpoError> {
    let grpo = config.clone().build()?;
    let mut noise = noise(seed);
    let mut groups: Vec<Vec<Rollout>> = rollouts(&toy(), 5, 4, 7);
    let mut rewards = Vec::new();
    for (g, group) in groups.iter_mut().enumerate() {
        for (i, rollout) in group.iter_mut().enumerate() {
            rollout.logp.iter_mut().for_each(|l| *l += noise());
            rollout.finish = if i == 1 { Finish::Length } else { Finish::Stop };
            if i == 2 && rollout.tokens.len() > 2 {
                rollout.observations.push(1..2);
            }
        }
        let reward = |_| Some(if g == 4 { 1.0 } else { 1.0 + noise() });
        rewards.push((0..group.len()).map(reward).collect::<Vec<_>>());
    }
    let wide = |row: &Vec<Option<f32>>| row.iter().map(|r| r.map(f64::from)).collect::<Vec<_>>();
    let scores: Vec<Vec<Option<f64>>> = rewards.iter().map(wide).collect();
    let parts: Vec<[WeightedPart<'_>; 1]> =
        scores.iter().map(|scores| [WeightedPart { weight: 1.0, scores }]).collect();
    let prefixes: Vec<Vec<usize>> =
        groups.iter().map(|group| group.iter().map(|r| r.tokens.len().min(1)).collect()).collect();
    let batch: Vec<RolloutGroup<'_>> = (0..groups.len())
        .map(|g| {
            let group = RolloutGroup::new(&groups[g], &rewards[g]).with_parts(&parts[g]);
            let group = if g == 0 { group.with_expert_prefixes(&prefixes[g]) } else { group };
            group.with_key(["a", "b"][g % 2])
        })
        .collect();
    let mut spy = Spy::new(toy());
    let report = grpo.update(&mut spy, Some(&Far(seed)), &batch, 0.5)?;
    Ok(format!("{:?} {} {}", spy.toy.weights(), serde_json::to_string(&report).unwrap(), spy.calls))
}

/// A configuration, and its effect on some random batches.
struct Base<'a> {
    config: &'a GrpoConfig,
    seen: [OnceCell<String>; 8],
}

impl<'a> Base<'a> {
    fn new(config: &'a GrpoConfig) -> Self {
        Self { config, seen: Default::default() }
    }

    /// Whether a patch changes the result of a batch, or is refused by the name of `field`.
    fn acts(&self, field: &str, patch: &Value) -> bool {
        let changed = patched(self.config, patch);
        match changed.clone().build() {
            Err(GrpoError::Config { field: named, .. }) => named == field,
            _ => (0..).zip(&self.seen).any(|(seed, seen)| {
                *seen.get_or_init(|| observed(self.config, seed).unwrap())
                    != observed(&changed, seed).unwrap()
            }),
        }
    }
}

fn check(name: &str, base: &GrpoConfig, exempt: &[&str]) {
    let base = Base::new(base);
    for (field, patches) in variants() {
        let acts = patches.iter().any(|patch| base.acts(field, patch));
        // Used by the training loop, not by the update; or only for groups with a hook (`tests/hooks.rs`).
        let exempt = exempt.contains(&field) || ["dynamic_sampling", "hooked_logp"].contains(&field);
        assert!(acts || exempt, "{name}: {field} has no effect, and is not refused");
    }
}

fn with_loss(loss: LossKind) -> GrpoConfig {
    let limit = (loss == LossKind::DrGrpo).then_some(7);
    GrpoConfig::default().with_loss(loss).with_max_completion_tokens(limit)
}

#[test]
fn every_field_is_listed() {
    let Value::Object(fields) = serde_json::to_value(GrpoConfig::default()).unwrap() else { unreachable!() };
    let listed: Vec<&str> = variants().into_iter().map(|(field, _)| field).collect();
    let nested = |key: &String, value: &Value| match value {
        Value::Object(table) => table.keys().map(|inner| format!("{key}.{inner}")).collect(),
        _ => vec![key.clone()],
    };
    let all: Vec<String> = fields.iter().flat_map(|(key, value)| nested(key, value)).collect();
    assert!(all.iter().all(|field| listed.contains(&field.as_str())), "{all:?} {listed:?}");
    assert_eq!(all.len(), listed.len());
}

#[test]
fn off_policy_no_loss_ignores_a_setting() {
    for loss in LossKind::ALL {
        let base = with_loss(loss).with_old_logp(OldLogp::Sampler);
        check(&format!("{loss:?}, old log-probabilities of the sampler"), &base, &[]);
        check(&format!("{loss:?}, with a KL term"), &base.with_kl_coef(0.1), &[]);
    }
}

#[test]
fn with_recomputed_log_probabilities_no_loss_ignores_a_setting() {
    for loss in LossKind::ALL {
        check(&format!("{loss:?}, two epochs"), &with_loss(loss).with_epochs(2), &[]);
        // With one step every ratio is 1; clips and ratio levels have an effect from the second step on.
        let idle = ["clip_low", "clip_high", "ratio_cap", "dual_clip", "ratio_level"];
        check(&format!("{loss:?}, one step"), &with_loss(loss), &idle);
    }
}

#[test]
fn no_surrogate_ignores_a_setting() {
    for surrogate in [
        json!({"kind": "kl_cov", "share": 0.3, "coef": 0.7}),
        json!({"kind": "trust_region", "divergence": "tv", "low": 0.2, "high": 0.2, "symmetric": true}),
        json!({"kind": "trust_region", "divergence": "tv", "low": 0.2, "high": 0.2}),
        json!({"kind": "trust_region", "divergence": "kl", "low": 0.2, "high": 0.2, "max_ratio": 1.1}),
    ] {
        let sampler = json!({"surrogate": surrogate, "old_logp": "sampler"});
        // All three parts of the loss can be overridden; check the other two.
        check(&surrogate.to_string(), &patched(&GrpoConfig::default(), &sampler), &[]);
    }
}

#[test]
fn no_advantage_ignores_its_settings() {
    for advantage in AdvantageKind::ALL {
        let config = GrpoConfig::default().with_advantage(advantage);
        let base = Base::new(&config);
        for (field, patches) in variants().into_iter().filter(|(field, _)| field.starts_with("advantage")) {
            assert!(patches.iter().any(|patch| base.acts(field, patch)), "{advantage:?}: {field}");
        }
    }
}

#[test]
fn no_advantage_ignores_another_setting() {
    for advantage in AdvantageKind::ALL {
        let base = GrpoConfig::default().with_advantage(advantage).with_old_logp(OldLogp::Sampler);
        // Whitened over the batch, only groups without any reward are zero-advantage groups.
        let whitens = advantage == AdvantageKind::ReinforcePlusPlusBaseline;
        let idle: &[&str] =
            if advantage.is_within_group() && !whitens { &[] } else { &["drop_zero_advantage"] };
        check(&format!("{advantage:?}"), &base, idle);
        check(&format!("{advantage:?}, with a KL term"), &base.with_kl_coef(0.1), idle);
    }
}

#[test]
fn shaping_acts_or_is_refused() {
    let soft = GrpoConfig::default().with_soft_overlong(Some(SoftOverlong::new(6, 4)));
    check("a length penalty", &soft.with_old_logp(OldLogp::Sampler), &[]);
    let in_reward = KlConfig::new(0.1).with_placement(KlPlacement::Reward);
    check("KL in the reward", &GrpoConfig::default().with_kl(in_reward).with_old_logp(OldLogp::Sampler), &[]);
}

#[test]
fn a_custom_advantage_names_the_settings_that_it_replaces() {
    let custom = || advantage_fn(|rewards: &[f32], out: &mut [f32]| out.copy_from_slice(rewards));
    let set = GrpoConfig::default().with_advantage(AdvantageKind::MaxRl);
    let log = logged(|| drop(set.build().unwrap().with_advantage(custom())));
    assert!(log.contains("WARN") && log.contains("setting=\"advantage\""), "{log}");
    assert_eq!(logged(|| drop(GrpoConfig::default().build().unwrap().with_advantage(custom()))), "");
}

#[test]
fn a_cap_below_the_clip_is_a_warning() {
    let low = GrpoConfig::default().with_ratio_cap(Some(1.2));
    let log = logged(|| drop(low.build().unwrap()));
    assert!(log.contains("WARN") && log.contains("ratio_cap is not above 1 + clip_high"), "{log}");
    let high = GrpoConfig::default().with_ratio_cap(Some(4.0));
    assert_eq!(logged(|| drop(high.build().unwrap())), "");
}

#[test]
fn redundant_bounds_are_refused() {
    let both = GrpoConfig::default().with_ratio_cap(Some(4.0)).with_dual_clip(Some(3.0));
    let error = both.build().unwrap_err();
    assert!(matches!(error, GrpoError::Config { field: "dual_clip", .. }), "{error}");
}
