use super::lexer::{Kind, Lexer, Token};
use super::operators::{infix, prefix};
use super::tree::{Constant, Expr, Id, Items, NIL, Tree, Unary};
use super::{Fault, INVALID};
use crate::decode::Raised;

/// Deepest nesting of what is read recursively (brackets, prefix operators, lambdas, conditionals).
const MAX_DEPTH: u16 = 400;

pub(super) type Parsed = Result<Id, Fault>;

/// How tightly operators bind, from the loosest; the grammar's names.
pub(super) mod level {
    pub(in super::super) const DISJUNCTION: u8 = 1;
    pub(in super::super) const CONJUNCTION: u8 = 2;
    pub(in super::super) const INVERSION: u8 = 3;
    pub(in super::super) const COMPARISON: u8 = 4;
    pub(in super::super) const BITWISE_OR: u8 = 5;
    pub(in super::super) const FACTOR: u8 = 11;
}

/// Reads expressions by operator precedence.
pub(super) struct Parser<'a> {
    pub(super) source: &'a str,
    pub(super) lexer: Lexer<'a>,
    /// The next token.
    pub(super) token: Token,
    pub(super) tree: Tree,
    depth: u16,
}

impl<'a> Parser<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        let token = Token { kind: Kind::End, plain: false, start: 0, end: 0 };
        let lexer = Lexer::new(source.as_bytes(), 0, source.len(), 0);
        // About one node for every five bytes of calls.
        Self { source, lexer, token, tree: Tree::with_capacity(source.len() / 4 + 4), depth: 0 }
    }

    /// Reads the whole text as one expression, or several with commas between.
    pub(super) fn whole(mut self) -> Result<(Tree, Id), Fault> {
        self.lexer.skip_blank_lines()?;
        self.advance()?;
        let first = self.expression()?;
        let root = if self.token.kind == Kind::Comma { self.bare_tuple(first)? } else { first };
        while self.token.kind == Kind::Newline {
            self.lexer.skip_blank_lines()?;
            self.advance()?;
        }
        self.expect_now(Kind::End, INVALID)?;
        Ok((self.tree, root))
    }

    fn bare_tuple(&mut self, first: Id) -> Parsed {
        let at = self.token.start;
        let mut items = Items::NONE;
        self.tree.push(&mut items, first);
        while self.eat(Kind::Comma)? {
            if matches!(self.token.kind, Kind::End | Kind::Newline) {
                break;
            }
            let item = self.expression()?;
            self.tree.push(&mut items, item);
        }
        self.tree.over_items(Expr::Tuple(items.first), NIL, &items, at)
    }

    pub(super) fn advance(&mut self) -> Result<(), Fault> {
        self.token = self.lexer.next()?;
        Ok(())
    }

    pub(super) fn eat(&mut self, kind: Kind) -> Result<bool, Fault> {
        let found = self.token.kind == kind;
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    pub(super) fn expect_now(&self, kind: Kind, reason: &'static str) -> Result<(), Fault> {
        if self.token.kind == kind { Ok(()) } else { self.fault(reason) }
    }

    pub(super) fn expect(&mut self, kind: Kind, reason: &'static str) -> Result<(), Fault> {
        self.expect_now(kind, reason)?;
        self.advance()
    }

    pub(super) fn fault<T>(&self, reason: &'static str) -> Result<T, Fault> {
        Err(Fault::syntax(self.token.start, reason))
    }

    /// Runs `read` one level deeper.
    pub(super) fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.depth >= MAX_DEPTH {
            return Err(Fault::new(Raised::Recursion, self.token.start, "nested too deeply"));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    /// `expression` of the grammar: a disjunction, a conditional or a lambda.
    pub(super) fn expression(&mut self) -> Parsed {
        let at = self.token.start;
        if let Some(leaf) = self.leaf()? {
            // Most values are no more than this.
            if matches!(self.token.kind, Kind::Comma | Kind::Equal | Kind::Close | Kind::CloseSquare) {
                return Ok(leaf);
            }
            let left = self.trailed(leaf, at)?;
            let body = self.continued(left, level::DISJUNCTION, at)?;
            return self.conditional(body);
        }
        if self.token.kind == Kind::Lambda {
            return self.deeper(Self::lambda);
        }
        let body = self.operation(level::DISJUNCTION)?;
        self.conditional(body)
    }

    fn conditional(&mut self, body: Id) -> Parsed {
        if self.token.kind != Kind::If {
            return Ok(body);
        }
        let at = self.token.start;
        self.advance()?;
        let test = self.operation(level::DISJUNCTION)?;
        self.expect(Kind::Else, "expected 'else' after 'if' expression")?;
        let otherwise = self.deeper(Self::expression)?;
        self.tree.above(Expr::Conditional { body, test, otherwise }, [body, test, otherwise], at)
    }

    /// `named_expression` of the grammar: an expression, or `name := expression`.
    pub(super) fn named(&mut self) -> Parsed {
        let start = self.token;
        let target = self.expression()?;
        if self.token.kind != Kind::ColonEqual {
            return Ok(target);
        }
        if self.bare_name(target, start).is_none() {
            return self.fault("cannot use assignment expressions with this");
        }
        self.advance()?;
        let value = self.expression()?;
        self.tree.above(Expr::Named(target, value), [value, NIL, NIL], start.start)
    }

    /// The name that `id` is, if no brackets stand around it.
    pub(super) fn bare_name(&self, id: Id, start: Token) -> Option<super::tree::Span> {
        match self.tree.expr(id) {
            Expr::Name(span) if span == start.span() => Some(span),
            _ => None,
        }
    }

    /// Operators that bind at least as tightly as `min`, and what they stand between.
    pub(super) fn operation(&mut self, min: u8) -> Parsed {
        let at = self.token.start;
        let left = match prefix(self.token.kind) {
            Some((operator, binds)) => {
                if operator == Unary::Not && min > level::INVERSION {
                    return self.fault(INVALID);
                }
                self.advance()?;
                let operand = self.deeper(|parser| parser.operation(binds))?;
                self.tree.above(Expr::Unary(operator, operand), [operand, NIL, NIL], at)?
            }
            None => self.awaited()?,
        };
        self.continued(left, min, at)
    }

    /// Operators from `left`, which starts at `at`, on.
    fn continued(&mut self, mut left: Id, min: u8, at: u32) -> Parsed {
        loop {
            let kind = self.token.kind;
            let binds = match kind {
                Kind::Comma | Kind::Close | Kind::CloseSquare => return Ok(left),
                Kind::Or => level::DISJUNCTION,
                Kind::And => level::CONJUNCTION,
                Kind::Not | Kind::In | Kind::Is => level::COMPARISON,
                _ if super::operators::comparison(kind).is_some() => level::COMPARISON,
                _ => match infix(kind) {
                    Some((operator, binds, right)) if binds >= min => {
                        self.advance()?;
                        let right = self.deeper(|parser| parser.operation(right))?;
                        left =
                            self.tree.above(Expr::Binary(operator, left, right), [left, right, NIL], at)?;
                        continue;
                    }
                    _ => return Ok(left),
                },
            };
            if binds < min {
                return Ok(left);
            }
            left = match binds {
                level::COMPARISON => self.deeper(|parser| parser.comparisons(left))?,
                _ => self.deeper(|parser| parser.logic(left, kind, binds))?,
            };
        }
    }

    /// `a and b and c` is one node, and so is `a or b or c`.
    fn logic(&mut self, left: Id, kind: Kind, binds: u8) -> Parsed {
        let at = self.token.start;
        let mut items = Items::NONE;
        self.tree.push(&mut items, left);
        while self.eat(kind)? {
            let item = self.operation(binds + 1)?;
            self.tree.push(&mut items, item);
        }
        let expr = if kind == Kind::And { Expr::And(items.first) } else { Expr::Or(items.first) };
        self.tree.over_items(expr, NIL, &items, at)
    }

    fn comparisons(&mut self, left: Id) -> Parsed {
        let at = self.token.start;
        let mut items = Items::NONE;
        while let Some(test) = self.test()? {
            let right = self.operation(level::BITWISE_OR)?;
            let item = self.tree.above(Expr::Comparison(test, right), [right, NIL, NIL], at)?;
            self.tree.push(&mut items, item);
        }
        self.tree.over_items(Expr::Compare(left, items.first), left, &items, at)
    }

    fn awaited(&mut self) -> Parsed {
        let at = self.token.start;
        if self.eat(Kind::Await)? {
            let value = self.primary()?;
            return self.tree.above(Expr::Await(value), [value, NIL, NIL], at);
        }
        self.primary()
    }

    fn primary(&mut self) -> Parsed {
        let at = self.token.start;
        let value = match self.leaf()? {
            Some(leaf) => leaf,
            None => match self.token.kind {
                Kind::Text => self.strings()?,
                Kind::Open => self.deeper(Self::parenthesized)?,
                Kind::OpenSquare => self.deeper(Self::list)?,
                Kind::OpenBrace => self.deeper(Self::braces)?,
                Kind::End => return self.fault("the text ends inside an expression"),
                _ => return self.fault(INVALID),
            },
        };
        self.trailed(value, at)
    }

    /// Attributes, calls and subscripts after `value`, which starts at `at`.
    fn trailed(&mut self, mut value: Id, at: u32) -> Parsed {
        loop {
            value = match self.token.kind {
                Kind::Dot => {
                    self.advance()?;
                    self.expect_now(Kind::Name, INVALID)?;
                    let name = self.token.span();
                    self.advance()?;
                    self.tree.above(Expr::Attribute(value, name), [value, NIL, NIL], at)?
                }
                Kind::Open => self.deeper(|parser| parser.call(value))?,
                Kind::OpenSquare => self.deeper(|parser| parser.subscript(value))?,
                _ => return Ok(value),
            };
        }
    }

    /// An expression of one token, except for strings.
    fn leaf(&mut self) -> Result<Option<Id>, Fault> {
        let expr = match self.token.kind {
            Kind::Name => Expr::Name(self.token.span()),
            Kind::Number => Expr::Number(self.token.span()),
            Kind::True => Expr::Constant(Constant::True),
            Kind::False => Expr::Constant(Constant::False),
            Kind::None => Expr::Constant(Constant::None),
            Kind::Ellipsis => Expr::Constant(Constant::Ellipsis),
            _ => return Ok(None),
        };
        self.advance()?;
        Ok(Some(self.tree.leaf(expr)))
    }
}
