//! Learning code shared by the backends: settings of AdamW, evaluation of losses, the optimiser's file of a checkpoint.

mod adamw;
mod checkpoint;
mod loss;

pub use adamw::{AdamWConfig, ParamGroup};

pub(crate) use checkpoint::{
    AdamState, Counts, MOST_SHARDS, Trained, read_optimizer, read_trained, write_optimizer,
};
pub(crate) use loss::{LossGradients, check_learning_rate, evaluate};
