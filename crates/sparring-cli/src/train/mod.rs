//! Trains a model on a file of tasks by GRPO, with the reward and the update of a paper or of your own.
//!
//! ```sh
//! sparring train --preset toolrl/original --tasks tasks.jsonl --model DIR --evaluate heldout.jsonl
//! sparring train --config mine.toml --tasks tasks.jsonl --model DIR --lora 16 --device cuda:0
//! sparring train --resume runs/toolrl-original-1 --model DIR
//! ```
//!
//! A task is one JSON object a line: `id`, `benchmark` (a category), `messages`, `tools`, `answers`. Of papers with a
//! proposer and a solver (R-Zero, Absolute Zero, Agent0), the solver is trained. `--player proposer` trains the
//! proposer; the base model tries its questions.

mod problems;
mod propose;
mod reads;
mod settings;
#[cfg(test)]
mod tests;

use crate::asking::Method;
use crate::demands::{Planned, measure};
use crate::models::{Model, export};
use crate::stop::Signals;
use problems::{OfTask, Problem, Problems};
use propose::Proposer;
use reads::Reads;
pub(crate) use settings::Args;
use settings::{Settings, Trained};
use sparring::core::{BoxError, Observer, Player, Prompt, Reward, Rollout, Seed};
use sparring::eval::{AnswerReader, ExactGrader, Grader};
use sparring::reward::majority::self_consistency;
use sparring::train::progress::Progress;
use sparring::train::store::newest_checkpoint;
use sparring::train::{
    Demands, Epochs, Evaluation, Outcome, TensorBoard, TrainSummary, Trainer, Watch, write_report,
};
use std::io::Write;
use std::sync::Arc;

/// Trains or resumes, and prints the outcome.
pub(crate) fn run(args: &Args) -> Result<(), BoxError> {
    let signals = Signals::listen()?;
    let watch = Watch { stop: signals.flag(), ..Watch::default() };
    let settings = Settings::read(args)?;
    let progress = Progress::new().with_log(settings.dir.join("run.log")).with_meter(watch.meter.clone());
    let (summary, trained) =
        signals.ended(train(&settings, progress, &watch), || args.continuation(&settings.dir))?;
    let report = write_report(&settings.dir)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", Outcome::new(&summary, &settings.dir)?)?;
    writeln!(out, "report: {}\n{trained}", report.display())?;
    Ok(())
}

/// The run's summary, and where the trained model is.
fn train(
    settings: &Settings,
    observer: impl Observer,
    watch: &Watch,
) -> Result<(TrainSummary, String), BoxError> {
    // 1. The model: the base, and the copy of it (or the adapters on it) that learns.
    let base = Model::load_with(settings.model.as_deref(), &settings.device)?;
    let seed = Seed::new(settings.seed);
    let lora = settings.recorded.run.lora;
    let start = || base.copy(lora, seed.child("lora"));
    let mut policy = start()?.into_policy();

    // 2. How tasks become prompts, and answers calls: in the format that the reward reads.
    let template = base.tokenizer().template_source().unwrap_or_default();
    let reads = Reads::of(settings.recorded.solver()?);
    let method = Method::choose(reads.notation(), settings.recorded.run.prompt, false, template)?;
    if let Some(note) = &method.note {
        eprintln!("note: {note}");
    }
    let problems = Problems { prompter: method.prompter(base.tokenizer())?, reads: &reads };

    // 3. Who is trained: by default the solver, whose evaluations are its exact matches.
    let base_sampler = watch.over(base.sampler());
    let (trainer, prompts) = match settings.recorded.run.player {
        Trained::Solver => {
            let tasks = problems.load(&settings.tasks)?;
            let reward = OfTask(settings.recorded.solver_reward()?);
            let end = tasks.first().map(|task| base.end_of_prompt(&task.prompt)).transpose()?;
            let reader =
                Method::choose(reads.notation(), settings.recorded.run.prompt, false, template)?.reader;
            let reader = reader.after(end.as_deref().unwrap_or_default());
            let prompts = some_prompts(&tasks);
            let mut trainer = trainer(settings, &mut *policy, tasks, reward)?
                .with_player(Player::Solver)
                .with_consistency(|_, group| consistency(&reads, group))
                .with_solved(move |task, out| solved(&reader, task, out));
            if let Some(file) = &settings.evaluate {
                trainer = trainer.with_evaluation(Evaluation::greedy("heldout", problems.load(file)?));
            }
            (trainer, prompts)
        }
        Trained::Proposer => {
            let proposer = Proposer::new(&settings.recorded, &problems, &base_sampler)?;
            let tasks = proposer.load(&settings.tasks)?;
            let reward = settings.recorded.paper.proposer_reward::<Arc<Problem>>()?;
            let prompts = some_prompts(&tasks);
            let trainer = trainer(settings, &mut *policy, tasks, reward)?
                .with_player(Player::Generator)
                .with_consistency(|_, group| consistency(&reads, group))
                .with_solve_rates(move |tasks, groups, seed| proposer.solve_rates(tasks, groups, seed));
            (trainer, prompts)
        }
    };

    // 4. The run.
    let mut trainer = trainer
        .with_observer(observer)
        .with_observer(TensorBoard::new(&settings.dir).with_meter(watch.meter.clone()))
        .with_watch(watch.clone());
    if let Some(demands) = demands(settings, &base, prompts)? {
        trainer = trainer.with_demands(demands);
    }
    let summary =
        if settings.resume { trainer.resume(&settings.dir)? } else { trainer.run(&settings.dir)? };
    drop(trainer);
    drop(policy);
    let checkpoint = newest_checkpoint(&settings.dir)?.join("policy");
    Ok((summary, export(start()?, &checkpoint, lora.is_some(), &settings.dir)?.to_string()))
}

/// The prompts of a trial.
fn some_prompts(tasks: &[Arc<Problem>]) -> Vec<Prompt> {
    tasks.iter().take(4).map(|task| task.prompt.clone()).collect()
}

/// What the run will need, by a trial on some of its prompts.
fn demands(settings: &Settings, base: &Model, prompts: Vec<Prompt>) -> Result<Option<Demands>, BoxError> {
    let update = settings.recorded.update()?;
    let run = Planned {
        prompts: prompts.into_iter().map(|prompt| (prompt, update.sampling.max_tokens)).collect(),
        lora: settings.recorded.run.lora,
        learners: 1,
        optimizers: 1,
        references: usize::from(update.grpo.kl.coef > 0.0),
        update: (update.prompts_per_step, update.prompts_per_step * update.group_size),
        grpo: &update.grpo,
        threads: settings.device.threads,
    };
    Ok(measure(&settings.dir, base, &run))
}

/// What both players have in common.
fn trainer<'a>(
    settings: &'a Settings,
    policy: &'a mut dyn sparring::core::Policy,
    tasks: Vec<Arc<Problem>>,
    reward: impl Reward<Arc<Problem>> + 'a,
) -> Result<Trainer<'a, Arc<Problem>>, BoxError> {
    let (plan, seed) = (settings.recorded.update()?.clone().build()?, Seed::new(settings.seed));
    let prompt = |task: &Arc<Problem>| task.prompt.clone();
    let player = settings.recorded.run.player;
    Ok(Trainer::new(plan, policy, Epochs::new(tasks), prompt, reward, seed)
        .with_preset(&settings.preset)
        .with_config_text(settings.recorded.to_toml()?)
        .with_inputs(settings.inputs.clone())
        .with_changes(settings.changes)
        .with_key(move |task| format!("{player:?} {}", task.item.category)))
}

/// Whether an answer makes exactly the task's calls.
fn solved(reader: &AnswerReader, task: &Problem, out: &Rollout) -> bool {
    ExactGrader::new().grade(&task.item, &reader.read(&task.item, &out.text)).valid
}

/// The share of a group that gives the majority's answer; 0 where nobody gives one.
fn consistency(reads: &Reads, group: &[Rollout]) -> f64 {
    let answers: Vec<Option<String>> = group.iter().map(|out| reads.answer.of(&out.text)).collect();
    let answers: Vec<Option<&str>> = answers.iter().map(Option::as_deref).collect();
    self_consistency(&answers).unwrap_or(0.0)
}
