//! What sampling computed of the rows that are learned from next: a cache of activations.
//!
//! Decoding runs the same forward pass as learning, to the bit. While the weights stay what they are, learning need not
//! run it again: a recording holds, of each row, what the backward pass reads and what is dear to compute.

mod pages;
mod row;
mod store;

pub(crate) use pages::Recording;
pub(crate) use row::Part;
pub(crate) use store::{Recorder, Recordings, Version};
