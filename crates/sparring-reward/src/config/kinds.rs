use super::{CustomKind, Tier};
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
use crate::ngram_repetition::NgramRepetition;
use crate::ordered_tags::OrderedTags;
use crate::reference_format::ReferenceFormat;
use crate::repetition::RepetitionSettings;
use crate::solve_rate::{Band, RateShape};
use crate::tool_use::ToolUse;
use crate::validity::ValiditySettings;
use serde::{Deserialize, Serialize};

/// Declares the kinds twice: as the public enum, which is written with its `kind` inside, and as a private one with the
/// same variants, whose derived deserialiser returns the public one. Serde reads an inner `kind` only through a buffer
/// that loses lines and paths; instead, `read.rs` passes the kind to the private deserialiser first.
macro_rules! kinds {
    ($(#[$doc:meta])* { $($variants:tt)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum RewardConfig {
            $($variants)*
            /// A custom kind, which a [`Registry`](super::Registry) builds.
            #[serde(untagged)]
            Custom(CustomKind),
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
    /// A reward in serialisable form: a `kind`, and the settings of that kind.
    ///
    /// [`build`](Self::build) checks every setting and returns the reward. Kinds that compare a completion with a
    /// task's calls need [`ToolTask`](sparring_tools::ToolTask)s; a tree without them can be [built for any
    /// task](Self::build_any). A [`Registry`](super::Registry) adds custom kinds.
    {
        /// [`Sum`](crate::Sum).
        Sum {
            /// Its name, `sum` by default.
            #[serde(default = "names::sum")]
            name: String,
            /// The parts.
            parts: Vec<RewardConfig>,
        },
        /// [`Weighted`](crate::Weighted).
        Weighted {
            /// The weight.
            weight: Schedule,
            /// The weighted reward.
            reward: Box<RewardConfig>,
        },
        /// [`Mix`](crate::Mix): `sigma·late + (1 - sigma)·early`.
        Mix {
            /// Its name, `mix` by default.
            #[serde(default = "names::mix")]
            name: String,
            /// The share of `late`, in [0, 1].
            sigma: Schedule,
            /// The reward late in training, if sigma rises.
            late: Box<RewardConfig>,
            /// The reward early in training.
            early: Box<RewardConfig>,
        },
        /// [`Product`](crate::Product).
        Product {
            /// Its name, `product` by default.
            #[serde(default = "names::product")]
            name: String,
            /// The factors.
            parts: Vec<RewardConfig>,
        },
        /// [`Gate`](crate::Gate).
        Gate {
            /// The condition: a reward that must be above 0.
            gate: Box<RewardConfig>,
            /// The reward if the gate is open.
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
            /// The limited reward.
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
            /// Its name, `tiers` by default.
            #[serde(default = "names::tiers")]
            name: String,
            /// The rows, from top to bottom.
            rows: Vec<Tier>,
            /// The score if no row matches; without it, the table does not apply.
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
        /// [`NgramRepetition`].
        NgramRepetition(NgramRepetition),
        /// [`Majority`].
        Majority(Majority),
        /// [`Present`].
        Present(Present),
        /// [`Repetition`](crate::repetition::Repetition).
        Repetition {
            /// How to find the question.
            #[serde(default)]
            question: Extract,
            /// How repetition is measured and penalised.
            #[serde(default)]
            rules: RepetitionSettings,
        },
        /// [`SolveRate`](crate::solve_rate::SolveRate) by a [`Band`].
        Band(Band),
        /// [`SolveRate`](crate::solve_rate::SolveRate) with another shape.
        SolveRate {
            /// The shape.
            shape: RateShape,
        },
        /// [`SolverFormat`]: Tool-R0's answer format.
        SolverFormat(SolverFormat),
        /// [`AstMatch`]; for tool tasks.
        Ast(AstMatch),
        /// [`TokenOverlap`]; for tool tasks.
        Overlap(TokenOverlap),
        /// [`MultiCallBonus`]; for tool tasks.
        MultiCall(MultiCallBonus),
        /// [`SameNames`]; for tool tasks.
        Names(SameNames),
        /// [`ValuePenalty`]; for tool tasks.
        ValuePenalty(ValuePenalty),
        /// [`CallSimilarity`]; for tool tasks.
        Similarity(CallSimilarity),
        /// [`ExtraCalls`]; for tool tasks.
        ExtraCalls(ExtraCalls),
        /// [`Readable`]; for tool tasks.
        Readable(Readable),
        /// [`ReferenceFormat`]; for tool tasks.
        ReferenceFormat(ReferenceFormat),
        /// [`Accuracy`](crate::accuracy::Accuracy): Tool-R0's dense accuracy; for tool tasks.
        Accuracy {
            /// The format of calls.
            #[serde(default)]
            format: CallFormat,
            /// How calls are scored.
            #[serde(default)]
            rules: AccuracySettings,
        },
        /// [`CallValidity`](crate::validity::CallValidity): whether the calls fit the tool list and the question; for
        /// tool tasks.
        Validity {
            /// The format of calls.
            #[serde(default)]
            format: CallFormat,
            /// Settings of the score.
            #[serde(default)]
            rules: ValiditySettings,
        },
    }
}

/// The default names of compositions.
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
