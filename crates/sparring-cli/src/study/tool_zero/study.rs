//! The base model, the tasks, and the runs of every arm with every seed.

use crate::errors::at;
use crate::study::tool_zero::job::{self, Accuracy, BaseResult, RunResult};
use crate::study::tool_zero::settings::Settings;
use sparring::candle::{CandlePolicy, PolicyOptions};
use sparring::core::{BoxError, SamplingParams, Seed};
use sparring::miniature::{Part, TaskFamily, World, prompts, write_base};
use sparring::recipes::tool_r0::{GameOptions, SpecDistribution, ToolR0Game};
use sparring::recipes::tool_zero::{Arm, ToolZero, Training, coverage, mask_names};
use sparring::tools::ToolTask;
use sparring::train::Evaluation;
use sparring::train::progress::Bar;
use sparring::train::report::read_json;
use sparring::train::store::changed_settings;
use sparring::train::store::disk::write_atomic;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// The family that every arm learns on.
const TRAINED: TaskFamily = TaskFamily::Errands;
/// Answers that the base tries on each task.
const TRIES: usize = 8;
/// Evaluations and tries draw from it: the same for all arms and seeds.
const EVALUATION_SEED: Seed = Seed::new(11);

/// Everything that the runs share.
pub(crate) struct Study<'a> {
    settings: &'a Settings,
    plan: ToolZero,
    game: ToolR0Game,
    base: CandlePolicy,
    training: Vec<ToolTask>,
    intra: Evaluation<ToolTask>,
    cross: Evaluation<ToolTask>,
}

impl<'a> Study<'a> {
    /// Checks the settings, makes the folder, loads the base.
    pub(crate) fn open(settings: &'a Settings) -> Result<Self, BoxError> {
        let plan = settings.config.tool_zero.clone().build()?;
        claim_folder(settings)?;
        // Accuracy is about the calls; whether there is a thought is the format reward's business.
        let mut options = GameOptions::default();
        options.require_think = false;
        let game = ToolR0Game::new(SpecDistribution::default(), &prompts(), options)?;
        let scratch = tempfile::tempdir()?;
        write_base(scratch.path())?;
        let base = CandlePolicy::load(scratch.path(), PolicyOptions::default().with_threads(1))?;
        let (world, tasks) = (World::new(), &settings.config.tasks);
        let part = settings.evaluated();
        Ok(Self {
            settings,
            plan,
            game,
            base,
            training: TRAINED.tasks(&world, Part::Train, tasks.training),
            intra: Evaluation::greedy("intra", TRAINED.tasks(&world, part, tasks.evaluation)),
            cross: Evaluation::greedy("cross", TRAINED.other().tasks(&world, part, tasks.evaluation)),
        })
    }

    /// What the base can do, greedily and in several tries.
    pub(crate) fn base(&self) -> Result<BaseResult, BoxError> {
        let path = self.settings.dir.join("runs/base.json");
        if let Some(known) = read_json(&path)? {
            return Ok(known);
        }
        let progress = Bar::new("base", 6);
        let started = Instant::now();
        let mut base = self.base.duplicate();
        base.set_options(PolicyOptions::default().with_threads(self.settings.threads))?;
        let accuracy = self.evaluate(&base)?;
        progress.add(2, "");
        let params = SamplingParams::default().with_max_tokens(self.settings.config.tool_zero.max_tokens);
        let count = self.settings.config.tasks.coverage;
        let tries = |tasks: &[ToolTask]| {
            let tasks = &tasks[..count.min(tasks.len())];
            let found = coverage(&self.game, &base, tasks, TRIES, &params, EVALUATION_SEED.child("tries"));
            progress.add(1, "");
            found
        };
        let masked =
            (0..).zip(&self.training).take(count).map(|(i, task)| mask_names(task, EVALUATION_SEED.index(i)));
        let masked: Vec<ToolTask> = masked.collect();
        let result = BaseResult {
            accuracy,
            intra: tries(&self.intra.tasks)?,
            cross: tries(&self.cross.tasks)?,
            training: tries(&self.training)?,
            masked: tries(&masked)?,
            seconds: started.elapsed().as_secs_f64(),
        };
        job::write(&path, &result)?;
        Ok(result)
    }

    /// Every arm with every seed, as many at a time as there are threads; those that are there already are read.
    pub(crate) fn runs(&self) -> Result<Vec<RunResult>, BoxError> {
        let jobs: Vec<(u64, Arm)> = (1..=self.settings.seeds)
            .flat_map(|seed| self.settings.arms.iter().map(move |&arm| (seed, arm)))
            .collect();
        let progress = Bar::new("updates", jobs.len() * self.plan.config().updates);
        let next = AtomicUsize::new(0);
        let results = Mutex::new((0..jobs.len()).map(|_| None).collect::<Vec<Option<_>>>());
        let work = || {
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                let Some(&(seed, arm)) = jobs.get(i) else { break };
                let result = self.run(arm, seed, &progress);
                if result.is_err() {
                    // The others finish what they are at.
                    next.store(jobs.len(), Ordering::Relaxed);
                }
                results.lock().unwrap_or_else(std::sync::PoisonError::into_inner)[i] = Some(result);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.settings.threads.min(jobs.len()) {
                scope.spawn(work);
            }
        });
        let results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        results.into_iter().flatten().collect()
    }

    /// One arm with one seed: train, then run the evaluations.
    fn run(&self, arm: Arm, seed: u64, progress: &Bar) -> Result<RunResult, BoxError> {
        let path = self.settings.dir.join(format!("runs/{arm}-{seed}.json"));
        if let Some(known) = read_json(&path)? {
            progress.add(self.plan.config().updates, "");
            return Ok(known);
        }
        let started = Instant::now();
        let mut policy = self.base.duplicate();
        let encoder = self.base.tokenizer().clone();
        let training = Training {
            plan: &self.plan,
            game: &self.game,
            encoder: &encoder,
            tasks: &self.training,
            seed: Seed::new(seed),
        };
        let records = training.run(arm, &mut policy, &mut |record| {
            let done = match record.solved {
                Some(share) => format!("{} {seed}: solved {:.0} %", arm.label(), 100.0 * share),
                None => format!("{} {seed}: loss {:.2}", arm.label(), record.loss),
            };
            progress.add(1, &done);
        })?;
        let accuracy = self.evaluate(&policy)?;
        let seconds = started.elapsed().as_secs_f64();
        let scores = (100.0 * accuracy.intra.accuracy, 100.0 * accuracy.cross.accuracy);
        progress.line(&format!(
            "{:24} seed {seed}: intra {:.1} %, cross {:.1} %  ({seconds:.0} s)",
            arm.label(),
            scores.0,
            scores.1
        ));
        let result = RunResult { arm, seed, accuracy, records, seconds };
        job::write(&path, &result)?;
        Ok(result)
    }

    fn evaluate(&self, policy: &CandlePolicy) -> Result<Accuracy, BoxError> {
        let most = self.plan.config().max_tokens;
        let run =
            |evaluation: &Evaluation<ToolTask>| evaluation.run(&self.game, policy, most, EVALUATION_SEED);
        Ok(Accuracy { intra: run(&self.intra)?, cross: run(&self.cross)? })
    }
}

/// Makes the folder; one that holds results of other settings is refused.
fn claim_folder(settings: &Settings) -> Result<(), BoxError> {
    let path: PathBuf = settings.dir.join("config.toml");
    let text = toml::to_string_pretty(&settings.config)?;
    if let Ok(found) = std::fs::read_to_string(&path) {
        let changes: Vec<String> = changed_settings(&found, &text).iter().map(ToString::to_string).collect();
        return if changes.is_empty() {
            Ok(())
        } else {
            Err(format!(
                "{}: holds results of other settings ({}); choose another folder (--out)",
                path.display(),
                changes.join("; ")
            )
            .into())
        };
    }
    std::fs::create_dir_all(settings.dir.join("runs")).map_err(at(&settings.dir))?;
    Ok(write_atomic(&path, text.as_bytes())?)
}
