//! The run directory: its files, its lock, its checkpoints.

mod checkpoints;
pub(crate) mod disk;
mod folder;

pub(crate) use checkpoints::Checkpoints;
pub use folder::RunInfo;
pub(crate) use folder::{RunFolder, unserialisable};
