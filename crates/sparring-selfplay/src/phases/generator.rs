use crate::attempt::{Attempt, params, solve_rate};
use crate::pool::INVALID_PROMPT;
use crate::run::Run;
use crate::{PlayerStep, SelfPlayError, StepInput};
use serde::Serialize;
use serde_json::{Map, Value};
use sparring_core::{Game, Hook, Player, Rejection, RewardContext, Rollout, Scorer, Seed};
use sparring_grpo::UpdateReport;
use sparring_train::summary::mean;
use sparring_train::{Score, Scored, requests, sample, under_hooks};
use std::collections::BTreeMap;

/// The record `generator_step` of `events.jsonl`: one update.
#[derive(Serialize)]
struct GeneratorStep<'a> {
    iteration: usize,
    step: usize,
    lr: f64,
    /// Mean reward, and the mean of each of its components.
    reward: f32,
    components: Map<String, Value>,
    /// Share of the proposals that could be read.
    valid: f32,
    /// Malformed proposals by rule.
    rejected: BTreeMap<String, usize>,
    /// Distinct tasks that were probed.
    probed: usize,
    solve_rate: Option<f32>,
    /// Share of all proposals whose solve rate lies in `pool.keep`.
    in_band: f32,
    update: &'a UpdateReport,
}

/// The proposals of one update, read and probed.
struct Proposals {
    rejected: BTreeMap<String, usize>,
    readable: usize,
    probed: usize,
    /// Solve rate of each completion of each group; no entries where nothing is probed.
    rates: Vec<Vec<Option<f32>>>,
}

impl<G: Game> Run<'_, '_, G> {
    /// The Generator learns against the frozen Solver.
    pub(crate) fn train_generator(&mut self) -> Result<(), SelfPlayError> {
        let plan = self.plan;
        self.begin(plan.config.generator.steps);
        let kl = plan.generator_updater.grpo().config().kl.coef > 0.0;
        let reference = self.begin_training(Player::Generator, kl)?;
        while self.state.cursor.step < plan.config.generator.steps {
            self.generator_step(reference.as_deref())?;
            self.advance(plan.config.generator.steps)?;
        }
        Ok(())
    }

    fn generator_step(&mut self, reference: Option<&dyn Scorer>) -> Result<(), SelfPlayError> {
        let (plan, c) = (self.plan, &self.plan.config.generator);
        let (step, seed) = (self.state.cursor.step, self.step_seed());
        let specs: Vec<G::Spec> =
            (0..c.prompts_per_step as u64).map(|i| self.game.draw(seed.child("spec").index(i))).collect();
        let hooks: Vec<Option<Hook>> = specs.iter().map(|spec| self.game.generator_hook(spec)).collect();
        let groups = self.proposals(&specs, &hooks, seed.child("sample"))?;
        let proposals = self.read_and_probe(&specs, &groups, seed.child("probe"))?;
        let mut scored = Scored::default();
        for (i, ((spec, group), hook)) in specs.iter().zip(&groups).zip(hooks).enumerate() {
            let rates = proposals.rates.get(i).map_or(&[][..], Vec::as_slice);
            let ctx = RewardContext::at(step, c.steps).with_player(Player::Generator);
            let ctx = ctx.with_solve_rates(rates).with_batch(&groups);
            scored.groups.push(Score::of(self.generator_reward, spec, group, &ctx)?.with_hook(hook));
        }
        let lr = c.lr_schedule.at(step, c.steps, c.lr);
        let updater = &plan.generator_updater;
        let update = self.update(Player::Generator, updater, reference, &groups, &scored, lr)?;
        self.note_generator_step(lr, &scored, proposals, &update)?;
        if let Some(recorder) = &mut self.recorder {
            let iteration = self.state.cursor.iteration;
            let (input, groups) = (StepInput::Specs(&specs), &groups[..]);
            let (scored, update) = (&scored, &update);
            let step = PlayerStep { iteration, step, input, groups, scored, update };
            recorder(&step, &mut self.store.journal)?;
        }
        Ok(())
    }

    fn proposals(
        &self,
        specs: &[G::Spec],
        hooks: &[Option<Hook>],
        seed: Seed,
    ) -> Result<Vec<Vec<Rollout>>, SelfPlayError> {
        let c = &self.plan.config.generator;
        let prompts = specs.iter().map(|spec| self.game.generator_prompt(spec));
        let mut requests = requests(prompts, c.group_size, &params(c.temperature, c.max_tokens), seed);
        under_hooks(&mut requests, hooks.iter().cloned());
        Ok(sample(&self.watch.over(self.players.generator()), "generator", &requests, |_| {})?)
    }

    /// Reads every proposal, and has the Solver attempt each distinct task once.
    fn read_and_probe(
        &self,
        specs: &[G::Spec],
        groups: &[Vec<Rollout>],
        seed: Seed,
    ) -> Result<Proposals, SelfPlayError> {
        let c = &self.plan.config;
        let mut distinct: Vec<G::Task> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        let mut rejected: BTreeMap<String, usize> = BTreeMap::new();
        let mut readable = 0;
        let mut read = |spec: &G::Spec, out: &Rollout| match self.game.read(spec, out) {
            Ok(task) => {
                readable += 1;
                let place = *places.entry(self.game.signature(&task)).or_insert(distinct.len());
                if place == distinct.len() {
                    distinct.push(task);
                }
                Some(place)
            }
            Err(Rejection { rule, .. }) => {
                *rejected.entry(rule).or_default() += 1;
                None
            }
        };
        let tasks: Vec<Vec<Option<usize>>> =
            specs.iter().zip(groups).map(|(s, g)| g.iter().map(|out| read(s, out)).collect()).collect();
        if c.generator.probe_samples == 0 {
            return Ok(Proposals { rejected, readable, probed: 0, rates: Vec::new() });
        }
        let attempt = Attempt {
            samples: c.generator.probe_samples,
            temperature: c.generator.probe_temperature,
            max_tokens: c.solver.max_tokens,
        };
        let asked: Vec<&G::Task> = distinct.iter().collect();
        let answers =
            attempt.run(self.game, &self.watch.over(self.players.solver()), &asked, seed, |_| {})?;
        let rates: Vec<Option<f32>> = (distinct.iter().zip(&answers))
            .map(|(task, rollouts)| rollouts.as_ref().map(|r| solve_rate(self.game, task, r)))
            .collect();
        let invalid = rates.iter().filter(|r| r.is_none()).count();
        if invalid > 0 {
            *rejected.entry(INVALID_PROMPT.to_owned()).or_default() += invalid;
        }
        let rates: Vec<Vec<Option<f32>>> =
            tasks.iter().map(|g| g.iter().map(|t| t.and_then(|t| rates[t])).collect()).collect();
        Ok(Proposals { rejected, readable, probed: distinct.len(), rates })
    }

    fn note_generator_step(
        &mut self,
        lr: f64,
        scored: &Scored,
        proposals: Proposals,
        update: &UpdateReport,
    ) -> Result<(), SelfPlayError> {
        let c = &self.plan.config;
        let total = (c.generator.prompts_per_step * c.generator.group_size) as f32;
        let probed: Vec<f32> = proposals.rates.iter().flatten().copied().flatten().collect();
        let in_band = probed.iter().filter(|rate| c.pool.keep.contains(**rate)).count();
        let record = GeneratorStep {
            iteration: self.state.cursor.iteration,
            step: self.state.cursor.step,
            lr,
            reward: scored.mean(),
            components: scored.components(),
            valid: proposals.readable as f32 / total,
            rejected: proposals.rejected,
            probed: proposals.probed,
            solve_rate: mean(&probed),
            in_band: in_band as f32 / total,
            update,
        };
        let curve = &mut self.state.ledger.row(record.iteration).generator;
        curve.reward.push(record.reward);
        curve.valid_rate.push(record.valid);
        curve.solve_rate.push(record.solve_rate);
        curve.in_band.push(record.in_band);
        self.store.journal.record("generator_step", &record)?;
        let note = format!(
            "reward {:.2}, valid {:.0} %, solve rate {}{}",
            record.reward,
            100.0 * record.valid,
            record.solve_rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.2}")),
            self.drift.of(update)
        );
        self.store.journal.progress(record.step + 1, &note);
        Ok(())
    }
}
