//! What chooses tokens: checked requests, draws from logits, stop conditions. Every sampler of the crate draws by this
//! code.

mod completion;
mod request;
mod stop;
mod token;

pub(crate) use completion::{Completion, Finished, in_order};
pub(crate) use request::{Prepared, prepare};
pub(crate) use token::DrawScratch;
