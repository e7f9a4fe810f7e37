//! One step of training, timed.

use crate::bench::separate::{self, Separate};
use crate::bench::settings::Settings;
use sparring::core::{BoxError, Learner, Policy, Prompt, Rollout, SampleRequest, SamplingParams, Seed};
use sparring::grpo::advantage::Baselines;
use sparring::grpo::{GrpoConfig, GrpoError, LossKind, UpdateReport};
use sparring::train::{Score, Scored, Updater, sample};
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

const LEARNING_RATE: f64 = 1e-5;

/// What all steps share.
#[derive(Debug)]
pub(crate) struct Bench<'a> {
    settings: &'a Settings,
    prompts: Vec<Arc<[u32]>>,
    updater: Updater,
}

/// Seconds and statistics of one step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timed {
    pub(crate) step_s: f64,
    pub(crate) rollout_s: f64,
    pub(crate) train_s: f64,
    pub(crate) reward: f64,
    pub(crate) entropy: Option<f64>,
    pub(crate) grad_norm: f64,
}

impl fmt::Display for Timed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step_s, rollout_s, train_s, reward, grad_norm, .. } = self;
        write!(
            f,
            "{step_s:.3} s, rollout {rollout_s:.3}, train {train_s:.3}, reward {reward:.4}, gradient {grad_norm:.4}"
        )
    }
}

impl<'a> Bench<'a> {
    /// # Errors
    /// None for settings that were checked.
    pub(crate) fn new(settings: &'a Settings, prompts: Vec<Arc<[u32]>>) -> Result<Self, BoxError> {
        let grpo = GrpoConfig::default()
            .with_loss(LossKind::Dapo)
            .with_report_entropy(!settings.no_entropy)
            .with_micro_batch_tokens(settings.micro_tokens())
            .build()?;
        Ok(Self { settings, prompts, updater: Updater::new(grpo) })
    }

    /// Samples, rewards, learns.
    pub(crate) fn step(&self, policy: &mut dyn Policy, index: usize) -> Result<Timed, BoxError> {
        let start = Instant::now();
        let requests = self.requests(index);
        let sampling = Instant::now();
        let rollouts = if self.settings.no_sharing {
            separate::sample(policy, &requests)?
        } else {
            sample(policy, "model", &requests, |_| {})?
        };
        let rollout_s = sampling.elapsed().as_secs_f64();
        let scored = scores(&rollouts);
        let training = Instant::now();
        let report = self.learn(policy, &rollouts, &scored)?;
        let train_s = training.elapsed().as_secs_f64();
        let step_s = start.elapsed().as_secs_f64();
        let UpdateReport { reward_mean, entropy, grad_norm, .. } = report;
        let reward = reward_mean.unwrap_or_default();
        Ok(Timed { step_s, rollout_s, train_s, reward, entropy, grad_norm })
    }

    /// The prompts of a step, one after the other and then from the first again.
    fn requests(&self, index: usize) -> Vec<SampleRequest> {
        let Settings { prompts, group, completion_tokens, seed, .. } = *self.settings;
        let first = index * prompts;
        // Of one length, whatever is drawn.
        let params =
            SamplingParams::default().with_max_tokens(completion_tokens).with_min_tokens(completion_tokens);
        (first..first + prompts)
            .map(|i| {
                let prompt = Prompt::Tokens(Arc::clone(&self.prompts[i % self.prompts.len()]));
                let seed = Seed::new(seed).child("completions").index(i as u64);
                SampleRequest::new(prompt, group, params.clone(), seed)
            })
            .collect()
    }

    /// One update.
    pub(crate) fn learn(
        &self,
        learner: &mut dyn Learner,
        rollouts: &[Vec<Rollout>],
        scored: &Scored,
    ) -> Result<UpdateReport, GrpoError> {
        let (updater, baselines) = (&self.updater, &mut Baselines::default());
        if self.settings.no_sharing {
            updater.update(&mut Separate(learner), None, rollouts, scored, baselines, LEARNING_RATE)
        } else {
            updater.update(learner, None, rollouts, scored, baselines, LEARNING_RATE)
        }
    }
}

/// The reward of every completion.
pub(crate) fn scores(rollouts: &[Vec<Rollout>]) -> Scored {
    let score = |group: &Vec<Rollout>| Score::from_rewards(group.iter().map(|r| Some(even(r))).collect());
    rollouts.iter().map(score).collect()
}

/// The share of even token ids: trivial, and different within every group.
fn even(rollout: &Rollout) -> f32 {
    let even = rollout.tokens.iter().filter(|&token| token % 2 == 0).count();
    even as f32 / rollout.tokens.len() as f32
}
