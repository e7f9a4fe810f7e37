//! Experiments: several arms, or several seeds, and what they add up to.

mod gold_ceiling;
mod tool_zero;

use clap::Subcommand;
use sparring::core::BoxError;

/// Runs an experiment on the miniature world.
#[derive(Debug, Subcommand)]
pub(crate) enum Study {
    ToolZero(tool_zero::Args),
    GoldCeiling(gold_ceiling::Args),
}

/// Runs the experiment, and prints what came of it.
pub(crate) fn run(study: &Study) -> Result<(), BoxError> {
    match study {
        Study::ToolZero(args) => tool_zero::run(args),
        Study::GoldCeiling(args) => gold_ceiling::run(args),
    }
}
