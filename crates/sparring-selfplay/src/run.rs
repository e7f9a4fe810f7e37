use crate::journal::Journal;
use crate::players::frozen_generator;
use crate::state::{Cursor, State};
use crate::store::{Checkpoints, RunFolder, disk, unserialisable};
use crate::{Evaluation, Players, SelfPlayError, SelfPlayPlan, Summary};
use serde::Serialize;
use sparring_core::{Game, Phase, Player, Reward, Rollout, Scorer, Seed};
use sparring_grpo::{Grpo, RolloutGroup, UpdateReport};
use std::time::Instant;

/// A run under way.
pub(crate) struct Run<'r, 'a, G: Game> {
    pub(crate) plan: &'r SelfPlayPlan,
    pub(crate) game: &'r G,
    pub(crate) generator_reward: &'r (dyn Reward<G::Spec> + 'a),
    pub(crate) solver_reward: &'r (dyn Reward<G::Task> + 'a),
    pub(crate) evaluations: &'r [Evaluation<G::Task>],
    pub(crate) players: &'r mut Players,
    pub(crate) seed: Seed,
    pub(crate) preset: &'r str,
    pub(crate) folder: RunFolder,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) journal: Journal<'r, 'a>,
    pub(crate) state: State<G::Task>,
    /// Reference of the newest checkpoint's phase: an older checkpoint may still need it.
    pub(crate) saved_reference: Option<u64>,
    /// When time was last added to the ledger.
    pub(crate) clock: Instant,
}

#[derive(Serialize)]
struct RunStarted<'a> {
    seed: u64,
    preset: &'a str,
    config: &'a crate::SelfPlayConfig,
    evaluations: Vec<&'a str>,
}

#[derive(Serialize)]
struct Timing<'a> {
    iteration: usize,
    phase: &'a str,
    seconds: f64,
}

impl<G: Game> Run<'_, '_, G> {
    /// Plays from the cursor to the end.
    pub(crate) fn drive(&mut self) -> Result<Summary, SelfPlayError> {
        if self.state.serial == 0 {
            // The first checkpoint: from here on, everything can be resumed.
            self.journal.record(
                "run_started",
                &RunStarted {
                    seed: self.seed.value(),
                    preset: self.preset,
                    config: &self.plan.config,
                    evaluations: self.evaluations.iter().map(|e| e.name.as_str()).collect(),
                },
            )?;
            self.checkpoint()?;
        }
        while self.state.cursor.iteration <= self.plan.config.iterations {
            self.phase()?;
        }
        let summary = Summary::new(self.seed.value(), self.preset, &self.state.ledger);
        self.folder.write_json("summary.json", &summary)?;
        Ok(summary)
    }

    /// Plays the phase under the cursor, from the cursor's step on, and moves the cursor to the next.
    fn phase(&mut self) -> Result<(), SelfPlayError> {
        let Cursor { iteration, phase, .. } = self.state.cursor;
        if phase == Phase::TrainGenerator && !self.plan.config.generator.train {
            self.state.cursor = self.state.cursor.next();
            return Ok(());
        }
        match phase {
            Phase::TrainGenerator => self.train_generator()?,
            Phase::BuildPool => self.build_pool()?,
            Phase::TrainSolver => self.train_solver()?,
            _ => self.evaluate()?,
        }
        self.tick();
        let seconds = std::mem::take(&mut self.state.ledger.phase_seconds);
        self.journal.record("timing", &Timing { iteration, phase: phase.as_str(), seconds })?;
        self.journal.ended(iteration, phase, seconds);
        self.state.cursor = self.state.cursor.next();
        self.state.reference = None;
        self.checkpoint()
    }

    /// Tells observers that the phase begins.
    pub(crate) fn begin(&mut self, steps: usize) {
        let Cursor { iteration, phase, step } = self.state.cursor;
        self.journal.started(iteration, phase, steps);
        if step > 0 {
            self.journal.progress(step, "resumed");
        }
    }

    /// Prepares a model for a training phase, and freezes the reference of its KL term: the model as it was
    /// when the phase began.
    pub(crate) fn begin_training(
        &mut self,
        player: Player,
        kl: bool,
    ) -> Result<Option<Box<dyn Scorer>>, SelfPlayError> {
        let (first, newest) = (self.state.cursor.step == 0, self.state.serial);
        if first && self.plan.config.fresh_optimizer {
            self.policy_mut(player)?.reset();
        }
        if !kl {
            return Ok(None);
        }
        // The newest checkpoint was written at the phase boundary if no step is done yet.
        let reference = *self.state.reference.get_or_insert(newest);
        if !first {
            self.checkpoints.restore(reference, self.players)?;
        }
        let frozen = self.policy_mut(player)?.freeze().map_err(SelfPlayError::policy(player.as_str()))?;
        if !first {
            self.checkpoints.restore(newest, self.players)?;
        }
        Ok(Some(frozen))
    }

    fn policy_mut(&mut self, player: Player) -> Result<&mut dyn sparring_core::Policy, SelfPlayError> {
        match player {
            Player::Generator => self.players.generator_mut().ok_or_else(frozen_generator),
            Player::Solver => Ok(self.players.solver_mut()),
        }
    }

    /// One update of one model.
    pub(crate) fn update(
        &mut self,
        player: Player,
        grpo: &Grpo,
        reference: Option<&dyn Scorer>,
        groups: &[Vec<Rollout>],
        rewards: &[Vec<Option<f32>>],
        lr: f64,
    ) -> Result<UpdateReport, SelfPlayError> {
        let Cursor { iteration, step, .. } = self.state.cursor;
        let groups: Vec<RolloutGroup<'_>> = groups
            .iter()
            .zip(rewards)
            .map(|(rollouts, rewards)| RolloutGroup::new(rollouts, rewards))
            .collect();
        grpo.update(self.policy_mut(player)?, reference, &groups, lr)
            .map_err(|source| SelfPlayError::Update { player: player.as_str(), iteration, step, source })
    }

    /// Counts an update as done; every so many, writes a checkpoint.
    pub(crate) fn advance(&mut self, steps: usize) -> Result<(), SelfPlayError> {
        self.state.cursor.step += 1;
        let step = self.state.cursor.step;
        // The phase boundary writes its own.
        if step < steps && step.is_multiple_of(self.plan.config.checkpoint_every) {
            self.checkpoint()?;
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<(), SelfPlayError> {
        self.tick();
        self.state.events_bytes = self.journal.sync()?;
        self.state.serial += 1;
        let state = serde_json::to_vec(&self.state).map_err(|e| unserialisable(&e))?;
        let in_use = [self.state.reference, self.saved_reference];
        self.checkpoints.save(self.state.serial, &state, self.players, in_use)?;
        self.saved_reference = self.state.reference;
        Ok(())
    }

    /// Adds the time since the last tick to the ledger.
    fn tick(&mut self) {
        let seconds = self.clock.elapsed().as_secs_f64();
        self.clock = Instant::now();
        let ledger = &mut self.state.ledger;
        ledger.wall_seconds += seconds;
        ledger.phase_seconds += seconds;
        *ledger.seconds.entry(self.state.cursor.phase.as_str().to_owned()).or_default() += seconds;
    }

    /// The seed of the phase under the cursor.
    pub(crate) fn phase_seed(&self) -> Seed {
        let Cursor { iteration, phase, .. } = self.state.cursor;
        self.seed.child("iteration").index(iteration as u64).child(phase.as_str())
    }

    /// The seed of the update under the cursor.
    pub(crate) fn step_seed(&self) -> Seed {
        self.phase_seed().index(self.state.cursor.step as u64)
    }
}

/// A checkpoint that a run can continue from: checked, and its models restored.
pub(crate) fn load<T: serde::de::DeserializeOwned>(
    folder: &RunFolder,
    checkpoints: &Checkpoints,
    serial: u64,
    players: &mut Players,
) -> Result<State<T>, SelfPlayError> {
    let text = checkpoints.verified_state(serial)?;
    let path = checkpoints.folder(serial).join("state.json");
    let state: State<T> =
        serde_json::from_slice(&text).map_err(|e| SelfPlayError::damaged(&path, e.to_string()))?;
    if let Some(reference) = state.reference {
        checkpoints.verified_state(reference)?;
    }
    // Fails where the file is shorter than the checkpoint says; changes nothing otherwise.
    disk::at_least(&folder.path("events.jsonl"), state.events_bytes)?;
    checkpoints.restore(serial, players)?;
    Ok(state)
}
