//! The update driver on a toy policy: results, skipped work and failures.
#![allow(clippy::float_cmp, clippy::unwrap_used, missing_docs)]
mod common;

use common::{Failure, Spy, rollout, rollouts, toy, varied};
use sparring_core::{Finish, Policy, Rollout, SamplingParams};
use sparring_grpo::{
    AdvantageKind, DynamicSampling, Grpo, GrpoConfig, GrpoError, KlConfig, KlEstimator, LossKind, OldLogp,
    RolloutGroup, UpdateReport,
};
use sparring_testkit::{Tape, conformance};

type Rewards = Vec<Vec<Option<f32>>>;

fn update(
    grpo: &Grpo,
    spy: &mut Spy,
    groups: &[Vec<Rollout>],
    rewards: &Rewards,
) -> Result<UpdateReport, GrpoError> {
    let frozen = toy().freeze().unwrap();
    let pairs: Vec<RolloutGroup<'_>> =
        groups.iter().zip(rewards).map(|(rollouts, rewards)| RolloutGroup::new(rollouts, rewards)).collect();
    grpo.update(spy, Some(&*frozen), &pairs, 0.01)
}

/// A learner whose weights differ from those of the sampling policy.
fn moved() -> Spy {
    let mut spy = Spy::new(toy());
    for (i, w) in spy.toy.weights_mut().iter_mut().enumerate() {
        *w += 0.3 * ((i % 7) as f64 - 3.0) / 3.0;
    }
    spy
}

const LOSSES: [LossKind; 12] = LossKind::ALL;

#[test]
fn advantages_conform() {
    for kind in [AdvantageKind::GroupStd, AdvantageKind::GroupMean] {
        conformance::advantage(&kind, &conformance::Options::default()).unwrap();
    }
}

#[test]
fn micro_batches_give_the_same_step() {
    let groups = rollouts(&toy(), 6, 5, 7);
    let rewards = varied(&groups);
    for loss in LOSSES {
        for (kl_coef, entropy_coef, mini_batches) in [(0.0, 0.0, 1), (0.1, 0.01, 1), (0.1, 0.0, 2)] {
            let config = GrpoConfig::default()
                .with_loss(loss)
                .for_sampling(&SamplingParams::default().with_max_tokens(7))
                .with_kl(match kl_coef {
                    0.0 => KlConfig::default(),
                    coef => KlConfig::new(coef).with_estimator(KlEstimator::K2),
                })
                .with_entropy_coef(entropy_coef)
                .with_mini_batches(mini_batches)
                .with_old_logp(OldLogp::Sampler);
            let run = |budget: usize| {
                let mut spy = moved();
                let grpo = config.clone().with_micro_batch_tokens(budget).build().unwrap();
                let report = update(&grpo, &mut spy, &groups, &rewards).unwrap();
                (spy, report)
            };
            let (whole, report) = run(1_000_000);
            assert_eq!((whole.calls, whole.steps), (mini_batches, mini_batches));
            for budget in [1, 12, 40] {
                let (cut, other) = run(budget);
                assert!(cut.calls > mini_batches, "budget {budget}");
                assert_eq!(whole.toy.weights(), cut.toy.weights(), "{loss:?}, budget {budget}");
                assert!((report.loss - other.loss).abs() < 1e-9);
                let kl = |report: &UpdateReport| report.kl.unwrap_or(0.0);
                assert!((kl(&report) - kl(&other)).abs() < 1e-9);
                assert_eq!(report.learned_tokens, other.learned_tokens);
            }
        }
    }
}

#[test]
fn the_budget_is_kept() {
    let groups = rollouts(&toy(), 6, 5, 7);
    let grpo = GrpoConfig::default().with_micro_batch_tokens(20).build().unwrap();
    let mut spy = Spy::new(toy());
    let report = update(&grpo, &mut spy, &groups, &varied(&groups)).unwrap();
    // Every call has at least one prompt of three tokens.
    assert!(spy.tokens.iter().all(|&tokens| tokens <= 17), "{:?}", spy.tokens);
    assert_eq!(spy.tokens.iter().sum::<usize>(), report.learned_tokens);
    assert_eq!(report.learned_tokens, report.tokens);
}

#[test]
fn on_policy_the_gradient_is_reinforce() {
    // Rewards 1, 0, 0, 1: advantages ±0.5 / (std + ε), std = √(1/3).
    let rollouts = [
        rollout(vec![0, 1], vec![]),
        rollout(vec![2], vec![]),
        rollout(vec![], vec![]),
        rollout(vec![3, 4, 5], vec![]),
    ];
    let rewards = [Some(1.0), Some(0.0), Some(0.0), Some(1.0)];
    let a = 0.5 / ((1.0_f64 / 3.0).sqrt() + 1e-4);
    let limit = SamplingParams::default().with_max_tokens(10);
    let expect = |loss: LossKind, per_row: [f64; 3]| {
        let mut tape = Tape::new(vec![-0.7; 6]);
        let grpo = GrpoConfig::default().with_loss(loss).for_sampling(&limit).build().unwrap();
        let report = grpo.update(&mut tape, None, &[RolloutGroup::new(&rollouts, &rewards)], 1.0).unwrap();
        let rows = [(0, -a), (0, -a), (1, a), (2, -a), (2, -a), (2, -a)];
        for (gradient, (row, sign)) in tape.gradients.iter().zip(rows) {
            assert!((gradient - sign * per_row[row]).abs() < 1e-7, "{loss:?}: {:?}", tape.gradients);
        }
        assert_eq!((report.ratio_min, report.ratio_max, report.steps), (1.0, 1.0, 1));
        assert_eq!((report.length_mean, report.length_max), (Some(1.5), 3));
        assert_eq!((report.reward_mean, report.reward_std), (Some(0.5), Some(0.5)));
    };
    // The empty completion counts among the four rows.
    expect(LossKind::Grpo, [1.0 / 8.0, 1.0 / 4.0, 1.0 / 12.0]);
    expect(LossKind::Bnpo, [1.0 / 6.0; 3]);
    expect(LossKind::Dapo, [1.0 / 6.0; 3]);
    expect(LossKind::DrGrpo, [1.0 / 40.0; 3]);
}

#[test]
fn old_log_probabilities() {
    let groups = rollouts(&toy(), 4, 4, 6);
    let rewards = varied(&groups);
    let run = |config: GrpoConfig| {
        let mut spy = Spy::new(toy());
        let report = update(&config.build().unwrap(), &mut spy, &groups, &rewards).unwrap();
        (spy, report)
    };
    let (lazy, first) = run(GrpoConfig::default());
    assert_eq!(lazy.scores(), 0, "nothing is computed twice");
    assert_eq!((first.ratio_min, first.ratio_max), (1.0, 1.0));
    // The sampler is the learner: its own log-probabilities give the same step, up to rounding in Adam.
    let (sampler, _) = run(GrpoConfig::default().with_old_logp(OldLogp::Sampler));
    let close =
        |a: &Spy, b: &Spy| a.toy.weights().iter().zip(b.toy.weights()).all(|(x, y)| (x - y).abs() < 1e-6);
    assert!(close(&lazy, &sampler));
    // Two epochs: the old policy is scored once, and the ratio differs from 1 in the second epoch.
    let (twice, second) = run(GrpoConfig::default().with_epochs(2));
    assert_eq!((twice.scores(), twice.steps, second.steps), (1, 2, 2));
    assert!(second.ratio_max > 1.001 && second.ratio_min < 0.999);
    assert_eq!(second.learned_tokens, 2 * second.tokens);
    // Two mini-batches use the totals of their own halves; only DAPO uses the mean of both.
    let halves = |loss| run(GrpoConfig::default().with_mini_batches(2).with_loss(loss)).0;
    assert_eq!(halves(LossKind::Bnpo).steps, 2);
    let one = |loss| run(GrpoConfig::default().with_loss(loss)).0;
    assert!(close(&one(LossKind::Bnpo), &one(LossKind::Dapo)));
}

#[test]
fn dapo_divides_by_the_mean_of_the_steps() {
    let rollouts: Vec<[Rollout; 2]> = vec![
        [rollout(vec![0, 1, 2, 3, 4], vec![]), rollout(vec![5], vec![])],
        [rollout(vec![6], vec![]), rollout(vec![7], vec![])],
    ];
    let rewards = [Some(1.0), Some(0.0)];
    let groups: Vec<RolloutGroup<'_>> =
        rollouts.iter().map(|rollouts| RolloutGroup::new(rollouts, &rewards)).collect();
    let gradient = |loss: LossKind, token: usize| {
        let mut tape = Tape::new(vec![-1.0; 8]);
        let grpo = GrpoConfig::default()
            .with_loss(loss)
            .with_advantage(AdvantageKind::GroupMean)
            .with_mini_batches(2)
            .build()
            .unwrap();
        grpo.update(&mut tape, None, &groups, 0.0).unwrap();
        assert_eq!(tape.steps, 2);
        tape.gradients[token]
    };
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-7, "{a} {b}");
    near(gradient(LossKind::Bnpo, 0), -0.5 / 6.0);
    near(gradient(LossKind::Bnpo, 6), -0.5 / 2.0);
    near(gradient(LossKind::Dapo, 0), -0.5 / 4.0);
    near(gradient(LossKind::Dapo, 6), -0.5 / 4.0);
}

#[test]
fn zero_advantage_groups_cost_nothing_and_change_nothing() {
    let groups = rollouts(&toy(), 3, 4, 6);
    let flat: Rewards = groups.iter().map(|group| vec![Some(0.1); group.len()]).collect();
    let grpo = GrpoConfig::default().build().unwrap();
    let mut spy = Spy::new(toy());
    let report = update(&grpo, &mut spy, &groups, &flat).unwrap();
    assert_eq!((report.zero_advantage_groups, report.steps, report.learned_tokens), (3, 0, 0));
    assert_eq!((spy.calls, spy.steps, report.ratio_max), (0, 0, 1.0));
    assert_eq!(spy.toy, toy());
    let report = update(&grpo, &mut spy, &[], &Vec::new()).unwrap();
    assert_eq!((report.groups, report.steps, report.completions), (0, 0, 0));
    assert_eq!((report.reward_mean, report.reward_std, report.reward_range), (None, None, None));
    assert_eq!((report.length_mean, report.drift_mean, report.drifted), (None, None, false));
    // No statistic may look as if a number had dropped.
    assert!(!serde_json::to_string(&report).unwrap().contains('-'));

    // One of three groups has advantages: only its tokens are computed, and the others still count in the mean …
    let mut mixed = flat.clone();
    mixed[1] = varied(&groups)[1].clone();
    let report = update(&grpo, &mut spy, &groups, &mixed).unwrap();
    let live: usize = groups[1].iter().map(|r| r.tokens.len()).sum();
    assert_eq!((report.zero_advantage_groups, report.learned_tokens, report.steps), (2, live, 1));
    // … unless they are dropped: then the update is that of the remaining group alone.
    let dropping = GrpoConfig::default().with_drop_zero_advantage(true).build().unwrap();
    let (mut a, mut b) = (Spy::new(toy()), Spy::new(toy()));
    let dropped = update(&dropping, &mut a, &groups, &mixed).unwrap();
    let alone = update(&grpo, &mut b, &groups[1..2], &vec![mixed[1].clone()]).unwrap();
    assert_eq!((a.toy.weights(), dropped.loss), (b.toy.weights(), alone.loss));
    assert!((dropped.grad_norm - 3.0 * report.grad_norm).abs() < 1e-6, "a third of the completions");
}

#[test]
fn kl_and_entropy_reach_zero_advantage_groups() {
    let groups = rollouts(&toy(), 3, 4, 6);
    let flat: Rewards = groups.iter().map(|group| vec![Some(0.1); group.len()]).collect();
    let kl = GrpoConfig::default().with_kl_coef(1.0).build().unwrap();
    let mut spy = moved();
    let before = update(&kl, &mut spy, &groups, &flat).unwrap();
    assert_eq!((before.steps, before.learned_tokens), (1, before.tokens));
    for _ in 0..40 {
        update(&kl, &mut spy, &groups, &flat).unwrap();
    }
    let after = update(&kl, &mut spy, &groups, &flat).unwrap();
    assert!(after.kl.unwrap() < 0.2 * before.kl.unwrap(), "{:?} {:?}", before.kl, after.kl);

    let entropy = GrpoConfig::default().with_entropy_coef(0.1).build().unwrap();
    let mut spy = moved();
    let before = update(&entropy, &mut spy, &groups, &flat).unwrap().entropy.unwrap();
    let after =
        (0..20).map(|_| update(&entropy, &mut spy, &groups, &flat).unwrap().entropy.unwrap()).last().unwrap();
    assert!(after > before, "{before} {after}");
    assert!(GrpoConfig::default().build().unwrap().config().entropy_coef == 0.0);
}

#[test]
fn completions_without_a_reward_have_no_advantage() {
    let groups = rollouts(&toy(), 1, 4, 6);
    let rewards: Rewards = vec![vec![Some(1.0), None, Some(0.0), None]];
    let grpo = GrpoConfig::default().build().unwrap();
    let mut spy = Spy::new(toy());
    let report = update(&grpo, &mut spy, &groups, &rewards).unwrap();
    assert_eq!((report.unrewarded, report.reward_mean), (2, Some(0.5)));
    assert_eq!(report.learned_tokens, groups[0][0].tokens.len() + groups[0][2].tokens.len());
}

#[test]
fn truncated_completions_can_be_masked() {
    let mut cut = rollout(vec![2, 3], vec![]);
    cut.finish = Finish::Length;
    let rollouts = [rollout(vec![0, 1], vec![]), cut];
    let group = RolloutGroup::new(&rollouts, &[Some(1.0), Some(0.0)]);
    let gradients = |mask: bool, loss: LossKind| {
        let mut tape = Tape::new(vec![-1.0; 4]);
        let config = GrpoConfig::default()
            .with_mask_truncated(mask)
            .with_loss(loss)
            .with_advantage(AdvantageKind::GroupMean);
        let report = config.build().unwrap().update(&mut tape, None, &[group], 1.0).unwrap();
        assert_eq!(report.truncated, 0.5);
        tape.gradients
    };
    assert_eq!(gradients(false, LossKind::Grpo), [-0.125, -0.125, 0.125, 0.125]);
    assert_eq!(gradients(true, LossKind::Grpo), [-0.125, -0.125, 0.0, 0.0]);
    assert_eq!(gradients(true, LossKind::Dapo), [-0.25, -0.25, 0.0, 0.0]);
}

#[test]
fn numbers_that_are_not_finite_apply_nothing() {
    let groups = rollouts(&toy(), 3, 4, 6);
    let good = varied(&groups);
    let grpo = GrpoConfig::default().with_micro_batch_tokens(30).build().unwrap();
    for bad in [f32::NAN, f32::INFINITY] {
        let mut rewards = good.clone();
        rewards[1][2] = Some(bad);
        let mut spy = Spy::new(toy());
        let error = update(&grpo, &mut spy, &groups, &rewards).unwrap_err();
        assert_eq!(
            error.to_string(),
            "group 1, completion 2: the reward is not finite; this step was not applied"
        );
        assert_eq!((spy.calls, &spy.toy), (0, &toy()));
    }
    let mut sampled = groups.clone();
    sampled[2][1].logp[0] = f32::NAN;
    let off = GrpoConfig::default().with_old_logp(OldLogp::Sampler).build().unwrap();
    let error = update(&off, &mut Spy::new(toy()), &sampled, &good).unwrap_err();
    assert!(matches!(error, GrpoError::NonFinite { group: 2, completion: 1, .. }), "{error}");
    let grow = grpo
        .clone()
        .with_advantage(sparring_core::advantage_fn(|_: &[f32], out: &mut [f32]| out.fill(f32::NAN)));
    let error = update(&grow, &mut Spy::new(toy()), &groups, &good).unwrap_err();
    assert!(
        matches!(error, GrpoError::NonFinite { group: 0, completion: 0, what: "the advantage" }),
        "{error}"
    );
}

#[test]
fn a_failure_half_way_discards_its_gradients() {
    let groups = rollouts(&toy(), 3, 4, 6);
    let rewards = varied(&groups);
    let grpo = GrpoConfig::default().with_micro_batch_tokens(1).build().unwrap();
    let mut untouched = Spy::new(toy());
    update(&grpo, &mut untouched, &groups, &rewards).unwrap();
    for failure in [Failure::Nan(0), Failure::Short, Failure::Error] {
        let mut spy = Spy::new(toy());
        // With a budget of one token, call 6 is completion 1 of group 1.
        spy.fail = Some((6, failure));
        let error = update(&grpo, &mut spy, &groups, &rewards).unwrap_err();
        match failure {
            Failure::Nan(_) => {
                assert!(matches!(error, GrpoError::NonFinite { group: 1, completion: 1, .. }), "{error}");
            }
            _ => assert!(matches!(error, GrpoError::Policy { during: "Learner::accumulate", .. }), "{error}"),
        }
        assert_eq!((spy.discards, spy.steps), (1, 0));
        assert_eq!(spy.toy, toy());
        spy.fail = None;
        update(&grpo, &mut spy, &groups, &rewards).unwrap();
        assert_eq!(spy.toy, untouched.toy, "{failure:?}: the next update is as if nothing had been");
    }
}

#[test]
fn malformed_groups_are_named() {
    let groups = rollouts(&toy(), 2, 3, 6);
    let rewards = varied(&groups);
    let grpo = GrpoConfig::default().build().unwrap();
    let off = GrpoConfig::default().with_old_logp(OldLogp::Sampler).build().unwrap();
    let fails = |grpo: &Grpo, groups: &[Vec<Rollout>], rewards: &Rewards| {
        update(grpo, &mut Spy::new(toy()), groups, rewards).unwrap_err().to_string()
    };
    let mut short = rewards.clone();
    short[1].pop();
    assert_eq!(fails(&grpo, &groups, &short), "group 1: 3 completions but 2 rewards; pass one for each");
    let mut mixed = groups.clone();
    mixed[0][2] = groups[1][0].clone();
    assert_eq!(
        fails(&grpo, &mixed, &rewards),
        "group 0: completion 2 has a different prompt from completion 0"
    );
    let mut bare = groups.clone();
    bare[0][1].logp.clear();
    assert!(fails(&off, &bare, &rewards).contains("but 0 log-probabilities"));
    update(&grpo, &mut Spy::new(toy()), &bare, &rewards).unwrap();
    let mut promptless = groups.clone();
    promptless[0].iter_mut().for_each(|r| r.prompt = [].into());
    assert!(fails(&grpo, &promptless, &rewards).contains("an empty prompt"));
    let mut worded = groups.clone();
    worded[1][2] = Rollout::from_text("no ids");
    assert!(fails(&grpo, &worded, &rewards).starts_with("group 1: completion 2 is text only"));

    let kl = GrpoConfig::default().with_kl_coef(0.1).build().unwrap();
    let group = RolloutGroup::new(&groups[0], &rewards[0]);
    let error = kl.update(&mut toy(), None, &[group], 0.1).unwrap_err();
    assert!(matches!(error, GrpoError::MissingReference));
    let error = grpo.update(&mut toy(), None, &[group], f64::NAN).unwrap_err();
    assert!(matches!(error, GrpoError::Config { field: "lr", .. }));
}

#[test]
fn settings_are_checked_and_read_strictly() {
    let bad: [(&str, GrpoConfig); 13] = [
        ("clip_low", GrpoConfig::default().with_clip_low(1.5)),
        ("clip_high", GrpoConfig::default().with_clip_high(-0.1)),
        ("ratio_cap", GrpoConfig::default().with_ratio_cap(Some(0.0))),
        ("kl.coef", GrpoConfig::default().with_kl_coef(f64::NAN)),
        ("entropy_coef", GrpoConfig::default().with_entropy_coef(-1.0)),
        ("epochs", GrpoConfig::default().with_epochs(0)),
        ("mini_batches", GrpoConfig::default().with_mini_batches(0)),
        ("micro_batch_tokens", GrpoConfig::default().with_micro_batch_tokens(0)),
        ("temperature", GrpoConfig::default().with_temperature(0.0)),
        ("max_completion_tokens", GrpoConfig::default().with_loss(LossKind::DrGrpo)),
        ("max_completion_tokens", GrpoConfig::default().with_max_completion_tokens(Some(0))),
        ("drift_threshold", GrpoConfig::default().with_drift_threshold(f64::NAN)),
        (
            "dynamic_sampling.max_rounds",
            GrpoConfig::default().with_dynamic_sampling(Some(DynamicSampling::new(0))),
        ),
    ];
    for (name, config) in bad {
        let error = config.build().unwrap_err();
        assert!(matches!(error, GrpoError::Config { field, .. } if field == name), "{name}: {error}");
    }
    let written = serde_json::to_string(&GrpoConfig::default().with_loss(LossKind::DrGrpo)).unwrap();
    assert!(written.contains(r#""loss":"dr_grpo""#), "{written}");
    let read: GrpoConfig = serde_json::from_str(&written).unwrap();
    assert_eq!(read.loss, LossKind::DrGrpo);
    let partial: GrpoConfig =
        serde_json::from_str(r#"{"kl": {"estimator": "k1"}, "clip_high": 0.28}"#).unwrap();
    assert_eq!((partial.kl.estimator, partial.clip_high, partial.clip_low), (KlEstimator::K1, 0.28, 0.2));
    assert!(serde_json::from_str::<GrpoConfig>(r#"{"clip": 0.2}"#).is_err());
    assert!(serde_json::from_str::<GrpoConfig>(r#"{"kl": {"kl_coef": 0.1}}"#).is_err());
}

#[test]
fn updates_learn() {
    let mut policy = toy();
    let grpo = GrpoConfig::default().with_epochs(2).with_mini_batches(2).with_kl_coef(0.001).build().unwrap();
    let frozen = policy.freeze().unwrap();
    let mut history = Vec::new();
    for _ in 0..120 {
        let groups = rollouts(&policy, 4, 8, 6);
        let score = |r: &Rollout| Some(r.text.matches("ab").count() as f32);
        let rewards: Rewards = groups.iter().map(|group| group.iter().map(score).collect()).collect();
        let pairs: Vec<RolloutGroup<'_>> = groups
            .iter()
            .zip(&rewards)
            .map(|(rollouts, rewards)| RolloutGroup::new(rollouts, rewards))
            .collect();
        history.push(grpo.update(&mut policy, Some(&*frozen), &pairs, 0.1).unwrap().reward_mean.unwrap());
    }
    let last: f64 = history[110..].iter().sum::<f64>() / 10.0;
    assert!(last > 2.0 && last > 4.0 * history[0], "{} to {last} of 3", history[0]);
}
