use super::state::StepRecord;
use super::{Rates, Trainer};
use crate::source::draw_tasks;
use crate::summary::mean;
use crate::{Score, Scored, TrainError, requests, sample, under_hooks};
use sparring_core::{BoxError, RewardContext, Rollout, Seed};
use sparring_grpo::{AdvantageKind, UpdateReport, resample};

/// One update: its tasks, rollouts, rewards and report.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Step<T> {
    /// The tasks.
    pub tasks: Vec<T>,
    /// The completions of each.
    pub groups: Vec<Vec<Rollout>>,
    /// Their scores.
    pub scored: Scored,
    /// Its record in `events.jsonl`.
    pub record: StepRecord,
}

/// A task with its rollouts and rewards.
struct Drawn<T> {
    task: T,
    rollouts: Vec<Rollout>,
    score: Score,
}

impl<T> Trainer<'_, T> {
    /// One update, in memory: samples, scores, learns. `None` after the last update, and where the source has no more
    /// tasks.
    ///
    /// # Errors
    /// [`TrainError`] where the source, the model or the reward fails. The same tasks come again in the next call. With
    /// several epochs or mini-batches, optimiser steps before the failure stay applied.
    pub fn step(&mut self) -> Result<Option<Step<T>>, TrainError> {
        self.check()?;
        let step = self.state.step;
        if step >= self.plan.config.steps || self.state.exhausted {
            return Ok(None);
        }
        // A failed update is tried again, on a policy that earlier optimiser steps may have changed.
        if self.plan.config.reference.due(step) && self.frozen_at != Some(step) {
            self.frozen_at = Some(step);
            self.reference = Some(self.policy.freeze().map_err(TrainError::policy(super::run::POLICY))?);
        }
        let mut all = Vec::new();
        let first = self.state.tasks;
        let (drawn, rounds) = self.draw(&mut all).inspect_err(|_| self.state.tasks = first)?;
        if all.is_empty() {
            self.state.exhausted = true;
            return Ok(None);
        }
        let mut tasks = Vec::with_capacity(drawn.len());
        let (mut groups, mut scored) = (Vec::with_capacity(drawn.len()), Scored::default());
        for Drawn { task, rollouts, score } in drawn {
            tasks.push(task);
            groups.push(rollouts);
            scored.groups.push(score);
        }
        let c = &self.plan.config;
        let lr = c.lr_schedule.at(step, c.steps, c.lr);
        let update = self.learn(&groups, &scored, lr).inspect_err(|_| self.state.tasks = first)?;
        let (scores, rates): (Vec<Score>, Vec<Option<f32>>) = all.into_iter().unzip();
        let rates: Vec<f32> = rates.into_iter().flatten().collect();
        let (drawn, all) = (scores.len(), Scored { groups: scores });
        let record = StepRecord {
            step,
            lr,
            reward: all.mean(),
            components: all.components(),
            solve_rate: mean(&rates),
            drawn,
            rounds,
            update,
        };
        self.state.step += 1;
        self.state.reward.push(record.reward);
        self.state.solve_rate.push(record.solve_rate);
        Ok(Some(Step { tasks, groups, scored, record }))
    }

    /// The groups to learn from, and the number of rounds; `all` collects the score and the solve rate of every group
    /// that was drawn.
    fn draw(&mut self, all: &mut Vec<(Score, Option<f32>)>) -> Result<(Vec<Drawn<T>>, usize), TrainError> {
        let wanted = self.plan.config.prompts_per_step;
        let by_parts = self.plan.config.grpo.advantage == AdvantageKind::NormalizeThenSum;
        let rounds = self.plan.config.grpo.dynamic_sampling.map(|dynamic| dynamic.max_rounds);
        let seed = self.seed.index(self.state.step as u64).child("sample");
        let round = |round: usize, missing: usize| {
            // The first round draws as without dynamic sampling.
            let seed = if round == 0 { seed } else { seed.child("round").index(round as u64) };
            self.round(missing, seed, all)
        };
        let replaced = |group: &Drawn<T>| rounds.is_some() && group.score.is_zero_advantage(by_parts);
        let kept = resample(wanted, rounds.unwrap_or(1), round, replaced)?;
        Ok((kept.groups, kept.rounds))
    }

    /// The next `n` tasks of the source, sampled and scored.
    fn round(
        &mut self,
        n: usize,
        seed: Seed,
        all: &mut Vec<(Score, Option<f32>)>,
    ) -> Result<Vec<Drawn<T>>, TrainError> {
        let c = &self.plan.config;
        let tasks = draw_tasks(&mut *self.source, self.state.tasks, n, self.seed.child("tasks"))?;
        self.state.tasks += tasks.len() as u64;
        let mut requests = requests(tasks.iter().map(&*self.prompt), c.group_size, &c.sampling, seed);
        under_hooks(&mut requests, tasks.iter().map(&*self.hook));
        let sampler = self.options.watch.over(&*self.policy);
        let groups = sample(&sampler, super::run::POLICY, &requests, |_| {})?;
        let probed = self.solve_rates(&tasks, &groups, seed.child("solve_rates"))?;
        let mut ctx = RewardContext::default().with_batch(&groups);
        (ctx.step, ctx.total_steps, ctx.player) = (self.state.step, c.steps, self.player);
        let mut scores = Vec::with_capacity(groups.len());
        for (i, ((task, group), request)) in tasks.iter().zip(&groups).zip(requests).enumerate() {
            ctx.solve_rates = probed.as_ref().map_or(&[], |rates| &rates[i]);
            let mut score = Score::of(&*self.reward, task, group, &ctx)?.with_hook(request.hook);
            if let Some(key) = &self.key {
                score.key = key(task);
            }
            score.consistency = self.consistency.as_ref().map(|consistency| consistency(task, group));
            let rate = match &self.solved {
                Some(solved) => {
                    let right = group.iter().filter(|out| solved(task, out)).count();
                    Some(right as f32 / group.len().max(1) as f32)
                }
                None => mean(&ctx.solve_rates.iter().copied().flatten().collect::<Vec<_>>()),
            };
            all.push((score.clone(), rate));
            scores.push(score);
        }
        let drawn = tasks.into_iter().zip(groups).zip(scores);
        Ok(drawn.map(|((task, rollouts), score)| Drawn { task, rollouts, score }).collect())
    }

    /// The solve rates of every completion, where there is something that measures them.
    fn solve_rates(
        &self,
        tasks: &[T],
        groups: &[Vec<Rollout>],
        seed: Seed,
    ) -> Result<Option<Vec<Rates>>, TrainError> {
        let Some(measure) = &self.solve_rates else { return Ok(None) };
        let failed = |source: BoxError| match source.downcast_ref::<TrainError>() {
            Some(TrainError::Stopped) => TrainError::Stopped,
            _ => TrainError::SolveRates { step: self.state.step, source },
        };
        let rates = measure(tasks, groups, seed).map_err(failed)?;
        if !rates.iter().map(Vec::len).eq(groups.iter().map(Vec::len)) {
            return Err(failed("the function returned a different number of rates than completions".into()));
        }
        match rates.iter().flatten().flatten().find(|rate| !(0.0..=1.0).contains(*rate)) {
            Some(rate) => Err(failed(format!("the function returned {rate}, which is not in [0, 1]").into())),
            None => Ok(Some(rates)),
        }
    }

    /// The learning half; without groups, there is no update.
    fn learn(
        &mut self,
        groups: &[Vec<Rollout>],
        scored: &Scored,
        lr: f64,
    ) -> Result<UpdateReport, TrainError> {
        if groups.is_empty() {
            return Ok(UpdateReport::default());
        }
        let (learner, reference) = (&mut *self.policy, self.reference.as_deref());
        let baselines = &mut self.state.baselines;
        let report = self.plan.updater.update(learner, reference, groups, scored, baselines, lr);
        report.map_err(|source| TrainError::Update { step: self.state.step, source })
    }
}
