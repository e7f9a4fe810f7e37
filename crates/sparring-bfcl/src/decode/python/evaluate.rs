//! Evaluates operators between constants, which the official code leaves to Python's `eval`.

use super::Fault;
use super::arithmetic::{self, Budget};
use super::resolve::Resolver;
use super::tree::{Expr, Id, Unary};
use crate::PyValue;
use crate::decode::Raised;
use crate::decode::dict::Dict;

/// Height limit of evaluated trees; CPython cannot unparse a higher one to `eval` it.
const MAX_EVALUATED: u16 = 240;

/// Evaluates operators, literals and displays. A name raises as in Python, except names of Python's own functions:
/// nothing is called here.
pub(super) fn evaluate(resolver: &Resolver<'_>, id: Id) -> Result<PyValue, Fault> {
    if resolver.tree.height(id) > MAX_EVALUATED {
        return Err(Resolver::fault(Raised::Recursion, "an expression too deep to evaluate"));
    }
    Evaluator { resolver, budget: Budget::default() }.value(id)
}

struct Evaluator<'a> {
    resolver: &'a Resolver<'a>,
    budget: Budget,
}

impl Evaluator<'_> {
    fn value(&mut self, id: Id) -> Result<PyValue, Fault> {
        let expr = self.resolver.tree.expr(id);
        match expr {
            Expr::Binary(operator, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                arithmetic::binary(operator, left, right, &mut self.budget)
            }
            Expr::Unary(operator, operand) => {
                let operand = self.value(operand)?;
                unary(operator, operand)
            }
            Expr::List(first) => Ok(PyValue::List(self.values(first)?)),
            Expr::Tuple(first) => Ok(PyValue::Tuple(self.values(first)?)),
            Expr::Dict(first) => {
                let mut dict = Dict::default();
                for (_, item) in self.resolver.tree.items(first) {
                    let Expr::Pair(key, value) = item else { return Err(not_evaluated()) };
                    let (key, value) = (self.value(key)?, self.value(value)?);
                    dict.insert(key, value).ok_or(Resolver::fault(Raised::Type, "an unhashable key"))?;
                }
                Ok(dict.finish())
            }
            Expr::Name(span) if !BUILTINS.contains(&self.resolver.name(span).as_ref()) => {
                Err(Resolver::fault(Raised::Name, "a name in an operation is not defined"))
            }
            // The called, indexed or accessed value is evaluated first.
            Expr::Call(inner, _) | Expr::Attribute(inner, _) | Expr::Subscript(inner, _) => {
                if let Expr::Name(_) | Expr::Call(..) | Expr::Attribute(..) | Expr::Subscript(..) =
                    self.resolver.tree.expr(inner)
                {
                    self.value(inner)?;
                }
                Err(not_evaluated())
            }
            _ => self.resolver.constant(expr).unwrap_or_else(|| Err(not_evaluated())),
        }
    }

    fn values(&mut self, first: Id) -> Result<Vec<PyValue>, Fault> {
        let tree = self.resolver.tree;
        tree.items(first).map(|(id, _)| self.value(id)).collect()
    }
}

pub(super) fn not_evaluated() -> Fault {
    Resolver::fault(Raised::NotEvaluated, "the official code would evaluate this")
}

fn unary(operator: Unary, value: PyValue) -> Result<PyValue, Fault> {
    match operator {
        Unary::Minus => super::resolve::negate(value),
        Unary::Plus => match value {
            PyValue::Bool(b) => Ok(PyValue::Int(i64::from(b))),
            PyValue::Int(_) | PyValue::BigInt(_) | PyValue::Float(_) => Ok(value),
            PyValue::Other { .. } => Err(not_evaluated()),
            _ => Err(Resolver::fault(Raised::Type, "bad operand type for unary +")),
        },
        Unary::Invert => arithmetic::invert(&value),
        Unary::Not => Ok(PyValue::Bool(!truth(&value)?)),
    }
}

fn truth(value: &PyValue) -> Result<bool, Fault> {
    Ok(match value {
        PyValue::None => false,
        PyValue::Bool(b) => *b,
        PyValue::Int(i) => *i != 0,
        PyValue::BigInt(_) => true,
        PyValue::Float(x) => *x != 0.0,
        PyValue::Str(s) => !s.is_empty(),
        PyValue::List(items) | PyValue::Tuple(items) => !items.is_empty(),
        PyValue::Dict(entries) => !entries.is_empty(),
        PyValue::Other { .. } => return Err(not_evaluated()),
    })
}

/// Names that are defined where the official code evaluates: Python's functions and types that a model may plausibly
/// name, and the modules that the official file imports.
const BUILTINS: [&str; 52] = [
    "abs",
    "all",
    "any",
    "ascii",
    "ast",
    "bin",
    "bool",
    "builtins",
    "bytes",
    "callable",
    "chr",
    "complex",
    "copy",
    "dict",
    "dir",
    "divmod",
    "enumerate",
    "eval",
    "filter",
    "float",
    "format",
    "hash",
    "hex",
    "id",
    "input",
    "int",
    "isinstance",
    "iter",
    "json",
    "len",
    "list",
    "map",
    "max",
    "min",
    "next",
    "oct",
    "operator",
    "ord",
    "pow",
    "print",
    "range",
    "re",
    "repr",
    "reversed",
    "round",
    "set",
    "sorted",
    "str",
    "sum",
    "tuple",
    "type",
    "zip",
];
