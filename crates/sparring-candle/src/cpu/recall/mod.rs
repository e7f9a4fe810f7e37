//! A cache of the activations that sampling computed, for the learning that follows.
//!
//! Decoding runs the same forward pass as learning, bit for bit. While the weights do not change, learning need not
//! repeat it: a recording holds those inputs of each row's backward pass that are expensive to compute.

mod pages;
mod row;
mod store;

pub(crate) use pages::{PAGE_ROWS, Recording};
pub(crate) use row::Part;
pub(crate) use store::{Recorder, Recordings, Version};
