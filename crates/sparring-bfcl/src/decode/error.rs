use std::borrow::Cow;
use std::fmt;

/// The Python exception that the official code raises on a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs, reason = "Python's own names")]
pub enum Raised {
    Syntax,
    Indentation,
    Assertion,
    Attribute,
    Index,
    Key,
    Name,
    Type,
    Value,
    Overflow,
    ZeroDivision,
    Recursion,
    Memory,
    UnicodeDecode,
    /// `xml.etree.ElementTree.ParseError`.
    XmlParse,
    /// A plain `Exception`.
    Plain,
    /// Not in Python: the official code would run this text (`eval`), and this decoder does not.
    NotEvaluated,
    /// Not in Python: the format needs the feature `tree-sitter` of this crate.
    FeatureMissing,
}

impl Raised {
    /// The class's name in Python.
    ///
    /// ```
    /// assert_eq!(sparring_bfcl::Raised::Syntax.name(), "SyntaxError");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::Syntax => "SyntaxError",
            Self::Indentation => "IndentationError",
            Self::Assertion => "AssertionError",
            Self::Attribute => "AttributeError",
            Self::Index => "IndexError",
            Self::Key => "KeyError",
            Self::Name => "NameError",
            Self::Type => "TypeError",
            Self::Value => "ValueError",
            Self::Overflow => "OverflowError",
            Self::ZeroDivision => "ZeroDivisionError",
            Self::Recursion => "RecursionError",
            Self::Memory => "MemoryError",
            Self::UnicodeDecode => "UnicodeDecodeError",
            Self::XmlParse => "ParseError",
            Self::Plain => "Exception",
            Self::NotEvaluated => "NotEvaluated",
            Self::FeatureMissing => "FeatureMissing",
        }
    }
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a text cannot be decoded: the exception of the official code, its position and its reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{exception} at byte {offset}: {reason}")]
pub struct DecodeError {
    exception: Raised,
    offset: usize,
    reason: Cow<'static, str>,
}

impl DecodeError {
    pub(super) fn new(exception: Raised, offset: usize, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { exception, offset, reason: reason.into() }
    }

    /// The exception of the official code.
    pub fn exception(&self) -> Raised {
        self.exception
    }

    /// Byte offset of the error in the model's text; 0 if it concerns the whole text.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The reason, in a few words.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The same error with its offset moved by `by` bytes.
    pub(super) fn shifted(mut self, by: isize, len: usize) -> Self {
        self.offset = self.offset.saturating_add_signed(by).min(len);
        self
    }
}
