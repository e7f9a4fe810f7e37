//! Model backends: trainable decoders, their samplers, AdamW and checkpoints.
//!
//! ```text
//!   model folder ──▶ CandlePolicy ──▶ Sampler   prompts to completions: packed weights, paged cache
//!   or GGUF file         │       └──▶ Scorer    log-probabilities of given tokens
//!                        └──────────▶ Learner   ∂L/∂logp to gradients, by hand; AdamW
//! ```
//!
//! | type | computes with | on | learns |
//! |---|---|---|---|
//! | [`CandlePolicy`] | kernels of this crate | the CPU | yes |
//! | [`DevicePolicy`] | candle's stock operations | any device of candle: CPU, CUDA (feature `cuda`) | yes |
//! | [`CausalSampler`] | any model with a cache, e.g. of candle-transformers (feature `transformers`) | any | no |
//!
//! * The first two read and write the same folders, adapters and checkpoints, and pass the same test suites. All three
//!   draw tokens with the same code. [`FrozenPolicy`] is a `CandlePolicy` that only samples and scores.
//! * [`ModelConfig`] is the shape of a model, [`ChatTokenizer`] its text side. [`PolicyOptions`] and
//!   [`DeviceOptions`] are the settings.
//! * A group's prompt is computed once, in sampling and in training. `CandlePolicy` also computes once what prompts of
//!   several groups have in common at their beginning.
//! * `CandlePolicy`: the same seed, prompt and weights give the same tokens, whatever the batch, the order and the
//!   number of threads; gradients have the same bits for any number of threads. [`DevicePolicy`] says what holds on
//!   a device.
//! * [`oracle`] is the decoder in stock operations and double precision: the slow, short reference for tests of the
//!   engine and of the passes of `DevicePolicy`.
//!
//! # Modules
//!
//! | module | what it holds | imports |
//! |---|---|---|
//! | `kernels` | matrix products, norms, softmax, rotation, AdamW on slices, by instruction set | |
//! | `model` | `config.json`, tokenizer, chat template, parameter layout, safetensors, model folders, GGUF | |
//! | `threads` | work divided over threads | |
//! | `batch` | checks of token batches, and where each token lies | `model`, `threads` |
//! | `draw` | requests, drawing, hooks, stop conditions: what every sampler shares | `batch`, `kernels`, `model` |
//! | `lora` | settings and layout of adapters, PEFT folders | `model` |
//! | `learn` | AdamW's settings, evaluating losses, checkpoints: what every learner shares | `batch`, `lora`, `model` |
//! | `cpu` | [`CandlePolicy`]: `engine` (learning), `decode` (sampling), `recall`, `policy` | all above |
//! | `device` | [`DevicePolicy`] | all but `kernels` |
//! | `causal` | [`CausalSampler`] | `batch`, `draw`, `model` |
//! | `hub` | models of the Hugging Face Hub (feature `hub`) | `model` |
//!
//! A module imports only modules above it in this table; `tests/rooms.rs` checks it.

mod batch;
mod causal;
mod cpu;
mod device;
mod draw;
mod error;
#[cfg(feature = "hub")]
pub mod hub;
mod kernels;
mod learn;
mod lora;
mod model;
pub mod oracle;
mod threads;

#[cfg(feature = "transformers")]
pub use causal::transformers;
pub use causal::{CausalModel, CausalSampler, TensorModel};
pub use cpu::{CandlePolicy, FrozenPolicy, PolicyOptions, RecallReport};
pub use device::{DeviceKind, DeviceOptions, DevicePolicy, Precision};
pub use learn::{AdamWConfig, ParamGroup};
pub use lora::{LoraConfig, LoraTargets};
pub use model::{Activation, ChatTokenizer, LayerKind, ModelConfig, ModelFamily, RopeScaling};
