//! Toy policies, and conformance suites for third-party backends, samplers, rewards and games.
//!
//! [`ToyPolicy`] is a complete model of a few thousand numbers: it samples, scores, learns by exact gradients
//! and is saved and restored, so that tests, examples and documentation run without weights.
//! [`NextTokenPolicy`] makes such a policy of your own small model, a [`NextToken`]. [`ScriptedSampler`] says what
//! it is told to, and a [`Tape`] shows what a loss writes. [`lm_head`] is the last layer of a language model, slowly and
//! in `f64`. [`conformance`] holds the contracts of `sparring-core` as functions: call them from the tests of
//! your own implementation.
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
