//! Models that others wrote, as frozen samplers and scorers.
//!
//! What most of candle-transformers' models offer is a forward pass that keeps keys and values, takes tokens that
//! all rows have at the same position, and gives the logits after the last of them. [`CausalModel`] is that
//! and no more; [`CausalSampler`] makes a `Sampler` and a `Scorer` of it. There is no gradient: such a model is
//! a Generator or Solver that stays, a reference for KL terms, or something to evaluate.

mod sampler;
mod score;
mod tensors;
#[cfg(feature = "transformers")]
pub mod transformers;

pub use sampler::CausalSampler;
pub use tensors::TensorModel;

use sparring_core::PolicyError;

/// A decoder with a cache of its own.
pub trait CausalModel: Send {
    /// Logits after the last token of each row. `ids` holds `rows` rows of equal length, one after the other, which
    /// stand at `position` and after it in every row. Unless `position` is 0, it follows what the call before
    /// had, with as many rows.
    ///
    /// # Shapes
    /// rows × tokens to rows × vocab_size, flat.
    ///
    /// # Errors
    /// What the model met.
    fn forward(&mut self, ids: &[u32], rows: usize, position: usize) -> Result<Vec<f32>, PolicyError>;

    /// Forgets keys and values.
    fn reset(&mut self);
}
