use super::{Arm, Stage, StepRecord, ToolZero, gold_answer, mask_names};
use crate::RecipeError;
use crate::tool_r0::tags;
use rand::Rng;
use rand::seq::SliceRandom;
use sparring_core::{
    Encoder, Game, Learner, Player, Policy, RewardContext, Rollout, SampleRequest, SamplingParams, Seed,
    TokenGroup,
};
use sparring_grpo::{GrpoError, RolloutGroup, supervised};
use sparring_reward::BoxReward;
use sparring_selfplay::{Scored, sample, solve_rate};
use sparring_tools::ToolTask;
use sparring_tools::tags::{Case, last_block};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// One model learns on a list of tasks, by any [`Arm`].
///
/// Every random choice descends from `seed`: the order of the tasks, which of them are masked, and the samples. Arms
/// of one seed see the same tasks in the same order in their stages of one kind.
pub struct Training<'a, G> {
    /// The checked settings.
    pub plan: &'a ToolZero,
    /// How tasks are posed, and when they are solved.
    pub game: &'a G,
    /// The model's text side, for gold answers.
    pub encoder: &'a dyn Encoder,
    /// The tasks: at least one. A run goes over them as often as it needs, each time in another order.
    pub tasks: &'a [ToolTask],
    /// Where every random choice comes from.
    pub seed: Seed,
}

impl<G> std::fmt::Debug for Training<'_, G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tasks = self.tasks.len();
        f.debug_struct("Training").field("tasks", &tasks).field("seed", &self.seed).finish_non_exhaustive()
    }
}

/// The rewards of an arm, made once.
struct Rewards {
    arm: Arm,
    reward: BoxReward<ToolTask>,
    measures: BoxReward<ToolTask>,
}

impl<G: Game<Task = ToolTask>> Training<'_, G> {
    /// Trains `policy` by `arm`; `told` hears of every update. The optimiser starts afresh, also between the two
    /// stages of [`Arm::SftThenRl`].
    ///
    /// # Errors
    /// [`RecipeError::Update`] and [`RecipeError::Play`] for what the model or the reward met;
    /// [`RecipeError::Setting`] where there is no task.
    pub fn run(
        &self,
        arm: Arm,
        policy: &mut dyn Policy,
        told: &mut dyn FnMut(&StepRecord),
    ) -> Result<Vec<StepRecord>, RecipeError> {
        if self.tasks.is_empty() {
            return Err(RecipeError::setting("tasks", "give at least one task to learn on"));
        }
        let updates = self.plan.config().updates;
        let supervised = arm.supervised(updates);
        let rewards = Rewards { arm, reward: self.plan.reward(arm), measures: self.plan.measures() };
        let mut records = Vec::with_capacity(updates);
        policy.learner().reset();
        for step in 0..updates {
            if step == supervised && step > 0 {
                policy.learner().reset();
            }
            let record = if step < supervised {
                self.imitate(arm, step, supervised, policy.learner())?
            } else {
                self.reinforce(&rewards, step, supervised, policy)?
            };
            told(&record);
            records.push(record);
        }
        Ok(records)
    }

    /// The `count` tasks from `first` on, of an endless list: all tasks, shuffled, again and again.
    fn slots(&self, tag: &str, first: usize, count: usize) -> Vec<&ToolTask> {
        let n = self.tasks.len();
        let epoch = |e: usize| {
            let mut order: Vec<usize> = (0..n).collect();
            order.shuffle(&mut self.seed.child(tag).index(e as u64).rng());
            order
        };
        let epochs: Vec<Vec<usize>> = (first / n..=(first + count - 1) / n).map(epoch).collect();
        (first..first + count).map(|i| &self.tasks[epochs[i / n - first / n][i % n]]).collect()
    }

    /// An update from gold answers.
    fn imitate(
        &self,
        arm: Arm,
        step: usize,
        total: usize,
        learner: &mut dyn Learner,
    ) -> Result<StepRecord, RecipeError> {
        let c = self.plan.config();
        let count = c.supervised.examples_per_step;
        let mut encoded = Vec::with_capacity(count);
        for task in self.slots("supervised", step * count, count) {
            let prompt = self.encoder.prompt(&self.game.solver_prompt(task).into());
            let answer = self.encoder.completion(&gold_answer(task, c.supervised.thought));
            encoded.push((prompt.map_err(RecipeError::Encode)?, answer.map_err(RecipeError::Encode)?));
        }
        let lr = self.plan.lr(Arm::Sft, step, total);
        let examples: Vec<TokenGroup<'_>> =
            encoded.iter().map(|(prompt, answer)| TokenGroup::new(prompt, vec![answer.as_slice()])).collect();
        let report = supervised::update(learner, &examples, c.grpo.micro_batch_tokens, lr)
            .map_err(|source| failed(arm, step, source))?;
        let record = StepRecord::new(step, Stage::Supervised, lr);
        Ok(StepRecord { loss: report.loss, grad_norm: report.grad_norm, ..record })
    }

    /// An update from the model's own answers.
    fn reinforce(
        &self,
        rewards: &Rewards,
        step: usize,
        supervised: usize,
        policy: &mut dyn Policy,
    ) -> Result<StepRecord, RecipeError> {
        let (c, arm) = (self.plan.config(), rewards.arm);
        let tasks = self.posed(arm, step, c.prompts_per_step);
        let seed = self.seed.child("sample").index(step as u64);
        let params = SamplingParams::default().with_temperature(c.temperature).with_max_tokens(c.max_tokens);
        let request = |(i, task): (u64, &Cow<'_, ToolTask>)| {
            SampleRequest::new(self.game.solver_prompt(task), c.group_size, params.clone(), seed.index(i))
        };
        let requests: Vec<SampleRequest> = (0..).zip(&tasks).map(request).collect();
        let groups = sample(policy.sampler(), "model", &requests, |_| {})?;
        let (mut scored, mut measured, mut solved) = (Scored::default(), Scored::default(), 0.0);
        let ctx = RewardContext::at(step, c.updates, Player::Solver).with_batch(&groups);
        for (task, group) in tasks.iter().zip(&groups) {
            scored.add(&*rewards.reward, task, group, &ctx)?;
            measured.add(&*rewards.measures, task, group, &ctx)?;
            solved += f64::from(solve_rate(self.game, task, group));
        }
        let batch: Vec<RolloutGroup<'_>> = groups
            .iter()
            .zip(&scored.rewards)
            .map(|(rollouts, rewards)| RolloutGroup::new(rollouts, rewards))
            .collect();
        let lr = self.plan.lr(arm, step - supervised, c.updates - supervised);
        let report = self.plan.grpo().update(policy.learner(), None, &batch, lr);
        let report = report.map_err(|source| failed(arm, step, source))?;
        let count = groups.len().max(1) as f64;
        Ok(StepRecord {
            sigma: Some(self.plan.sigma(arm).at(step, c.updates)),
            reward: Some(f64::from(scored.mean())),
            components: means(&scored),
            measured: means(&measured),
            solved: Some(solved / count),
            length: Some(report.length_mean),
            thought: Some(thought_length(&groups)),
            zero_advantage_groups: Some(report.zero_advantage_groups as f64 / count),
            loss: report.loss,
            grad_norm: report.grad_norm,
            ..StepRecord::new(step, Stage::Reinforced, lr)
        })
    }

    /// The tasks of an update, masked where the arm masks.
    fn posed(&self, arm: Arm, step: usize, count: usize) -> Vec<Cow<'_, ToolTask>> {
        let seed = self.seed.child("mask").index(step as u64);
        let pose = |(i, task): (u64, _)| {
            let seed = seed.index(i);
            let mask = arm.masks() && seed.child("whether").rng().random_bool(self.plan.config().mask_share);
            if mask { Cow::Owned(mask_names(task, seed)) } else { Cow::Borrowed(task) }
        };
        (0..).zip(self.slots("reinforced", step * count, count)).map(pose).collect()
    }
}

fn failed(arm: Arm, step: usize, source: GrpoError) -> RecipeError {
    RecipeError::Update { arm: arm.name(), step, source }
}

fn means(scored: &Scored) -> BTreeMap<String, f64> {
    // A component that applied to no answer has no mean.
    scored.components().into_iter().filter_map(|(name, mean)| Some((name, mean.as_f64()?))).collect()
}

/// Mean number of characters of the thoughts; a missing one has none.
fn thought_length(groups: &[Vec<Rollout>]) -> f64 {
    let lengths: Vec<usize> = groups
        .iter()
        .flatten()
        .map(|out| {
            last_block(&out.text, tags::THINK, Case::Insensitive).map_or(0, |b| b.content.chars().count())
        })
        .collect();
    lengths.iter().sum::<usize>() as f64 / lengths.len().max(1) as f64
}
