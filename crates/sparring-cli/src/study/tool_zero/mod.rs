//! Does reinforcement learning from a base model beat supervised fine-tuning? Tool-Zero's experiment (arXiv 2511.01934)
//! on the miniature world.
//!
//! ```sh
//! sparring study tool-zero                                  # seven arms, three seeds, on a laptop CPU
//! sparring study tool-zero --preset quick --out runs/q   # everything once, in small
//! sparring study tool-zero --arms sft,progressive          # two arms only
//! ```
//!
//! Every arm starts from the same base and makes the same number of updates on the same tasks of one family. Then it is
//! evaluated greedily on tools of this family that it never saw in use, and on the other family: other tools, other
//! wording. The same command continues a run that was stopped.

mod job;
mod page;
mod settings;
mod study;
mod summary;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use settings::Args;
use settings::Settings;
use sparring::core::BoxError;
use std::io::Write;
use study::Study;

/// Runs the experiment that the command line asks for.
pub(crate) fn run(args: &Args) -> Result<(), BoxError> {
    compare(&Settings::read(args)?)
}

fn compare(settings: &Settings) -> Result<(), BoxError> {
    // 1. Who learns, and on what: the base model, the tasks to learn on, the evaluations.
    let study = Study::open(settings)?;

    // 2. What the base can do.
    let base = study.base()?;

    // 3. Every arm with every seed, several at a time. Each result is kept as soon as it is there.
    let runs = study.runs()?;

    // 4. The outcome: means over the seeds, curves, a page.
    let summary = summary::write(settings, base, &runs)?;
    let report = page::write(settings, &summary, &runs)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", table::render(&summary)?)?;
    writeln!(out, "report: {}", report.display())?;
    Ok(())
}
