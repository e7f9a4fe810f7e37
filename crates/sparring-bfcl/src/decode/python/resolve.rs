//! Turns a syntax tree into calls, as the official code does.

use super::number;
use super::strings::{bytes_value, text_value};
use super::tree::{Constant, Expr, Id, Span, Tree};
use super::{Fault, evaluate, repr, unparse};
use crate::decode::Raised;
use crate::decode::dict::Dict;
use crate::{OtherKind, PyValue};
use num_bigint::BigInt;
use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization;

/// Reads values from a tree.
pub(super) struct Resolver<'a> {
    pub(super) source: &'a str,
    pub(super) tree: &'a Tree,
}

/// The calls in an expression: itself, or the elements of the list, tuple or set that it is.
pub(super) fn calls(source: &str, tree: &Tree, root: Id) -> Result<PyValue, Fault> {
    let resolver = Resolver { source, tree };
    match tree.expr(root) {
        Expr::Call(function, arguments) => Ok(PyValue::List(vec![resolver.call(function, arguments)?])),
        Expr::List(first) | Expr::Tuple(first) | Expr::Set(first) => {
            let call = |(_, expr)| match expr {
                Expr::Call(function, arguments) => resolver.call(function, arguments),
                _ => Err(Fault::new(Raised::Assertion, 0, "an element of the list is no call")),
            };
            Ok(PyValue::List(tree.items(first).map(call).collect::<Result<_, _>>()?))
        }
        _ => Err(Fault::new(Raised::Attribute, 0, "neither a call nor a list")),
    }
}

impl<'a> Resolver<'a> {
    /// A name as Python's parser keeps it: in normal form KC.
    pub(super) fn name(&self, span: Span) -> Cow<'a, str> {
        let name = &self.source[span.start as usize..span.end as usize];
        if name.is_ascii() { name.into() } else { name.nfkc().collect::<String>().into() }
    }

    pub(super) fn fault(exception: Raised, reason: &'static str) -> Fault {
        Fault::new(exception, 0, reason)
    }

    /// `{name: {parameter: value}}`. Arguments without a keyword are dropped.
    fn call(&self, function: Id, arguments: Id) -> Result<PyValue, Fault> {
        let mut name = String::with_capacity(32);
        self.write_name(function, &mut name);
        let mut values = Dict::default();
        for (_, argument) in self.tree.items(arguments) {
            let (key, value) = match argument {
                Expr::Keyword(name, value) => (PyValue::Str(self.name(name).into()), value),
                Expr::Unpack(value) => (PyValue::None, value),
                _ => continue,
            };
            // Strings and None can be keys.
            let _ = values.insert(key, self.value(value)?);
        }
        Ok(PyValue::Dict(vec![(PyValue::Str(name.into()), values.finish())]))
    }

    /// Writes the dotted name of the called function. A left end that is not a name is lost.
    fn write_name(&self, id: Id, out: &mut String) {
        match self.tree.expr(id) {
            Expr::Name(name) => out.push_str(&self.name(name)),
            Expr::Attribute(value, name) => {
                self.write_name(value, out);
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(&self.name(name));
            }
            _ => {}
        }
    }

    fn value(&self, id: Id) -> Result<PyValue, Fault> {
        match self.tree.expr(id) {
            Expr::Constant(Constant::Ellipsis) => Ok(PyValue::Str("...".into())),
            Expr::Name(name) => Ok(PyValue::Str(self.name(name).into())),
            Expr::List(first) => Ok(PyValue::List(self.values(first)?)),
            Expr::Tuple(first) => Ok(PyValue::Tuple(self.values(first)?)),
            Expr::Dict(first) => self.dict(first),
            Expr::Unary(_, operand) => self.negated(operand),
            Expr::Binary(..) => evaluate::evaluate(self, id),
            Expr::Call(function, arguments) => {
                let named = |(_, expr)| matches!(expr, Expr::Keyword(..) | Expr::Unpack(_));
                if self.tree.items(arguments).any(named) {
                    return self.call(function, arguments);
                }
                Ok(PyValue::Str(unparse::unparse(self, id)?.into()))
            }
            Expr::Subscript(value, index) => {
                let (value, index) = (unparse::unparse(self, value)?, unparse::unparse(self, index)?);
                Ok(PyValue::Str(format!("{value}[{index}]").into()))
            }
            Expr::Lambda(..) => Err(Self::fault(Raised::Type, "a lambda as a value")),
            expr => match self.constant(expr) {
                Some(value) => value,
                None => Err(Self::fault(Raised::Plain, "an expression of this kind as a value")),
            },
        }
    }

    fn values(&self, first: Id) -> Result<Vec<PyValue>, Fault> {
        self.tree.items(first).map(|(id, _)| self.value(id)).collect()
    }

    fn dict(&self, first: Id) -> Result<PyValue, Fault> {
        let mut dict = Dict::default();
        for (_, item) in self.tree.items(first) {
            let Expr::Pair(key, value) = item else {
                return Err(Self::fault(Raised::Plain, "`**` in a dict"));
            };
            let (key, value) = (self.value(key)?, self.value(value)?);
            dict.insert(key, value).ok_or(Self::fault(Raised::Type, "an unhashable key"))?;
        }
        Ok(dict.finish())
    }

    /// The value of a node that `ast` calls a Constant.
    pub(super) fn constant(&self, expr: Expr) -> Option<Result<PyValue, Fault>> {
        Some(Ok(match expr {
            Expr::Plain(span) => PyValue::Str(self.source[span.start as usize..span.end as usize].into()),
            Expr::Text(span) => return Some(text_value(self.source, span)),
            Expr::Bytes(span) => return Some(bytes_value(self.source, span)),
            Expr::Number(span) => number::value(&self.source[span.start as usize..span.end as usize]),
            Expr::Constant(Constant::None) => PyValue::None,
            Expr::Constant(Constant::True) => PyValue::Bool(true),
            Expr::Constant(Constant::False) => PyValue::Bool(false),
            Expr::Constant(Constant::Ellipsis) => {
                PyValue::Other { kind: OtherKind::Ellipsis, repr: "Ellipsis".into() }
            }
            _ => return None,
        }))
    }

    /// The official code negates the operand of every prefix operator: `+5` is -5, `not True` is -1.
    fn negated(&self, operand: Id) -> Result<PyValue, Fault> {
        let expr = self.tree.expr(operand);
        match self.constant(expr) {
            Some(value) => negate(value?),
            None => Err(match expr {
                // These nodes have an attribute `value`, which is a node.
                Expr::Attribute(..)
                | Expr::Subscript(..)
                | Expr::Await(_)
                | Expr::Named(..)
                | Expr::Yield(_)
                | Expr::YieldFrom(_)
                | Expr::Comprehension(super::tree::Makes::Dict, ..) => {
                    Self::fault(Raised::Type, "bad operand type for unary -")
                }
                _ => Self::fault(Raised::Attribute, "a prefix operator before something that is no constant"),
            }),
        }
    }
}

/// `-value`.
pub(super) fn negate(value: PyValue) -> Result<PyValue, Fault> {
    Ok(match value {
        PyValue::Bool(b) => PyValue::Int(-i64::from(b)),
        PyValue::Int(i) => i.checked_neg().map_or_else(|| number::integer(-BigInt::from(i)), PyValue::Int),
        PyValue::BigInt(i) => number::integer(-*i),
        PyValue::Float(x) => PyValue::Float(-x),
        PyValue::Other { kind: OtherKind::Complex, repr } => {
            let imaginary = repr.trim_end_matches('j').parse().unwrap_or(f64::NAN);
            PyValue::Other { kind: OtherKind::Complex, repr: repr::complex(-0.0, -imaginary) }
        }
        _ => return Err(Fault::new(Raised::Type, 0, "bad operand type for unary -")),
    })
}
