//! Tool schemas, tool-call parsing and matching; knows no training.
#![forbid(unsafe_code)]

mod call;
mod task;

pub use call::ToolCall;
pub use task::ToolTask;

mod spec;
pub use spec::ToolSpec;
