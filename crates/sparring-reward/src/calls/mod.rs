//! Rewards that compare the calls of a completion with those of its task.
//!
//! ```text
//!   completion ──parser──▶ Answer { text, calls or why they cannot be read } ──CallRule──▶ score
//! ```
//!
//! Every rule is a function of the reference calls and the predicted ones, with settings that include the format of the
//! text. Each rule is a reward for [`ToolTask`]s; [`CallRule::with_parser`] makes it use another parser.

mod exact;
mod extra;
mod format;
mod names;
mod overlap;
mod similar;
mod values;

pub use exact::{AstMatch, CallOrder, same_calls};
pub use extra::{ExtraCalls, ExtraForm, Readable};
pub use format::{CallFormat, Equality};
pub use names::{MultiCallBonus, NameOrder, SameNames, same_names};
pub use overlap::{NoCalls, Overlap, Scope, TokenOverlap, overlap, tokens};
pub use similar::{CallSimilarity, Detail, Similarity};
pub use values::{ValuePenalty, invalid_values};

use sparring_core::{BoxError, Reward, RewardContext, Rollout};
use sparring_tools::blocks::{Case, last_block};
use sparring_tools::{CallParser, ParseError, ToolCall, ToolTask};

/// A parsed completion: the input of a rule.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Answer<'a> {
    /// The whole text.
    pub text: &'a str,
    /// Its calls; none if it declines to call. `Err` if they cannot be read.
    pub calls: Result<&'a [ToolCall], &'a ParseError>,
    /// The parser that read them.
    pub parser: &'a dyn CallParser,
}

impl std::fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("text", &self.text).field("calls", &self.calls).finish_non_exhaustive()
    }
}

/// Scores one completion by its calls.
///
/// # Contract
/// The score depends on the task and the answer only. `None` means that the rule does not apply to this task.
pub trait CallRule: Send + Sync {
    /// Returns a short name, for reports.
    fn name(&self) -> &'static str;

    /// Returns the format in which completions make calls.
    fn format(&self) -> CallFormat;

    /// Returns the block, `<tag>...</tag>`, that every answer must have. By default none: a text without calls
    /// declines to call.
    fn block(&self) -> Option<&str> {
        None
    }

    /// Scores one completion.
    fn score(&self, task: &ToolTask, answer: &Answer<'_>) -> Option<f64>;

    /// Returns this rule with another parser; its own format setting is ignored.
    fn with_parser<P: CallParser>(self, parser: P) -> WithParser<P, Self>
    where
        Self: Sized,
    {
        WithParser { parser, rule: self }
    }
}

/// Scores a text by a rule. Without the block that the rule requires, there are no calls.
fn score_text(rule: &dyn CallRule, parser: &dyn CallParser, task: &ToolTask, text: &str) -> Option<f64> {
    let missing = rule.block().and_then(|tag| match last_block(text, tag, Case::Sensitive) {
        Err(error @ ParseError::NoBlock { .. }) => Some(error),
        _ => None,
    });
    let calls = missing.map_or_else(|| parser.parse(text), Err);
    rule.score(task, &Answer { text, calls: calls.as_deref(), parser })
}

fn score_group(
    rule: &dyn CallRule,
    parser: &dyn CallParser,
    task: &ToolTask,
    group: &[Rollout],
) -> Vec<Option<f32>> {
    group.iter().map(|out| score_text(rule, parser, task, &out.text).map(|score| score as f32)).collect()
}

/// A rule with its own parser; made by [`CallRule::with_parser`].
#[derive(Debug, Clone)]
pub struct WithParser<P, R> {
    parser: P,
    rule: R,
}

impl<P: CallParser, R: CallRule> Reward<ToolTask> for WithParser<P, R> {
    fn name(&self) -> &str {
        self.rule.name()
    }

    fn score(
        &self,
        task: &ToolTask,
        group: &[Rollout],
        _: &RewardContext<'_>,
    ) -> Result<Vec<Option<f32>>, BoxError> {
        Ok(score_group(&self.rule, &self.parser, task, group))
    }
}

macro_rules! rewards {
    ($($rule:ty),* $(,)?) => {$(
        impl Reward<ToolTask> for $rule {
            fn name(&self) -> &str {
                CallRule::name(self)
            }

            fn score(
                &self,
                task: &ToolTask,
                group: &[Rollout],
                _: &RewardContext<'_>,
            ) -> Result<Vec<Option<f32>>, BoxError> {
                Ok(score_group(self, &*self.format.parser(task), task, group))
            }
        }
    )*};
}

rewards!(
    AstMatch,
    CallSimilarity,
    ExtraCalls,
    MultiCallBonus,
    Readable,
    SameNames,
    TokenOverlap,
    ValuePenalty,
);

#[cfg(test)]
mod tests;
