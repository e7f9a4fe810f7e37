//! Language models that teach themselves to call tools: self-play reinforcement learning in Rust, on candle.
//!
//! This crate re-exports the others. Depend on it to *use* Sparring; depend on one of its parts where you need
//! no more than that part. Modules marked with \* are features of the same name.
//!
//! | module | crate | what it is for |
//! |---|---|---|
//! | [`core`] | `sparring-core` | the seams: traits that you can implement, data that crosses them |
//! | [`tools`] | `sparring-tools` | tool schemas, call parsing, matching; knows no training |
//! | [`reward`] | `sparring-reward` | reward components, schedules, composition |
//! | [`grpo`] | `sparring-grpo` | advantages, losses, the update driver; knows no tensors |
//! | [`train`] \* | `sparring-train` | the training loop: sample, score, update; checkpoints, resume, reports |
//! | [`candle`] \* | `sparring-candle` | the model backend |
//! | [`selfplay`] \* | `sparring-selfplay` | the Generator/Solver loop over any game |
//! | [`guided`] \* | `sparring-guided` | constrained decoding: schemas, grammars and tool calls as logit hooks |
//! | [`bfcl`] \* | `sparring-bfcl` | the Berkeley leaderboard's decoding and checker |
//! | [`eval`] \* | `sparring-eval` | benchmarks, run and scored over any sampler |
//! | [`recipes`] \* | `sparring-recipes` | Tool-R0 and Tool-Zero as compositions of the above, and their presets |
//! | [`miniature`] \* | `sparring-miniature` | a small world and a pretrained base to start from |
//! | [`testkit`] \* | `sparring-testkit` | toy policies, and conformance checks for your own implementations |
//!
//! All of these features are on by default, and so are `validate` (calls against their schemas) and `schemars` (tools
//! from Rust types). `default-features = false` leaves the four light crates: no tensors, no weights, no template
//! engine. Off by default: `hub` (models of the Hugging Face Hub, as `candle::hub`; compiles C), `mcp` (tools of MCP
//! servers, as `recipes::own_tools::mcp`; compiles C), `progress` (bars and lines), `tensorboard` (event files),
//! `tree-sitter` (BFCL's Java and JavaScript; compiles C), `transformers` (candle-transformers' models as samplers) and
//! `cuda` (NVIDIA GPUs).
//!
//! ```
//! use sparring::prelude::*;
//! use sparring::tools::{CallParser, ToolR0Tags};
//!
//! let text = "<think>hotel</think><tool_call_answer>\
//!     [{\"name\":\"book_hotel\",\"arguments\":{\"city\":\"Rome\"}}]</tool_call_answer>";
//! let calls = ToolR0Tags::default().parse(text)?;
//! assert_eq!(calls[0].name, "book_hotel");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! GRPO on a Hugging Face folder, with a reward of your own (`folder` is of any family of `candle::ModelFamily`; here
//! it is the miniature's base):
//!
//! ```
//! # #[cfg(all(feature = "candle", feature = "miniature", feature = "train"))]
//! # {
//! use sparring::candle::{CandlePolicy, PolicyOptions};
//! use sparring::prelude::*;
//! use sparring::train::{Epochs, TrainConfig, Trainer};
//!
//! # let files = tempfile::tempdir()?;
//! # let (folder, trained, run) = (files.path().join("base"), files.path().join("trained"), files.path().join("run"));
//! # sparring::miniature::write_base(&folder)?;
//! let mut policy = CandlePolicy::load(&folder, PolicyOptions::default())?;
//! let plan = TrainConfig::default()
//!     .with_steps(2)
//!     .with_prompts_per_step(1)
//!     .with_lr(1e-5)
//!     .with_sampling(SamplingParams::default().with_max_tokens(24))
//!     .build()?;
//! let tasks = Epochs::new(vec!["Rome", "Oslo"]);
//! let prompt = |city: &&str| vec![Message::user(format!("Book a hotel in {city} for two."))];
//! let names_it = reward_fn("names it", |city: &&str, out: &Rollout| Some(f32::from(out.text.contains(city))));
//! let summary = Trainer::new(plan, &mut policy, tasks, prompt, names_it, Seed::new(1)).run(&run)?;
//! println!("mean rewards: {:?}", summary.reward);
//! policy.save_pretrained(&trained)?; // `transformers` loads it
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `policy.with_lora(LoraConfig::new(16), seed)` trains an adapter instead, and `save_pretrained` then writes what PEFT
//! loads.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "bfcl")]
pub use sparring_bfcl as bfcl;
#[cfg(feature = "candle")]
pub use sparring_candle as candle;
pub use sparring_core as core;
#[cfg(feature = "eval")]
pub use sparring_eval as eval;
pub use sparring_grpo as grpo;
#[cfg(feature = "guided")]
pub use sparring_guided as guided;
#[cfg(feature = "miniature")]
pub mod miniature;
#[cfg(feature = "recipes")]
pub use sparring_recipes as recipes;
pub use sparring_reward as reward;
#[cfg(feature = "selfplay")]
pub use sparring_selfplay as selfplay;
#[cfg(feature = "testkit")]
pub use sparring_testkit as testkit;
pub use sparring_tools as tools;
#[cfg(feature = "train")]
pub use sparring_train as train;

/// The examples of the READMEs: they compile and run with the documentation's.
#[cfg(all(doctest, feature = "default"))]
mod readmes;

/// What most programs need in scope.
pub mod prelude {
    pub use sparring_core::{
        Checkpoint, Game, Learner, Message, Observer, Policy, Reward, RewardContext, Rollout, SampleRequest,
        Sampler, SamplingParams, Scorer, Seed, TaskSource, TokenLoss, reward_fn,
    };
    pub use sparring_tools::{CallParser, ToolCall, ToolSpec, ToolTask};
}
