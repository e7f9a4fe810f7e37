use crate::run::Run;
use crate::state::State;
use crate::{Players, SelfPlayError, SelfPlayPlan, Summary};
use serde::Serialize;
use sparring_core::{Game, Observer, Reward, Scorer, Seed};
use sparring_train::store::{Resumed, RunInfo, Store};
use sparring_train::{Evaluation, TrainError};
use std::fmt;
use std::path::Path;
use std::time::Instant;

/// A self-play run, ready to start or to resume: see the [crate's documentation](crate).
pub struct SelfPlay<'a, G: Game> {
    plan: SelfPlayPlan,
    game: &'a G,
    generator_reward: Box<dyn Reward<G::Spec> + 'a>,
    solver_reward: Box<dyn Reward<G::Task> + 'a>,
    players: Players,
    seed: Seed,
    evaluations: Vec<Evaluation<G::Task>>,
    observers: Vec<Box<dyn Observer + 'a>>,
    preset: String,
    config_text: Option<String>,
}

impl<G: Game> fmt::Debug for SelfPlay<'_, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SelfPlay").field("plan", &self.plan).field("seed", &self.seed).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct ResumedAt<'a> {
    /// The checkpoint; `None` for none yet.
    checkpoint: Option<u64>,
    iteration: usize,
    step: usize,
    /// Newer checkpoints that were damaged, and how.
    damaged: &'a [String],
}

/// Checkpoints that are kept, beside those with the reference model of one that is.
const KEPT: usize = 2;

impl<'a, G: Game> SelfPlay<'a, G> {
    /// A run of `plan` over `game`. Both models are as they are before the first iteration, also for a run that
    /// is to be resumed.
    pub fn new(
        plan: SelfPlayPlan,
        game: &'a G,
        generator_reward: Box<dyn Reward<G::Spec> + 'a>,
        solver_reward: Box<dyn Reward<G::Task> + 'a>,
        players: Players,
        seed: Seed,
    ) -> Self {
        Self {
            plan,
            game,
            generator_reward,
            solver_reward,
            players,
            seed,
            evaluations: Vec::new(),
            observers: Vec::new(),
            preset: String::new(),
            config_text: None,
        }
    }

    /// Adds an evaluation.
    #[must_use]
    pub fn with_evaluation(mut self, evaluation: Evaluation<G::Task>) -> Self {
        self.evaluations.push(evaluation);
        self
    }

    /// Adds an observer.
    #[must_use]
    pub fn with_observer(mut self, observer: impl Observer + 'a) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// Names the preset, for the summary.
    #[must_use]
    pub fn with_preset(mut self, preset: impl Into<String>) -> Self {
        self.preset = preset.into();
        self
    }

    /// The text that `config.toml` is to hold: settings of which the run's are a part. By default the run's.
    #[must_use]
    pub fn with_config_text(mut self, text: impl Into<String>) -> Self {
        self.config_text = Some(text.into());
        self
    }

    /// The models, as they are now.
    pub fn players(&self) -> &Players {
        &self.players
    }

    /// Gives the models back.
    pub fn into_roles(self) -> Players {
        self.players
    }

    /// Starts a new run in the folder `dir`, which is made if it is missing, and plays it to the end.
    ///
    /// # Errors
    /// [`TrainError::Invalid`] if `dir` holds a run already or the parts do not fit; else what the run met.
    /// Everything up to the newest checkpoint is kept: [`SelfPlay::resume`] continues from there.
    pub fn run(&mut self, dir: impl AsRef<Path>) -> Result<Summary, SelfPlayError> {
        self.check()?;
        let info = self.info()?;
        let mut observers = std::mem::take(&mut self.observers);
        let played = Store::create(dir.as_ref(), &info, &["tasks"], KEPT, &mut observers)
            .map_err(SelfPlayError::from)
            .and_then(|store| self.play(store, State::new(), None));
        self.observers = observers;
        played
    }

    /// Continues the run in `dir` from its newest whole checkpoint, and plays it to the end: with the same
    /// settings, seed, tasks and models, weights and summary (but for times) are bit for bit those of a run
    /// that was never interrupted. A finished run gives its summary again, and its models.
    ///
    /// A damaged checkpoint is passed over for the one before it; the record `resumed` of `events.jsonl` says so.
    ///
    /// # Errors
    /// [`TrainError::Invalid`] if `dir` holds no run, or another; [`TrainError::Damaged`] if no checkpoint
    /// is whole; else as [`SelfPlay::run`].
    pub fn resume(&mut self, dir: impl AsRef<Path>) -> Result<Summary, SelfPlayError> {
        self.check()?;
        let info = self.info()?;
        let mut observers = std::mem::take(&mut self.observers);
        let played = self.go_on(dir.as_ref(), &info, &mut observers);
        self.observers = observers;
        played
    }

    fn go_on(
        &mut self,
        dir: &Path,
        info: &RunInfo,
        observers: &mut [Box<dyn Observer + 'a>],
    ) -> Result<Summary, SelfPlayError> {
        let (mut store, resumed) = Store::resume(dir, info, KEPT, observers, &mut self.players.named_mut())?;
        let Resumed { state, checkpoint, reference, damaged } = resumed;
        let state: State<G::Task> = state.unwrap_or_else(State::new);
        let (iteration, step) = (state.cursor.iteration, state.cursor.step);
        store.journal.record("resumed", &ResumedAt { checkpoint, iteration, step, damaged: &damaged })?;
        self.play(store, state, reference)
    }

    fn play(
        &mut self,
        store: Store<'_, 'a>,
        state: State<G::Task>,
        reference: Option<Box<dyn Scorer>>,
    ) -> Result<Summary, SelfPlayError> {
        Run {
            plan: &self.plan,
            game: self.game,
            generator_reward: self.generator_reward.as_ref(),
            solver_reward: self.solver_reward.as_ref(),
            evaluations: &self.evaluations,
            players: &mut self.players,
            seed: self.seed,
            preset: &self.preset,
            store,
            state,
            reference,
            clock: Instant::now(),
        }
        .drive()
    }

    fn info(&self) -> Result<RunInfo, SelfPlayError> {
        let config = match &self.config_text {
            Some(text) => text.clone(),
            None => toml::to_string_pretty(&self.plan.config)
                .map_err(|e| TrainError::invalid(format!("the settings cannot be written as TOML: {e}")))?,
        };
        Ok(RunInfo::new(self.seed.value(), &self.preset, config))
    }

    fn check(&self) -> Result<(), SelfPlayError> {
        self.players.check(&self.plan.config)?;
        Ok(Evaluation::check_all(&self.evaluations)?)
    }
}
