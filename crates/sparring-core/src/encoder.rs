use crate::{PolicyError, Prompt};
use std::sync::Arc;

/// Text as a model's token ids: for learning from texts that the model did not write.
///
/// It stands beside [`Policy`](crate::Policy), not in it: a policy that only samples and learns from its own
/// rollouts needs none, and an encoder has to be at hand while [`Policy::learner`](crate::Policy::learner) is
/// borrowed.
///
/// # Contract
/// * [`Encoder::prompt`] gives the ids that the model's sampler puts into
///   [`Rollout::prompt`](crate::Rollout::prompt) for the same prompt.
/// * [`Encoder::completion`] gives ids that decode to the text, and ends with the token that ends a turn: what
///   [`Rollout::tokens`](crate::Rollout::tokens) of a completion with this text could be. It need not be the only
///   such sequence.
/// * The same text gives the same ids.
pub trait Encoder: Send + Sync {
    /// Token ids of a prompt, up to where the model's turn begins.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] where the prompt cannot be rendered or encoded.
    fn prompt(&self, prompt: &Prompt) -> Result<Arc<[u32]>, PolicyError>;

    /// Token ids of a whole completion, the token that ends it included.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] where the text cannot be encoded or the model knows no token that ends a turn.
    fn completion(&self, text: &str) -> Result<Vec<u32>, PolicyError>;
}
