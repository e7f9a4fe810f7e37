//! Choosing tokens: checked requests, draws from logits, stop conditions. Every sampler of the crate uses this code.

mod completion;
mod request;
mod stop;
mod token;

pub(crate) use completion::{Completion, Finished};
pub(crate) use request::{Prepared, answer};
pub(crate) use token::DrawScratch;
