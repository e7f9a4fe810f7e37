//! Model backends: trainable decoders, their samplers, AdamW and checkpoints.
//!
//! ```text
//!   model folder ──▶ CandlePolicy ──▶ Sampler   prompts to completions: packed weights, paged cache
//!   (Hugging Face)       │       └──▶ Scorer    log-probabilities of given tokens
//!                        └──────────▶ Learner   ∂L/∂logp to gradients, by hand; AdamW
//! ```
//!
//! | type | computes with | on | learns |
//! |---|---|---|---|
//! | [`CandlePolicy`] | kernels of our own | the CPU | yes |
//! | [`DevicePolicy`] | candle's stock operations | any device of candle's: CPU, CUDA (feature `cuda`) | yes |
//! | [`CausalSampler`] | any model with a cache, such as candle-transformers' (feature `transformers`) | as the model | no |
//!
//! * The first two read and write the same folders, adapters and checkpoints and pass one test suite; all three
//!   draw tokens by the same code. [`FrozenPolicy`] is a `CandlePolicy` that samples and scores only.
//! * [`ModelConfig`] is the shape of a model, [`ChatTokenizer`] its text side, [`PolicyOptions`] and
//!   [`DeviceOptions`] the settings.
//! * A group's prompt is computed once, in sampling and in training.
//! * `CandlePolicy`: same seed, prompt and weights, same tokens, whatever the batch, the order and the number of
//!   threads; gradients are the same bits for any number of threads. What holds on a device is said there.
//! * [`oracle`] is the decoder in stock operations and double precision: slow, short, and what the engine and the
//!   passes of `DevicePolicy` are tested against.

mod batch;
mod causal;
mod cpu;
mod device;
mod draw;
mod error;
mod kernels;
mod learn;
mod lora;
mod model;
pub mod oracle;

#[cfg(feature = "transformers")]
pub use causal::transformers;
pub use causal::{CausalModel, CausalSampler, TensorModel};
pub use cpu::{CandlePolicy, FrozenPolicy, PolicyOptions, RecallReport};
pub use device::{DeviceKind, DeviceOptions, DevicePolicy, Precision};
pub use learn::{AdamWConfig, ParamGroup};
pub use lora::{LoraConfig, LoraTargets};
pub use model::{ChatTokenizer, Family, ModelConfig, RopeScaling};
