use crate::TrainError;
use sparring_core::{Encoder, Learner, PolicyError, Prompt, TokenGroup};
use sparring_grpo::GrpoError;
use sparring_grpo::supervised::{self, SupervisedReport};
use std::sync::Arc;

/// Prompts and answers as token ids, for a supervised stage before (or instead of) reinforcement learning.
///
/// ```
/// use sparring_core::{Message, Policy, Seed};
/// use sparring_testkit::ToyPolicy;
/// use sparring_train::Examples;
///
/// let mut policy = ToyPolicy::new("abc", Seed::new(1));
/// let answers = [(vec![Message::user("b?")].into(), "cab"), (vec![Message::user("c?")].into(), "c")];
/// let examples = Examples::encode(&policy, answers)?;
/// let first = examples.update(&mut policy, 4096, 0.1)?;
/// assert!(examples.update(&mut policy, 4096, 0.1)?.loss < first.loss);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Examples {
    /// Prompt and completion.
    encoded: Vec<(Arc<[u32]>, Vec<u32>)>,
}

impl Examples {
    /// Encodes prompts and their answers.
    ///
    /// # Errors
    /// [`TrainError::Encode`] names the example.
    pub fn encode<A: AsRef<str>>(
        encoder: &dyn Encoder,
        examples: impl IntoIterator<Item = (Prompt, A)>,
    ) -> Result<Self, TrainError> {
        let encode = |(example, (prompt, answer)): (usize, (Prompt, A))| {
            let failed = |source: PolicyError| TrainError::Encode { example, source };
            let prompt = encoder.prompt(&prompt).map_err(failed)?;
            Ok((prompt, encoder.completion(answer.as_ref()).map_err(failed)?))
        };
        let encoded = examples.into_iter().enumerate().map(encode).collect::<Result<_, TrainError>>()?;
        Ok(Self { encoded })
    }

    /// One optimiser step at rate `lr` on all of them: see [`supervised::update`].
    ///
    /// # Errors
    /// As [`supervised::update`].
    pub fn update(
        &self,
        learner: &mut dyn Learner,
        micro_batch_tokens: usize,
        lr: f64,
    ) -> Result<SupervisedReport, GrpoError> {
        let groups: Vec<TokenGroup<'_>> = self
            .encoded
            .iter()
            .map(|(prompt, answer)| TokenGroup::new(prompt, vec![answer.as_slice()]))
            .collect();
        supervised::update(learner, &groups, micro_batch_tokens, lr)
    }
}
