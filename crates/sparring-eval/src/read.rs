//! From an answer's text to calls.

use crate::Item;
use serde_json::json;
use sparring_tools::{CallParser, ToolCall};

/// How answers are read.
#[non_exhaustive]
pub enum Reader {
    /// By the parser of a format.
    Format(Box<dyn CallParser>),
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Reading {
    /// These calls; none: the model declines every tool.
    Calls(Vec<ToolCall>),
    /// It cannot be read.
    Unreadable {
        /// Why.
        why: String,
    },
}

impl Reading {
    /// The calls, unless the answer cannot be read.
    pub fn calls(&self) -> Option<&[ToolCall]> {
        match self {
            Self::Calls(calls) => Some(calls),
            Self::Unreadable { .. } => None,
        }
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Reader").field(&self.name()).finish()
    }
}

impl Reader {
    /// A short name for reports.
    pub fn name(&self) -> &str {
        match self {
            Self::Format(parser) => parser.name(),
        }
    }

    /// Reads an answer to `item`.
    pub fn read(&self, _item: &Item, text: &str) -> Reading {
        match self {
            Self::Format(parser) => match parser.parse(text) {
                Ok(calls) => Reading::Calls(calls),
                Err(error) => Reading::Unreadable { why: error.to_string() },
            },
        }
    }

    /// Writes calls so that [`read`](Self::read) gives them back.
    pub fn render(&self, calls: &[ToolCall]) -> String {
        match self {
            Self::Format(parser) => parser.render(calls),
        }
    }

    /// Two calls, to show the format.
    pub(crate) fn example(&self) -> String {
        let call = |name: &str| ToolCall::new(name, [("parameter", json!("value")), ("other", json!(1))]);
        self.render(&[call("first_tool"), call("second_tool")])
    }

    /// How the format says that nothing is called; `None` where words do.
    pub(crate) fn no_call(&self) -> Option<String> {
        Some(self.render(&[])).filter(|text| !text.trim().is_empty())
    }
}
