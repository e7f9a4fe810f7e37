//! Third-party models as frozen samplers and scorers.
//!
//! Most models of candle-transformers have a forward pass that keeps keys and values, takes tokens at one position
//! for all rows, and returns the logits after the last of them. [`CausalModel`] is that interface;
//! [`CausalSampler`] turns it into a `Sampler` and a `Scorer`. There are no gradients: use such a model as a frozen
//! Generator or Solver, as the reference of a KL term, or to evaluate it.

mod sampler;
mod score;
mod tensors;
#[cfg(feature = "transformers")]
pub mod transformers;

pub use sampler::CausalSampler;
pub use tensors::TensorModel;

use sparring_core::PolicyError;

/// A decoder with an internal cache.
pub trait CausalModel: Send {
    /// Logits after the last token of each row. `ids` holds `rows` rows of equal length, one after the other, at
    /// positions `position` and following. A call with a `position` above 0 continues the previous call, with as many
    /// rows.
    ///
    /// # Shapes
    /// rows × tokens to rows × vocab_size, flat.
    ///
    /// # Errors
    /// If the model fails.
    fn forward(&mut self, ids: &[u32], rows: usize, position: usize) -> Result<Vec<f32>, PolicyError>;

    /// Clears the cached keys and values.
    fn reset(&mut self);
}
