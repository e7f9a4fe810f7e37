//! Decodes Python expressions.
//!
//! ```text
//!   text ──plain──▶ calls, if their arguments are only literals; else:
//!   text ──Lexer──▶ tokens ──Parser──▶ Tree ──resolve──▶ calls
//!                                        ├──unparse──▶ source text (calls and subscripts as values)
//!                                        ├──evaluate──▶ a value (operators)
//!                                        └──literal──▶ a value (`ast.literal_eval`)
//! ```
//! The grammar is that of CPython 3.11, and the same texts are refused.

mod arguments;
mod arithmetic;
mod brackets;
mod evaluate;
mod fstring;
mod lexer;
mod literal;
mod number;
mod operators;
mod parser;
mod plain;
mod repr;
mod resolve;
mod strings;
mod tree;
mod unparse;

use super::{DecodeError, Raised};
use crate::PyValue;
use crate::number::strip;
use parser::Parser;
use std::borrow::Cow;

pub(super) use literal::literal_eval;
pub(super) use number::integer;

/// CPython's generic message.
const INVALID: &str = "invalid syntax";

/// An internal error: the content of a [`DecodeError`], small enough to return everywhere.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Fault {
    exception: Raised,
    at: u32,
    reason: &'static str,
}

impl Fault {
    const fn new(exception: Raised, at: u32, reason: &'static str) -> Self {
        Self { exception, at, reason }
    }

    const fn syntax(at: u32, reason: &'static str) -> Self {
        Self::new(Raised::Syntax, at, reason)
    }
}

impl From<Fault> for DecodeError {
    fn from(fault: Fault) -> Self {
        Self::new(fault.exception, fault.at as usize, fault.reason)
    }
}

/// The calls in `text`: white space, then single quotes are stripped, and the rest is one expression.
pub(super) fn decode(text: &str) -> Result<PyValue, DecodeError> {
    let inner = strip(text).trim_matches('\'');
    let start = inner.as_ptr() as usize - text.as_ptr() as usize;
    plain::calls(inner)
        .unwrap_or_else(|| {
            let source = with_unix_lines(inner)?;
            let (tree, root) = Parser::new(&source).whole()?;
            resolve::calls(&source, &tree, root)
        })
        .map_err(|fault| DecodeError::from(fault).shifted(start as isize, text.len()))
}

/// The text with `\n` for every line end, as Python's tokenizer reads it.
fn with_unix_lines(text: &str) -> Result<Cow<'_, str>, Fault> {
    if text.len() >= u32::MAX as usize {
        return Err(Fault::new(Raised::Memory, 0, "a text of 4 GiB"));
    }
    // A search first, since hardly any text contains either.
    let odd = text.as_bytes().iter().fold(0, |odd, &b| odd | u8::from(b == 0) | u8::from(b == b'\r'));
    if odd == 0 {
        return Ok(Cow::Borrowed(text));
    }
    if text.contains('\0') {
        return Err(Fault::syntax(0, "source code string cannot contain null bytes"));
    }
    Ok(Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")))
}
