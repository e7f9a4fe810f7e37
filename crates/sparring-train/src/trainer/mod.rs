mod run;
mod stages;
mod state;
mod step;

pub use state::{EvaluationRow, StepRecord, TrainSummary};
pub use step::Step;

use crate::store::{Changes, Journal, RunOptions};
use crate::{Demands, Evaluation, TrainError, TrainPlan, Watch};
use serde::Serialize;
use serde_json::Value;
use sparring_core::{
    BoxError, Hook, Observer, Player, Policy, Prompt, Reward, Rollout, Scorer, Seed, TaskSource,
};
use state::State;
use std::collections::BTreeMap;
use std::fmt;

/// Trains one policy on tasks by a reward: see the [crate's documentation](crate).
///
/// [`Trainer::run`] and [`Trainer::resume`] do the whole run in a folder; [`Trainer::step`] does one update in memory,
/// for loops of your own.
///
/// Update `s` draws the next tasks of the source with `seed.child("tasks")`, and samples group `i` of it from
/// `seed.index(s).child("sample").index(i)`.
pub struct Trainer<'a, T> {
    plan: TrainPlan,
    policy: &'a mut (dyn Policy + 'a),
    source: Box<dyn TaskSource<T> + 'a>,
    prompt: Box<dyn Fn(&T) -> Prompt + 'a>,
    hook: HookOf<'a, T>,
    reward: Box<dyn Reward<T> + 'a>,
    seed: Seed,
    player: Option<Player>,
    key: Option<Key<'a, T>>,
    consistency: Option<Consistency<'a, T>>,
    solved: Option<Solved<'a, T>>,
    solve_rates: Option<SolveRates<'a, T>>,
    show: Option<fn(&T) -> Value>,
    evaluations: Vec<Evaluation<T>>,
    recorder: Option<Recorder<'a, T>>,
    options: RunOptions<'a>,
    state: State,
    /// The reference model of the KL term.
    reference: Option<Box<dyn Scorer>>,
    /// The update that it was frozen for, in this process.
    frozen_at: Option<usize>,
}

type HookOf<'a, T> = Box<dyn Fn(&T) -> Option<Hook> + 'a>;
type Key<'a, T> = Box<dyn Fn(&T) -> String + 'a>;
type Consistency<'a, T> = Box<dyn Fn(&T, &[Rollout]) -> f64 + 'a>;
type Solved<'a, T> = Box<dyn Fn(&T, &Rollout) -> bool + 'a>;
type Recorder<'a, T> = Box<dyn FnMut(&Step<T>, &mut Journal<'_, '_>) -> Result<(), TrainError> + 'a>;
type SolveRates<'a, T> = Box<dyn Fn(&[T], &[Vec<Rollout>], Seed) -> Result<Vec<Rates>, BoxError> + 'a>;
/// One entry a completion of a group.
type Rates = Vec<Option<f32>>;

impl<T> fmt::Debug for Trainer<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plan, seed, state, .. } = self;
        f.debug_struct("Trainer")
            .field("plan", plan)
            .field("seed", seed)
            .field("state", state)
            .finish_non_exhaustive()
    }
}

impl<'a, T> Trainer<'a, T> {
    /// A run of `plan`: `policy` answers the `prompt` of each task of `source`, and learns by `reward`.
    ///
    /// [`task_source_fn`](sparring_core::task_source_fn) and [`reward_fn`](sparring_core::reward_fn) make sources and
    /// rewards of closures; [`Epochs`](crate::Epochs) makes a source of a list. To resume a run, pass the policy as it
    /// was before the first update: its weights are restored from the checkpoint.
    pub fn new<P: Into<Prompt>>(
        plan: TrainPlan,
        policy: &'a mut (dyn Policy + 'a),
        source: impl TaskSource<T> + 'a,
        prompt: impl Fn(&T) -> P + 'a,
        reward: impl Reward<T> + 'a,
        seed: Seed,
    ) -> Self {
        Self {
            plan,
            policy,
            source: Box::new(source),
            prompt: Box::new(move |task| prompt(task).into()),
            hook: Box::new(|_| None),
            reward: Box::new(reward),
            seed,
            player: None,
            key: None,
            consistency: None,
            solved: None,
            solve_rates: None,
            show: None,
            evaluations: Vec::new(),
            recorder: None,
            options: RunOptions::default(),
            state: State::default(),
            reference: None,
            frozen_at: None,
        }
    }

    /// Sets the player that is trained: `RewardContext::player`, for rewards that depend on it.
    #[must_use]
    pub fn with_player(mut self, player: Player) -> Self {
        self.player = Some(player);
        self
    }

    /// The hook that a task's completions are drawn under, in training and evaluations: a grammar, say. It may only
    /// forbid tokens.
    #[must_use]
    pub fn with_hook(mut self, hook: impl Fn(&T) -> Option<Hook> + 'a) -> Self {
        self.hook = Box::new(hook);
        self
    }

    /// The key of a task for the keyed advantages: tasks of one key share a statistic.
    #[must_use]
    pub fn with_key(mut self, key: impl Fn(&T) -> String + 'a) -> Self {
        self.key = Some(Box::new(key));
        self
    }

    /// The self-consistency p of a group for ADPO: the share of its completions that agree with the majority, in
    /// [0, 1] ([`majority`](crate::majority) counts).
    #[must_use]
    pub fn with_consistency(mut self, consistency: impl Fn(&T, &[Rollout]) -> f64 + 'a) -> Self {
        self.consistency = Some(Box::new(consistency));
        self
    }

    /// Decides whether a completion solves its task: for evaluations, and for the solve rate of each update.
    #[must_use]
    pub fn with_solved(mut self, solved: impl Fn(&T, &Rollout) -> bool + 'a) -> Self {
        self.solved = Some(Box::new(solved));
        self
    }

    /// Measures how hard the proposed tasks are, for a policy that proposes tasks: called between sampling and scoring
    /// with the tasks, the completions of each, and a seed of its own. It returns one rate a completion, in [0, 1];
    /// `None` for a completion that proposes nothing that could be tried. Rewards read them in
    /// `RewardContext::solve_rates`. Without [`Trainer::with_solved`], their mean is the solve rate of the update.
    #[must_use]
    pub fn with_solve_rates(
        mut self,
        rates: impl Fn(&[T], &[Vec<Rollout>], Seed) -> Result<Vec<Vec<Option<f32>>>, BoxError> + 'a,
    ) -> Self {
        self.solve_rates = Some(Box::new(rates));
        self
    }

    /// Adds an evaluation; [`Trainer::with_solved`] decides whether an answer is right.
    #[must_use]
    pub fn with_evaluation(mut self, evaluation: Evaluation<T>) -> Self
    where
        T: Serialize,
    {
        self.show = Some(|task| serde_json::to_value(task).unwrap_or_default());
        self.evaluations.push(evaluation);
        self
    }

    /// Calls `recorder` after every update of [`Trainer::run`] and [`Trainer::resume`], with the update and the
    /// journal: for your own records in `events.jsonl`, which
    /// [`Report::with_section`](crate::report::Page::with_section) can show.
    ///
    /// Records that depend on the update alone are the same in a resumed run. For a mean per update, a component of the
    /// reward with weight 0 is enough: it is recorded, and drawn in the report.
    ///
    /// ```
    /// # use sparring_core::{Message, Rollout, SamplingParams, Seed, reward_fn};
    /// # use sparring_testkit::ToyPolicy;
    /// use sparring_train::report::html;
    /// use sparring_train::{Epochs, Report, TrainConfig, Trainer};
    /// # let dir = std::env::temp_dir().join(format!("sparring-recorder-doc-{}", std::process::id()));
    /// # let mut policy = ToyPolicy::new("abc", Seed::new(1));
    /// # let sampling = SamplingParams::default().with_max_tokens(4);
    /// # let plan = TrainConfig::default().with_steps(3).with_sampling(sampling).build()?;
    /// # let prompt = |letter: &&str| vec![Message::user(*letter)];
    /// # let reward = reward_fn("length", |_: &&str, out: &Rollout| Some(out.text.len() as f32));
    ///
    /// let mut trainer = Trainer::new(plan, &mut policy, Epochs::new(vec!["a"]), prompt, reward, Seed::new(7))
    ///     .with_recorder(|step, journal| {
    ///         let longest = step.groups.iter().flatten().map(|rollout| rollout.text.len()).max();
    ///         journal.record("my_lengths", &serde_json::json!({ "step": step.record.step, "longest": longest }))
    ///     });
    /// trainer.run(&dir)?;
    /// Report::open(&dir)?
    ///     .with_section("Lengths", |records| {
    ///         let row = |record: &serde_json::Value| vec![record["step"].to_string(), record["longest"].to_string()];
    ///         html::table(&["update", "longest completion"], &records.of("my_lengths").map(row).collect::<Vec<_>>())
    ///     })
    ///     .write()?;
    /// # assert!(std::fs::read_to_string(dir.join("report.html"))?.contains("longest completion"));
    /// # std::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_recorder(
        mut self,
        recorder: impl FnMut(&Step<T>, &mut Journal<'_, '_>) -> Result<(), TrainError> + 'a,
    ) -> Self {
        self.recorder = Some(Box::new(recorder));
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

    /// Says how fast the model is: the run then records an estimate of its time (kind `estimate`), and corrects it
    /// after the first evaluation or update.
    #[must_use]
    pub fn with_demands(mut self, demands: Demands) -> Self {
        self.options.demands = Some(demands);
        self
    }

    /// The policy, as it is now.
    pub fn policy(&self) -> &dyn Policy {
        &*self.policy
    }

    fn check(&self) -> Result<(), TrainError> {
        let missing = [
            (self.plan.updater.needs_keys() && self.key.is_none(), "grpo.advantage", "Trainer::with_key"),
            (
                self.plan.updater.adpo().is_some() && self.consistency.is_none(),
                "adpo",
                "Trainer::with_consistency",
            ),
            (!self.evaluations.is_empty() && self.solved.is_none(), "an evaluation", "Trainer::with_solved"),
        ];
        match missing.into_iter().find(|(missing, ..)| *missing) {
            Some((_, what, with)) => {
                Err(TrainError::invalid(format!("{what} needs a function: give it by {with}")))
            }
            None => Evaluation::check_all(&self.evaluations),
        }
    }
}
