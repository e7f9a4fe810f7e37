//! A backend in candle's own operations, for any device that candle supports.
//!
//! [`DevicePolicy`] is slower on a CPU than the hand-written engine of [`CandlePolicy`](crate::CandlePolicy), but it
//! also runs on a GPU. [`oracle`](crate::oracle) runs the same decoder in double precision.

mod checkpoint;
pub(crate) mod decoder;
mod frame;
mod gradients;
mod learn;
mod model;
mod optimiser;
mod options;
mod pass;
mod plan;
mod policy;
mod sample;
mod weights;

pub(crate) use model::tensors;
pub(crate) use weights::TensorWeights;

pub use options::{DeviceKind, DeviceOptions, Precision};
pub use policy::DevicePolicy;
