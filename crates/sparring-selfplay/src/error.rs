use sparring_grpo::GrpoError;
use sparring_train::TrainError;

/// Errors of a self-play run, by what the caller can do about them.
///
/// Nothing that was saved before an error is lost: [`SelfPlay::resume`](crate::SelfPlay::resume) continues
/// from the newest whole checkpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelfPlayError {
    /// A setting, the run folder, a model or a reward, as in any training run.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// An update failed. Its failed optimiser step was not applied; earlier ones of the same update were.
    #[error("update of the {player} failed (iteration {iteration}, step {step})")]
    Update {
        /// The player that was trained.
        player: &'static str,
        /// Iteration, from 1.
        iteration: usize,
        /// Update of the phase, from 0.
        step: usize,
        /// The cause.
        #[source]
        source: GrpoError,
    },
}
