//! Advantages, losses with their gradients, and the update driver of GRPO (arXiv:2402.03300).
//!
//! ```text
//!  rewards ─▶ advantages ─▶ ┌───────────────────────────┐ ∂L/∂logp
//!  rollouts (old logp) ───▶ │ clipped surrogate + KL    │ ─────────▶ Learner::accumulate … step
//!  reference logp ────────▶ │ × normaliser of the batch │
//!                           └───────────────────────────┘
//! ```
//!
//! The crate knows no tensors. A loss that reaches the weights only through the log-probabilities of the
//! sampled tokens has the gradient Σ_t (∂L/∂ℓ_t)·∇ℓ_t, so everything here is plain arithmetic on slices,
//! written once in `f64`, and checked by finite differences in microseconds; the backend supplies ∇ℓ_t.
//!
//! | module | what it holds |
//! |---|---|
//! | [`advantage`] | rewards of a group to advantages |
//! | [`surrogate`] | the clipped objective of one token, and its derivative |
//! | [`kl`] | the estimators k1, k2, k3 of the KL divergence, and their derivatives |
//! | [`normaliser`] | what GRPO, BNPO, Dr. GRPO and DAPO divide by |
//! | [`loss`] | all of it over a batch, as a function of slices |
//!
//! [`GrpoConfig`] is what a file holds; [`GrpoConfig::build`] checks it and gives [`Grpo`], which runs updates:
//!
//! ```
//! use sparring_core::{Policy, Prompt, SampleRequest, SamplingParams, Seed};
//! use sparring_grpo::{GrpoConfig, RolloutGroup};
//! use sparring_testkit::ToyPolicy;
//!
//! let mut policy = ToyPolicy::new("abc", Seed::new(1));
//! let grpo = GrpoConfig::default().build()?;
//! let mut rewards_seen = Vec::new();
//! for step in 0..40 {
//!     let request = SampleRequest {
//!         prompt: Prompt::Tokens([0].into()),
//!         n: 8,
//!         params: SamplingParams::default().with_max_tokens(4),
//!         seed: Seed::new(2).index(step),
//!     };
//!     let rollouts = policy.sampler().sample(&[request])?.remove(0);
//!     // Reward: the share of the letter b.
//!     let rewards: Vec<Option<f32>> =
//!         rollouts.iter().map(|r| Some(r.text.matches('b').count() as f32 / 4.0)).collect();
//!     let group = RolloutGroup { rollouts: &rollouts, rewards: &rewards };
//!     let report = grpo.update(policy.learner(), None, &[group], 0.5)?;
//!     rewards_seen.push(report.reward_mean);
//! }
//! assert!(rewards_seen[39] > rewards_seen[0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod advantage;
mod batch;
mod config;
mod error;
pub mod kl;
pub mod loss;
pub mod normaliser;
mod prepare;
mod report;
mod schedule;
pub mod supervised;
pub mod surrogate;
mod update;

pub use advantage::{AdvantageKind, advantages};
pub use config::{GrpoConfig, OldLogp};
pub use error::GrpoError;
pub use kl::KlEstimator;
pub use normaliser::LossKind;
pub use report::UpdateReport;
pub use schedule::LrSchedule;
pub use update::{Grpo, RolloutGroup};
