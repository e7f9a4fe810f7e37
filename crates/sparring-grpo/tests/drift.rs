//! The drift of the sampler from the learner is measured without an extra pass, and logged as a warning.
#![allow(clippy::float_cmp, clippy::unwrap_used, missing_docs)]
mod common;

use common::{Spy, logged, rollout, toy, varied};
use sparring_core::{
    Learner, PolicyError, Prompt, Rollout, SampleRequest, Sampler, SamplingParams, Scorer, Seed, StepReport,
    TokenBatch, TokenLoss,
};
use sparring_grpo::{DynamicSampling, GrpoConfig, OldLogp, RolloutGroup, UpdateReport};
use sparring_testkit::Tape;

fn drawn(params: &SamplingParams) -> Vec<Vec<Rollout>> {
    let request = |p: u32| {
        let prompt = Prompt::Tokens([1 + p, 2].into());
        SampleRequest::new(prompt, 6, params.clone().with_max_tokens(6), Seed::new(7).index(p.into()))
    };
    toy().sample_all(&(0..4).map(request).collect::<Vec<_>>()).unwrap()
}

fn learn(config: GrpoConfig, groups: &[Vec<Rollout>]) -> (UpdateReport, Spy) {
    let rewards = varied(groups);
    let batch: Vec<RolloutGroup<'_>> =
        groups.iter().zip(&rewards).map(|(rollouts, rewards)| RolloutGroup::new(rollouts, rewards)).collect();
    let mut spy = Spy::new(toy());
    let report = config.build().unwrap().update(&mut spy, None, &batch, 0.1).unwrap();
    (report, spy)
}

#[test]
fn a_sampler_that_is_the_learner_does_not_drift() {
    let groups = drawn(&SamplingParams::default());
    for config in [
        GrpoConfig::default(),
        GrpoConfig::default().with_epochs(2).with_mini_batches(2),
        GrpoConfig::default().with_old_logp(OldLogp::Sampler).with_mini_batches(2),
    ] {
        let log = logged(|| {
            let (report, _) = learn(config.clone(), &groups);
            assert!(report.drift_mean.unwrap() < 1e-5 && report.drift_max.unwrap() < 1e-4, "{report:?}");
            assert!(!report.drifted);
        });
        assert_eq!(log, "");
    }
    // Sampling and training at the same other temperature is on-policy too.
    let warm = GrpoConfig::default().with_temperature(0.5);
    assert!(!learn(warm, &drawn(&SamplingParams::default().with_temperature(0.5))).0.drifted);
}

#[test]
fn a_different_temperature_is_reported_and_logged() {
    let groups = drawn(&SamplingParams::default().with_temperature(0.5));
    let log = logged(|| {
        let (report, spy) = learn(GrpoConfig::default(), &groups);
        // The ratio does not show it, since its denominator is the learner's own log-probability.
        assert_eq!((report.ratio_min, report.ratio_max), (1.0, 1.0));
        assert!(report.drifted && report.drift_mean.unwrap() > 0.05, "{report:?}");
        assert!(report.drift_max.unwrap() >= report.drift_mean.unwrap());
        assert_eq!((spy.scores(), spy.steps), (0, 1), "no extra pass");
    });
    assert!(log.contains("WARN") && log.contains("compare the temperatures"), "{log}");
    let tolerant = GrpoConfig::default().with_drift_threshold(100.0);
    assert_eq!(logged(|| assert!(!learn(tolerant, &groups).0.drifted)), "");
}

/// The probabilities of a truncated distribution add up to 1, so they are higher than the learner's.
#[test]
fn top_p_is_reported() {
    let (report, _) = learn(GrpoConfig::default(), &drawn(&SamplingParams::default().with_top_p(0.7)));
    assert!(report.drifted && report.drift_mean.unwrap() > 0.05, "{report:?}");
}

/// Two completions of three tokens; the learner is at −1 everywhere.
fn pair(drift: [[f32; 3]; 2]) -> Vec<Rollout> {
    let of =
        |i: usize| rollout((0..3).map(|t| (3 * i + t) as u32).collect(), drift[i].map(|d| d - 1.0).to_vec());
    vec![of(0), of(1)]
}

fn tape_report(config: GrpoConfig, groups: &[RolloutGroup<'_>]) -> UpdateReport {
    config.build().unwrap().update(&mut Tape::new(vec![-1.0; 6]), None, groups, 0.1).unwrap()
}

#[test]
fn only_what_the_policy_wrote_is_measured() {
    let rewards = [Some(1.0), Some(0.0)];
    let mut rollouts = pair([[0.5, 9.0, 0.0], [7.0, -0.25, 0.25]]);
    rollouts[0].observations.push(1..2);
    let group = RolloutGroup::new(&rollouts, &rewards).with_expert_prefixes(&[0, 1]);
    let report = tape_report(GrpoConfig::default(), &[group]);
    assert_eq!((report.drift_mean, report.drift_max), (Some(0.25), Some(0.5)));
    // A token without a log-probability is left out, and rollouts without any have no drift.
    rollouts[0].logp[0] = f32::NAN;
    let group = RolloutGroup::new(&rollouts, &rewards).with_expert_prefixes(&[0, 1]);
    assert_eq!(tape_report(GrpoConfig::default(), &[group]).drift_max, Some(0.25));
    for rollout in &mut rollouts {
        rollout.logp.clear();
    }
    let report = tape_report(GrpoConfig::default(), &[RolloutGroup::new(&rollouts, &rewards)]);
    assert_eq!((report.drift_mean, report.drift_max, report.drifted), (None, None, false));
}

#[test]
fn several_mini_batches_are_measured_as_far_as_the_learner_scored_them() {
    let rewards = [Some(1.0), Some(0.0)];
    let (near, far) = (pair([[0.0; 3]; 2]), pair([[1.0; 3]; 2]));
    let groups = [RolloutGroup::new(&near, &rewards), RolloutGroup::new(&far, &rewards)];
    let halves = GrpoConfig::default().with_mini_batches(2);
    // Recomputed: the whole update. The sampler's own: the first mini-batch, before the weights change.
    assert_eq!(tape_report(halves.clone(), &groups).drift_mean, Some(0.5));
    assert_eq!(tape_report(halves.clone().with_old_logp(OldLogp::Sampler), &groups).drift_mean, Some(0.0));
    let swapped = [groups[1], groups[0]];
    assert_eq!(tape_report(halves.with_old_logp(OldLogp::Sampler), &swapped).drift_mean, Some(1.0));
    // One step: all its micro-batches.
    let small = GrpoConfig::default().with_micro_batch_tokens(1);
    assert_eq!(tape_report(small, &groups).drift_mean, Some(0.5));
}

/// A learner with dropout: its training pass scales log-probabilities up and down, its scoring does not.
struct Dropout(Tape);

impl Scorer for Dropout {
    fn score(&self, batch: TokenBatch<'_>) -> Result<Vec<f32>, PolicyError> {
        self.0.score(batch)
    }
}

impl Learner for Dropout {
    fn accumulate(&mut self, batch: TokenBatch<'_>, loss: &dyn TokenLoss) -> Result<f64, PolicyError> {
        let kept = self.0.logp.clone();
        self.0.logp.iter_mut().zip([0.9, 1.1].into_iter().cycle()).for_each(|(logp, keep)| *logp *= keep);
        let value = self.0.accumulate(batch, loss);
        self.0.logp = kept;
        value
    }

    fn step(&mut self, lr: f64) -> Result<StepReport, PolicyError> {
        self.0.step(lr)
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

#[test]
fn dropout_shows_in_the_first_step_of_an_update() {
    let rewards = [Some(1.0), Some(0.0)];
    let rollouts = pair([[0.0; 3]; 2]);
    let groups = [RolloutGroup::new(&rollouts, &rewards)];
    let of = |config: GrpoConfig, learner: &mut dyn Learner| {
        config.build().unwrap().update(learner, None, &groups, 0.0).unwrap()
    };
    let twice = || GrpoConfig::default().with_epochs(2);
    let log = logged(|| {
        let report = of(twice(), &mut Dropout(Tape::new(vec![-1.0; 6])));
        let (mean, max) = (report.scoring_gap_mean.unwrap(), report.scoring_gap_max.unwrap());
        assert!((mean - 0.1).abs() < 1e-6 && (max - 0.1).abs() < 1e-6, "{report:?}");
        // The scores do not show it.
        assert_eq!((report.drift_mean, report.drifted), (Some(0.0), false));
        assert!(report.scoring_differs && report.ratio_min < 0.91 && report.ratio_max > 1.1);
    });
    assert!(log.contains("WARN") && log.contains("set its dropout to 0"), "{log}");
    let log = logged(|| {
        assert_eq!(of(twice(), &mut Tape::new(vec![-1.0; 6])).scoring_gap_max, Some(0.0));
        // One step has a ratio of 1 by construction.
        let once =
            of(GrpoConfig::default().with_drift_threshold(1.0), &mut Dropout(Tape::new(vec![-1.0; 6])));
        assert_eq!((once.scoring_gap_mean, once.ratio_min, once.ratio_max), (None, 1.0, 1.0));
    });
    assert_eq!(log, "");
}

#[test]
fn a_loop_that_does_not_resample_is_logged() {
    let rollouts = pair([[0.0; 3]; 2]);
    let (equal, differ) = ([Some(1.0); 2], [Some(1.0), Some(0.0)]);
    let config = GrpoConfig::default().with_dynamic_sampling(Some(DynamicSampling::default()));
    let update = |rewards: &[Option<f32>]| {
        logged(|| {
            tape_report(config.clone(), &[RolloutGroup::new(&rollouts, rewards)]);
        })
    };
    assert!(update(&equal).contains("should use `resample`"));
    assert_eq!(update(&differ), "");
}
