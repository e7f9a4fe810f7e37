//! Source text of an expression, as `ast.unparse` of CPython 3.11 writes it.

mod fstring;

use super::Fault;
use super::resolve::Resolver;
use super::tree::{Binary, Constant, Expr, Id, MAX_HEIGHT, Makes, NIL, Param, Span, Unary};
use crate::decode::Raised;
use crate::number::MAX_DIGITS;
use crate::{OtherKind, PyValue};

/// Highest tree that is written; CPython runs out of stack at about this height.
const MAX_WRITTEN: u16 = 240;
const _: () = assert!(MAX_WRITTEN < MAX_HEIGHT);

/// How tightly an expression must bind to stand without parentheses.
mod level {
    pub(super) const NAMED: u8 = 0;
    pub(super) const TUPLE: u8 = 1;
    pub(super) const YIELD: u8 = 2;
    pub(super) const TEST: u8 = 3;
    pub(super) const OR: u8 = 4;
    pub(super) const AND: u8 = 5;
    pub(super) const NOT: u8 = 6;
    pub(super) const COMPARE: u8 = 7;
    pub(super) const EXPR: u8 = 8;
    pub(super) const FACTOR: u8 = 14;
    pub(super) const POWER: u8 = 15;
    pub(super) const AWAIT: u8 = 16;
    pub(super) const ATOM: u8 = 17;
}

/// The text of the expression `id`.
pub(super) fn unparse(resolver: &Resolver<'_>, id: Id) -> Result<String, Fault> {
    if resolver.tree.height(id) > MAX_WRITTEN {
        return Err(Resolver::fault(Raised::Recursion, "an expression too deep to write"));
    }
    let mut writer = Writer { resolver, out: String::new() };
    writer.write(id, level::TEST)?;
    Ok(writer.out)
}

struct Writer<'a> {
    resolver: &'a Resolver<'a>,
    out: String,
}

type Written = Result<(), Fault>;

impl Writer<'_> {
    fn name(&mut self, span: Span) {
        let name = self.resolver.name(span);
        self.out.push_str(&name);
    }

    fn write(&mut self, id: Id, place: u8) -> Written {
        let expr = self.resolver.tree.expr(id);
        let own = own_level(expr);
        let parentheses = place > own;
        if parentheses {
            self.out.push('(');
        }
        self.bare(expr)?;
        if parentheses {
            self.out.push(')');
        }
        Ok(())
    }

    fn bare(&mut self, expr: Expr) -> Written {
        match expr {
            Expr::Name(span) => self.name(span),
            Expr::Tuple(NIL) => self.out.push_str("()"),
            Expr::List(first) => return self.enclosed("[", first, "]"),
            Expr::Set(first) | Expr::Dict(first) => return self.enclosed("{", first, "}"),
            Expr::Tuple(first) => return self.tuple(first),
            Expr::Pair(key, value) => return self.two(key, ": ", value, level::TEST),
            Expr::Call(function, arguments) => return self.call(function, arguments),
            Expr::Attribute(value, name) => return self.attribute(value, name),
            Expr::Subscript(value, index) => return self.subscript(value, index),
            Expr::Slice(lower, upper, step) => return self.slice(lower, upper, step),
            Expr::Lambda(params, body) => return self.lambda(params, body),
            Expr::Comprehension(makes, element, clauses) => {
                return self.comprehension(makes, element, clauses);
            }
            Expr::Clause { is_async, target, iter, ifs } => return self.clause(is_async, target, iter, ifs),
            Expr::Joined(first) => return self.joined(first),
            Expr::Keyword(name, value) => {
                self.name(name);
                return self.after("=", value, level::TEST);
            }
            Expr::Unpack(value) => return self.after("**", value, level::EXPR),
            Expr::Starred(value) => return self.after("*", value, level::EXPR),
            Expr::Await(value) => return self.after("await ", value, level::ATOM),
            Expr::Yield(NIL) => self.out.push_str("yield"),
            Expr::Yield(value) => return self.after("yield ", value, level::ATOM),
            Expr::YieldFrom(value) => return self.after("yield from ", value, level::ATOM),
            // The lists that these stand in write them.
            Expr::Param(..) | Expr::Piece { .. } | Expr::Formatted { .. } => {}
            _ => return self.operation(expr),
        }
        Ok(())
    }

    fn operation(&mut self, expr: Expr) -> Written {
        match expr {
            Expr::Unary(operator, operand) => self.unary(operator, operand),
            Expr::Binary(operator, left, right) => self.binary(operator, left, right),
            Expr::And(first) => self.logic(first, " and ", level::AND),
            Expr::Or(first) => self.logic(first, " or ", level::OR),
            Expr::Compare(left, rest) => {
                self.write(left, level::EXPR)?;
                self.each(rest, "")
            }
            Expr::Comparison(test, right) => {
                self.out.extend([" ", test.sign(), " "]);
                self.write(right, level::EXPR)
            }
            Expr::Conditional { body, test, otherwise } => {
                self.two(body, " if ", test, level::OR)?;
                self.after(" else ", otherwise, level::TEST)
            }
            Expr::Named(target, value) => self.two(target, " := ", value, level::ATOM),
            _ => self.constant(expr),
        }
    }

    fn after(&mut self, sign: &str, value: Id, place: u8) -> Written {
        self.out.push_str(sign);
        self.write(value, place)
    }

    fn constant(&mut self, expr: Expr) -> Written {
        if let Expr::Constant(Constant::Ellipsis) = expr {
            self.out.push_str("...");
            return Ok(());
        }
        if let Expr::Text(span) = expr {
            // The one prefix that a tree keeps.
            let unicode = self.resolver.source[span.start as usize..].starts_with(['u', 'U']);
            self.out.push_str(if unicode { "u" } else { "" });
        }
        let Some(value) = self.resolver.constant(expr).transpose()? else { return Ok(()) };
        let repr = value.to_string();
        if matches!(value, PyValue::BigInt(_)) && repr.len() > MAX_DIGITS {
            return Err(Resolver::fault(Raised::Value, "more digits than Python writes"));
        }
        let infinite = matches!(value, PyValue::Float(_) | PyValue::Other { kind: OtherKind::Complex, .. });
        // There is no literal for infinity, but one that overflows.
        self.out.push_str(&if infinite { repr.replace("inf", "1e309") } else { repr });
        Ok(())
    }

    /// Nodes with `between` between them.
    fn each(&mut self, first: Id, between: &str) -> Written {
        for (i, (id, _)) in self.resolver.tree.items(first).enumerate() {
            if i > 0 {
                self.out.push_str(between);
            }
            self.write(id, level::TEST)?;
        }
        Ok(())
    }

    fn enclosed(&mut self, open: &str, first: Id, close: &str) -> Written {
        self.out.push_str(open);
        self.each(first, ", ")?;
        self.out.push_str(close);
        Ok(())
    }

    fn tuple(&mut self, first: Id) -> Written {
        self.each(first, ", ")?;
        if self.resolver.tree.single(first) {
            self.out.push(',');
        }
        Ok(())
    }

    fn two(&mut self, left: Id, between: &str, right: Id, place: u8) -> Written {
        self.write(left, place)?;
        self.out.push_str(between);
        self.write(right, place)
    }

    fn unary(&mut self, operator: Unary, operand: Id) -> Written {
        let (sign, place) = match operator {
            Unary::Not => ("not ", level::NOT),
            Unary::Invert => ("~", level::FACTOR),
            Unary::Plus => ("+", level::FACTOR),
            Unary::Minus => ("-", level::FACTOR),
        };
        self.out.push_str(sign);
        self.write(operand, place)
    }

    fn binary(&mut self, operator: Binary, left: Id, right: Id) -> Written {
        let own = binary_level(operator);
        let (before, after) = if operator == Binary::Pow { (own + 1, own) } else { (own, own + 1) };
        self.write(left, before)?;
        self.out.extend([" ", operator.sign(), " "]);
        self.write(right, after)
    }

    /// `ast.unparse` asks more of each operand than of the one before.
    fn logic(&mut self, first: Id, between: &str, own: u8) -> Written {
        for (i, (id, _)) in self.resolver.tree.items(first).enumerate() {
            if i > 0 {
                self.out.push_str(between);
            }
            self.write(id, (own as usize + i + 1).min(level::ATOM as usize) as u8)?;
        }
        Ok(())
    }

    /// Keywords come last, whatever their place was.
    fn call(&mut self, function: Id, arguments: Id) -> Written {
        self.write(function, level::ATOM)?;
        self.out.push('(');
        let mut comma = false;
        for keywords in [false, true] {
            for (id, expr) in self.resolver.tree.items(arguments) {
                if matches!(expr, Expr::Keyword(..) | Expr::Unpack(_)) != keywords {
                    continue;
                }
                self.out.push_str(if comma { ", " } else { "" });
                comma = true;
                match expr {
                    // In a call, unlike in a dict, what follows `**` needs no parentheses.
                    Expr::Unpack(value) => self.after("**", value, level::TEST)?,
                    _ => self.write(id, level::TEST)?,
                }
            }
        }
        self.out.push(')');
        Ok(())
    }

    fn attribute(&mut self, value: Id, name: Span) -> Written {
        self.write(value, level::ATOM)?;
        let expr = self.resolver.tree.expr(value);
        if matches!(expr, Expr::Number(_) | Expr::Constant(Constant::True | Constant::False)) {
            let value = self.resolver.constant(expr).transpose()?;
            // `3.real` is no Python, and True is an int.
            if matches!(value, Some(PyValue::Int(_) | PyValue::BigInt(_) | PyValue::Bool(_))) {
                self.out.push(' ');
            }
        }
        self.out.push('.');
        self.name(name);
        Ok(())
    }

    fn subscript(&mut self, value: Id, index: Id) -> Written {
        self.write(value, level::ATOM)?;
        self.out.push('[');
        match self.resolver.tree.expr(index) {
            Expr::Tuple(first) if first != NIL => self.tuple(first)?,
            _ => self.write(index, level::TEST)?,
        }
        self.out.push(']');
        Ok(())
    }

    fn slice(&mut self, lower: Id, upper: Id, step: Id) -> Written {
        for (id, colon) in [(lower, ""), (upper, ":"), (step, if step == NIL { "" } else { ":" })] {
            self.out.push_str(colon);
            if id != NIL {
                self.write(id, level::TEST)?;
            }
        }
        Ok(())
    }

    fn lambda(&mut self, params: Id, body: Id) -> Written {
        self.out.push_str("lambda");
        for (i, (_, param)) in self.resolver.tree.items(params).enumerate() {
            let Expr::Param(kind, name, default) = param else { continue };
            self.out.push_str(if i > 0 { ", " } else { " " });
            self.out.push_str(match kind {
                Param::Plain => "",
                Param::Slash => "/",
                Param::Star => "*",
                Param::DoubleStar => "**",
            });
            self.name(name);
            if default != NIL {
                self.out.push('=');
                self.write(default, level::TEST)?;
            }
        }
        self.out.push_str(": ");
        self.write(body, level::TEST)
    }

    fn comprehension(&mut self, makes: Makes, element: Id, clauses: Id) -> Written {
        let (open, close) = match makes {
            Makes::List => ("[", "]"),
            Makes::Generator => ("(", ")"),
            Makes::Set | Makes::Dict => ("{", "}"),
        };
        self.out.push_str(open);
        self.write(element, level::TEST)?;
        self.each(clauses, "")?;
        self.out.push_str(close);
        Ok(())
    }

    fn clause(&mut self, is_async: bool, target: Id, iter: Id, ifs: Id) -> Written {
        self.out.push_str(if is_async { " async for " } else { " for " });
        self.write(target, level::TUPLE)?;
        self.out.push_str(" in ");
        self.write(iter, level::OR)?;
        for (id, _) in self.resolver.tree.items(ifs) {
            self.out.push_str(" if ");
            self.write(id, level::OR)?;
        }
        Ok(())
    }
}

/// How tightly an expression binds.
fn own_level(expr: Expr) -> u8 {
    match expr {
        Expr::Named(..) => level::NAMED,
        Expr::Tuple(first) if first != NIL => level::TUPLE,
        Expr::Yield(_) | Expr::YieldFrom(_) => level::YIELD,
        Expr::Conditional { .. } | Expr::Lambda(..) => level::TEST,
        Expr::Or(_) => level::OR,
        Expr::And(_) => level::AND,
        Expr::Unary(Unary::Not, _) => level::NOT,
        Expr::Compare(..) => level::COMPARE,
        Expr::Binary(operator, ..) => binary_level(operator),
        Expr::Unary(..) => level::FACTOR,
        Expr::Await(_) => level::AWAIT,
        _ => level::ATOM,
    }
}

const fn binary_level(operator: Binary) -> u8 {
    match operator {
        Binary::BitOr => level::EXPR,
        Binary::BitXor => 9,
        Binary::BitAnd => 10,
        Binary::ShiftLeft | Binary::ShiftRight => 11,
        Binary::Add | Binary::Sub => 12,
        Binary::Mul | Binary::MatMul | Binary::Div | Binary::FloorDiv | Binary::Mod => 13,
        Binary::Pow => level::POWER,
    }
}
