//! Decodes a model's text into calls, as BFCL's handlers for prompted models do.
//!
//! ```text
//!   text ─strip "`\n "─▶ add missing [ ] ─(inside <TOOLCALL>?)─▶ one reader for each format ─▶ [{name: {parameter: value}}]
//! ```
//! Source: `bfcl-eval` 2026.3.23 (`model_handler/utils.py`, `model_handler/parser/`), Python 3.11. Its oddities are
//! reproduced: positional arguments are dropped, `+5` is -5, and a list of objects inside JSON parameters makes the
//! whole text no call.

mod dict;
mod error;
mod json;
mod python;
#[cfg(feature = "tree-sitter")]
mod syntax;
mod xml;

pub use error::{DecodeError, Raised};

use crate::PyValue;
use crate::number::strip;
use std::borrow::Cow;
use std::str::FromStr;

/// The notation in which a model was asked to write its calls (`ReturnFormat` of the official code).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReturnFormat {
    /// `[f(a=1), g(b='x')]`.
    Python,
    /// `[{"function": "f", "parameters": {"a": 1}}]`.
    Json,
    /// `<functions><function name="f"><params>` `<param name="a" value="1" type="integer"/>`
    /// `</params></function></functions>`.
    VerboseXml,
    /// `<functions><function name="f"><param name="a" type="integer">1</param></function></functions>`.
    ConciseXml,
    /// `[A.f(a=1);]`; needs the feature `tree-sitter`.
    Java,
    /// `[f(a=1)]`; needs the feature `tree-sitter`.
    JavaScript,
}

impl ReturnFormat {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Python, Self::Json, Self::VerboseXml, Self::ConciseXml, Self::Java, Self::JavaScript];

    /// The official name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Json => "json",
            Self::VerboseXml => "verbose_xml",
            Self::ConciseXml => "concise_xml",
            Self::Java => "java",
            Self::JavaScript => "javascript",
        }
    }
}

/// The error for a name that is not a [`ReturnFormat`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no return format")]
pub struct UnknownFormat(String);

impl FromStr for ReturnFormat {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| UnknownFormat(name.into()))
    }
}

/// The calls in a model's text: `[{name: {parameter: value}}]`, or another shape if the official code returns
/// one. With `has_tool_call_tag`, only the first `<TOOLCALL>` element is read.
///
/// Time is linear in the text, nesting is bounded, and no text causes a panic.
///
/// ```
/// use sparring_bfcl::{PyValue, ReturnFormat, decode};
///
/// let calls = decode("f(a=+5, b=true)", ReturnFormat::Python, false)?;
/// let arguments = PyValue::Dict(vec![
///     (PyValue::Str("a".into()), PyValue::Int(-5)),
///     (PyValue::Str("b".into()), PyValue::Str("true".into())),
/// ]);
/// assert_eq!(calls, PyValue::List(vec![PyValue::Dict(vec![(PyValue::Str("f".into()), arguments)])]));
///
/// let error = decode("I cannot do that.", ReturnFormat::Python, false).unwrap_err();
/// assert_eq!(error.exception().name(), "SyntaxError");
/// # Ok::<(), sparring_bfcl::DecodeError>(())
/// ```
///
/// # Errors
/// [`DecodeError`] names the exception that the official code raises.
pub fn decode(text: &str, format: ReturnFormat, has_tool_call_tag: bool) -> Result<PyValue, DecodeError> {
    let stripped = text.trim_matches(['`', '\n', ' ']);
    let source = bracketed(stripped);
    // Offset of the source in the text: one byte earlier if a bracket was added before it.
    let mut start =
        stripped.as_ptr() as isize - text.as_ptr() as isize - isize::from(!stripped.starts_with('['));
    let mut inner = source.as_ref();
    if has_tool_call_tag {
        let (from, tagged) = tool_call(inner)
            .ok_or_else(|| DecodeError::new(Raised::Value, 0, "no <TOOLCALL> element in the text"))?;
        start += from as isize;
        inner = tagged;
    }
    let decoded = match format {
        ReturnFormat::Python => python::decode(inner),
        ReturnFormat::Json => json::decode(inner),
        ReturnFormat::VerboseXml => xml::decode(inner, xml::Style::Verbose),
        ReturnFormat::ConciseXml => xml::decode(inner, xml::Style::Concise),
        #[cfg(feature = "tree-sitter")]
        ReturnFormat::Java => syntax::java(without_ends(inner)),
        #[cfg(feature = "tree-sitter")]
        ReturnFormat::JavaScript => syntax::javascript(without_ends(inner)),
        #[cfg(not(feature = "tree-sitter"))]
        ReturnFormat::Java | ReturnFormat::JavaScript => {
            let reason = "this format needs the feature `tree-sitter` of sparring-bfcl";
            return Err(DecodeError::new(Raised::FeatureMissing, 0, reason));
        }
    };
    decoded.map_err(|error| error.shifted(start, text.len()))
}

/// Adds missing brackets at the ends of the text.
fn bracketed(text: &str) -> Cow<'_, str> {
    // A lone "[" only starts the list, and a lone "]" only ends it.
    match (text.starts_with('['), text.ends_with(']')) {
        (true, true) => text.into(),
        (true, false) => [text, "]"].concat().into(),
        (false, true) => ["[", text].concat().into(),
        (false, false) => ["[", text, "]"].concat().into(),
    }
}

/// The stripped content of the first `<TOOLCALL>` element, and its offset.
fn tool_call(text: &str) -> Option<(usize, &str)> {
    let from = text.find("<TOOLCALL>")? + "<TOOLCALL>".len();
    let len = text[from..].find("</TOOLCALL>")?;
    let inner = strip(&text[from..from + len]);
    Some((inner.as_ptr() as usize - text.as_ptr() as usize, inner))
}

/// `text[1:-1]` of Python, in characters.
#[cfg(feature = "tree-sitter")]
fn without_ends(text: &str) -> &str {
    let mut chars = text.chars();
    chars.next();
    chars.next_back();
    chars.as_str()
}
