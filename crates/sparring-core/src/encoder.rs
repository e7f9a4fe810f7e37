use crate::{Conversation, Message, PolicyError, Prompt};
use std::sync::Arc;

/// What follows an assistant's turn, as token ids.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Continuation {
    /// The conversation grows: append these ids to its prompt and the turn that was drawn. No id before them changes.
    Appends(Vec<u32>),
    /// The template writes earlier turns in another way once something follows them (it drops their thoughts, say),
    /// so what was read and drawn so far is no beginning of what it writes now. Choose one of both.
    Rewrites {
        /// To go on all the same: append these ids. Earlier turns stand as they were drawn.
        tokens: Vec<u32>,
        /// To begin anew: the whole conversation as the template writes it now.
        prompt: Arc<[u32]>,
    },
}

/// Text as a model's token ids: for learning from texts that the model did not write, and for turns of a conversation.
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
/// * Where the template writes a turn as it was drawn, `prompt(conversation)`, the turn's ids and
///   [`Encoder::continuation`] together are `prompt(conversation, turn and what follows)`.
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

    /// Token ids between an assistant's turn and the next: what the template writes after the turn, then `next` (the
    /// results of tools, say), then the beginning of the assistant's next turn. So a conversation grows by tokens,
    /// and what was drawn is never tokenised again.
    ///
    /// `conversation` ends with the turn, as a message; `turn` is the ids that were drawn for it. Only its last id
    /// matters: where it is not one of the model's end tokens (the turn was cut off by `max_tokens`, or a stop string
    /// ended it), the end token of the template is part of the result. The turn stands as it was drawn, also where the
    /// template would write its white space or its calls a little differently.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] where the messages cannot be rendered or encoded, or nothing tells where the template
    /// ends a turn; [`PolicyError::Unsupported`] unless the encoder offers it.
    fn continuation(
        &self,
        conversation: &Conversation,
        turn: &[u32],
        next: &[Message],
    ) -> Result<Continuation, PolicyError> {
        let _ = (conversation, turn, next);
        Err(PolicyError::Unsupported { what: "the tokens between turns (Encoder::continuation)" })
    }
}
