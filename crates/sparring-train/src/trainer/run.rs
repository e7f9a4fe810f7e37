use super::state::{EvaluationRow, State, TrainSummary};
use super::{StepRecord, Trainer};
use crate::store::Store;
use crate::summary::DriftNote;
use crate::{Evaluator, TrainError};
use sparring_core::{Observer, Phase};
use std::path::Path;
use std::time::Instant;

/// The policy's folder in a checkpoint, and its name in errors.
pub(super) const POLICY: &str = "policy";

/// What the newest checkpoint lacks.
struct Unsaved {
    since: Instant,
    /// Updates that the newest checkpoint has.
    saved_step: Option<usize>,
    /// Whether it lacks an update or an evaluation.
    dirty: bool,
    /// Length of the events when the newest update or evaluation was recorded.
    events: u64,
}

impl<'a, T> Trainer<'a, T> {
    /// Starts a new run in the folder `dir`, which is made if it is missing, and trains to the end.
    ///
    /// # Errors
    /// [`TrainError::Invalid`] if `dir` holds a run already, or the settings need a function that is missing; else the
    /// error that stopped the run: [`Trainer::resume`] continues from the newest checkpoint.
    pub fn run(&mut self, dir: impl AsRef<Path>) -> Result<TrainSummary, TrainError> {
        self.check()?;
        let (info, kept) =
            (self.options.info(self.seed, &self.plan.config)?, self.plan.config.checkpoints_kept);
        (self.state, self.reference, self.frozen_at) = (State::default(), None, None);
        self.observed(|trainer, observers| {
            let store = Store::create(dir.as_ref(), &info, &[], kept, observers)?;
            trainer.drive(store)
        })
    }

    /// Continues the run in `dir` from its newest whole checkpoint, and trains to the end. With the same settings,
    /// seed, tasks and policy, the weights and the summary (except times) are bit for bit those of a run that was never
    /// interrupted. For a finished run, it restores the weights and returns the summary.
    ///
    /// A damaged checkpoint is skipped; the record `resumed` of `events.jsonl` says so. Settings and seed are compared
    /// by meaning with those that the run began with ([`Changes`](crate::store::Changes)).
    ///
    /// # Errors
    /// [`TrainError::Invalid`] if `dir` holds no run, or another; [`TrainError::Damaged`] if no checkpoint is whole;
    /// else as [`Trainer::run`].
    pub fn resume(&mut self, dir: impl AsRef<Path>) -> Result<TrainSummary, TrainError> {
        self.check()?;
        let (info, kept) =
            (self.options.info(self.seed, &self.plan.config)?, self.plan.config.checkpoints_kept);
        self.observed(|trainer, observers| {
            let (models, changes) = (&mut [(POLICY, &mut *trainer.policy)], trainer.options.changes);
            let (mut store, resumed) =
                Store::resume::<State>(dir.as_ref(), &info, changes, kept, observers, models)?;
            let step = resumed.state.as_ref().map_or(0, |state| state.step);
            store.record_resumed(&resumed, &[("step", step)])?;
            (trainer.state, trainer.reference) = (resumed.state.unwrap_or_default(), resumed.reference);
            trainer.drive(store)
        })
    }

    /// Moves the observers out of the trainer during a run.
    fn observed<R>(
        &mut self,
        run: impl FnOnce(&mut Self, &mut [Box<dyn Observer + 'a>]) -> Result<R, TrainError>,
    ) -> Result<R, TrainError> {
        let mut observers = std::mem::take(&mut self.options.observers);
        let result = run(self, &mut observers);
        self.options.observers = observers;
        result
    }

    /// Trains from the state's step to the end. Where it was stopped, it saves what is done.
    fn drive(&mut self, mut store: Store<'_, '_>) -> Result<TrainSummary, TrainError> {
        let mut unsaved = Unsaved { since: Instant::now(), saved_step: None, dirty: false, events: 0 };
        let new = store.is_new();
        if new {
            store.record_start(&self.plan.config, &self.evaluations)?;
            // The first checkpoint: from here on, everything can be resumed.
            self.save(&mut store, &mut unsaved)?;
        }
        unsaved.saved_step = Some(self.state.step);
        if self.finished()
            && !self.evaluation_is_due()
            && let Some(summary) = store.read_json("summary.json")
        {
            return Ok(summary);
        }
        store.journal.planned(&self.stages(), self.options.demands)?;
        unsaved.events = store.journal.bytes();
        let worked = self.work(&mut store, &mut unsaved);
        if matches!(worked, Err(TrainError::Stopped)) && unsaved.dirty {
            // Of an evaluation that was not finished, nothing stays.
            store.journal.rewind(unsaved.events)?;
            self.save(&mut store, &mut unsaved)?;
        }
        worked?;
        let summary = TrainSummary::new(store.info(), &self.state);
        store.write_json("summary.json", &summary)?;
        Ok(summary)
    }

    /// Updates and evaluations to the end of the run.
    fn work(&mut self, store: &mut Store<'_, '_>, unsaved: &mut Unsaved) -> Result<(), TrainError> {
        let steps = self.plan.config.steps;
        let mut drift = DriftNote::default();
        let mut training: Option<Instant> = None;
        loop {
            if self.evaluation_is_due() {
                if let Some(began) = training.take() {
                    store.journal.ended(1, Phase::Train, began.elapsed().as_secs_f64());
                }
                self.evaluate(store)?;
                store.journal.correct_estimate()?;
                (unsaved.dirty, unsaved.events) = (true, store.journal.bytes());
            }
            if self.finished() {
                break;
            }
            if training.is_none() {
                training = Some(Instant::now());
                store.journal.started(1, Phase::Train, steps);
                store.journal.progress(self.state.step, "");
            }
            self.place_reference(store, unsaved)?;
            let Some(step) = self.step()? else { continue };
            unsaved.dirty = true;
            record_step(store, &step.record, &mut drift)?;
            if let Some(recorder) = &mut self.recorder {
                recorder(&step, &mut store.journal)?;
            }
            store.journal.correct_estimate()?;
            unsaved.events = store.journal.bytes();
            if self.state.step < steps && self.state.step.is_multiple_of(self.plan.config.checkpoint_every) {
                self.save(store, unsaved)?;
            }
        }
        if unsaved.dirty {
            self.save(store, unsaved)?;
        }
        if let Some(began) = training {
            store.journal.ended(1, Phase::Train, began.elapsed().as_secs_f64());
        }
        Ok(())
    }

    fn finished(&self) -> bool {
        self.state.exhausted || self.state.step >= self.plan.config.steps
    }

    /// Where the next update freezes the policy as its reference, the newest checkpoint must have the same weights.
    fn place_reference(
        &mut self,
        store: &mut Store<'_, '_>,
        unsaved: &mut Unsaved,
    ) -> Result<(), TrainError> {
        if self.plan.config.reference.due(self.state.step) {
            if unsaved.saved_step != Some(self.state.step) {
                self.save(store, unsaved)?;
            }
            store.set_reference(POLICY);
        }
        Ok(())
    }

    /// Whether evaluations are due and not done yet.
    pub(super) fn evaluation_is_due(&self) -> bool {
        let (step, every) = (self.state.step, self.plan.config.evaluate_every);
        let due = step == 0 || self.finished() || (every > 0 && step.is_multiple_of(every));
        let done = self.state.evaluations.last().is_some_and(|row| row.step == step);
        due && !done && !self.evaluations.is_empty()
    }

    fn evaluate(&mut self, store: &mut Store<'_, '_>) -> Result<(), TrainError> {
        let Some(solved) = &self.solved else { return Ok(()) };
        let (step, began) = (self.state.step, Instant::now());
        let tasks = self.evaluations.iter().map(|evaluation| evaluation.tasks.len()).sum();
        let iteration = usize::from(step > 0);
        store.journal.started(iteration, Phase::Evaluate, tasks);
        let evaluator = Evaluator {
            prompt: &self.prompt,
            hook: &self.hook,
            solved,
            model: POLICY,
            sampling: self.plan.config.sampling.clone(),
            seed: self.seed.child("evaluation"),
        };
        let show = self.show.as_ref().filter(|_| step == 0).map(|show| show as _);
        let sampler = self.options.watch.over(&*self.policy);
        let at = ("step", step);
        let scores = evaluator.run_all(&self.evaluations, &sampler, &mut store.journal, at, show)?;
        store.journal.ended(iteration, Phase::Evaluate, began.elapsed().as_secs_f64());
        self.state.evaluations.push(EvaluationRow { step, scores });
        Ok(())
    }

    fn save(&mut self, store: &mut Store<'_, '_>, unsaved: &mut Unsaved) -> Result<(), TrainError> {
        self.state.wall_seconds += unsaved.since.elapsed().as_secs_f64();
        unsaved.since = Instant::now();
        store.save(&self.state, &[(POLICY, &*self.policy)])?;
        (unsaved.saved_step, unsaved.dirty) = (Some(self.state.step), false);
        Ok(())
    }
}

fn record_step(
    store: &mut Store<'_, '_>,
    record: &StepRecord,
    drift: &mut DriftNote,
) -> Result<(), TrainError> {
    store.journal.record("step", record)?;
    let solved = record.solve_rate.map_or_else(String::new, |rate| format!(", solved {:.0} %", 100.0 * rate));
    let drift = drift.of(&record.update);
    store.journal.progress(record.step + 1, &format!("reward {:.2}{solved}{drift}", record.reward));
    Ok(())
}
