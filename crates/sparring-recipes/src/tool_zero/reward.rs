//! The rewards of the arms, composed of the components of `sparring-reward`.

use super::{Arm, ToolZeroRewardConfig};
use crate::tool_r0::tags;
use sparring_reward::calls::{AstMatch, MultiCallBonus, TokenOverlap, ValuePenalty};
use sparring_reward::ordered_tags::OrderedTags;
use sparring_reward::{BoxReward, Mix, Schedule, Sum};
use sparring_tools::{Format, ToolTask};

/// Tool-Zero's components with the tags and the call format of the answers.
pub(super) struct Components<'a>(pub(super) &'a ToolZeroRewardConfig);

/// R_format: the tags in order.
fn format() -> OrderedTags {
    OrderedTags::new([tags::THINK, tags::ANSWER])
}

impl Components<'_> {
    fn overlap(&self) -> TokenOverlap {
        let mut overlap =
            TokenOverlap::of(Format::ToolR0).with_measure(self.0.overlap).with_scope(self.0.scope);
        tags::ANSWER.clone_into(&mut overlap.tag);
        overlap
    }

    fn ast(&self) -> AstMatch {
        AstMatch::of(Format::ToolR0).with_fail(self.0.ast_fail)
    }

    fn bonus(&self) -> MultiCallBonus {
        let mut bonus = MultiCallBonus::of(Format::ToolR0).with_names(self.0.names);
        bonus.bonus = self.0.multi_call_bonus;
        bonus
    }

    fn penalty(&self) -> ValuePenalty {
        let mut penalty = ValuePenalty::of(Format::ToolR0).with_cap(self.0.penalty_cap);
        penalty.each = self.0.value_penalty;
        penalty
    }

    fn strict(&self, penalty: bool, bonus: bool) -> Sum<ToolTask> {
        let mut strict = Sum::new("strict").with(self.ast());
        if penalty {
            strict = strict.with(self.penalty());
        }
        if bonus {
            strict = strict.with(self.bonus());
        }
        strict
    }

    /// Returns `R_format + σ·r_strict + (1 − σ)·r_general` (Eq. 9), or `R_format + r_strict` if σ does not change.
    pub(super) fn of(&self, arm: Arm, sigma: Schedule) -> BoxReward<ToolTask> {
        let strict = self.strict(arm.penalises(), arm.pays_bonus());
        let whole = Sum::new("tool_zero").with(format());
        if arm.progresses() {
            Box::new(whole.with(Mix::new(sigma, strict, self.overlap())))
        } else {
            Box::new(whole.with(strict))
        }
    }

    /// Returns every component, unweighted.
    pub(super) fn all(&self) -> Sum<ToolTask> {
        let whole = Sum::new("measured").with(format()).with(self.overlap());
        whole.with(self.ast()).with(self.bonus()).with(self.penalty())
    }
}
