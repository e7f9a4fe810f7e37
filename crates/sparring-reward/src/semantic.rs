//! A judge's rating of a proposed task: the second half of Tool-R0's curriculum reward (arXiv 2602.21320, Eq. 5).

use crate::RewardError;
use sparring_core::{BoxError, Reward, RewardContext, Rollout};
use sparring_tools::ToolTask;

/// Rates the quality of a task: the question, and whether the calls serve it.
///
/// # Contract
/// A rating is 1 (bad) to 5 (good). `None` means that there is no rating (the model gave no number), which does not
/// score. An `Err` is a broken judge and stops the run. (The released code uses 3 in both cases.)
pub trait Judge: Send + Sync {
    /// Rates one task.
    ///
    /// # Errors
    /// Any error that prevents a rating.
    fn rate(&self, task: &ToolTask) -> Result<Option<u8>, BoxError>;
}

/// The trait is object-safe.
const _: fn(&dyn Judge) = |_| {};

impl<F> Judge for F
where
    F: Fn(&ToolTask) -> Result<Option<u8>, BoxError> + Send + Sync,
{
    fn rate(&self, task: &ToolTask) -> Result<Option<u8>, BoxError> {
        self(task)
    }
}

/// Returns `(s - 1)/4` for a rating `s` of 1 to 5, in [0, 1].
///
/// # Errors
/// [`RewardError::Contract`] for any other rating.
pub fn semantic(rating: u8) -> Result<f64, RewardError> {
    match rating {
        1..=5 => Ok(f64::from(rating - 1) / 4.0),
        _ => Err(RewardError::contract(NAME, format!("was rated {rating}, expected 1 to 5"))),
    }
}

const NAME: &str = "semantic";

/// Scores a Generator's completions with a [`Judge`].
#[derive(Debug, Clone)]
pub struct Semantic<J, F> {
    judge: J,
    read: F,
}

impl<J: Judge, F> Semantic<J, F> {
    /// Returns the reward. `read` parses a completion into its proposed task; if it returns `None`, the judge is not
    /// called.
    pub fn new<T: ?Sized>(judge: J, read: F) -> Self
    where
        F: Fn(&T, &Rollout) -> Option<ToolTask> + Send + Sync,
    {
        Self { judge, read }
    }
}

impl<T: ?Sized, J, F> Reward<T> for Semantic<J, F>
where
    J: Judge,
    F: Fn(&T, &Rollout) -> Option<ToolTask> + Send + Sync,
{
    fn name(&self) -> &'static str {
        NAME
    }

    fn score(
        &self,
        task: &T,
        group: &[Rollout],
        _: &RewardContext<'_>,
    ) -> Result<Vec<Option<f32>>, BoxError> {
        let score = |rollout: &Rollout| -> Result<Option<f32>, BoxError> {
            let Some(proposed) = (self.read)(task, rollout) else { return Ok(None) };
            let Some(rating) = self.judge.rate(&proposed)? else { return Ok(None) };
            Ok(Some(semantic(rating)? as f32))
        };
        group.iter().map(score).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reward(answer: fn(&str) -> Result<Option<u8>, BoxError>) -> Result<Vec<Option<f32>>, BoxError> {
        let judge = move |task: &ToolTask| answer(&task.question);
        let read = |_: &str, rollout: &Rollout| {
            let question = rollout.text.clone();
            (!question.is_empty()).then(|| ToolTask {
                question,
                tools: vec![],
                calls: vec![],
                domain: String::new(),
            })
        };
        let group = ["5", "1", "?", ""].map(Rollout::from_text);
        Semantic::new(judge, read).score("", &group, &RewardContext::default())
    }

    #[test]
    fn ratings_are_scaled_and_no_rating_is_none() {
        let scores = reward(|question| Ok(question.parse().ok())).unwrap();
        assert_eq!(scores, [Some(1.0), Some(0.0), None, None]);
    }

    #[test]
    fn a_broken_judge_and_an_invalid_rating_are_errors() {
        assert!(reward(|_| Err("no server".into())).is_err());
        assert!(reward(|_| Ok(Some(6))).unwrap_err().to_string().contains("rated 6"));
    }
}
