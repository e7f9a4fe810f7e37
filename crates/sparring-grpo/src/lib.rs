//! Advantages, losses with their gradients, and the update driver of GRPO (arXiv:2402.03300).
//!
//! ```text
//!  rewards ─▶ advantages ─▶ ┌───────────────────────────┐ ∂L/∂logp
//!  rollouts (old logp) ───▶ │ clipped surrogate + KL    │ ─────────▶ Learner::accumulate … step
//!  reference logp ────────▶ │ × normaliser of the batch │
//!                           └───────────────────────────┘
//! ```
//!
//! The crate knows no tensors. A loss that depends on the weights only through the log-probabilities of the sampled
//! tokens has the gradient Σ_t (∂L/∂ℓ_t)·∇ℓ_t. So everything here is arithmetic on slices, written once in `f64` and
//! checked by finite differences; the backend supplies ∇ℓ_t.
//!
//! | module | contents |
//! |---|---|
//! | [`advantage`] | advantage estimators over groups, batches and keys |
//! | [`surrogate`] | the policy objective of one token, and its derivative |
//! | [`kl`] | the KL term: settings, estimators and their derivatives |
//! | [`importance`] | importance weights for a sampler that differs slightly from the policy |
//! | [`select`] | which tokens and sequences carry the policy term |
//! | [`normaliser`] | the named losses and their normalisers |
//! | [`loss`] | the whole loss of one completion, as a function of slices |
//!
//! [`GrpoConfig`] is the serialisable form; [`GrpoConfig::build`] checks it and returns a [`Grpo`], which runs updates:
//!
//! ```
//! use sparring_core::{Prompt, SampleRequest, Sampler, SamplingParams, Seed};
//! use sparring_grpo::{GrpoConfig, RolloutGroup};
//! use sparring_testkit::ToyPolicy;
//!
//! let mut policy = ToyPolicy::new("abc", Seed::new(1));
//! let grpo = GrpoConfig::default().build()?;
//! let (prompt, params) = (Prompt::Tokens([0].into()), SamplingParams::default().with_max_tokens(4));
//! let mut rewards_seen = Vec::new();
//! for step in 0..40 {
//!     let request = SampleRequest::new(prompt.clone(), 8, params.clone(), Seed::new(2).index(step));
//!     let rollouts = policy.sample_one(&request)?;
//!     // Reward: the share of the letter b.
//!     let rewards: Vec<Option<f32>> =
//!         rollouts.iter().map(|r| Some(r.text.matches('b').count() as f32 / 4.0)).collect();
//!     let group = RolloutGroup::new(&rollouts, &rewards);
//!     let report = grpo.update(&mut policy, None, &[group], 0.5)?;
//!     rewards_seen.extend(report.reward_mean);
//! }
//! assert!(rewards_seen[39] > rewards_seen[0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod adpo;
pub mod advantage;
mod check;
mod config;
mod drift;
mod dynamic;
mod error;
mod group;
pub mod importance;
pub mod kl;
pub mod loss;
mod micro_batch;
pub mod normaliser;
mod overlong;
mod papers;
mod prepare;
mod report;
mod schedule;
pub mod select;
mod settings;
pub mod supervised;
pub mod surrogate;
mod tally;
mod unused;
mod update;

pub use adpo::Adpo;
pub use advantage::{AdvantageKind, advantages};
pub use config::{GrpoConfig, OldLogp};
pub use dynamic::{DynamicSampling, Resampled, is_zero_advantage, resample};
pub use error::GrpoError;
pub use group::RolloutGroup;
pub use importance::{ImportanceCorrection, ImportanceLevel, Outside};
pub use kl::{KlConfig, KlEstimator, KlPlacement};
pub use normaliser::{Aggregation, LossKind, RatioLevel};
pub use overlong::SoftOverlong;
pub use report::UpdateReport;
pub use schedule::LrSchedule;
pub use surrogate::{Divergence, Surrogate};
pub use update::Grpo;
