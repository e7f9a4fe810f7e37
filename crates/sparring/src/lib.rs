//! Language models that teach themselves to call tools: self-play reinforcement learning in Rust, on candle.
//!
//! This crate only re-exports. Depend on it to *use* Sparring; depend on one of its parts where you need
//! no more than that part.
//!
//! | module | crate | what it is for |
//! |---|---|---|
//! | [`core`] | `sparring-core` | the seams: traits that you can implement, data that crosses them |
//! | [`tools`] | `sparring-tools` | tool schemas, call parsing, matching; knows no training |
//! | [`reward`] | `sparring-reward` | reward components, schedules, composition |
//! | [`grpo`] | `sparring-grpo` | advantages, losses, the update driver; knows no tensors |
//! | [`candle`] | `sparring-candle` | the model backend |
//! | [`selfplay`] | `sparring-selfplay` | the Generator/Solver loop over any game |
//! | [`eval`] | `sparring-eval` | benchmarks, run and scored over any sampler |
//! | [`recipes`] | `sparring-recipes` | Tool-R0 and Tool-Zero as compositions of the above, and their presets |
//! | [`miniature`] | `sparring-miniature` | a small world and a pretrained base to start from |
//! | [`testkit`] | `sparring-testkit` | toy policies, and conformance checks for your own implementations |
//!
//! ```
//! use sparring::prelude::*;
//! use sparring::tools::{CallParser, ToolR0Tags};
//!
//! let text = r#"<think>hotel</think><tool_call_answer>[{"name":"book_hotel","arguments":{"city":"Rome"}}]</tool_call_answer>"#;
//! let calls = ToolR0Tags::default().parse(text)?;
//! assert_eq!(calls[0].name, "book_hotel");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! GRPO on a Hugging Face folder, with a reward of your own (`folder` is any Qwen2, Qwen3 or Llama; here it is the
//! miniature's base):
//!
//! ```
//! use sparring::candle::{CandlePolicy, PolicyOptions};
//! use sparring::grpo::{GrpoConfig, RolloutGroup};
//! use sparring::prelude::*;
//!
//! # let files = tempfile::tempdir()?;
//! # let (folder, trained) = (files.path().join("base"), files.path().join("trained"));
//! # sparring::miniature::write_base(&folder)?;
//! let mut policy = CandlePolicy::load(&folder, PolicyOptions::default())?;
//! let grpo = GrpoConfig::default().build()?;
//! let params = SamplingParams::default().with_max_tokens(24);
//! for step in 0..2 {
//!     let prompt = vec![Message::user("Book a hotel in Rome for two.")];
//!     let request = SampleRequest::new(prompt, 8, params.clone(), Seed::new(1).index(step));
//!     let rollouts = policy.sample_one(&request)?;
//!     let rewards: Vec<_> = rollouts.iter().map(|r| Some(f32::from(r.text.contains("Rome")))).collect();
//!     let group = RolloutGroup::new(&rollouts, &rewards);
//!     let report = grpo.update(&mut policy, None, &[group], 1e-5)?;
//!     println!("mean reward {:.2}, gradient {:.2}", report.reward_mean, report.grad_norm);
//! }
//! policy.save_pretrained(&trained)?; // `transformers` loads it
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `policy.with_lora(LoraConfig::new(16), seed)` trains an adapter instead, and `save_pretrained` then writes what PEFT loads.
#![forbid(unsafe_code)]

pub use sparring_candle as candle;
pub use sparring_core as core;
pub use sparring_eval as eval;
pub use sparring_grpo as grpo;
pub use sparring_miniature as miniature;
pub use sparring_recipes as recipes;
pub use sparring_reward as reward;
pub use sparring_selfplay as selfplay;
pub use sparring_testkit as testkit;
pub use sparring_tools as tools;

/// What most programs need in scope.
pub mod prelude {
    pub use sparring_core::{
        Checkpoint, Game, Learner, Message, Observer, Policy, Reward, RewardContext, Rollout, SampleRequest,
        Sampler, SamplingParams, Scorer, Seed, TaskSource, TokenLoss, reward_fn,
    };
    pub use sparring_tools::{CallParser, ToolCall, ToolSpec, ToolTask};
}
