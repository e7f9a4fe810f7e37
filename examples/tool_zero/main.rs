//! Does reinforcement learning from a base model beat supervised fine-tuning? Tool-Zero's experiment (arXiv 2511.01934)
//! on the miniature world.
//!
//! ```sh
//! cargo run --release --example tool_zero                                # seven arms, three seeds, on a laptop CPU
//! cargo run --release --example tool_zero -- --preset quick --out runs/q # everything once, in small
//! cargo run --release --example tool_zero -- --arms sft,progressive      # two arms only
//! ```
//!
//! Every arm starts from the same base and makes the same number of updates on the same tasks of one family. Then it is
//! tested greedily on tools of this family that it never saw in use, and on the other family: other tools, other
//! wording. A run that was stopped goes on with the same command.

#[path = "../self_play/errors.rs"]
mod errors;
mod job;
mod page;
mod progress;
mod settings;
mod study;
mod summary;
mod table;
#[cfg(test)]
mod tests;

use clap::Parser;
use settings::{Args, Settings};
use sparring::core::{BoxError, one_line};
use std::io::Write;
use std::process::ExitCode;
use study::Study;

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    match Args::try_parse()
        .map_err(|error| errors::usage(&error))
        .and_then(|args| compare(&Settings::read(&args)?))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", one_line(&*error));
            ExitCode::FAILURE
        }
    }
}

fn compare(settings: &Settings) -> Result<(), BoxError> {
    // 1. Who learns, and on what: the base model, the tasks to learn on, the evaluations.
    let study = Study::open(settings)?;

    // 2. What the base can do.
    let base = study.base()?;

    // 3. Every arm with every seed, several at a time. Each result is kept as soon as it is there.
    let runs = study.runs()?;

    // 4. What came of it: means over the seeds, curves, a page.
    let summary = summary::write(settings, base, &runs)?;
    let report = page::write(settings, &summary, &runs)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", table::render(&summary)?)?;
    writeln!(out, "report: {}", report.display())?;
    Ok(())
}
