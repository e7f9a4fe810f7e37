use crate::state::{Cursor, State};
use crate::{PlayerStep, Players, SelfPlayError, SelfPlayPlan, Summary};
use serde::Serialize;
use sparring_core::{Encoder, Game, Phase, Player, Reward, Rollout, Scorer, Seed, TaskSource};
use sparring_grpo::UpdateReport;
use sparring_grpo::advantage::Baselines;
use sparring_train::store::{Journal, Store};
use sparring_train::summary::DriftNote;
use sparring_train::{Benchmark, Demands, Evaluation, Scored, TrainError, Updater, Watch};
use std::time::Instant;

/// Own tasks beside the Generator's, and their share of the pool.
pub(crate) struct OwnTasks<'a, G: Game> {
    pub(crate) source: Box<dyn TaskSource<G::Task> + 'a>,
    pub(crate) share: f32,
}

pub(crate) type Record<'a, G> =
    dyn FnMut(&PlayerStep<'_, G>, &mut Journal<'_, '_>) -> Result<(), TrainError> + 'a;
pub(crate) type Recorder<'a, G> = Box<Record<'a, G>>;

/// A run in progress.
pub(crate) struct Run<'r, 'a, G: Game> {
    pub(crate) plan: &'r SelfPlayPlan,
    pub(crate) game: &'r G,
    pub(crate) generator_reward: &'r (dyn Reward<G::Spec> + 'a),
    pub(crate) solver_reward: &'r (dyn Reward<G::Task> + 'a),
    pub(crate) evaluations: &'r [Evaluation<G::Task>],
    pub(crate) benchmarks: &'r [Box<dyn Benchmark + 'a>],
    pub(crate) players: &'r mut Players,
    pub(crate) seed: Seed,
    pub(crate) tasks: Option<&'r mut OwnTasks<'a, G>>,
    pub(crate) encoder: Option<&'r dyn Encoder>,
    pub(crate) recorder: Option<&'r mut Record<'a, G>>,
    pub(crate) drift: DriftNote,
    pub(crate) store: Store<'r, 'a>,
    pub(crate) state: State<G::Task>,
    /// The reference model of a phase that is resumed in the middle.
    pub(crate) reference: Option<Box<dyn Scorer>>,
    /// When time was last added to the ledger.
    pub(crate) clock: Instant,
    /// Whether the newest checkpoint lacks an update.
    pub(crate) unsaved: bool,
    pub(crate) watch: Watch,
    pub(crate) demands: Option<Demands>,
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
        if self.store.is_new() {
            // The first checkpoint: from here on, everything can be resumed.
            self.store.record_start(&self.plan.config, self.evaluations)?;
            self.checkpoint()?;
        }
        if self.finished()
            && let Some(summary) = self.store.read_json("summary.json")
        {
            return Ok(summary);
        }
        let stages = self.stages();
        self.store.journal.planned(&stages, self.demands)?;
        while !self.finished() {
            let played = self.phase();
            // An evaluation or a pool is done whole or not at all: the checkpoint before it is as good as one now.
            if self.unsaved && matches!(played, Err(SelfPlayError::Train(TrainError::Stopped))) {
                self.checkpoint()?;
            }
            played?;
        }
        let mut summary = Summary::new(self.store.info(), &self.state.ledger);
        for benchmark in self.benchmarks {
            if let Some((base, later)) =
                self.state.ledger.benchmarks.get(benchmark.name()).and_then(|s| s.split_first())
            {
                summary.evaluations.insert(benchmark.name().to_owned(), benchmark.summary(base, later));
            }
        }
        self.store.write_json("summary.json", &summary)?;
        Ok(summary)
    }

    fn finished(&self) -> bool {
        self.state.cursor.iteration > self.plan.config.iterations
    }

    /// Plays the phase under the cursor, from the cursor's step on, and moves the cursor to the next.
    fn phase(&mut self) -> Result<(), SelfPlayError> {
        let Cursor { iteration, phase, .. } = self.state.cursor;
        if phase == Phase::TrainGenerator && !self.plan.config.trains_generator_in(iteration) {
            self.state.cursor = self.state.cursor.next();
            return Ok(());
        }
        match phase {
            Phase::TrainGenerator => self.train_generator()?,
            Phase::BuildPool => self.build_pool()?,
            Phase::TrainSolver => self.train_solver()?,
            _ => self.evaluate()?,
        }
        self.end_training(phase)?;
        self.tick();
        let seconds = std::mem::take(&mut self.state.ledger.phase_seconds);
        self.store.journal.record("timing", &Timing { iteration, phase: phase.as_str(), seconds })?;
        self.store.journal.ended(iteration, phase, seconds);
        self.store.journal.correct_estimate()?;
        self.state.cursor = self.state.cursor.next();
        self.store.clear_reference();
        self.checkpoint()
    }

    /// Sends the start of the phase to observers.
    pub(crate) fn begin(&mut self, steps: usize) {
        let Cursor { iteration, phase, step } = self.state.cursor;
        self.store.journal.started(iteration, phase, steps);
        if step > 0 {
            self.store.journal.progress(step, "resumed");
        }
    }

    /// Prepares a model for a training phase, and freezes the reference of its KL term: the model as it was
    /// when the phase began.
    pub(crate) fn begin_training(
        &mut self,
        player: Player,
        kl: bool,
    ) -> Result<Option<Box<dyn Scorer>>, SelfPlayError> {
        let first = self.state.cursor.step == 0;
        let policy = self.players.player_mut(player)?;
        if first && self.plan.config.fresh_optimizer {
            policy.reset();
        }
        if !kl || !first {
            // Of a phase that is resumed in the middle, the store has frozen the reference.
            return Ok(self.reference.take());
        }
        let frozen = policy.freeze().map_err(TrainError::policy(player.as_str()))?;
        // The newest checkpoint was written at the phase boundary: it has the same weights.
        self.store.set_reference(self.players.folder(player));
        Ok(Some(frozen))
    }

    /// After a training phase, frees the optimiser's state and buffers, which the player's next phase would reset
    /// anyway.
    fn end_training(&mut self, phase: Phase) -> Result<(), SelfPlayError> {
        let player = match phase {
            Phase::TrainGenerator => Player::Generator,
            Phase::TrainSolver => Player::Solver,
            _ => return Ok(()),
        };
        if self.plan.config.fresh_optimizer {
            self.players.player_mut(player)?.reset();
        }
        Ok(())
    }

    /// One update of one model.
    pub(crate) fn update(
        &mut self,
        player: Player,
        updater: &Updater,
        reference: Option<&dyn Scorer>,
        groups: &[Vec<Rollout>],
        scored: &Scored,
        lr: f64,
    ) -> Result<UpdateReport, SelfPlayError> {
        let Cursor { iteration, step, .. } = self.state.cursor;
        let policy = self.players.player_mut(player)?;
        // Without keyed advantages there are no baselines.
        let report = updater.update(policy, reference, groups, scored, &mut Baselines::default(), lr);
        report.map_err(|source| SelfPlayError::Update { player: player.as_str(), iteration, step, source })
    }

    /// Counts an update as done; every so many, writes a checkpoint.
    pub(crate) fn advance(&mut self, steps: usize) -> Result<(), SelfPlayError> {
        self.state.cursor.step += 1;
        self.unsaved = true;
        let step = self.state.cursor.step;
        self.store.journal.correct_estimate()?;
        // The phase boundary writes its own.
        if step < steps && step.is_multiple_of(self.plan.config.checkpoint_every) {
            self.checkpoint()?;
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<(), SelfPlayError> {
        self.tick();
        self.store.save(&self.state, &self.players.named())?;
        self.unsaved = false;
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
