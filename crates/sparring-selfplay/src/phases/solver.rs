use crate::attempt::{params, solve_rate};
use crate::pool::training_slots;
use crate::run::Run;
use crate::{PlayerStep, SelfPlayError, StepInput};
use serde::Serialize;
use serde_json::{Map, Value};
use sparring_core::{Game, Player, RewardContext, Scorer};
use sparring_grpo::UpdateReport;
use sparring_train::summary::mean;
use sparring_train::{Scored, requests, sample};

/// The record `solver_step` of `events.jsonl`: one update.
#[derive(Serialize)]
struct SolverStep {
    iteration: usize,
    step: usize,
    lr: f64,
    /// Mean reward, and the mean of each of its components.
    reward: f32,
    components: Map<String, Value>,
    /// Share of the answers that solve their task.
    solve_rate: f32,
    /// Mean solve rate of the update's tasks when they were verified.
    pool_solve_rate: f32,
    update: UpdateReport,
}

#[derive(Serialize)]
struct EmptyPool {
    iteration: usize,
}

impl<G: Game> Run<'_, '_, G> {
    /// The Solver learns on the pool. An empty pool leaves it as it is.
    pub(crate) fn train_solver(&mut self) -> Result<(), SelfPlayError> {
        let plan = self.plan;
        let c = &plan.config.solver;
        self.begin(c.steps);
        if self.state.pool.is_empty() {
            let iteration = self.state.cursor.iteration;
            self.store.journal.record("empty_pool", &EmptyPool { iteration })?;
            self.store.journal.progress(c.steps, "the pool is empty: nothing to learn from");
            tracing::warn!(iteration, "the pool is empty: the Solver was not trained");
            return Ok(());
        }
        let slots = training_slots(self.state.pool.len(), c.steps * c.prompts_per_step);
        let kl = plan.solver_updater.grpo().config().kl.coef > 0.0;
        let reference = self.begin_training(Player::Solver, kl)?;
        while self.state.cursor.step < c.steps {
            let first = self.state.cursor.step * c.prompts_per_step;
            self.solver_step(&slots[first..first + c.prompts_per_step], reference.as_deref())?;
            self.advance(c.steps)?;
        }
        Ok(())
    }

    fn solver_step(&mut self, slots: &[usize], reference: Option<&dyn Scorer>) -> Result<(), SelfPlayError> {
        let (plan, c) = (self.plan, &self.plan.config.solver);
        let (step, seed) = (self.state.cursor.step, self.step_seed().child("sample"));
        let prompts = slots.iter().map(|&slot| self.game.solver_prompt(&self.state.pool[slot].task));
        let requests = requests(prompts, c.group_size, &params(c.temperature, c.max_tokens), seed);
        let groups = sample(&self.watch.over(self.players.solver()), "solver", &requests, |_| {})?;
        let mut scored = Scored::default();
        let (mut rates, mut verified) = (Vec::new(), Vec::new());
        for (&slot, group) in slots.iter().zip(&groups) {
            let entry = &self.state.pool[slot];
            let ctx = RewardContext::at(step, c.steps).with_player(Player::Solver).with_batch(&groups);
            scored.add(self.solver_reward, &entry.task, group, &ctx)?;
            rates.push(solve_rate(self.game, &entry.task, group));
            verified.push(entry.solve_rate);
        }
        let lr = c.lr_schedule.at(step, c.steps, c.lr);
        let update = self.update(Player::Solver, &plan.solver_updater, reference, &groups, &scored, lr)?;
        let record = SolverStep {
            iteration: self.state.cursor.iteration,
            step,
            lr,
            reward: scored.mean(),
            components: scored.components(),
            solve_rate: mean(&rates).unwrap_or(0.0),
            pool_solve_rate: mean(&verified).unwrap_or(0.0),
            update,
        };
        let curve = &mut self.state.ledger.row(record.iteration).solver;
        curve.reward.push(record.reward);
        curve.solve_rate.push(record.solve_rate);
        self.store.journal.record("solver_step", &record)?;
        let drift = self.drift.of(&record.update);
        let note = format!("reward {:.2}, solved {:.0} %{drift}", record.reward, 100.0 * record.solve_rate);
        self.store.journal.progress(step + 1, &note);
        if let Some(recorder) = &mut self.recorder {
            let tasks = slots.iter().map(|&slot| &self.state.pool[slot]).collect();
            let (input, update) = (StepInput::Tasks(tasks), &record.update);
            let (groups, scored) = (&groups[..], &scored);
            let step = PlayerStep { iteration: record.iteration, step, input, groups, scored, update };
            recorder(&step, &mut self.store.journal)?;
        }
        Ok(())
    }
}
