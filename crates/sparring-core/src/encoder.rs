use crate::{Conversation, Message, PolicyError, Prompt};
use std::sync::Arc;

/// The token ids that follow an assistant's turn.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Continuation {
    /// The conversation grows: append these ids to its prompt and the sampled turn. No earlier id changes.
    Appends(Vec<u32>),
    /// The template renders earlier turns differently once something follows them (it drops their reasoning, say),
    /// so the ids so far are not a prefix of what it renders now. Use one of the two.
    Rewrites {
        /// Ids to append to the ids so far, which keeps earlier turns as they were sampled.
        tokens: Vec<u32>,
        /// The whole conversation as the template renders it now, to start afresh.
        prompt: Arc<[u32]>,
    },
}

/// Encodes text as a model's token ids, to train on text that the model did not write and to continue conversations.
///
/// It is not part of [`Policy`](crate::Policy): a policy that learns only from its own rollouts does not need it, and
/// an encoder must stay usable while the policy is borrowed as a [`Learner`](crate::Learner).
///
/// # Contract
/// * [`Encoder::prompt`] returns the ids that the model's sampler puts into
///   [`Rollout::prompt`](crate::Rollout::prompt) for the same prompt.
/// * [`Encoder::completion`] returns ids that decode to the text and end with an end-of-turn token. They are one
///   possible [`Rollout::tokens`](crate::Rollout::tokens) for this text, not necessarily the only one.
/// * If the template renders a turn as it was sampled, then `prompt(conversation)`, the turn's ids and
///   [`Encoder::continuation`], joined, equal `prompt(conversation, turn and what follows)`.
/// * The same text gives the same ids.
pub trait Encoder: Send + Sync {
    /// Returns the token ids of a prompt, up to the start of the model's turn.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] if the prompt cannot be rendered or encoded.
    fn prompt(&self, prompt: &Prompt) -> Result<Arc<[u32]>, PolicyError>;

    /// Returns the token ids of a whole completion, including the token that ends it.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] if the text cannot be encoded or the model has no known end-of-turn token.
    fn completion(&self, text: &str) -> Result<Vec<u32>, PolicyError>;

    /// Returns the token ids between an assistant's turn and the next one.
    ///
    /// These are what the template writes after the turn, then the messages in `next` (tool results, say), then the
    /// start of the assistant's next turn. A conversation thus grows by tokens, and sampled text is never tokenised
    /// again.
    ///
    /// `conversation` ends with the turn, as a message; `turn` holds the sampled ids of that turn. Only the last id
    /// matters: unless it is one of the model's end tokens (the turn was cut off by `max_tokens` or ended at a stop
    /// string), the result starts with the template's end token. The turn is kept as sampled, even if the template
    /// would write its white space or its calls slightly differently.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] if the messages cannot be rendered or encoded, or the end of a turn cannot be found in
    /// the template; [`PolicyError::Unsupported`] by default.
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
