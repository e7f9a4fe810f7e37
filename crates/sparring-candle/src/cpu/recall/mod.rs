//! A cache of activations: what sampling computed for the rows that learning uses next.
//!
//! Decoding runs the same forward pass as learning, bit for bit. While the weights do not change, learning need not run
//! it again: a recording holds what the backward pass of each row reads and what is expensive to compute.

mod pages;
mod row;
mod store;

pub(crate) use pages::Recording;
pub(crate) use row::Part;
pub(crate) use store::{Recorder, Recordings, Version};
