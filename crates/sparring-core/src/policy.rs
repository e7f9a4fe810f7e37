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

/// One model: it samples, scores, learns, and can be saved.
///
/// A frozen opponent is a shared borrow: [`Policy::learner`] takes `&mut self`, so training a policy while
/// something else samples from it does not compile.
pub trait Policy: Checkpoint + Send + Sync {
    /// The sampling side.
    fn sampler(&self) -> &dyn Sampler;

    /// The scoring side.
    fn scorer(&self) -> &dyn Scorer;

    /// The training side.
    fn learner(&mut self) -> &mut dyn Learner;

    /// A frozen copy of the current weights, as a reference model for KL terms.
    ///
    /// # Errors
    /// [`PolicyError::Unsupported`] unless the backend offers it.
    fn freeze(&self) -> Result<Box<dyn Scorer>, PolicyError> {
        Err(PolicyError::Unsupported { what: "a frozen copy of the weights (Policy::freeze)" })
    }
}
