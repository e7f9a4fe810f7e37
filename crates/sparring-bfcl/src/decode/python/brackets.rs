//! What stands in brackets: displays, comprehensions, subscripts.

use super::lexer::Kind;
use super::parser::{Parsed, Parser, level};
use super::tree::{Expr, Id, Items, Makes, NIL};
use super::{Fault, INVALID};

impl Parser<'_> {
    /// After `(`: a group, a tuple, a generator or a `yield`.
    pub(super) fn parenthesized(&mut self) -> Parsed {
        self.advance()?;
        let inner = self.in_parentheses(Kind::Close)?;
        self.expect(Kind::Close, "'(' was never closed")?;
        Ok(inner)
    }

    /// What may stand between parentheses, up to `close`.
    pub(super) fn in_parentheses(&mut self, close: Kind) -> Parsed {
        let at = self.token.start;
        if self.token.kind == close && close == Kind::Close {
            return Ok(self.tree.leaf(Expr::Tuple(NIL)));
        }
        if self.token.kind == Kind::Yield {
            return self.yielded();
        }
        let first = self.element()?;
        let starred = matches!(self.tree.expr(first), Expr::Starred(_));
        match self.token.kind {
            Kind::For | Kind::Async if !starred => self.comprehension(Makes::Generator, first),
            Kind::Comma => {
                let items = self.more_elements(first, close)?;
                self.tree.over_items(Expr::Tuple(items.first), NIL, &items, at)
            }
            _ if starred => self.fault("cannot use starred expression here"),
            _ => Ok(first),
        }
    }

    fn yielded(&mut self) -> Parsed {
        let at = self.token.start;
        self.advance()?;
        if self.eat(Kind::From)? {
            let value = self.expression()?;
            return self.tree.above(Expr::YieldFrom(value), [value, NIL, NIL], at);
        }
        if matches!(self.token.kind, Kind::Close | Kind::End) {
            return Ok(self.tree.leaf(Expr::Yield(NIL)));
        }
        let first = self.starred_or_expression()?;
        let mut value = first;
        if self.token.kind == Kind::Comma {
            let mut items = Items::NONE;
            self.tree.push(&mut items, first);
            while self.eat(Kind::Comma)? {
                if matches!(self.token.kind, Kind::Close | Kind::End) {
                    break;
                }
                let item = self.starred_or_expression()?;
                self.tree.push(&mut items, item);
            }
            value = self.tree.over_items(Expr::Tuple(items.first), NIL, &items, at)?;
        } else if matches!(self.tree.expr(first), Expr::Starred(_)) {
            return self.fault("cannot use starred expression here");
        }
        self.tree.above(Expr::Yield(value), [value, NIL, NIL], at)
    }

    /// `star_expression` of the grammar: no `:=` without parentheses.
    fn starred_or_expression(&mut self) -> Parsed {
        if self.token.kind == Kind::Star { self.element() } else { self.expression() }
    }

    /// `star_named_expression` of the grammar.
    fn element(&mut self) -> Parsed {
        let at = self.token.start;
        if self.eat(Kind::Star)? {
            let value = self.operation(level::BITWISE_OR)?;
            return self.tree.above(Expr::Starred(value), [value, NIL, NIL], at);
        }
        self.named()
    }

    /// Elements from the first on, with commas between and perhaps after.
    fn more_elements(&mut self, first: Id, close: Kind) -> Result<Items, Fault> {
        let mut items = Items::NONE;
        self.tree.push(&mut items, first);
        while self.eat(Kind::Comma)? {
            if self.token.kind == close {
                break;
            }
            let item = self.element()?;
            self.tree.push(&mut items, item);
        }
        Ok(items)
    }

    /// After `[`: a list, or a list comprehension.
    pub(super) fn list(&mut self) -> Parsed {
        let at = self.token.start;
        self.advance()?;
        if self.eat(Kind::CloseSquare)? {
            return Ok(self.tree.leaf(Expr::List(NIL)));
        }
        let first = self.element()?;
        let starred = matches!(self.tree.expr(first), Expr::Starred(_));
        let list = if matches!(self.token.kind, Kind::For | Kind::Async) && !starred {
            self.comprehension(Makes::List, first)?
        } else {
            let items = self.more_elements(first, Kind::CloseSquare)?;
            self.tree.over_items(Expr::List(items.first), NIL, &items, at)?
        };
        self.expect(Kind::CloseSquare, "'[' was never closed, or a comma is missing")?;
        Ok(list)
    }

    /// After `{`: a dict, a set, or a comprehension of one.
    pub(super) fn braces(&mut self) -> Parsed {
        let at = self.token.start;
        self.advance()?;
        if self.eat(Kind::CloseBrace)? {
            return Ok(self.tree.leaf(Expr::Dict(NIL)));
        }
        let start = self.token.kind;
        let is_dict = start == Kind::DoubleStar;
        let first = if is_dict { self.pair()? } else { self.element()? };
        let plain = !matches!(self.tree.expr(first), Expr::Starred(_)) && !self.is_bare_walrus(first, start);
        let braces = if is_dict {
            self.dict(first, at)?
        } else if self.token.kind == Kind::Colon && plain {
            let first = self.value_of(first)?;
            if matches!(self.token.kind, Kind::For | Kind::Async) {
                self.comprehension(Makes::Dict, first)?
            } else {
                self.dict(first, at)?
            }
        } else if matches!(self.token.kind, Kind::For | Kind::Async)
            && !matches!(self.tree.expr(first), Expr::Starred(_))
        {
            self.comprehension(Makes::Set, first)?
        } else {
            let items = self.more_elements(first, Kind::CloseBrace)?;
            self.tree.over_items(Expr::Set(items.first), NIL, &items, at)?
        };
        self.expect(Kind::CloseBrace, "'{' was never closed, or a comma is missing")?;
        Ok(braces)
    }

    fn dict(&mut self, first: Id, at: u32) -> Parsed {
        let mut items = Items::NONE;
        self.tree.push(&mut items, first);
        while self.eat(Kind::Comma)? {
            if self.token.kind == Kind::CloseBrace {
                break;
            }
            let item = self.pair()?;
            self.tree.push(&mut items, item);
        }
        self.tree.over_items(Expr::Dict(items.first), NIL, &items, at)
    }

    fn pair(&mut self) -> Parsed {
        let at = self.token.start;
        if self.eat(Kind::DoubleStar)? {
            let value = self.operation(level::BITWISE_OR)?;
            return self.tree.above(Expr::Unpack(value), [value, NIL, NIL], at);
        }
        let key = self.expression()?;
        self.value_of(key)
    }

    fn value_of(&mut self, key: Id) -> Parsed {
        let at = self.token.start;
        self.expect(Kind::Colon, "':' expected after dictionary key")?;
        let value = self.expression()?;
        self.tree.above(Expr::Pair(key, value), [key, value, NIL], at)
    }

    /// The clauses of a comprehension, `for` and on.
    pub(super) fn comprehension(&mut self, makes: Makes, element: Id) -> Parsed {
        let at = self.token.start;
        let mut clauses = Items::NONE;
        while matches!(self.token.kind, Kind::For | Kind::Async) {
            let is_async = self.eat(Kind::Async)?;
            self.expect(Kind::For, INVALID)?;
            let target = self.targets()?;
            self.expect(Kind::In, INVALID)?;
            let iter = self.operation(level::DISJUNCTION)?;
            let mut ifs = Items::NONE;
            while self.eat(Kind::If)? {
                let test = self.operation(level::DISJUNCTION)?;
                self.tree.push(&mut ifs, test);
            }
            let clause = Expr::Clause { is_async, target, iter, ifs: ifs.first };
            self.tree.beside(&mut ifs, target);
            let clause = self.tree.over_items(clause, iter, &ifs, at)?;
            self.tree.push(&mut clauses, clause);
        }
        self.tree.over_items(Expr::Comprehension(makes, element, clauses.first), element, &clauses, at)
    }

    /// What a comprehension assigns to.
    fn targets(&mut self) -> Parsed {
        let at = self.token.start;
        let mut items = Items::NONE;
        let mut comma = false;
        loop {
            let start = self.token.start;
            let starred = self.eat(Kind::Star)?;
            let mut target = self.operation(level::BITWISE_OR)?;
            if !self.is_target(target) {
                return Err(Fault::syntax(start, "cannot assign to this"));
            }
            if starred {
                target = self.tree.above(Expr::Starred(target), [target, NIL, NIL], start)?;
            }
            self.tree.push(&mut items, target);
            if !self.eat(Kind::Comma)? {
                break;
            }
            comma = true;
            if self.token.kind == Kind::In {
                break;
            }
        }
        if items.len == 1 && !comma {
            return Ok(items.first);
        }
        self.tree.over_items(Expr::Tuple(items.first), NIL, &items, at)
    }

    fn is_target(&self, id: Id) -> bool {
        match self.tree.expr(id) {
            Expr::Name(_) | Expr::Attribute(..) | Expr::Subscript(..) => true,
            Expr::Starred(inner) => {
                !matches!(self.tree.expr(inner), Expr::Starred(_)) && self.is_target(inner)
            }
            Expr::List(first) | Expr::Tuple(first) => {
                self.tree.items(first).all(|(id, _)| self.is_target(id))
            }
            _ => false,
        }
    }

    /// After `value[`.
    pub(super) fn subscript(&mut self, value: Id) -> Parsed {
        let at = self.token.start;
        self.advance()?;
        let mut items = Items::NONE;
        let mut comma = false;
        while items.len == 0 || self.token.kind != Kind::CloseSquare {
            let item = self.index()?;
            self.tree.push(&mut items, item);
            if !self.eat(Kind::Comma)? {
                break;
            }
            comma = true;
        }
        self.expect(Kind::CloseSquare, "'[' was never closed, or a comma is missing")?;
        let mut index = items.first;
        if comma || matches!(self.tree.expr(index), Expr::Starred(_)) {
            index = self.tree.over_items(Expr::Tuple(items.first), NIL, &items, at)?;
        }
        self.tree.above(Expr::Subscript(value, index), [value, index, NIL], at)
    }

    fn index(&mut self) -> Parsed {
        let at = self.token.start;
        if self.eat(Kind::Star)? {
            let value = self.expression()?;
            return self.tree.above(Expr::Starred(value), [value, NIL, NIL], at);
        }
        let start = self.token.kind;
        let lower = if start == Kind::Colon { NIL } else { self.named()? };
        if self.token.kind != Kind::Colon || self.is_bare_walrus(lower, start) {
            return Ok(lower);
        }
        self.advance()?;
        let upper = self.bound()?;
        let step = if self.eat(Kind::Colon)? { self.bound()? } else { NIL };
        self.tree.above(Expr::Slice(lower, upper, step), [lower, upper, step], at)
    }

    /// Whether `id`, which starts with a token of this kind, is `name := value` without parentheses.
    fn is_bare_walrus(&self, id: Id, start: Kind) -> bool {
        start == Kind::Name && matches!(self.tree.expr(id), Expr::Named(..))
    }

    fn bound(&mut self) -> Parsed {
        let none = matches!(self.token.kind, Kind::Colon | Kind::Comma | Kind::CloseSquare);
        if none { Ok(NIL) } else { self.expression() }
    }
}
