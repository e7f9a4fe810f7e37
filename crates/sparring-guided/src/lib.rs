//! Constrained decoding: a model can only write text that a grammar allows.
//!
//! A [`Guide`] belongs to one tokenizer. It turns a JSON Schema, a regular expression, a Lark grammar, or tools and a
//! call format into a [`Constraint`], which is a [`LogitHook`](sparring_core::LogitHook) for any sampler. Masks are
//! computed by [`llguidance`], token by token, before the logits: a sampler leaves out those of forbidden tokens.
//!
//! ```
//! use sparring_core::LogitHook;
//! use sparring_guided::{CallGrammar, Guide, Vocabulary};
//! use sparring_tools::{Format, ToolSpec};
//!
//! // A vocabulary of single bytes, with token 256 for the end. A model's: `ChatTokenizer::token_bytes`.
//! let guide = Guide::new(&Vocabulary::bytes())?;
//! let tool = ToolSpec::new("book", "", Default::default(), vec![])
//!     .with_parameter("city", serde_json::json!({"type": "string"}), true);
//! let calls = guide.calls(&[tool], &CallGrammar::new(Format::Hermes))?;
//! let text = "<tool_call>\n{\"name\": \"book\", \"arguments\": {\"city\": \"Rome\"}}\n</tool_call>";
//! assert!(calls.accepts(text.as_bytes())?);
//! assert!(!calls.accepts(text.replace("book", "cook").as_bytes())?);
//! # Ok::<(), sparring_guided::GuidedError>(())
//! ```
#![forbid(unsafe_code)]

mod calls;
mod constraint;
mod error;
mod guide;
mod sentence;
mod staged;
mod vocabulary;

pub use calls::CallGrammar;
pub use constraint::Constraint;
pub use error::GuidedError;
pub use guide::Guide;
pub use staged::Staged;
pub use vocabulary::Vocabulary;
