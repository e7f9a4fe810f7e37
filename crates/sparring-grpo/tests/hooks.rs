//! Updates on completions that were drawn under a hook.
#![allow(clippy::unwrap_used, missing_docs)]

use sparring_core::{AllowTokens, Hook, Rollout, SampleRequest, Sampler, SamplingParams, Seed};
use sparring_grpo::{GrpoConfig, GrpoError, OldLogp, RolloutGroup, UpdateReport};
use sparring_testkit::ToyPolicy;

const REWARDS: [Option<f32>; 6] = [Some(1.0), Some(0.0), Some(0.5), Some(1.0), Some(0.0), Some(0.0)];

fn toy() -> ToyPolicy {
    ToyPolicy::new("abcd", Seed::new(3))
}

fn draw(hook: &Hook) -> Vec<Rollout> {
    let params = SamplingParams::default().with_max_tokens(5);
    let request = SampleRequest::new(vec![1, 2], REWARDS.len(), params, Seed::new(5));
    toy().sample_one(&request.with_shared_hook(Some(hook.clone()))).unwrap()
}

fn update(
    config: GrpoConfig,
    hook: Option<&Hook>,
    rollouts: &[Rollout],
) -> Result<(UpdateReport, Vec<f64>), GrpoError> {
    let mut policy = toy();
    let groups = [RolloutGroup::new(rollouts, &REWARDS).with_hook(hook)];
    let report = config.build()?.update(&mut policy, None, &groups, 0.1)?;
    Ok((report, policy.weights().to_vec()))
}

#[test]
fn the_learner_scores_what_the_sampler_drew_from() {
    let hook = Hook::new(AllowTokens::new([1, 2, 0]));
    let rollouts = draw(&hook);
    let (under, weights) = update(GrpoConfig::default(), Some(&hook), &rollouts).unwrap();
    assert!(under.drift_mean.unwrap() < 1e-5, "{under:?}");
    // Without the hook the learner and the sampler have other distributions, and the step is another one.
    for (config, hook) in
        [(GrpoConfig::default(), None), (GrpoConfig::default().with_hooked_logp(false), Some(&hook))]
    {
        let (free, other) = update(config, hook, &rollouts).unwrap();
        assert!(free.drift_mean.unwrap() > 0.05, "{free:?}");
        assert_ne!(weights, other);
    }
}

#[test]
fn a_forced_completion_teaches_nothing() {
    let hook = Hook::new(AllowTokens::new([2]));
    let (_, weights) = update(GrpoConfig::default(), Some(&hook), &draw(&hook)).unwrap();
    let before = toy();
    assert!(weights.iter().zip(before.weights()).all(|(a, b)| (a - b).abs() < 1e-12));
}

#[test]
fn free_log_probabilities_and_the_samplers_do_not_mix() {
    let hook = Hook::new(AllowTokens::new([1, 2, 0]));
    let config = GrpoConfig::default().with_hooked_logp(false).with_old_logp(OldLogp::Sampler);
    let error = update(config, Some(&hook), &draw(&hook)).unwrap_err().to_string();
    assert!(error.contains("hooked_logp"), "{error}");
}

#[test]
fn observations_under_a_hook_are_refused() {
    let hook = Hook::new(AllowTokens::new([1, 2, 0]));
    let mut rollouts = draw(&hook);
    rollouts[0].observations.push(0..1);
    let error = update(GrpoConfig::default(), Some(&hook), &rollouts).unwrap_err().to_string();
    assert!(error.contains("observations and a hook"), "{error}");
}
