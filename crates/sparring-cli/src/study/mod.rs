//! Experiments of several arms or seeds.

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

/// Runs the experiment, and prints the outcome.
pub(crate) fn run(study: &Study) -> Result<(), BoxError> {
    match study {
        Study::ToolZero(args) => tool_zero::run(args),
        Study::GoldCeiling(args) => gold_ceiling::run(args),
    }
}
