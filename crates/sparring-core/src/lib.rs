//! The traits of Sparring, and the data types that their methods exchange.
//!
//! ```text
//!            messages                 rollouts                    ∂L/∂logp
//!   Game ───────────────▶ Sampler ───────────────▶ Reward ─▶ … ───────────────▶ Learner
//! ```
//!
//! Depend on this crate to *implement* a part (a model backend, a reward, a game); depend on the facade `sparring` to
//! *use* the parts. It knows no tensor library and does no input or output: numbers are passed as slices, text as
//! [`Message`]s, and every random choice comes from a [`Seed`].
//!
//! | trait | what it does |
//! |---|---|
//! | [`Sampler`] | samples completions of prompts, with the log-probability of each token; [`Retry`] repeats failures |
//! | [`LogitHook`], [`HookState`] | restrict the next token, for constrained decoding |
//! | [`Scorer`], [`Learner`] | compute log-probabilities of given tokens, and take gradient steps through them |
//! | [`Policy`], [`Checkpoint`] | one model that does all of this, and can be saved and restored |
//! | [`Encoder`] | turns text into token ids, to train on given text and to continue a conversation |
//! | [`Reward`] | scores each completion of a group |
//! | [`Advantage`] | turns the rewards of a group into advantages |
//! | [`Game`] | defines self-play: the Generator's prompt, how its answer becomes a task, when a task is solved |
//! | [`TaskSource`] | supplies numbered tasks from a data set, a file or a service |
//! | [`Observer`] | receives events as they happen |
//!
//! A closure is enough for a reward:
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
pub mod files;
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
pub use event::{Event, Observer, Phase, Stage, Work};
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
    Sampler, SamplingParams, TokenMask,
};
pub use seed::{Seed, SeedRng};
