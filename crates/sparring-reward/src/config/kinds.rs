use super::{OwnKind, Tier};
use crate::Schedule;
use crate::accuracy::AccuracySettings;
use crate::calls::{
    AstMatch, CallFormat, CallSimilarity, ExtraCalls, MultiCallBonus, Readable, SameNames, TokenOverlap,
    ValuePenalty,
};
use crate::extract::{Extract, Present};
use crate::format::SolverFormat;
use crate::length::Length;
use crate::majority::Majority;
use crate::ordered_tags::OrderedTags;
use crate::reference_format::ReferenceFormat;
use crate::repetition::RepetitionSettings;
use crate::solve_rate::{Band, RateShape};
use crate::tool_use::ToolUse;
use crate::validity::ValiditySettings;
use serde::{Deserialize, Serialize};

/// Declares the kinds twice: as the public enum, which is written with its `kind` inside, and as a private one with the
/// same variants, whose derived reader makes values of the public one. Serde reads a `kind` inside only through a
/// buffer that forgets lines and paths; `read.rs` hands the private reader the kind first instead.
macro_rules! kinds {
    ($(#[$doc:meta])* { $($variants:tt)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum RewardConfig {
            $($variants)*
            /// A kind of yours, which a [`Registry`](super::Registry) builds.
            #[serde(untagged)]
            Own(OwnKind),
        }

        /// The kinds of this library.
        #[derive(Deserialize)]
        #[serde(remote = "RewardConfig", rename_all = "snake_case", deny_unknown_fields)]
        pub(super) enum LibraryKind {
            $($variants)*
        }
    };
}

kinds! {
    /// A reward as settings hold it: a `kind`, and the settings of that kind.
    ///
    /// [`build`](Self::build) checks every setting and makes the reward. Kinds that compare a completion with a task's
    /// calls need [`ToolTask`](sparring_tools::ToolTask)s; a tree without them can be
    /// [built for any task](Self::build_any). Rewards written in code join the tree through a
    /// [`Registry`](super::Registry), under kinds of their own.
    {
        /// [`Sum`](crate::Sum).
        Sum {
            /// Its name, `sum` where left out.
            #[serde(default = "names::sum")]
            name: String,
            /// What is added.
            parts: Vec<RewardConfig>,
        },
        /// [`Weighted`](crate::Weighted).
        Weighted {
            /// The weight.
            weight: Schedule,
            /// What is weighted.
            reward: Box<RewardConfig>,
        },
        /// [`Mix`](crate::Mix): `sigma·late + (1 - sigma)·early`.
        Mix {
            /// Its name, `mix` where left out.
            #[serde(default = "names::mix")]
            name: String,
            /// The share of `late`, in [0, 1].
            sigma: Schedule,
            /// The reward of the end of training, where sigma rises.
            late: Box<RewardConfig>,
            /// The reward of its beginning.
            early: Box<RewardConfig>,
        },
        /// [`Product`](crate::Product).
        Product {
            /// Its name, `product` where left out.
            #[serde(default = "names::product")]
            name: String,
            /// What is multiplied.
            parts: Vec<RewardConfig>,
        },
        /// [`Gate`](crate::Gate).
        Gate {
            /// The condition: a reward that has to be above 0.
            gate: Box<RewardConfig>,
            /// The reward where the gate is open.
            reward: Box<RewardConfig>,
        },
        /// [`Clamp`](crate::Clamp).
        Clamp {
            /// The lower limit, if any.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            min: Option<f64>,
            /// The upper limit, if any.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            max: Option<f64>,
            /// What is limited.
            reward: Box<RewardConfig>,
        },
        /// [`Range`](crate::Range).
        Range {
            /// The score for 0.
            min: Schedule,
            /// The score for 1.
            max: Schedule,
            /// A reward in [0, 1].
            reward: Box<RewardConfig>,
        },
        /// [`Tiers`](crate::Tiers).
        Tiers {
            /// Its name, `tiers` where left out.
            #[serde(default = "names::tiers")]
            name: String,
            /// The rows, from the top.
            rows: Vec<Tier>,
            /// The score where no row applies; if absent, the table does not apply there.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            otherwise: Option<Schedule>,
        },
        /// [`Constant`](crate::Constant).
        Constant {
            /// The score.
            value: Schedule,
        },
        /// [`OrderedTags`].
        Tags(OrderedTags),
        /// [`Length`].
        Length(Length),
        /// [`ToolUse`].
        ToolUse(ToolUse),
        /// [`Majority`].
        Majority(Majority),
        /// [`Present`].
        Present(Present),
        /// [`Repetition`](crate::repetition::Repetition).
        Repetition {
            /// Where the question is.
            #[serde(default)]
            question: Extract,
            /// How repetition is measured, and how much it costs.
            #[serde(default)]
            rules: RepetitionSettings,
        },
        /// [`SolveRate`](crate::solve_rate::SolveRate) by a [`Band`].
        Band(Band),
        /// [`SolveRate`](crate::solve_rate::SolveRate) by another shape.
        SolveRate {
            /// The shape.
            shape: RateShape,
        },
        /// [`SolverFormat`]: Tool-R0's format of answers.
        SolverFormat(SolverFormat),
        /// [`AstMatch`]; of tool tasks.
        Ast(AstMatch),
        /// [`TokenOverlap`]; of tool tasks.
        Overlap(TokenOverlap),
        /// [`MultiCallBonus`]; of tool tasks.
        MultiCall(MultiCallBonus),
        /// [`SameNames`]; of tool tasks.
        Names(SameNames),
        /// [`ValuePenalty`]; of tool tasks.
        ValuePenalty(ValuePenalty),
        /// [`CallSimilarity`]; of tool tasks.
        Similarity(CallSimilarity),
        /// [`ExtraCalls`]; of tool tasks.
        ExtraCalls(ExtraCalls),
        /// [`Readable`]; of tool tasks.
        Readable(Readable),
        /// [`ReferenceFormat`]; of tool tasks.
        ReferenceFormat(ReferenceFormat),
        /// [`Accuracy`](crate::accuracy::Accuracy): Tool-R0's dense accuracy; of tool tasks.
        Accuracy {
            /// The format of calls.
            #[serde(default)]
            format: CallFormat,
            /// How calls are scored.
            #[serde(default)]
            rules: AccuracySettings,
        },
        /// [`CallValidity`](crate::validity::CallValidity): whether the calls fit the tool list and the question; of tool tasks.
        Validity {
            /// The format of calls.
            #[serde(default)]
            format: CallFormat,
            /// What counts.
            #[serde(default)]
            rules: ValiditySettings,
        },
    }
}

/// The names that compositions have by default.
mod names {
    pub(super) fn sum() -> String {
        "sum".to_owned()
    }

    pub(super) fn mix() -> String {
        "mix".to_owned()
    }

    pub(super) fn product() -> String {
        "product".to_owned()
    }

    pub(super) fn tiers() -> String {
        "tiers".to_owned()
    }
}
