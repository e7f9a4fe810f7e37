//! Agent0's reward for using tools while answering (arXiv 2511.16043).

use serde::{Deserialize, Serialize};
use sparring_core::{BoxError, Reward, RewardContext, Rollout};

/// Returns `each · min(N, cap)`, in [0, each·cap].
///
/// ```
/// use sparring_reward::tool_use::tool_use;
/// assert_eq!([0, 2, 4, 9].map(|n| tool_use(n, 0.25, 4)), [0.0, 0.5, 1.0, 1.0]);
/// ```
pub fn tool_use(uses: usize, each: f64, cap: usize) -> f64 {
    each * uses.min(cap) as f64
}

/// Scores [`tool_use`] for the number of times that a mark occurs in the completion: in Agent0's code, the text that
/// opens a tool's output, 0.05 each, at most 4. Component: `tool_use`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ToolUse {
    /// The mark; not empty.
    pub mark: String,
    /// γ, the reward of one use.
    pub each: f64,
    /// C, the largest number of uses that counts.
    pub cap: usize,
}

impl Default for ToolUse {
    fn default() -> Self {
        Self { mark: "```output".to_owned(), each: 0.05, cap: 4 }
    }
}

impl<T: ?Sized> Reward<T> for ToolUse {
    fn name(&self) -> &'static str {
        "tool_use"
    }

    fn score(&self, _: &T, group: &[Rollout], _: &RewardContext<'_>) -> Result<Vec<Option<f32>>, BoxError> {
        let score = |text: &str| tool_use(text.matches(&self.mark).count(), self.each, self.cap);
        Ok(group.iter().map(|rollout| Some(score(&rollout.text) as f32)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn monotone_up_to_the_cap(uses in 0_usize..20, cap in 0_usize..8) {
            let rule = ToolUse { cap, ..ToolUse::default() };
            let text = |n: usize| Rollout::from_text("```output\nx\n```\n".repeat(n));
            let scores = rule.score("", &[text(uses), text(uses + 1)], &RewardContext::default()).unwrap();
            prop_assert!(scores[0] <= scores[1]);
            prop_assert_eq!(scores[0] == Some((0.05 * cap as f64) as f32), uses >= cap);
        }
    }
}
