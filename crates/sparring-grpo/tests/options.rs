//! Options of the update that change which tokens and rewards count.
#![allow(clippy::float_cmp, clippy::unwrap_used, missing_docs)]
mod common;

use common::rollout;
use sparring_core::{Finish, Rollout, SamplingParams};
use sparring_grpo::advantage::{Baselines, WeightedPart};
use sparring_grpo::{
    AdvantageKind, GrpoConfig, GrpoError, ImportanceCorrection, ImportanceLevel, KlConfig, KlEstimator,
    KlPlacement, LossKind, OldLogp, Outside, RolloutGroup, SoftOverlong, Surrogate, UpdateReport,
    is_zero_advantage,
};
use sparring_testkit::Tape;

/// Two completions of three tokens each, sampled at −1.
fn pair() -> Vec<Rollout> {
    vec![rollout(vec![0, 1, 2], vec![-1.0; 3]), rollout(vec![3, 4, 5], vec![-1.0; 3])]
}

const REWARDS: [Option<f32>; 2] = [Some(1.0), Some(0.0)];

fn run(config: GrpoConfig, group: RolloutGroup<'_>) -> (Tape, UpdateReport) {
    let mut tape = Tape::new(vec![-1.2; 6]);
    tape.entropy = vec![0.1, 0.9, 0.5, 0.2, 0.8, 0.6];
    let reference = Tape::new(vec![-1.5, -1.1, -1.5, -1.1, -1.5, -1.1]);
    let report = config.build().unwrap().update(&mut tape, Some(&reference), &[group], 1.0).unwrap();
    (tape, report)
}

fn mean_only() -> GrpoConfig {
    GrpoConfig::default().with_advantage(AdvantageKind::GroupMean).with_loss(LossKind::Bnpo)
}

/// Tokens of the environment carry no loss, KL or entropy, and count in no normaliser.
#[test]
fn observations_are_context() {
    let mut rollouts = pair();
    rollouts[0].observations.push(1..2);
    // Its log-probability is ignored.
    rollouts[0].logp[1] = f32::NAN;
    for loss in LossKind::ALL {
        let config = mean_only()
            .with_loss(loss)
            .for_sampling(&SamplingParams::default().with_max_tokens(3))
            .with_kl_coef(0.1)
            .with_entropy_coef(0.01)
            .with_old_logp(OldLogp::Sampler);
        let (tape, report) = run(config, RolloutGroup::new(&rollouts, &REWARDS));
        assert_eq!((tape.gradients[1], tape.entropy_gradients[1]), (0.0, 0.0), "{loss:?}");
        assert!(
            tape.gradients.iter().enumerate().all(|(t, s)| t == 1 || *s != 0.0),
            "{loss:?}: {:?}",
            tape.gradients
        );
        assert_eq!((report.learned_tokens, report.tokens, report.observation_tokens), (5, 5, 1));
        assert_eq!((report.length_mean, report.length_max), (Some(2.5), 3));
        assert!((report.entropy.unwrap() - (3.1 - 0.9) / 5.0).abs() < 1e-6);
    }
    let (tape, _) = run(mean_only(), RolloutGroup::new(&rollouts, &REWARDS));
    assert!((tape.gradients[0] + 0.5 / 5.0).abs() < 1e-7, "divided by the five tokens that count");
    rollouts[1].observations.push(2..4);
    let group = RolloutGroup::new(&rollouts, &REWARDS);
    let error = mean_only().build().unwrap().update(&mut Tape::new(vec![-1.0; 6]), None, &[group], 1.0);
    assert!(error.unwrap_err().to_string().contains("beyond its 3 tokens"));
}

#[test]
fn kl_may_go_into_the_reward() {
    let rollouts = pair();
    let config = mean_only()
        .with_kl(KlConfig::new(0.5).with_estimator(KlEstimator::K1).with_placement(KlPlacement::Reward))
        .with_old_logp(OldLogp::Sampler);
    let (tape, report) = run(config, RolloutGroup::new(&rollouts, &REWARDS));
    // Σ(old − ref): 1.1 and 0.7; rewards 1 − 0.55 and −0.35; advantages ±0.4.
    let ratio = (-0.2_f64).exp();
    assert!((tape.gradients[0] + 0.4 * ratio / 6.0).abs() < 1e-6, "{:?}", tape.gradients);
    assert!((report.kl.unwrap() - 1.8 / 6.0).abs() < 1e-6);
    let (low, high) = report.reward_range.unwrap();
    assert!((low + 0.35).abs() < 1e-6 && (high - 0.45).abs() < 1e-6);
    let senseless = KlConfig::new(0.1).with_placement(KlPlacement::Reward).with_ratio_weighted(true);
    let refused = mean_only().with_kl(senseless).build();
    assert!(matches!(refused, Err(GrpoError::Config { field: "kl.ratio_weighted", .. })));
}

#[test]
fn importance_weights_multiply_the_policy_term() {
    let rollouts = pair();
    // The learner's own policy (−1.2) is the denominator of the ratio; the sampler was at −1.
    let correct = |outside, min| {
        let correction = ImportanceCorrection::new(ImportanceLevel::Token, outside).with_min(min);
        let config = mean_only().with_importance(Some(correction));
        run(config, RolloutGroup::new(&rollouts, &REWARDS)).0.gradients[0]
    };
    let weight = (-0.2_f64).exp();
    assert!((correct(Outside::Truncate, None) + 0.5 * weight / 6.0).abs() < 1e-6);
    assert!((correct(Outside::Truncate, Some(0.9)) + 0.5 * 0.9 / 6.0).abs() < 1e-6);
    assert_eq!(correct(Outside::Mask, Some(0.9)), 0.0);
    // A sequence with a negative advantage from which the policy has moved is left out; a positive one stays.
    let far = mean_only().with_off_policy_threshold(Some(0.1));
    let gradients = run(far, RolloutGroup::new(&rollouts, &REWARDS)).0.gradients;
    assert!(gradients[..3].iter().all(|s| *s != 0.0) && gradients[3..].iter().all(|s| *s == 0.0));
}

#[test]
fn each_completion_may_have_its_own_scale_and_clip() {
    let rollouts = pair();
    let group = RolloutGroup::new(&rollouts, &REWARDS).with_scales(&[0.5, 2.0]);
    let (tape, report) = run(mean_only(), group);
    assert!((tape.gradients[0] + 0.25 / 6.0).abs() < 1e-7 && (tape.gradients[3] - 1.0 / 6.0).abs() < 1e-7);
    assert!((report.advantage_mean + 0.375).abs() < 1e-7);
    // r = e^0.3 = 1.35: beyond 1 + 0.2, within 1 + 0.5.
    let mut drawn_low = pair();
    drawn_low[0].logp = vec![-1.5; 3];
    let sampler = mean_only().with_old_logp(OldLogp::Sampler);
    assert_eq!(run(sampler.clone(), RolloutGroup::new(&drawn_low, &REWARDS)).0.gradients[0], 0.0);
    let wide = RolloutGroup::new(&drawn_low, &REWARDS).with_clip_highs(&[0.5, 0.2]);
    assert!(run(sampler, wide).0.gradients[0] < 0.0);
    let unclipped = mean_only().with_loss(LossKind::Sapo).build().unwrap();
    let error = unclipped.update(&mut Tape::new(vec![-1.0; 6]), None, &[wide], 1.0).unwrap_err();
    assert!(error.to_string().starts_with("group 0: has clip_highs, which have no effect"), "{error}");
    let short = RolloutGroup::new(&rollouts, &REWARDS).with_scales(&[1.0]);
    let error = mean_only().build().unwrap().update(&mut Tape::new(vec![-1.0; 6]), None, &[short], 1.0);
    assert!(error.unwrap_err().to_string().contains("2 completions but 1 scales"));
}

#[test]
fn long_completions_are_penalised_or_masked() {
    let mut rollouts = pair();
    rollouts[1].tokens = vec![3];
    rollouts[1].logp = vec![-1.0];
    let soft = mean_only().with_soft_overlong(Some(SoftOverlong::new(4, 2)));
    let (tape, report) = run(soft, RolloutGroup::new(&rollouts, &[Some(1.0), Some(0.9)]));
    assert_eq!(report.reward_range, Some((0.5, f64::from(0.9_f32))));
    assert!(tape.gradients[0] > 0.0 && tape.gradients[3] < 0.0);
    rollouts[0].finish = Finish::Length;
    let masked = mean_only().with_mask_truncated(true);
    let gradients = run(masked, RolloutGroup::new(&rollouts, &REWARDS)).0.gradients;
    assert!(gradients[0] == 0.0 && (gradients[3] - 0.5).abs() < 1e-7);
}

/// Answers that are all wrong differ by their shaping only: neither their lengths nor their divergence is a reason to
/// prefer one.
#[test]
fn shaping_does_not_revive_a_group_of_equal_rewards() {
    let mut rollouts = pair();
    rollouts[1].tokens = vec![3];
    rollouts[1].logp = vec![-1.0];
    let wrong = [Some(0.0), Some(0.0)];
    let in_reward = KlConfig::new(0.1).with_placement(KlPlacement::Reward);
    let soft = GrpoConfig::default().with_soft_overlong(Some(SoftOverlong::new(4, 2)));
    for config in [soft.clone(), GrpoConfig::default().with_kl(in_reward)] {
        let (tape, report) = run(config.clone(), RolloutGroup::new(&rollouts, &wrong));
        assert_eq!(
            (report.zero_advantage_groups, report.steps, report.reward_range),
            (1, 0, Some((0.0, 0.0)))
        );
        assert!(tape.gradients.iter().all(|g| *g == 0.0));
        let alone = run(config.with_learn_from_shaping(true), RolloutGroup::new(&rollouts, &wrong));
        assert_eq!((alone.1.zero_advantage_groups, alone.1.steps), (0, 1));
        assert!(alone.1.advantage_std > 0.5, "as large as that of right and wrong answers");
    }
    // A statistic of the whole batch needs no difference within the group.
    let batch = soft.with_advantage(AdvantageKind::ReinforcePlusPlus);
    assert_eq!(run(batch, RolloutGroup::new(&rollouts, &wrong)).1.zero_advantage_groups, 0);
}

/// Rewards that differ in their last digits are equal, for every estimator.
#[test]
fn rounding_is_no_signal() {
    let rollouts = pair();
    for level in [0.3_f32, 1000.0, -1e6] {
        let rewards = [Some(level), Some(level.next_up())];
        assert!(is_zero_advantage(&rewards));
        for kind in AdvantageKind::ALL.into_iter().filter(|kind| !kind.needs_more_than_rewards()) {
            for drops in [false, true] {
                let config = mean_only().with_advantage(kind).with_drop_zero_advantage(drops);
                let report = run(config, RolloutGroup::new(&rollouts, &rewards)).1;
                let counts = (report.zero_advantage_groups, report.steps, report.advantage_max);
                assert_eq!(counts, (1, 0, 0.0), "{kind:?} at {level}");
            }
        }
    }
    assert!(!is_zero_advantage(&[Some(0.3), Some(0.300_01)]));
}

#[test]
fn only_uncertain_tokens_may_carry_the_policy_term() {
    let rollouts = pair();
    let (tape, report) = run(mean_only().with_top_entropy_share(0.5), RolloutGroup::new(&rollouts, &REWARDS));
    let carries: Vec<bool> = tape.gradients.iter().map(|s| *s != 0.0).collect();
    assert_eq!(carries, [false, true, false, false, true, true]);
    assert!((report.entropy.unwrap() - 3.1 / 6.0).abs() < 1e-6);
    let kl_cov = mean_only().with_surrogate(Some(Surrogate::KlCov { share: 0.2, coef: 1.0 }));
    let group = RolloutGroup::new(&rollouts, &REWARDS);
    let chosen = run(kl_cov.with_old_logp(OldLogp::Sampler), group).0.gradients;
    let plain = run(mean_only().with_old_logp(OldLogp::Sampler).with_clip_low(1.0), group).0.gradients;
    let moved = chosen.iter().zip(&plain).filter(|(a, b)| (*a - *b).abs() > 1e-6).count();
    assert_eq!(moved, 1, "one token of six: {chosen:?}, {plain:?}");
}

#[test]
fn baselines_are_state_and_stay_when_an_update_fails() {
    let rollouts = pair();
    let grpo = mean_only().with_advantage(AdvantageKind::KeyedMovingAverage).build().unwrap();
    let group = RolloutGroup::new(&rollouts, &REWARDS).with_key("chess/white");
    let mut baselines = Baselines::default();
    let mut tape = Tape::new(vec![-1.0; 6]);
    grpo.update_with(&mut baselines, &mut tape, None, &[group], 1.0).unwrap();
    let before = baselines.clone();
    assert!((before.of("chess/white") - 0.95 * 0.05).abs() < 1e-12);
    let mut broken = Tape::new(vec![f32::NAN; 6]);
    assert!(matches!(
        grpo.update_with(&mut baselines, &mut broken, None, &[group], 1.0),
        Err(GrpoError::NonFinite { .. })
    ));
    assert_eq!(baselines, before);
    let text = serde_json::to_string(&before).unwrap();
    assert_eq!(serde_json::from_str::<Baselines>(&text).unwrap(), before);
}

#[test]
fn parts_are_normalised_before_they_are_summed() {
    let rollouts = pair();
    // The first part is a hundred times as large, but does not dominate the second, which has the opposite sign.
    let (large, small) = ([Some(100.0), Some(0.0)], [Some(0.0), Some(1.0)]);
    let parts = [WeightedPart { weight: 1.0, scores: &large }, WeightedPart { weight: 2.0, scores: &small }];
    let group = RolloutGroup::new(&rollouts, &[Some(100.0), Some(2.0)]).with_parts(&parts);
    let config = mean_only().with_advantage(AdvantageKind::NormalizeThenSum);
    let gradients = run(config, group).0.gradients;
    assert!(gradients[0] > 0.0 && gradients[3] < 0.0);
}

#[test]
fn an_expert_may_have_written_the_start() {
    let rollouts = pair();
    let group = RolloutGroup::new(&rollouts, &REWARDS).with_expert_prefixes(&[2, 0]);
    let (tape, _) = run(mean_only().with_expert_gamma(Some(0.1)), group);
    let p = (-1.2_f64).exp();
    let shaped = -0.5 * 0.1 * p / (p + 0.1).powi(2) / 6.0;
    assert!((tape.gradients[0] - shaped).abs() < 1e-7 && (tape.gradients[2] + 0.5 / 6.0).abs() < 1e-7);
}

#[test]
fn far_from_the_sampler_the_effective_sample_is_small() {
    let rollouts = pair();
    let (_, report) = run(mean_only(), RolloutGroup::new(&rollouts, &REWARDS));
    assert_eq!(report.effective_sample_size, 1.0);
    let mut far = pair();
    far[0].logp = vec![-4.2, -1.2, -1.2];
    let (_, report) = run(mean_only().with_old_logp(OldLogp::Sampler), RolloutGroup::new(&far, &REWARDS));
    assert!((0.17..0.7).contains(&report.effective_sample_size), "{}", report.effective_sample_size);
}

#[test]
fn errors_say_what_an_advantage_lacks_and_what_is_out_of_range() {
    let rollouts = pair();
    let plain = RolloutGroup::new(&rollouts, &REWARDS);
    let error_of = |config: GrpoConfig, group: RolloutGroup<'_>, entropy: f32| {
        let mut tape = Tape::new(vec![-1.2; 6]);
        tape.entropy = vec![0.1, entropy, 0.5, 0.2, 0.8, 0.6];
        config.build().unwrap().update(&mut tape, None, &[group], 1.0).unwrap_err().to_string()
    };
    let parts = mean_only().with_advantage(AdvantageKind::NormalizeThenSum);
    assert!(error_of(parts, plain, 0.1).contains("with_parts"));
    assert!(error_of(mean_only(), plain.with_clip_highs(&[0.2, -0.1]), 0.1).contains("clip_high below 0"));
    assert!(error_of(mean_only(), plain.with_expert_prefixes(&[4, 0]), 0.1).contains("expert prefix beyond"));
    let entropy = error_of(mean_only().with_report_entropy(true), plain, f32::NAN);
    assert!(entropy.starts_with("group 0, completion 0: the entropy is not finite"), "{entropy}");
}
