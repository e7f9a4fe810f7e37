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

mod models;
mod settings;
#[cfg(test)]
pub(crate) mod tests;

use crate::models::export;
use crate::stop::Signals;
pub(crate) use settings::Args;
use settings::Settings;
use sparring::core::{BoxError, Player, Seed};
use sparring::recipes::tool_r0::ToolR0;
use sparring::selfplay::{Outcome, SelfPlay, write_report};
use sparring::tools::ToolTask;
use sparring::train::progress::Progress;
use sparring::train::store::newest_checkpoint;
use sparring::train::{Evaluation, TensorBoard, Watch};
use std::io::Write;

/// Plays or resumes a run, and prints the outcome.
pub(crate) fn play(args: &Args, evaluations: Vec<Evaluation<ToolTask>>) -> Result<(), BoxError> {
    let signals = Signals::listen()?;
    let watch = Watch { stop: signals.flag(), ..Watch::default() };

    // 1. What is played: a preset or a file of settings; of a run that is resumed, its own.
    let settings = Settings::read(args)?;
    let recipe: ToolR0 = settings.config.clone().build()?;

    // 2. Who plays: Generator and Solver, two copies of one base model.
    let base = models::base(args)?;
    let demands = models::demands(&base, &settings, &recipe, &evaluations, args.device.threads);
    let players = models::players(&base, &settings)?;

    // 3. The run. Every random choice descends from the seed: the same seed gives the same run.
    let mut run = SelfPlay::new(
        recipe.self_play,
        &recipe.game,
        recipe.generator_reward,
        recipe.solver_reward,
        players,
        Seed::new(settings.seed),
    )
    .with_preset(&settings.preset)
    .with_config_text(settings.config.to_toml()?)
    .with_inputs(settings.inputs.clone())
    .with_watch(watch.clone())
    .with_observer(Progress::new().with_log(settings.dir.join("run.log")).with_meter(watch.meter.clone()))
    .with_observer(TensorBoard::new(&settings.dir).with_meter(watch.meter));
    if let Some(demands) = demands {
        run = run.with_demands(demands);
    }
    for evaluation in evaluations {
        run = run.with_evaluation(evaluation);
    }
    let played = if settings.resume { run.resume(&settings.dir) } else { run.run(&settings.dir) };
    let summary = signals.ended(played, || args.continuation(&settings.dir))?;

    // 4. The outcome.
    let solver = run.players().folder(Player::Solver);
    drop(run);
    let checkpoint = newest_checkpoint(&settings.dir)?.join(solver);
    let copy = models::start(&base, &settings, solver)?;
    let trained = export(copy, &checkpoint, settings.lora.is_some(), &settings.dir)?;
    let report = write_report(&settings.dir)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", Outcome::new(&summary, &settings.dir)?)?;
    writeln!(out, "report: {}\n{trained}", report.display())?;
    Ok(())
}
