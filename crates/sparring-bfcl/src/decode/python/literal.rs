//! `ast.literal_eval`.

use super::parser::Parser;
use super::resolve::{Resolver, negate};
use super::tree::{Binary, Expr, Id, Unary};
use super::{Fault, repr, with_unix_lines};
use crate::decode::dict::Dict;
use crate::decode::{DecodeError, Raised};
use crate::{OtherKind, PyValue};

/// The value of a Python literal, as `ast.literal_eval` reads it.
pub(in crate::decode) fn literal_eval(text: &str) -> Result<PyValue, DecodeError> {
    let source = with_unix_lines(text.trim_start_matches([' ', '\t']))?;
    let (tree, root) = Parser::new(&source).whole()?;
    Ok(Resolver { source: &source, tree: &tree }.literal(root)?)
}

impl Resolver<'_> {
    fn literal(&self, id: Id) -> Result<PyValue, Fault> {
        let malformed = Self::fault(Raised::Value, "malformed node or string");
        let unhashable = Self::fault(Raised::Type, "an unhashable key or element");
        let expr = self.tree.expr(id);
        match expr {
            Expr::List(first) => Ok(PyValue::List(self.literals(first)?)),
            Expr::Tuple(first) => Ok(PyValue::Tuple(self.literals(first)?)),
            Expr::Dict(first) => {
                let mut dict = Dict::default();
                for (_, item) in self.tree.items(first) {
                    let Expr::Pair(key, value) = item else { return Err(malformed) };
                    dict.insert(self.literal(key)?, self.literal(value)?).ok_or(unhashable)?;
                }
                Ok(dict.finish())
            }
            Expr::Set(first) => {
                let mut elements = Dict::default();
                for element in self.literals(first)? {
                    elements.insert(element, PyValue::None).ok_or(unhashable)?;
                }
                let source = "a set".into();
                Ok(PyValue::Other { kind: OtherKind::Set, repr: source })
            }
            Expr::Call(function, super::tree::NIL) => match self.tree.expr(function) {
                Expr::Name(name) if self.name(name) == "set" => {
                    Ok(PyValue::Other { kind: OtherKind::Set, repr: "set()".into() })
                }
                _ => Err(malformed),
            },
            Expr::Unary(Unary::Minus, operand) => negate(self.signed(operand)?),
            Expr::Unary(Unary::Plus, operand) => self.signed(operand),
            Expr::Binary(operator @ (Binary::Add | Binary::Sub), left, right) => {
                self.complex(left, operator == Binary::Sub, right)
            }
            _ => self.constant(expr).ok_or(malformed)?,
        }
    }

    fn literals(&self, first: Id) -> Result<Vec<PyValue>, Fault> {
        self.tree.items(first).map(|(id, _)| self.literal(id)).collect()
    }

    /// The operand of a sign: a number, and nothing else.
    fn signed(&self, id: Id) -> Result<PyValue, Fault> {
        let value = self.constant(self.tree.expr(id)).transpose()?;
        let malformed = Self::fault(Raised::Value, "malformed node or string");
        value.filter(is_number).ok_or(malformed)
    }

    /// `real + imaginary j`.
    fn complex(&self, left: Id, minus: bool, right: Id) -> Result<PyValue, Fault> {
        let malformed = Self::fault(Raised::Value, "malformed node or string");
        let real = match self.tree.expr(left) {
            Expr::Unary(Unary::Minus, operand) => negate(self.signed(operand)?)?,
            Expr::Unary(Unary::Plus, operand) => self.signed(operand)?,
            _ => self.signed(left)?,
        };
        let real = match real {
            PyValue::Int(i) => i as f64,
            PyValue::Float(x) => x,
            _ => return Err(malformed),
        };
        match self.signed(right)? {
            PyValue::Other { kind, repr } => {
                let imaginary: f64 = repr.trim_end_matches('j').parse().unwrap_or(f64::NAN);
                let imaginary = if minus { -imaginary } else { imaginary };
                Ok(PyValue::Other { kind, repr: repr::complex(real, imaginary) })
            }
            _ => Err(malformed),
        }
    }
}

fn is_number(value: &PyValue) -> bool {
    matches!(
        value,
        PyValue::Int(_)
            | PyValue::BigInt(_)
            | PyValue::Float(_)
            | PyValue::Other { kind: OtherKind::Complex, .. }
    )
}
