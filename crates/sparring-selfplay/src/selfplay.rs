use crate::journal::Journal;
use crate::run::{Run, load};
use crate::state::State;
use crate::store::{RunFolder, RunInfo};
use crate::{Evaluation, Players, SelfPlayError, SelfPlayPlan, Summary};
use serde::Serialize;
use sparring_core::{Game, Observer, Reward, Seed, one_line};
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
struct Resumed {
    /// The checkpoint; `None` for none yet.
    checkpoint: Option<u64>,
    iteration: usize,
    step: usize,
    /// Newer checkpoints that were damaged, and how.
    damaged: Vec<String>,
}

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
    /// [`SelfPlayError::Invalid`] if `dir` holds a run already or the parts do not fit; else what the run met.
    /// Everything up to the newest checkpoint is kept: [`SelfPlay::resume`] continues from there.
    pub fn run(&mut self, dir: impl AsRef<Path>) -> Result<Summary, SelfPlayError> {
        self.check()?;
        let folder = RunFolder::create(dir.as_ref(), &self.info()?)?;
        self.play(folder, State::new(), None)
    }

    /// Continues the run in `dir` from its newest whole checkpoint, and plays it to the end: with the same
    /// settings, seed, tasks and models, weights and summary (but for times) are bit for bit those of a run
    /// that was never interrupted. A finished run gives its summary again, and its models.
    ///
    /// A damaged checkpoint is passed over for the one before it; the record `resumed` of `events.jsonl` says so.
    ///
    /// # Errors
    /// [`SelfPlayError::Invalid`] if `dir` holds no run, or another; [`SelfPlayError::Damaged`] if no checkpoint
    /// is whole; else as [`SelfPlay::run`].
    pub fn resume(&mut self, dir: impl AsRef<Path>) -> Result<Summary, SelfPlayError> {
        self.check()?;
        let folder = RunFolder::open(dir.as_ref(), &self.info()?)?;
        let checkpoints = folder.checkpoints();
        let mut damaged = Vec::new();
        let mut found: Option<State<G::Task>> = None;
        for serial in checkpoints.list()? {
            match load(&folder, &checkpoints, serial, &mut self.players) {
                Ok(state) => {
                    found = Some(state);
                    break;
                }
                Err(error) => {
                    tracing::warn!(serial, error = one_line(&error), "passing over a damaged checkpoint");
                    damaged.push(error);
                }
            }
        }
        let checkpoint = found.as_ref().map(|state| state.serial);
        let state = match (found, damaged.is_empty()) {
            (Some(state), _) => state,
            (None, true) => State::new(),
            (None, false) => return Err(damaged.swap_remove(0)),
        };
        let resumed = Resumed {
            checkpoint,
            iteration: state.cursor.iteration,
            step: state.cursor.step,
            damaged: damaged.iter().map(|error| one_line(error)).collect(),
        };
        self.play(folder, state, Some(&resumed))
    }

    fn play(
        &mut self,
        folder: RunFolder,
        state: State<G::Task>,
        resumed: Option<&Resumed>,
    ) -> Result<Summary, SelfPlayError> {
        let mut journal =
            Journal::open(folder.path("events.jsonl"), state.events_bytes, &mut self.observers)?;
        if let Some(resumed) = resumed {
            journal.record("resumed", resumed)?;
        }
        Run {
            plan: &self.plan,
            game: self.game,
            generator_reward: self.generator_reward.as_ref(),
            solver_reward: self.solver_reward.as_ref(),
            evaluations: &self.evaluations,
            players: &mut self.players,
            seed: self.seed,
            preset: &self.preset,
            checkpoints: folder.checkpoints(),
            folder,
            journal,
            saved_reference: state.reference,
            state,
            clock: Instant::now(),
        }
        .drive()
    }

    fn info(&self) -> Result<RunInfo, SelfPlayError> {
        let config = match &self.config_text {
            Some(text) => text.clone(),
            None => toml::to_string_pretty(&self.plan.config).map_err(|e| {
                SelfPlayError::invalid(format!("the settings cannot be written as TOML: {e}"))
            })?,
        };
        Ok(RunInfo::new(self.seed.value(), &self.preset, config))
    }

    fn check(&self) -> Result<(), SelfPlayError> {
        self.players.check(&self.plan.config)?;
        for (i, evaluation) in self.evaluations.iter().enumerate() {
            evaluation.check()?;
            if self.evaluations[..i].iter().any(|other| other.name == evaluation.name) {
                return Err(SelfPlayError::invalid(format!(
                    "evaluation {}: two evaluations have this name",
                    evaluation.name
                )));
            }
        }
        Ok(())
    }
}
