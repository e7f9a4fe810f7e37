use crate::run::{OwnTasks, Recorder, Run};
use crate::state::{Cursor, State};
use crate::{PlayerStep, Players, SelfPlayError, SelfPlayPlan, Summary};
use sparring_core::{Encoder, Game, Observer, Reward, Scorer, Seed, TaskSource};
use sparring_train::store::{Changes, Journal, RunInfo, RunOptions, Store};
use sparring_train::summary::DriftNote;
use sparring_train::{Benchmark, Demands, Evaluation, TrainError, Watch, check};
use std::collections::BTreeMap;
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
    tasks: Option<OwnTasks<'a, G>>,
    encoder: Option<&'a dyn Encoder>,
    evaluations: Vec<Evaluation<G::Task>>,
    benchmarks: Vec<Box<dyn Benchmark + 'a>>,
    recorder: Option<Recorder<'a, G>>,
    options: RunOptions<'a>,
}

impl<G: Game> fmt::Debug for SelfPlay<'_, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SelfPlay").field("plan", &self.plan).field("seed", &self.seed).finish_non_exhaustive()
    }
}

impl<'a, G: Game> SelfPlay<'a, G> {
    /// A run of `plan` over `game`. To resume a run, pass the models as they were before the first iteration: their
    /// weights are restored from the checkpoint.
    pub fn new(
        plan: SelfPlayPlan,
        game: &'a G,
        generator_reward: impl Reward<G::Spec> + 'a,
        solver_reward: impl Reward<G::Task> + 'a,
        players: Players,
        seed: Seed,
    ) -> Self {
        Self {
            plan,
            game,
            generator_reward: Box::new(generator_reward),
            solver_reward: Box::new(solver_reward),
            players,
            seed,
            tasks: None,
            encoder: None,
            evaluations: Vec::new(),
            benchmarks: Vec::new(),
            recorder: None,
            options: RunOptions::default(),
        }
    }

    /// Takes a share of the Solver's tasks, in [0, 1], from `source`: your own tasks beside the Generator's.
    ///
    /// They enter the pool of each iteration as [`Origin::Own`](crate::Origin), so that they are that share of it;
    /// fewer where the source is exhausted. The rest of the pool is built as without them, but smaller by that
    /// share. Own tasks are attempted by the Solver like the Generator's, which gives their solve rate, their
    /// difficulty and their place in the training order. They are trusted: neither `pool.min_agreement` nor `pool.keep`
    /// drops any, nor are duplicates dropped. A task with an invalid prompt is dropped, and counted as rejected. With
    /// `pool.dedup_earlier`, a proposal that equals an own task of an earlier pool is a duplicate.
    ///
    /// With a share of 1, the Generator writes no candidates: set `generator.train = false`, unless its training is of
    /// use elsewhere. An exhausted source then leaves the pool empty, and the Solver untrained.
    ///
    /// The source is asked for tasks by number, in order, with `seed.child("tasks")`; the number of the next task is
    /// part of the run's state, so that a resumed run trains on the same tasks.
    ///
    /// ```
    /// # use sparring_core::Game;
    /// # use sparring_selfplay::SelfPlay;
    /// use sparring_train::Epochs;
    /// # fn with_own<'a, G: Game<Task = String>>(run: SelfPlay<'a, G>) -> SelfPlay<'a, G> {
    /// let own = Epochs::new(vec!["a".to_owned(), "b".to_owned()]);
    /// // Three tasks in ten are of the list, over and over; the Generator writes the others.
    /// let run = run.with_tasks(own, 0.3);
    /// # run
    /// # }
    /// ```
    #[must_use]
    pub fn with_tasks(mut self, source: impl TaskSource<G::Task> + 'a, share: f32) -> Self {
        self.tasks = Some(OwnTasks { source: Box::new(source), share });
        self
    }

    /// Sets the encoder of both models' tokenizer, which [`ImitationConfig`](crate::ImitationConfig) and
    /// `pool.min_relevance` need.
    #[must_use]
    pub fn with_encoder(mut self, encoder: &'a dyn Encoder) -> Self {
        self.encoder = Some(encoder);
        self
    }

    /// Calls `recorder` after every update of either player, with the update and the journal: for your own records in
    /// `events.jsonl`, which [`Report::with_section`](sparring_train::report::Page::with_section) can show.
    ///
    /// Records that depend on the update alone are the same in a resumed run. For a mean per update, a component of the
    /// reward with weight 0 is enough: it is recorded, and drawn in the report.
    #[must_use]
    pub fn with_recorder(
        mut self,
        recorder: impl FnMut(&PlayerStep<'_, G>, &mut Journal<'_, '_>) -> Result<(), TrainError> + 'a,
    ) -> Self {
        self.recorder = Some(Box::new(recorder));
        self
    }

    /// Adds an evaluation.
    #[must_use]
    pub fn with_evaluation(mut self, evaluation: Evaluation<G::Task>) -> Self {
        self.evaluations.push(evaluation);
        self
    }

    /// Adds a benchmark, which the Solver is asked before the first and after each iteration. Its answers are kept in
    /// the run's folder, under `evaluations/NAME`, so that a benchmark that was stopped goes on where it was. Its
    /// results are in [`Summary::evaluations`].
    #[must_use]
    pub fn with_benchmark(mut self, benchmark: impl Benchmark + 'a) -> Self {
        self.benchmarks.push(Box::new(benchmark));
        self
    }

    /// Adds an observer.
    #[must_use]
    pub fn with_observer(mut self, observer: impl Observer + 'a) -> Self {
        self.options.observers.push(Box::new(observer));
        self
    }

    /// Names the preset, for the summary.
    #[must_use]
    pub fn with_preset(mut self, preset: impl Into<String>) -> Self {
        self.options.preset = preset.into();
        self
    }

    /// Records what else the run depends on, by name: a digest of the model's files, say, or the device. A run is
    /// resumed with the same inputs only; an error names the one that differs.
    #[must_use]
    pub fn with_inputs(mut self, inputs: BTreeMap<String, String>) -> Self {
        self.options.inputs = inputs;
        self
    }

    /// Sets the text of `config.toml`: settings of which the run's are a part. By default the run's.
    #[must_use]
    pub fn with_config_text(mut self, text: impl Into<String>) -> Self {
        self.options.config_text = Some(text.into());
        self
    }

    /// Says what resuming does with settings that differ from those that the run began with: by default, it refuses
    /// them.
    #[must_use]
    pub fn with_changes(mut self, changes: Changes) -> Self {
        self.options.changes = changes;
        self
    }

    /// Sets what asks the run to stop ([`TrainError::Stopped`]) and counts what it samples.
    #[must_use]
    pub fn with_watch(mut self, watch: Watch) -> Self {
        self.options.watch = watch;
        self
    }

    /// Says how fast the models are: the run then records an estimate of its time (kind `estimate`), and corrects it
    /// after the first evaluation or update.
    #[must_use]
    pub fn with_demands(mut self, demands: Demands) -> Self {
        self.options.demands = Some(demands);
        self
    }

    /// The models, as they are now.
    pub fn players(&self) -> &Players {
        &self.players
    }

    /// Returns the models.
    pub fn into_players(self) -> Players {
        self.players
    }

    /// Starts a new run in the folder `dir`, which is made if it is missing, and plays it to the end.
    ///
    /// # Errors
    /// [`TrainError::Invalid`] if `dir` holds a run already, or settings and models do not match; else the error that
    /// stopped the run: [`SelfPlay::resume`] continues from the newest checkpoint.
    pub fn run(&mut self, dir: impl AsRef<Path>) -> Result<Summary, SelfPlayError> {
        self.check()?;
        let info = self.info()?;
        let mut observers = std::mem::take(&mut self.options.observers);
        let played =
            Store::create(dir.as_ref(), &info, &["tasks"], self.plan.config.checkpoints_kept, &mut observers)
                .map_err(SelfPlayError::from)
                .and_then(|store| self.play(store, None, None));
        self.options.observers = observers;
        played
    }

    /// Continues the run in `dir` from its newest whole checkpoint, and plays it to the end. With the same settings,
    /// seed, tasks and models, the weights and the summary (except times) are bit for bit those of a run that was never
    /// interrupted. For a finished run, it restores the models and returns the summary.
    ///
    /// A damaged checkpoint is skipped; the record `resumed` of `events.jsonl` says so. Settings and seed are compared
    /// by meaning with those that the run began with ([`Changes`]).
    ///
    /// # Errors
    /// [`TrainError::Invalid`] if `dir` holds no run, or another; [`TrainError::Damaged`] if no checkpoint
    /// is whole; else as [`SelfPlay::run`].
    pub fn resume(&mut self, dir: impl AsRef<Path>) -> Result<Summary, SelfPlayError> {
        self.check()?;
        let info = self.info()?;
        let mut observers = std::mem::take(&mut self.options.observers);
        let played = self.restore_and_play(dir.as_ref(), &info, &mut observers);
        self.options.observers = observers;
        played
    }

    fn restore_and_play(
        &mut self,
        dir: &Path,
        info: &RunInfo,
        observers: &mut [Box<dyn Observer + 'a>],
    ) -> Result<Summary, SelfPlayError> {
        let (mut store, resumed) = Store::resume(
            dir,
            info,
            self.options.changes,
            self.plan.config.checkpoints_kept,
            observers,
            &mut self.players.named_mut(),
        )?;
        let at = resumed.state.as_ref().map_or(Cursor::START, |state: &State<G::Task>| state.cursor);
        store.record_resumed(&resumed, &[("iteration", at.iteration), ("step", at.step)])?;
        self.play(store, resumed.state, resumed.reference)
    }

    fn play(
        &mut self,
        store: Store<'_, 'a>,
        state: Option<State<G::Task>>,
        reference: Option<Box<dyn Scorer>>,
    ) -> Result<Summary, SelfPlayError> {
        let state = state.unwrap_or_else(State::new);
        Run {
            plan: &self.plan,
            game: self.game,
            generator_reward: self.generator_reward.as_ref(),
            solver_reward: self.solver_reward.as_ref(),
            evaluations: &self.evaluations,
            benchmarks: &self.benchmarks,
            players: &mut self.players,
            seed: self.seed,
            tasks: self.tasks.as_mut(),
            encoder: self.encoder,
            recorder: self.recorder.as_deref_mut(),
            drift: DriftNote::default(),
            store,
            state,
            reference,
            clock: Instant::now(),
            unsaved: false,
            watch: self.options.watch.clone(),
            demands: self.options.demands,
        }
        .drive()
    }

    /// The run; the share of own tasks is one of its inputs.
    fn info(&self) -> Result<RunInfo, TrainError> {
        let mut info = self.options.info(self.seed, &self.plan.config)?;
        if let Some(tasks) = &self.tasks {
            info.inputs.insert("share of own tasks".to_owned(), tasks.share.to_string());
        }
        Ok(info)
    }

    fn check(&self) -> Result<(), SelfPlayError> {
        self.players.check(&self.plan.config)?;
        let pool = &self.plan.config.pool;
        if pool.ranks() && self.players.generator_scorer().is_none() {
            let remedy = "needs a Generator that scores: pass Seat::FrozenScorer(model), or leave out \
                          pool.likeliest, pool.min_likelihood and pool.min_relevance";
            return Err(TrainError::setting("pool.likeliest", "with a frozen Generator", remedy).into());
        }
        if pool.min_relevance.is_some() && self.encoder.is_none() {
            let remedy = "needs the tokenizer: give it by SelfPlay::with_encoder";
            return Err(TrainError::setting("pool.min_relevance", "without an encoder", remedy).into());
        }
        if let Some(tasks) = &self.tasks {
            check::share("SelfPlay::with_tasks, share", tasks.share)?;
        }
        Ok(Evaluation::check_all(&self.evaluations)?)
    }
}
