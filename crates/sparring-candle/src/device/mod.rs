//! A backend in candle's own operations, for any device that candle has.
//!
//! [`DevicePolicy`] is slower on a processor than the hand-written engine of [`CandlePolicy`](crate::CandlePolicy)
//! and runs where that one cannot: on a GPU. Its decoder is also what [`oracle`](crate::oracle) runs in double
//! precision.

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
