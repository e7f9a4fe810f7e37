//! Toy policies, and conformance suites for third-party backends, samplers, rewards and games.
//!
//! [`ToyPolicy`] is a complete model with a few thousand numbers: it samples, scores, learns with exact gradients, and
//! is saved and restored, so that tests, examples and documentation run without weights. [`NextTokenPolicy`] turns your
//! own small model, a [`NextToken`], into such a policy. A [`ScriptedSampler`] returns given texts, and a [`Tape`]
//! records the gradients of a loss. [`lm_head`] is a reference for the last layer of a language model, in `f64`.
//! [`conformance`] checks the contracts of `sparring-core`: call it from the tests of your own implementation.
//!
//! ```
//! use sparring_core::{Prompt, Seed};
//! use sparring_testkit::{ToyPolicy, conformance};
//!
//! let policy = ToyPolicy::new("abc", Seed::new(1));
//! let prompt = Prompt::Tokens(policy.encode("ab"));
//! conformance::policy(&policy, &[prompt], &conformance::Options::default())?;
//! # Ok::<(), conformance::ConformanceFailure>(())
//! ```
#![forbid(unsafe_code)]

pub mod conformance;
pub mod lm_head;
mod next_token;
mod scripted;
mod tape;
mod toy;

pub use next_token::{NextToken, NextTokenPolicy, TokenContext};
pub use scripted::ScriptedSampler;
pub use tape::Tape;
pub use toy::{ToyModel, ToyPolicy};
