use crate::RecipeError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A training method; all start from the same base model and make the same number of updates (arXiv 2511.01934, section
/// 4 and figure 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Arm {
    /// Supervised fine-tuning on the gold calls.
    Sft,
    /// Half of the updates supervised, then half plain GRPO.
    SftThenRl,
    /// GRPO from the base: format + strict AST reward.
    Grpo,
    /// [`Arm::Grpo`] with a penalty for every invalid parameter value.
    ValuePenalty,
    /// [`Arm::Grpo`] with a bonus for the right set of two or more tools.
    MultiCall,
    /// [`Arm::Grpo`] with masked names in a share of the training tasks.
    Masking,
    /// The paper's full method: the reward moves from general to strict, with penalty, bonus and masking.
    Progressive,
    /// The moving reward alone, without penalty, bonus and masking; not among the default arms.
    Switching,
}

impl Arm {
    /// All arms.
    pub const ALL: [Self; 8] = [
        Self::Sft,
        Self::SftThenRl,
        Self::Grpo,
        Self::ValuePenalty,
        Self::MultiCall,
        Self::Masking,
        Self::Progressive,
        Self::Switching,
    ];

    /// The seven arms of the experiment.
    pub const DEFAULT: [Self; 7] = [
        Self::Sft,
        Self::SftThenRl,
        Self::Grpo,
        Self::ValuePenalty,
        Self::MultiCall,
        Self::Masking,
        Self::Progressive,
    ];

    /// Returns the name in settings and files: `sft_then_rl`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sft => "sft",
            Self::SftThenRl => "sft_then_rl",
            Self::Grpo => "grpo",
            Self::ValuePenalty => "value_penalty",
            Self::MultiCall => "multi_call",
            Self::Masking => "masking",
            Self::Progressive => "progressive",
            Self::Switching => "switching",
        }
    }

    /// Returns the name for display.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Sft => "SFT",
            Self::SftThenRl => "SFT, then RL",
            Self::Grpo => "GRPO",
            Self::ValuePenalty => "GRPO + value penalty",
            Self::MultiCall => "GRPO + multi-call bonus",
            Self::Masking => "GRPO + name masking",
            Self::Progressive => "progressive (full)",
            Self::Switching => "progressive reward alone",
        }
    }

    /// Returns how many of `updates` are supervised; they come first.
    pub const fn supervised(self, updates: usize) -> usize {
        match self {
            Self::Sft => updates,
            Self::SftThenRl => updates / 2,
            _ => 0,
        }
    }

    /// Returns whether the reward moves from general to strict.
    pub const fn progresses(self) -> bool {
        matches!(self, Self::Progressive | Self::Switching)
    }

    /// Returns whether invalid parameter values are penalised.
    pub const fn penalises(self) -> bool {
        matches!(self, Self::ValuePenalty | Self::Progressive)
    }

    /// Returns whether there is a bonus for the right set of several tools.
    pub const fn pays_bonus(self) -> bool {
        matches!(self, Self::MultiCall | Self::Progressive)
    }

    /// Returns whether names are masked in a share of the training tasks.
    pub const fn masks(self) -> bool {
        matches!(self, Self::Masking | Self::Progressive)
    }
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Arm {
    type Err = RecipeError;

    fn from_str(name: &str) -> Result<Self, RecipeError> {
        Self::ALL.into_iter().find(|arm| arm.name() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            RecipeError::setting("arms", format!("there is no arm `{name}`; choose among {known}"))
        })
    }
}
