use super::{Arm, Stage, StepRecord, ToolZero, gold_answer, mask_names};
use crate::RecipeError;
use crate::tool_r0::tags;
use rand::Rng;
use sparring_core::{Encoder, Game, Learner, Player, Policy, RewardContext, Rollout, Seed, TaskSource};
use sparring_grpo::GrpoError;
use sparring_grpo::advantage::Baselines;
use sparring_reward::BoxReward;
use sparring_selfplay::solve_rate;
use sparring_tools::ToolTask;
use sparring_tools::blocks::{Case, last_block};
use sparring_train::{Epochs, Examples, Scored, TrainError, requests, sample};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Trains one model on a list of tasks by any [`Arm`].
///
/// Every random choice descends from `seed`: the order of the tasks, which of them are masked, and the samples. With
/// the same seed, arms see the same tasks in the same order in stages of the same kind.
pub struct Training<'a, G> {
    /// The checked settings.
    pub plan: &'a ToolZero,
    /// Writes the prompts, and decides what solves a task.
    pub game: &'a G,
    /// Encodes the gold answers.
    pub encoder: &'a dyn Encoder,
    /// The tasks, at least one. A run repeats them as often as it needs, each time in a new order.
    pub tasks: &'a [ToolTask],
    /// The seed of every random choice.
    pub seed: Seed,
}

impl<G> std::fmt::Debug for Training<'_, G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tasks = self.tasks.len();
        f.debug_struct("Training").field("tasks", &tasks).field("seed", &self.seed).finish_non_exhaustive()
    }
}

/// The rewards of an arm, built once.
struct Rewards {
    arm: Arm,
    reward: BoxReward<ToolTask>,
    measures: BoxReward<ToolTask>,
}

impl<G: Game<Task = ToolTask>> Training<'_, G> {
    /// Trains `policy` by `arm`; `on_step` is called after every update. The optimiser is reset at the start and
    /// between the two stages of [`Arm::SftThenRl`].
    ///
    /// # Errors
    /// [`RecipeError::Update`] and [`RecipeError::Train`] if the model or the reward fails; [`RecipeError::Setting`] if
    /// there is no task.
    pub fn run(
        &self,
        arm: Arm,
        policy: &mut dyn Policy,
        on_step: &mut dyn FnMut(&StepRecord),
    ) -> Result<Vec<StepRecord>, RecipeError> {
        if self.tasks.is_empty() {
            return Err(RecipeError::setting("tasks", "must contain at least one task"));
        }
        let updates = self.plan.config().updates;
        let supervised = arm.supervised(updates);
        let rewards = Rewards { arm, reward: self.plan.reward(arm), measures: self.plan.measures() };
        let mut records = Vec::with_capacity(updates);
        policy.reset();
        for step in 0..updates {
            if step == supervised && step > 0 {
                policy.reset();
            }
            let record = if step < supervised {
                self.imitate(arm, step, supervised, policy)?
            } else {
                self.reinforce(&rewards, step, supervised, policy)?
            };
            on_step(&record);
            records.push(record);
        }
        Ok(records)
    }

    /// Returns the tasks of update `step` in the stage `tag`, from an endless list of all tasks in ever new orders.
    fn tasks(&self, tag: &str, step: usize, count: usize) -> Result<Vec<&ToolTask>, TrainError> {
        let first = (step * count) as u64;
        let tasks = Epochs::new(self.tasks.iter().collect()).tasks(first, count, self.seed.child(tag));
        tasks.map_err(|source| TrainError::Source { first, source })
    }

    /// Runs a supervised update on gold answers.
    fn imitate(
        &self,
        arm: Arm,
        step: usize,
        total: usize,
        learner: &mut dyn Learner,
    ) -> Result<StepRecord, RecipeError> {
        let c = self.plan.config();
        let tasks = self.tasks("supervised", step, c.supervised.examples_per_step)?;
        let gold =
            |task: &ToolTask| (self.game.solver_prompt(task).into(), gold_answer(task, c.supervised.thought));
        let examples = Examples::encode(self.encoder, tasks.into_iter().map(gold))?;
        let lr = self.plan.lr(Arm::Sft, step, total);
        let report = examples
            .update(learner, c.grpo.micro_batch_tokens, lr)
            .map_err(|source| failed(arm, step, source))?;
        let record = StepRecord::new(step, Stage::Supervised, lr);
        Ok(StepRecord { loss: report.loss, grad_norm: report.grad_norm, ..record })
    }

    /// Runs a reinforcement-learning update on the model's own answers.
    fn reinforce(
        &self,
        rewards: &Rewards,
        step: usize,
        supervised: usize,
        policy: &mut dyn Policy,
    ) -> Result<StepRecord, RecipeError> {
        let (c, arm) = (self.plan.config(), rewards.arm);
        let tasks = self.prompted(arm, step, c.prompts_per_step)?;
        let seed = self.seed.child("sample").index(step as u64);
        let prompts = tasks.iter().map(|task| self.game.solver_prompt(task));
        let requests = requests(prompts, c.group_size, &c.sampling(), seed);
        let groups = sample(policy, "model", &requests, |_| {})?;
        let (mut scored, mut measured, mut solved) = (Scored::default(), Scored::default(), 0.0);
        let ctx = RewardContext::at(step, c.updates).with_player(Player::Solver).with_batch(&groups);
        for (task, group) in tasks.iter().zip(&groups) {
            scored.add(&*rewards.reward, task, group, &ctx)?;
            measured.add(&*rewards.measures, task, group, &ctx)?;
            solved += f64::from(solve_rate(self.game, task, group));
        }
        let lr = self.plan.lr(arm, step - supervised, c.updates - supervised);
        let baselines = &mut Baselines::default();
        let report = self.plan.updater().update(policy, None, &groups, &scored, baselines, lr);
        let report = report.map_err(|source| failed(arm, step, source))?;
        let count = groups.len().max(1) as f64;
        Ok(StepRecord {
            sigma: Some(self.plan.sigma(arm).at(step, c.updates)),
            reward: Some(f64::from(scored.mean())),
            components: means(&scored),
            measured: means(&measured),
            solved: Some(solved / count),
            length: report.length_mean,
            thought: Some(thought_length(&groups)),
            zero_advantage_groups: Some(report.zero_advantage_groups as f64 / count),
            loss: report.loss,
            grad_norm: report.grad_norm,
            ..StepRecord::new(step, Stage::Reinforced, lr)
        })
    }

    /// Returns the tasks of an update, masked if the arm masks.
    fn prompted(&self, arm: Arm, step: usize, count: usize) -> Result<Vec<Cow<'_, ToolTask>>, TrainError> {
        let seed = self.seed.child("mask").index(step as u64);
        let task = |(i, task): (u64, _)| {
            let seed = seed.index(i);
            let mask = arm.masks() && seed.child("whether").rng().random_bool(self.plan.config().mask_share);
            if mask { Cow::Owned(mask_names(task, seed)) } else { Cow::Borrowed(task) }
        };
        Ok((0..).zip(self.tasks("reinforced", step, count)?).map(task).collect())
    }
}

fn failed(arm: Arm, step: usize, source: GrpoError) -> RecipeError {
    RecipeError::Update { arm: arm.name(), step, source }
}

fn means(scored: &Scored) -> BTreeMap<String, f64> {
    // A component that did not apply to any answer has no mean.
    scored.components().into_iter().filter_map(|(name, mean)| Some((name, mean.as_f64()?))).collect()
}

/// Returns the mean number of characters of the reasoning; missing reasoning counts 0.
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
