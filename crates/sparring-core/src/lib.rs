//! The data that crosses Sparring's seams, and the traits that others implement.
//!
//! ```text
//!            messages                 rollouts                    ∂L/∂logp
//!   Game ───────────────▶ Sampler ───────────────▶ Reward ─▶ … ───────────────▶ Learner
//! ```
//!
//! Depend on this crate to *implement* a seam (a model backend, a reward, a game); depend on the
//! facade `sparring` to *use* them. It knows no tensor library and does no input or output: numbers
//! cross as slices, text as [`Message`]s, and every random choice as a [`Seed`].
//!
//! | seam | what you write when you implement it |
//! |---|---|
//! | [`Sampler`] | prompts in, completions out, each with the log-probability of its tokens; [`Retry`] asks again |
//! | [`LogitHook`], [`HookState`] | which tokens may come next, for constrained decoding |
//! | [`Scorer`], [`Learner`] | log-probabilities of given tokens, and gradient steps through them |
//! | [`Policy`], [`Checkpoint`] | one model that can do all of that, and be saved and restored |
//! | [`Encoder`] | text as token ids, to learn from texts that the model did not write and to go on with a conversation |
//! | [`Reward`] | a score for each completion of a group |
//! | [`Advantage`] | rewards of a group to advantages |
//! | [`Game`] | what the Generator is asked, how its answer becomes a task, when a task is solved |
//! | [`TaskSource`] | numbered tasks from somewhere else than a Generator |
//! | [`Observer`] | what happened, as it happens |
//!
//! A reward is a closure away:
//!
//! ```
//! use sparring_core::{reward_fn, Reward, RewardContext, Rollout};
//!
//! let short = reward_fn("short", |_task: &str, rollout: &Rollout| {
//!     Some(if rollout.text.len() < 10 { 1.0 } else { 0.0 })
//! });
//! let group = [Rollout::from_text("yes"), Rollout::from_text("a rather long answer")];
//! let scores = short.score("any task", &group, &RewardContext::default())?;
//! assert_eq!(scores, [Some(1.0), Some(0.0)]);
//! # Ok::<(), sparring_core::BoxError>(())
//! ```
#![forbid(unsafe_code)]

mod advantage;
mod encoder;
mod error;
mod event;
mod game;
mod learner;
mod message;
mod policy;
mod reward;
mod rollout;
mod sampler;
mod seed;

pub use advantage::{Advantage, advantage_fn};
pub use encoder::{Continuation, Encoder};
pub use error::{BoxError, PolicyError, one_line};
pub use event::{Event, Observer, Phase};
pub use game::{Game, Rejection, TaskSource, task_source_fn};
pub use learner::{
    Learner, Scorer, StepReport, TokenBatch, TokenGradients, TokenGroup, TokenLoss, TokenStats,
};
pub use message::{Conversation, Message, MessageCall, Role};
pub use policy::{Checkpoint, Policy};
pub use reward::{
    Component, Player, Reward, RewardContext, RewardFn, ScoreError, check_scores, reward_fn, sum_components,
};
pub use rollout::{Finish, Rollout};
pub use sampler::{
    AllowTokens, Backoff, Hook, HookState, LogitHook, LogitRules, OneOf, Prompt, Retry, SampleRequest,
    Sampler, SamplingParams,
};
pub use seed::{Seed, SeedRng};
