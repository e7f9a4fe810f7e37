//! Two small models teach each other to call tools, from no data at all (Tool-R0, arXiv 2602.21320).
//!
//! ```sh
//! sparring play                                  # the miniature, on a laptop CPU
//! sparring play --preset quick --out runs/q      # one short iteration
//! sparring play --resume runs/q                  # continue where it was stopped
//! ```
//!
//! A Generator invents requests, lists of tools and the calls that serve them; a Solver answers them. The
//! Generator is rewarded for tasks that the Solver solves sometimes, the Solver for right calls. Both start as
//! the same base model. At the end the Solver has been evaluated on tools that no document showed the base in use.

mod benchmarks;
mod card;
mod models;
pub(crate) mod recipe;
mod settings;
#[cfg(test)]
pub(crate) mod tests;

use crate::mcp::Served;
use crate::models::{Model, VARIABLES, export};
use crate::stop::Signals;
use benchmarks::{Asking, EvalArg, InRun, Way};
use recipe::{Parts, Recipe};
pub(crate) use settings::Args;
use settings::Settings;
use sparring::core::{BoxError, Game, Player, Seed};
use sparring::eval::Benchmark;
use sparring::recipes::own_tools::ParameterValues;
use sparring::selfplay::{Outcome, SelfPlay, write_report};
use sparring::tools::ToolTask;
use sparring::train::progress::Progress;
use sparring::train::store::newest_checkpoint;
use sparring::train::{Epochs, Evaluation, TensorBoard, Watch};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// Plays or resumes a run, and prints the outcome. The evaluations are the embedded miniature's.
pub(crate) fn play(args: &Args, evaluations: Vec<Evaluation<ToolTask>>) -> Result<(), BoxError> {
    // 1. What is played: a preset or a file of settings; of a run that is resumed, its own.
    let served = args.mcp.as_deref().map(Served::fetch).transpose()?;
    let args = &args.with_tools(served.as_ref().map(Served::path));
    let settings = Settings::read(args)?;
    // What is wrong with the data is said before anything that takes time, and before there is a folder.
    let loaded = load(args)?;
    let base = Arc::new(models::base(args)?);

    // 2. The game: over the user's tools, or over tools that the Generator invents.
    match settings.recipe.clone() {
        Recipe::ToolR0(config) => {
            let constrained = config.game.constrain;
            let mut recipe = config.build()?;
            if constrained {
                recipe.game = recipe.game.with_guide(recipe::guide(base.tokenizer())?)?;
            }
            let game = Arc::new(recipe.game);
            // The miniature's evaluation says nothing about another model.
            let evaluations =
                if args.model.is_none() || args.evals.is_empty() { evaluations } else { Vec::new() };
            let parts = Parts {
                game: Arc::clone(&game),
                generator_reward: Box::new(recipe.generator_reward),
                solver_reward: Box::new(recipe.solver_reward),
                plan: recipe.self_play,
                evaluations,
                tasks: Vec::new(),
            };
            let asking =
                || Ok(vec![if constrained { Asking::tool_r0(&game) } else { Asking::model(&base)? }]);
            let benchmarks = benchmarks(&settings, &loaded, asking)?;
            run(args, &settings, &base, parts, benchmarks)
        }
        Recipe::OwnTools(config) => {
            let tools = args.tools.as_deref().ok_or("name the tools (--tools FILE)")?;
            let proposes = config.self_play.generator.train || args.tasks.is_none() || args.tasks_share < 1.0;
            let plans_values = proposes && config.plan.given_values > 0.0;
            let recipe = config.build(recipe::catalogue(tools)?, Some(recipe::guide(base.tokenizer())?))?;
            let tasks = args.tasks.as_deref().map(recipe::requests).transpose()?.unwrap_or_default();
            let values = if plans_values {
                models::parameter_values(&base, recipe.game.catalogue(), &settings)?
            } else {
                ParameterValues::default()
            };
            let game = Arc::new(recipe.game.with_values(values));
            let parts = Parts {
                game: Arc::clone(&game),
                generator_reward: Box::new(recipe.generator_reward),
                solver_reward: Box::new(recipe.solver_reward),
                plan: recipe.self_play,
                evaluations: Vec::new(),
                tasks,
            };
            let ways =
                [(Way::Constrained, true), (Way::Free, args.eval_free), (Way::Examples, args.eval_examples)];
            let asked = ways.into_iter().filter(|(_, asked)| *asked);
            let asking = || Ok(asked.clone().map(|(way, _)| Asking::own_tools(&game, way)).collect());
            let benchmarks = benchmarks(&settings, &loaded, asking)?;
            let kept = served.map(|served| served.keep(&settings.dir)).transpose()?;
            run(&args.with_tools(kept), &settings, &base, parts, benchmarks)
        }
    }
}

/// An evaluation and its data.
type Loaded<'a> = (&'a EvalArg, Benchmark);

/// Loads the benchmarks of the command line.
fn load(args: &Args) -> Result<Vec<Loaded<'_>>, BoxError> {
    args.evals.iter().map(|eval| Ok((eval, eval.load(args.eval_limit)?))).collect()
}

/// The benchmarks of a run, each asked in these ways.
fn benchmarks(
    settings: &Settings,
    loaded: &[Loaded<'_>],
    asking: impl Fn() -> Result<Vec<Asking>, BoxError>,
) -> Result<Vec<InRun>, BoxError> {
    let runs = settings.dir.parent().unwrap_or(Path::new("."));
    let max_tokens = settings.recipe.self_play().solver.max_tokens;
    let input = |name: &str| settings.inputs.get(name);
    let mut all = Vec::new();
    for (eval, items) in loaded {
        let mut identity = serde_json::json!({"model": input("model"), "data": input(&eval.input())});
        if let Some(variables) = input(VARIABLES) {
            identity[VARIABLES] = variables.as_str().into();
        }
        for asking in asking()? {
            all.push(InRun::new(items.clone(), asking, max_tokens, identity.clone(), runs));
        }
    }
    Ok(all)
}

/// The run. Every random choice descends from the seed: the same seed gives the same run.
fn run<G: Game>(
    args: &Args,
    settings: &Settings,
    base: &Arc<Model>,
    parts: Parts<G>,
    benchmarks: Vec<InRun>,
) -> Result<(), BoxError> {
    let signals = Signals::listen()?;
    let watch = Watch { stop: signals.flag(), ..Watch::default() };
    let demands = models::demands(base, settings, &parts, args.device.threads);
    let players = models::players(base, settings)?;
    let mut run = SelfPlay::new(
        parts.plan,
        &*parts.game,
        parts.generator_reward,
        parts.solver_reward,
        players,
        Seed::new(settings.seed),
    )
    .with_preset(&settings.preset)
    .with_config_text(settings.recipe.to_toml()?)
    .with_inputs(settings.inputs.clone())
    .with_changes(settings.changes)
    .with_encoder(base.tokenizer())
    .with_watch(watch.clone())
    .with_observer(Progress::new().with_log(settings.dir.join("run.log")).with_meter(watch.meter.clone()))
    .with_observer(TensorBoard::new(&settings.dir).with_meter(watch.meter));
    if let Some(demands) = demands {
        run = run.with_demands(demands);
    }
    if !parts.tasks.is_empty() {
        run = run.with_tasks(Epochs::new(parts.tasks), args.tasks_share);
    }
    for evaluation in parts.evaluations {
        run = run.with_evaluation(evaluation);
    }
    for benchmark in benchmarks {
        run = run.with_benchmark(benchmark);
    }
    let played = if settings.resume { run.resume(&settings.dir) } else { run.run(&settings.dir) };
    let summary = signals.ended(played, || args.continuation(&settings.dir))?;

    // The outcome.
    let solver = run.players().folder(Player::Solver);
    drop(run);
    let checkpoint = newest_checkpoint(&settings.dir)?.join(solver);
    let copy = models::start(base, settings, solver)?;
    let trained = export(copy, &checkpoint, settings.lora.is_some(), &settings.dir)?;
    card::write(&trained.folder, args, settings, &summary)?;
    recipe::keep_game(&trained.folder, &settings.recipe)?;
    let report = write_report(&settings.dir)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", Outcome::new(&summary, &settings.dir)?)?;
    writeln!(out, "report: {}\n{trained}", report.display())?;
    Ok(())
}
