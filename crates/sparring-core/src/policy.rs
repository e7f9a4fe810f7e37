use crate::{Learner, PolicyError, Sampler, Scorer};
use std::path::Path;

/// State that can be written to a folder and read back.
///
/// # Contract
/// Weights *and* optimiser state: `save`, then `restore` into a fresh object, then any calls, gives the same
/// bits as the calls on the original. `save` writes into `dir`, which exists and is empty; a failed `restore`
/// leaves the object as it was.
pub trait Checkpoint {
    /// Writes the whole state into `dir`.
    ///
    /// # Errors
    /// [`PolicyError::Io`] names the file.
    fn save(&self, dir: &Path) -> Result<(), PolicyError>;

    /// Reads the whole state from `dir`.
    ///
    /// # Errors
    /// [`PolicyError::Io`] or [`PolicyError::Invalid`] names the file and what is wrong with it.
    fn restore(&mut self, dir: &Path) -> Result<(), PolicyError>;
}

/// One model that does everything: it samples, scores, learns, and can be saved.
///
/// A `&dyn Policy` is a `&dyn Sampler` or `&dyn Scorer` wherever one is wanted, and a `&mut dyn Policy` a
/// `&mut dyn Learner`. A model that is only asked (an opponent, a judge, a model to evaluate) needs no policy:
/// take `&dyn Sampler` for it.
///
/// A frozen opponent is a shared borrow: every method that changes the weights takes `&mut self`, so training a
/// policy while something else samples from it does not compile.
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
    /// A frozen copy of the current weights, as a reference model for KL terms.
    ///
    /// # Errors
    /// [`PolicyError::Unsupported`] unless the backend offers it.
    fn freeze(&self) -> Result<Box<dyn Scorer>, PolicyError> {
        Err(PolicyError::Unsupported { what: "a frozen copy of the weights (Policy::freeze)" })
    }
}
