//! What a run has still to do, for its forecast.

use super::Trainer;
use sparring_core::{Phase, Stage, Work};

impl<T> Trainer<'_, T> {
    /// The evaluations and updates that are left, in order.
    pub(super) fn stages(&self) -> Vec<Stage> {
        let c = &self.plan.config;
        let every =
            if c.evaluate_every > 0 && !self.evaluations.is_empty() { c.evaluate_every } else { c.steps };
        let update = Work::sampling(c.prompts_per_step, c.group_size, c.sampling.max_tokens);
        let update = update.and_learning(c.grpo.epochs);
        let mut stages = Vec::new();
        let mut step = self.state.step;
        if self.evaluation_is_due() {
            stages.extend(self.evaluation_stage(step));
        }
        while step < c.steps && !self.state.exhausted {
            let next = c.steps.min((step / every + 1) * every);
            stages.push(Stage::new(1, Phase::Train, next, update).after(step));
            stages.extend(self.evaluation_stage(next));
            step = next;
        }
        stages
    }

    /// All evaluations after `step` updates; a unit is a task.
    fn evaluation_stage(&self, step: usize) -> Option<Stage> {
        let mut all = Work::default();
        for evaluation in &self.evaluations {
            let tokens = self.plan.config.sampling.max_tokens;
            all = all.plus(Work::sampling(evaluation.tasks.len(), evaluation.samples, tokens));
        }
        let tasks: usize = self.evaluations.iter().map(|evaluation| evaluation.tasks.len()).sum();
        let one = all.times(1.0 / tasks.max(1) as f64);
        (tasks > 0).then(|| Stage::new(usize::from(step > 0), Phase::Evaluate, tasks, one))
    }
}
