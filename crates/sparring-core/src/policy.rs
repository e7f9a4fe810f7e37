use crate::{Learner, PolicyError, Sampler, Scorer};
use std::path::Path;

/// State that can be saved to a folder and restored from it.
///
/// # Contract
/// The state is the weights *and* the optimiser's state: `save`, `restore` into a fresh object and any further calls
/// give the same bits as those calls on the original. `save` writes into `dir`, which exists and is empty. A failed
/// `restore` leaves the object unchanged.
pub trait Checkpoint {
    /// Writes the whole state into `dir`.
    ///
    /// # Errors
    /// [`PolicyError::Io`] with the file's path.
    fn save(&self, dir: &Path) -> Result<(), PolicyError>;

    /// Reads the whole state from `dir`.
    ///
    /// # Errors
    /// [`PolicyError::Io`] or [`PolicyError::Invalid`], with the file and what is wrong with it.
    fn restore(&mut self, dir: &Path) -> Result<(), PolicyError>;
}

/// A trainable model: it samples, scores, learns, and can be saved.
///
/// A `&dyn Policy` coerces to `&dyn Sampler` or `&dyn Scorer`, and a `&mut dyn Policy` to `&mut dyn Learner`. A model
/// that only answers (an opponent, a judge, a model under evaluation) need not be a policy: take `&dyn Sampler`.
///
/// A frozen opponent is a shared borrow: every method that changes the weights takes `&mut self`, so code that trains
/// a policy while something else samples from it does not compile.
///
/// ```
/// use sparring_core::{Learner, Policy, PolicyError, SampleRequest, Sampler, TokenBatch, TokenLoss};
///
/// fn step(policy: &mut dyn Policy, requests: &[SampleRequest]) -> Result<(), PolicyError> {
///     let opponent: &dyn Sampler = policy;
///     let _answers = opponent.sample(requests);
///     let learner: &mut dyn Learner = policy; // ends the borrow of `opponent`
///     learner.step(1e-6).map(drop)
/// }
/// ```
pub trait Policy: Sampler + Learner + Checkpoint {
    /// Returns a frozen copy of the current weights, as a reference model for KL terms.
    ///
    /// # Errors
    /// [`PolicyError::Unsupported`] by default.
    fn freeze(&self) -> Result<Box<dyn Scorer>, PolicyError> {
        Err(PolicyError::Unsupported { what: "a frozen copy of the weights (Policy::freeze)" })
    }
}
