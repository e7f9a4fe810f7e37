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
    /// Not Python's: the official code would run what stands there (`eval`), and this decoder does not.
    NotEvaluated,
    /// Not Python's: the format needs the feature `tree-sitter` of this crate.
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

/// Why a text holds no call: the exception of the official code, where, and why.
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

    /// What the official code raises.
    pub fn exception(&self) -> Raised {
        self.exception
    }

    /// The byte of the model's text that the error is about; 0 where it is about the whole of it.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// What is wrong, in a few words.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The same error in a text of which this one starts `by` bytes further on (or earlier).
    pub(super) fn shifted(mut self, by: isize, len: usize) -> Self {
        self.offset = self.offset.saturating_add_signed(by).min(len);
        self
    }
}
