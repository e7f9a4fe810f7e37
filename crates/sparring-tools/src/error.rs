use thiserror::Error;

/// An error in the data that this crate reads.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ToolsError {
    /// A tool definition is malformed.
    #[error("tool definition, {at}: {what}")]
    Spec {
        /// The part of the definition (`name`, `parameters.city`, ...).
        at: String,
        /// What is wrong, and what is expected.
        what: String,
    },
    /// A model's text, or a piece of JSON, is malformed.
    #[error(transparent)]
    Parse(#[from] ParseError),
}

impl ToolsError {
    pub(crate) fn spec(at: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Spec { at: at.into(), what: what.into() }
    }

    /// Returns the same error in the part of a document that `path` leads to.
    pub(crate) fn within(self, path: &str) -> Self {
        match self {
            Self::Spec { at, what } if !path.is_empty() => {
                let at = if at == "root" { path.to_owned() } else { format!("{path}.{at}") };
                Self::Spec { at, what }
            }
            other => other,
        }
    }
}

/// Why a text has no readable tool calls. Offsets are bytes from the start of the parsed text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParseError {
    /// There is no complete `<tag>...</tag>` block.
    #[error("no complete <{tag}>...</{tag}> block (byte {offset})")]
    NoBlock {
        /// The expected tag.
        tag: String,
        /// Where the search ended, or where an unclosed block starts.
        offset: usize,
    },
    /// The block is empty.
    #[error("the <{tag}> block at byte {offset} is empty")]
    EmptyBlock {
        /// The tag.
        tag: String,
        /// Where the block's content would start.
        offset: usize,
    },
    /// The text is neither JSON nor a Python literal.
    #[error("byte {offset}: {what}")]
    Syntax {
        /// What was found or expected.
        what: String,
        /// Where it was found.
        offset: usize,
    },
    /// The value is valid, but it is not a list of calls.
    #[error("value at byte {offset}: {what}")]
    Shape {
        /// What is wrong with it.
        what: String,
        /// Where the value starts.
        offset: usize,
    },
}

impl ParseError {
    pub(crate) fn syntax(offset: usize, what: impl Into<String>) -> Self {
        Self::Syntax { what: what.into(), offset }
    }

    pub(crate) fn shape(offset: usize, what: impl Into<String>) -> Self {
        Self::Shape { what: what.into(), offset }
    }

    /// Returns the position, in bytes from the start of the text.
    pub fn offset(&self) -> usize {
        match self {
            Self::NoBlock { offset, .. }
            | Self::EmptyBlock { offset, .. }
            | Self::Syntax { offset, .. }
            | Self::Shape { offset, .. } => *offset,
        }
    }

    /// Returns the same error with its position moved by `by` bytes.
    #[must_use]
    pub fn shifted(mut self, by: usize) -> Self {
        match &mut self {
            Self::NoBlock { offset, .. }
            | Self::EmptyBlock { offset, .. }
            | Self::Syntax { offset, .. }
            | Self::Shape { offset, .. } => *offset += by,
        }
        self
    }
}
