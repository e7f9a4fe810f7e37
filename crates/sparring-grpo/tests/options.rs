//! Options of the update that change whose tokens and whose rewards count.
#![allow(clippy::float_cmp, clippy::unwrap_used, missing_docs)]
mod common;

use common::rollout;
use sparring_core::{Finish, Rollout};
use sparring_grpo::advantage::{Baselines, WeightedPart};
use sparring_grpo::{
    AdvantageKind, GrpoConfig, GrpoError, ImportanceCorrection, ImportanceLevel, KlEstimator, KlPlacement,
    LossKind, OldLogp, Outside, RolloutGroup, SoftOverlong, Surrogate, UpdateReport,
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

/// What the environment wrote carries neither loss nor KL nor entropy, and counts in no normaliser.
#[test]
fn observations_are_context() {
    let mut rollouts = pair();
    rollouts[0].observations.push(1..2);
    // Its log-probability is not looked at.
    rollouts[0].logp[1] = f32::NAN;
    for loss in LossKind::ALL {
        let config = mean_only()
            .with_loss(loss)
            .with_max_completion_tokens(Some(3))
            .with_kl_coef(0.1)
            .with_entropy_coef(0.01)
            .with_old_logp(OldLogp::Sampler);
        let (tape, report) = run(config, RolloutGroup::new(&rollouts, &REWARDS));
        assert_eq!((tape.slopes[1], tape.entropy_slopes[1]), (0.0, 0.0), "{loss:?}");
        assert!(
            tape.slopes.iter().enumerate().all(|(t, s)| t == 1 || *s != 0.0),
            "{loss:?}: {:?}",
            tape.slopes
        );
        assert_eq!(report.learned_tokens, 5);
        assert_eq!((report.length_mean, report.length_max, report.tokens), (2.5, 3, 6));
        assert!((report.entropy.unwrap() - (3.1 - 0.9) / 5.0).abs() < 1e-6);
    }
    let (tape, _) = run(mean_only(), RolloutGroup::new(&rollouts, &REWARDS));
    assert!((tape.slopes[0] + 0.5 / 5.0).abs() < 1e-7, "divided by the five tokens that count");
    rollouts[1].observations.push(2..4);
    let group = RolloutGroup::new(&rollouts, &REWARDS);
    let error = mean_only().build().unwrap().update(&mut Tape::new(vec![-1.0; 6]), None, &[group], 1.0);
    assert!(error.unwrap_err().to_string().contains("beyond its 3 tokens"));
}

#[test]
fn kl_may_go_into_the_reward() {
    let rollouts = pair();
    let config = mean_only()
        .with_kl(KlEstimator::K1)
        .with_kl_coef(0.5)
        .with_kl_placement(KlPlacement::Reward)
        .with_old_logp(OldLogp::Sampler);
    let (tape, report) = run(config, RolloutGroup::new(&rollouts, &REWARDS));
    // Σ(old − ref): 1.1 and 0.7; rewards 1 − 0.55 and −0.35; advantages ±0.4.
    let ratio = (-0.2_f64).exp();
    assert!((tape.slopes[0] + 0.4 * ratio / 6.0).abs() < 1e-6, "{:?}", tape.slopes);
    assert!((report.kl.unwrap() - 1.8 / 6.0).abs() < 1e-6);
    assert!((report.reward_range.0 + 0.35).abs() < 1e-6 && (report.reward_range.1 - 0.45).abs() < 1e-6);
    let senseless =
        mean_only().with_kl_coef(0.1).with_kl_placement(KlPlacement::Reward).with_kl_ratio_weighted(true);
    assert!(matches!(senseless.build(), Err(GrpoError::Config { field: "kl_ratio_weighted", .. })));
}

#[test]
fn importance_weights_multiply_the_policy_term() {
    let rollouts = pair();
    // The learner's own policy (−1.2) is what the ratio is taken to; the sampler drew at −1.
    let correct = |outside, min| {
        let correction = ImportanceCorrection::new(ImportanceLevel::Token, outside).with_min(min);
        let config = mean_only().with_importance(Some(correction));
        run(config, RolloutGroup::new(&rollouts, &REWARDS)).0.slopes[0]
    };
    let weight = (-0.2_f64).exp();
    assert!((correct(Outside::Truncate, None) + 0.5 * weight / 6.0).abs() < 1e-6);
    assert!((correct(Outside::Truncate, Some(0.9)) + 0.5 * 0.9 / 6.0).abs() < 1e-6);
    assert_eq!(correct(Outside::Mask, Some(0.9)), 0.0);
    // A bad sequence that the policy has moved away from is left out; a good one stays.
    let far = mean_only().with_off_policy_threshold(Some(0.1));
    let slopes = run(far, RolloutGroup::new(&rollouts, &REWARDS)).0.slopes;
    assert!(slopes[..3].iter().all(|s| *s != 0.0) && slopes[3..].iter().all(|s| *s == 0.0));
}

#[test]
fn each_completion_may_have_its_own_scale_and_clip() {
    let rollouts = pair();
    let group = RolloutGroup::new(&rollouts, &REWARDS).with_scales(&[0.5, 2.0]);
    let (tape, report) = run(mean_only(), group);
    assert!((tape.slopes[0] + 0.25 / 6.0).abs() < 1e-7 && (tape.slopes[3] - 1.0 / 6.0).abs() < 1e-7);
    assert!((report.advantage_mean + 0.375).abs() < 1e-7);
    // r = e^0.3 = 1.35: beyond 1 + 0.2, within 1 + 0.5.
    let mut drawn_low = pair();
    drawn_low[0].logp = vec![-1.5; 3];
    let sampler = mean_only().with_old_logp(OldLogp::Sampler);
    assert_eq!(run(sampler.clone(), RolloutGroup::new(&drawn_low, &REWARDS)).0.slopes[0], 0.0);
    let wide = RolloutGroup::new(&drawn_low, &REWARDS).with_clip_highs(&[0.5, 0.2]);
    assert!(run(sampler, wide).0.slopes[0] < 0.0);
    let short = RolloutGroup::new(&rollouts, &REWARDS).with_scales(&[1.0]);
    let error = mean_only().build().unwrap().update(&mut Tape::new(vec![-1.0; 6]), None, &[short], 1.0);
    assert!(error.unwrap_err().to_string().contains("2 completions but 1 scales"));
}

#[test]
fn long_completions_are_punished_or_masked() {
    let mut rollouts = pair();
    rollouts[1].tokens = vec![3];
    rollouts[1].logp = vec![-1.0];
    let equal = [Some(1.0), Some(1.0)];
    let soft = mean_only().with_soft_overlong(Some(SoftOverlong { max: 4, cache: 2 }));
    let (tape, report) = run(soft, RolloutGroup::new(&rollouts, &equal));
    assert_eq!(report.reward_range, (0.5, 1.0));
    assert!(tape.slopes[0] > 0.0 && tape.slopes[3] < 0.0);
    rollouts[0].finish = Finish::Length;
    let masked = mean_only().with_mask_truncated(true);
    let slopes = run(masked, RolloutGroup::new(&rollouts, &REWARDS)).0.slopes;
    assert!(slopes[0] == 0.0 && (slopes[3] - 0.5).abs() < 1e-7);
}

#[test]
fn only_uncertain_tokens_may_carry_the_policy_term() {
    let rollouts = pair();
    let (tape, report) = run(mean_only().with_top_entropy_share(0.5), RolloutGroup::new(&rollouts, &REWARDS));
    let carries: Vec<bool> = tape.slopes.iter().map(|s| *s != 0.0).collect();
    assert_eq!(carries, [false, true, false, false, true, true]);
    assert!((report.entropy.unwrap() - 3.1 / 6.0).abs() < 1e-6);
    let kl_cov = mean_only().with_surrogate(Some(Surrogate::KlCov { share: 0.2, coef: 1.0 }));
    let group = RolloutGroup::new(&rollouts, &REWARDS);
    let chosen = run(kl_cov.with_old_logp(OldLogp::Sampler), group).0.slopes;
    let plain = run(mean_only().with_old_logp(OldLogp::Sampler).with_clip_low(1.0), group).0.slopes;
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
    // The first part is a hundred times as large: it does not drown the second, which says the opposite.
    let (large, small) = ([Some(100.0), Some(0.0)], [Some(0.0), Some(1.0)]);
    let parts = [WeightedPart { weight: 1.0, scores: &large }, WeightedPart { weight: 2.0, scores: &small }];
    let group = RolloutGroup::new(&rollouts, &[Some(100.0), Some(2.0)]).with_parts(&parts);
    let config = mean_only().with_advantage(AdvantageKind::NormalizeThenSum);
    let slopes = run(config, group).0.slopes;
    assert!(slopes[0] > 0.0 && slopes[3] < 0.0);
}

#[test]
fn an_expert_may_have_written_the_start() {
    let rollouts = pair();
    let group = RolloutGroup::new(&rollouts, &REWARDS).with_expert_prefixes(&[2, 0]);
    let (tape, _) = run(mean_only().with_expert_gamma(Some(0.1)), group);
    let p = (-1.2_f64).exp();
    let shaped = -0.5 * 0.1 * p / (p + 0.1).powi(2) / 6.0;
    assert!((tape.slopes[0] - shaped).abs() < 1e-7 && (tape.slopes[2] + 0.5 / 6.0).abs() < 1e-7);
}

#[test]
fn far_from_the_sampler_few_tokens_count() {
    let rollouts = pair();
    let (_, report) = run(mean_only(), RolloutGroup::new(&rollouts, &REWARDS));
    assert_eq!(report.effective_sample_size, 1.0);
    let mut far = pair();
    far[0].logp = vec![-4.2, -1.2, -1.2];
    let (_, report) = run(mean_only().with_old_logp(OldLogp::Sampler), RolloutGroup::new(&far, &REWARDS));
    assert!((0.17..0.7).contains(&report.effective_sample_size), "{}", report.effective_sample_size);
}

#[test]
fn what_an_advantage_lacks_and_what_is_out_of_range_is_told() {
    let rollouts = pair();
    let plain = RolloutGroup::new(&rollouts, &REWARDS);
    let told = |config: GrpoConfig, group: RolloutGroup<'_>, entropy: f32| {
        let mut tape = Tape::new(vec![-1.2; 6]);
        tape.entropy = vec![0.1, entropy, 0.5, 0.2, 0.8, 0.6];
        config.build().unwrap().update(&mut tape, None, &[group], 1.0).unwrap_err().to_string()
    };
    let parts = mean_only().with_advantage(AdvantageKind::NormalizeThenSum);
    assert!(told(parts, plain, 0.1).contains("with_parts"));
    assert!(told(mean_only(), plain.with_clip_highs(&[0.2, -0.1]), 0.1).contains("clip_high below 0"));
    assert!(told(mean_only(), plain.with_expert_prefixes(&[4, 0]), 0.1).contains("expert prefix beyond"));
    let entropy = told(mean_only().with_report_entropy(true), plain, f32::NAN);
    assert!(entropy.starts_with("group 0, completion 0: the entropy is not finite"), "{entropy}");
}
