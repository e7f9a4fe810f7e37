use super::state::{EvaluationRow, State, TrainSummary};
use super::{StepRecord, Trainer};
use crate::store::{Resumed, RunInfo, Store};
use crate::{Evaluator, TrainConfig, TrainError};
use serde::Serialize;
use sparring_core::{Observer, Phase};
use std::path::Path;
use std::time::Instant;

/// The policy's folder in a checkpoint, and its name in errors.
pub(super) const POLICY: &str = "policy";

#[derive(Serialize)]
struct RunStarted<'a> {
    seed: u64,
    preset: &'a str,
    config: &'a TrainConfig,
    evaluations: Vec<&'a str>,
}

#[derive(Serialize)]
struct ResumedAt<'a> {
    /// The checkpoint; `None` for none yet.
    checkpoint: Option<u64>,
    step: usize,
    /// Newer checkpoints that were damaged, and how.
    damaged: &'a [String],
}

/// What changed since the newest checkpoint.
struct Progress {
    since: Instant,
    /// Updates that the newest checkpoint has.
    saved_step: Option<usize>,
    /// Whether it lacks an update or an evaluation.
    dirty: bool,
}

impl<'a, T> Trainer<'a, T> {
    /// Starts a new run in the folder `dir`, which is made if it is missing, and trains to the end.
    ///
    /// # Errors
    /// [`TrainError::Invalid`] if `dir` holds a run already or a function is missing that the settings need; else what
    /// the run met. Everything up to the newest checkpoint is kept: [`Trainer::resume`] continues from there.
    pub fn run(&mut self, dir: impl AsRef<Path>) -> Result<TrainSummary, TrainError> {
        self.check()?;
        let (info, kept) = (self.info()?, self.plan.config.checkpoints_kept);
        (self.state, self.reference) = (State::default(), None);
        self.observed(|trainer, observers| {
            let store = Store::create(dir.as_ref(), &info, &[], kept, observers)?;
            trainer.drive(store)
        })
    }

    /// Continues the run in `dir` from its newest whole checkpoint, and trains to the end: with the same settings, seed,
    /// tasks and policy, weights and summary (but for times) are bit for bit those of a run that was never
    /// interrupted. A finished run gives its summary again, and its weights.
    ///
    /// A damaged checkpoint is passed over for the one before it; the record `resumed` of `events.jsonl` says so.
    ///
    /// # Errors
    /// [`TrainError::Invalid`] if `dir` holds no run, or another; [`TrainError::Damaged`] if no checkpoint is whole; else
    /// as [`Trainer::run`].
    pub fn resume(&mut self, dir: impl AsRef<Path>) -> Result<TrainSummary, TrainError> {
        self.check()?;
        let (info, kept) = (self.info()?, self.plan.config.checkpoints_kept);
        self.observed(|trainer, observers| {
            let models = &mut [(POLICY, &mut *trainer.policy)];
            let (mut store, resumed) = Store::resume::<State>(dir.as_ref(), &info, kept, observers, models)?;
            let Resumed { state, checkpoint, reference, damaged } = resumed;
            (trainer.state, trainer.reference) = (state.unwrap_or_default(), reference);
            let at = ResumedAt { checkpoint, step: trainer.state.step, damaged: &damaged };
            store.journal.record("resumed", &at)?;
            trainer.drive(store)
        })
    }

    /// Lends the observers to a run.
    fn observed<R>(
        &mut self,
        run: impl FnOnce(&mut Self, &mut [Box<dyn Observer + 'a>]) -> Result<R, TrainError>,
    ) -> Result<R, TrainError> {
        let mut observers = std::mem::take(&mut self.observers);
        let result = run(self, &mut observers);
        self.observers = observers;
        result
    }

    fn info(&self) -> Result<RunInfo, TrainError> {
        let config = match &self.config_text {
            Some(text) => text.clone(),
            None => toml::to_string_pretty(&self.plan.config)
                .map_err(|e| TrainError::invalid(format!("the settings cannot be written as TOML: {e}")))?,
        };
        Ok(RunInfo::new(self.seed.value(), &self.preset, config))
    }

    /// Trains from the state's step to the end.
    fn drive(&mut self, mut store: Store<'_, '_>) -> Result<TrainSummary, TrainError> {
        let steps = self.plan.config.steps;
        let mut progress = Progress { since: Instant::now(), saved_step: None, dirty: false };
        if store.is_new() {
            self.note_start(&mut store)?;
            // The first checkpoint: from here on, everything can be resumed.
            self.save(&mut store, &mut progress)?;
        }
        progress.saved_step = Some(self.state.step);
        store.journal.started(1, Phase::Train, steps);
        if self.state.step > 0 {
            store.journal.progress(self.state.step, "resumed");
        }
        loop {
            progress.dirty |= self.evaluate_if_due(&mut store)?;
            if self.finished() {
                break;
            }
            self.place_reference(&mut store, &mut progress)?;
            let Some(step) = self.step()? else { continue };
            progress.dirty = true;
            note_step(&mut store, &step.record)?;
            if self.state.step < steps && self.state.step.is_multiple_of(self.plan.config.checkpoint_every) {
                self.save(&mut store, &mut progress)?;
            }
        }
        if progress.dirty {
            self.save(&mut store, &mut progress)?;
        }
        store.journal.ended(1, Phase::Train, self.state.wall_seconds);
        let summary = TrainSummary::new(self.seed.value(), &self.preset, &self.state);
        store.write_json("summary.json", &summary)?;
        Ok(summary)
    }

    fn finished(&self) -> bool {
        self.state.exhausted || self.state.step >= self.plan.config.steps
    }

    fn note_start(&self, store: &mut Store<'_, '_>) -> Result<(), TrainError> {
        let started = RunStarted {
            seed: self.seed.value(),
            preset: &self.preset,
            config: &self.plan.config,
            evaluations: self.evaluations.iter().map(|e| e.name.as_str()).collect(),
        };
        store.journal.record("run_started", &started)
    }

    /// Where the next update copies the policy as its reference, the newest checkpoint has to have the same weights.
    fn place_reference(
        &mut self,
        store: &mut Store<'_, '_>,
        progress: &mut Progress,
    ) -> Result<(), TrainError> {
        if self.plan.config.reference.due(self.state.step) {
            if progress.saved_step != Some(self.state.step) {
                self.save(store, progress)?;
            }
            store.set_reference(POLICY);
        }
        Ok(())
    }

    /// Runs the evaluations where that is due and was not done yet; whether it did.
    fn evaluate_if_due(&mut self, store: &mut Store<'_, '_>) -> Result<bool, TrainError> {
        let (step, every) = (self.state.step, self.plan.config.evaluate_every);
        let due = step == 0 || self.finished() || (every > 0 && step.is_multiple_of(every));
        let done = self.state.evaluations.last().is_some_and(|row| row.step == step);
        let Some(solved) = self.solved.as_ref().filter(|_| due && !done && !self.evaluations.is_empty())
        else {
            return Ok(false);
        };
        let evaluator = Evaluator {
            prompt: &self.prompt,
            solved,
            model: POLICY,
            max_tokens: self.plan.config.sampling.max_tokens,
            seed: self.seed.child("evaluation"),
        };
        let show = self.show.as_ref().filter(|_| step == 0).map(|show| show as _);
        let sampler = &*self.policy;
        let at = ("step", step);
        let scores = evaluator.run_all(&self.evaluations, sampler, &mut store.journal, at, show)?;
        self.state.evaluations.push(EvaluationRow { step, scores });
        Ok(true)
    }

    fn save(&mut self, store: &mut Store<'_, '_>, progress: &mut Progress) -> Result<(), TrainError> {
        self.state.wall_seconds += progress.since.elapsed().as_secs_f64();
        progress.since = Instant::now();
        store.save(&self.state, &[(POLICY, &*self.policy)])?;
        (progress.saved_step, progress.dirty) = (Some(self.state.step), false);
        Ok(())
    }
}

fn note_step(store: &mut Store<'_, '_>, record: &StepRecord) -> Result<(), TrainError> {
    store.journal.record("step", record)?;
    let solved = record.solve_rate.map_or_else(String::new, |rate| format!(", solved {:.0} %", 100.0 * rate));
    store.journal.progress(record.step + 1, &format!("reward {:.2}{solved}", record.reward));
    Ok(())
}
