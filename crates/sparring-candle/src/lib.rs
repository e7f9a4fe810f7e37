//! Model backend on the CPU: a trainable decoder, its sampler, AdamW and checkpoints.
//!
//! ```text
//!   model folder ──▶ CandlePolicy ──▶ Sampler   prompts to completions: packed weights, paged cache
//!   (Hugging Face)       │       └──▶ Scorer    log-probabilities of given tokens
//!                        └──────────▶ Learner   ∂L/∂logp to gradients, by hand; AdamW
//! ```
//!
//! * [`CandlePolicy`] implements every seam of `sparring-core`; [`FrozenPolicy`] samples and scores only.
//! * [`ModelConfig`] is the shape of a model, [`ChatTokenizer`] its text side, [`PolicyOptions`] the
//!   settings.
//! * A group's prompt is computed once, in sampling and in training.
//! * Same seed, prompt and weights, same tokens, whatever the batch, the order and the number of threads;
//!   gradients are the same bits for any number of threads.
//! * [`oracle`] is the same decoder in stock differentiable candle operations: slow, short, and what the
//!   fast one is tested against.

mod causal;
mod config;
mod decode;
mod engine;
mod files;
mod folder;
mod json;
mod kernels;
mod layout;
mod lora;
mod mapped;
mod options;
pub mod oracle;
mod policy;
mod rotary;
mod stock;
mod template;
mod tensors;
mod threads;
mod tokenizer;

#[cfg(feature = "transformers")]
pub use causal::transformers;
pub use causal::{CausalModel, CausalSampler, TensorModel};
pub use config::{Family, ModelConfig};
pub use lora::{LoraConfig, LoraTargets};
pub use options::{AdamWConfig, ParamGroup, PolicyOptions};
pub use policy::{CandlePolicy, FrozenPolicy};
pub use rotary::RopeScaling;
pub use stock::{DeviceKind, DeviceOptions, DevicePolicy, Precision};
pub use tokenizer::ChatTokenizer;
