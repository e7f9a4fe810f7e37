//! Arguments of calls, parameters of lambdas.

use super::lexer::Kind;
use super::parser::{Parsed, Parser};
use super::tree::{Expr, Id, Items, Makes, NIL, Param, Span};
use super::{Fault, INVALID};

impl Parser<'_> {
    /// After `function(`.
    pub(super) fn call(&mut self, function: Id) -> Parsed {
        let at = self.token.start;
        self.advance()?;
        let mut items = Items::NONE;
        let (mut keywords, mut unpacked) = (false, false);
        while self.token.kind != Kind::Close {
            let argument = self.argument()?;
            match self.tree.expr(argument) {
                Expr::Keyword(..) => keywords = true,
                Expr::Unpack(_) => unpacked = true,
                Expr::Starred(_) if unpacked => {
                    return self.fault("iterable argument unpacking follows keyword argument unpacking");
                }
                Expr::Starred(_) => {}
                _ if keywords || unpacked => {
                    return self.fault("positional argument follows keyword argument");
                }
                _ => {}
            }
            if matches!(self.token.kind, Kind::For | Kind::Async) {
                let generator = self.only_argument(argument, items.len)?;
                self.tree.push(&mut items, generator);
                break;
            }
            self.tree.push(&mut items, argument);
            if !self.eat(Kind::Comma)? {
                break;
            }
        }
        self.expect(Kind::Close, "'(' was never closed, or a comma is missing")?;
        self.tree.over_items(Expr::Call(function, items.first), function, &items, at)
    }

    /// A generator without parentheses of its own must be the only argument.
    fn only_argument(&mut self, element: Id, before: u32) -> Parsed {
        let plain =
            !matches!(self.tree.expr(element), Expr::Keyword(..) | Expr::Unpack(_) | Expr::Starred(_));
        if before > 0 || !plain {
            return self.fault("Generator expression must be parenthesized");
        }
        let generator = self.comprehension(Makes::Generator, element)?;
        self.expect_now(Kind::Close, "Generator expression must be parenthesized")?;
        Ok(generator)
    }

    fn argument(&mut self) -> Parsed {
        let start = self.token;
        match start.kind {
            Kind::Star => {
                self.advance()?;
                let value = self.expression()?;
                self.tree.above(Expr::Starred(value), [value, NIL, NIL], start.start)
            }
            Kind::DoubleStar => {
                self.advance()?;
                let value = self.expression()?;
                self.tree.above(Expr::Unpack(value), [value, NIL, NIL], start.start)
            }
            _ => {
                let value = self.named()?;
                if self.token.kind != Kind::Equal {
                    return Ok(value);
                }
                let Some(name) = self.bare_name(value, start) else {
                    return self.fault("expression cannot contain assignment");
                };
                self.advance()?;
                let value = self.expression()?;
                self.tree.above(Expr::Keyword(name, value), [value, NIL, NIL], start.start)
            }
        }
    }

    /// `lambda` and on.
    pub(super) fn lambda(&mut self) -> Parsed {
        let at = self.token.start;
        self.advance()?;
        let params = self.params()?;
        self.expect(Kind::Colon, INVALID)?;
        let body = self.expression()?;
        self.tree.over_items(Expr::Lambda(params.first, body), body, &params, at)
    }

    fn params(&mut self) -> Result<Items, Fault> {
        let mut items = Items::NONE;
        let mut seen = Seen::default();
        while self.token.kind != Kind::Colon {
            let start = self.token;
            let param = match start.kind {
                Kind::Slash => Param::Slash,
                Kind::Star => Param::Star,
                Kind::DoubleStar => Param::DoubleStar,
                _ => Param::Plain,
            };
            let mut name = Span { start: start.start, end: start.start };
            if param != Param::Plain {
                self.advance()?;
            }
            let named = self.token.kind == Kind::Name && param != Param::Slash;
            if named {
                name = self.token.span();
                self.advance()?;
            }
            let mut default = NIL;
            if named && param == Param::Plain && self.eat(Kind::Equal)? {
                default = self.expression()?;
            }
            let last = !self.eat(Kind::Comma)?;
            let ends = last || self.token.kind == Kind::Colon;
            let next_unpacks = self.token.kind == Kind::DoubleStar;
            if !seen.allows(param, named, default != NIL, items.len, ends || next_unpacks) {
                return Err(Fault::syntax(start.start, "this parameter cannot stand here"));
            }
            let param =
                self.tree.above(Expr::Param(param, name, default), [default, NIL, NIL], start.start)?;
            self.tree.push(&mut items, param);
            if last {
                break;
            }
        }
        Ok(items)
    }
}

/// What has come in a list of parameters.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "four independent facts about a list")]
struct Seen {
    slash: bool,
    star: bool,
    double_star: bool,
    default: bool,
}

impl Seen {
    /// Whether a parameter may come now; `bare_end`: no parameter that a bare `*` could name follows.
    fn allows(&mut self, param: Param, named: bool, default: bool, before: u32, bare_end: bool) -> bool {
        if self.double_star {
            return false;
        }
        match param {
            Param::Plain => {
                let ordered = self.star || default || !self.default;
                self.default |= default;
                named && ordered
            }
            Param::Slash => {
                let first = std::mem::replace(&mut self.slash, true);
                before > 0 && !first && !self.star
            }
            Param::Star => {
                let first = std::mem::replace(&mut self.star, true);
                !first && (named || !bare_end)
            }
            Param::DoubleStar => {
                self.double_star = true;
                named
            }
        }
    }
}
