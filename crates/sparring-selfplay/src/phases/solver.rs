use crate::attempt::{params, solve_rate};
use crate::pool::{PoolTask, training_slots};
use crate::run::Run;
use crate::state::Cursor;
use crate::{PlayerStep, SelfPlayError, StepInput};
use serde::Serialize;
use serde_json::{Map, Value};
use sparring_core::{Game, Hook, Player, RewardContext, Scorer};
use sparring_grpo::UpdateReport;
use sparring_grpo::supervised::SupervisedReport;
use sparring_train::summary::mean;
use sparring_train::{Examples, Score, Scored, TrainError, requests, sample, under_hooks};

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

/// The record `imitation_step` of `events.jsonl`: one supervised update.
#[derive(Serialize)]
struct ImitationStep {
    iteration: usize,
    step: usize,
    lr: f64,
    update: SupervisedReport,
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
        let iteration = self.state.cursor.iteration;
        // Supervised updates come first.
        let imitated = c.imitation.steps_of(iteration);
        let steps = imitated + c.steps;
        self.begin(steps);
        if self.state.pool.is_empty() {
            self.store.journal.record("empty_pool", &EmptyPool { iteration })?;
            self.store.journal.progress(steps, "the pool is empty: nothing to learn from");
            tracing::warn!(iteration, "the pool is empty: the Solver was not trained");
            return Ok(());
        }
        let slots = training_slots(self.state.pool.len(), c.steps * c.prompts_per_step);
        let supervised = training_slots(self.state.pool.len(), imitated * c.imitation.tasks_per_step);
        self.players.rest_generator();
        let kl = plan.solver_updater.grpo().config().kl.coef > 0.0;
        let reference = self.begin_training(Player::Solver, kl)?;
        while self.state.cursor.step < steps {
            let step = self.state.cursor.step;
            match step.checked_sub(imitated) {
                None => {
                    let first = step * c.imitation.tasks_per_step;
                    let tasks = self.chosen(&supervised[first..first + c.imitation.tasks_per_step])?;
                    self.imitate(&tasks)?;
                }
                Some(step) => {
                    let first = step * c.prompts_per_step;
                    let tasks = self.chosen(&slots[first..first + c.prompts_per_step])?;
                    self.solver_step(step, &tasks, reference.as_deref())?;
                }
            }
            self.advance(steps)?;
        }
        Ok(())
    }

    /// The tasks of an update: the game's choice, or else those of the slots.
    fn chosen(&self, slots: &[usize]) -> Result<Vec<PoolTask<G::Task>>, SelfPlayError> {
        let (pool, c) = (&self.state.pool, &self.plan.config.solver);
        let Cursor { iteration, step, .. } = self.state.cursor;
        let before: usize = (1..iteration).map(|earlier| c.imitation.steps_of(earlier) + c.steps).sum();
        let tasks: Vec<&G::Task> = pool.iter().map(|entry| &entry.task).collect();
        let seed = self.step_seed().child("choose");
        let Some(chosen) = self.game.choose(&tasks, slots.len(), (before + step) as u64, seed) else {
            return Ok(slots.iter().map(|&slot| pool[slot].clone()).collect());
        };
        let count = chosen.len();
        let shown = |(place, task): (usize, G::Task)| Some(PoolTask { task, ..pool.get(place)?.clone() });
        let shown: Option<Vec<_>> = chosen.into_iter().map(shown).collect();
        shown.filter(|_| count == slots.len()).ok_or_else(|| {
            let (wanted, pool) = (slots.len(), pool.len());
            let what =
                format!("Game::choose must return {wanted} places of a pool of {pool}; it returned {count}");
            TrainError::invalid(what).into()
        })
    }

    /// One supervised update on the pool's own answers.
    fn imitate(&mut self, tasks: &[PoolTask<G::Task>]) -> Result<(), SelfPlayError> {
        self.watch.stop.check()?;
        let (iteration, step) = (self.state.cursor.iteration, self.state.cursor.step);
        let c = &self.plan.config.solver;
        let lr = c.imitation.lr_schedule.at(step, c.imitation.steps, c.imitation.lr);
        let missing = |what: &str| TrainError::invalid(format!("solver.imitation: {what}"));
        let encoder = self.encoder.ok_or_else(|| missing("give the tokenizer by SelfPlay::with_encoder"))?;
        let mut examples = Vec::with_capacity(tasks.len());
        for PoolTask { task, .. } in tasks {
            let answer = self.game.gold_answer(task).ok_or_else(|| {
                missing("the game has no answers to imitate (Game::gold_answer); set steps = 0")
            })?;
            examples.push((self.game.solver_prompt(task).into(), answer));
        }
        let examples = Examples::encode(encoder, examples)?;
        let tokens = c.grpo.micro_batch_tokens;
        let policy = self.players.player_mut(Player::Solver)?;
        let update = examples.update(policy, tokens, lr).map_err(|source| SelfPlayError::Update {
            player: Player::Solver.as_str(),
            iteration,
            step,
            source,
        })?;
        self.store.journal.record("imitation_step", &ImitationStep { iteration, step, lr, update })?;
        self.store.journal.progress(step + 1, &format!("imitation, loss {:.2}", update.loss));
        Ok(())
    }

    /// Reinforced update `step` of the phase.
    fn solver_step(
        &mut self,
        step: usize,
        chosen: &[PoolTask<G::Task>],
        reference: Option<&dyn Scorer>,
    ) -> Result<(), SelfPlayError> {
        let (plan, c) = (self.plan, &self.plan.config.solver);
        let seed = self.phase_seed().index(step as u64).child("sample");
        let tasks = || chosen.iter().map(|entry| &entry.task);
        let prompts = tasks().map(|task| self.game.solver_prompt(task));
        let mut requests = requests(prompts, c.group_size, &params(c.temperature, c.max_tokens), seed);
        let hooks: Vec<Option<Hook>> = tasks().map(|task| self.game.solver_hook(task)).collect();
        under_hooks(&mut requests, hooks.iter().cloned());
        let groups = sample(&self.watch.over(self.players.solver()), "solver", &requests, |_| {})?;
        let mut scored = Scored::default();
        let (mut rates, mut verified) = (Vec::new(), Vec::new());
        for ((entry, group), hook) in chosen.iter().zip(&groups).zip(hooks) {
            let ctx = RewardContext::at(step, c.steps).with_player(Player::Solver).with_batch(&groups);
            let score = Score::of(self.solver_reward, &entry.task, group, &ctx)?;
            scored.groups.push(score.with_hook(hook));
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
        self.store.journal.progress(self.state.cursor.step + 1, &note);
        if let Some(recorder) = &mut self.recorder {
            let (input, update) = (StepInput::Tasks(chosen.iter().collect()), &record.update);
            let (groups, scored) = (&groups[..], &scored);
            let step = PlayerStep { iteration: record.iteration, step, input, groups, scored, update };
            recorder(&step, &mut self.store.journal)?;
        }
        Ok(())
    }
}
