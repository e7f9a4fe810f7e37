//! The statements around expressions.

use super::expression::{MAX_DEPTH, Parsed, Parser};
use super::token::Token;

impl Parser<'_> {
    /// The filters of a block: `upper|trim`.
    pub(super) fn filters(&mut self) -> Parsed<String> {
        let mut filters = Vec::new();
        loop {
            filters.push(self.filter()?.0);
            if !self.take_sign("|") {
                break;
            }
        }
        if filters.len() > MAX_DEPTH {
            return self.fault(format!("has a chain of more than {MAX_DEPTH} filters; simplify it"));
        }
        Ok(filters.join("|"))
    }

    /// `a`, `a.b`, `(a, b)` or `a, b`, to the left of a value.
    fn target(&mut self, dotted: bool) -> Parsed<String> {
        self.nest(|this| {
            let mut names = Vec::new();
            let mut several = false;
            loop {
                names.push(if this.take_sign("(") {
                    let inner = this.target(dotted)?;
                    this.need(")")?;
                    format!("({inner})")
                } else {
                    let name = this.name("a variable's name")?;
                    if dotted && this.take_sign(".") {
                        format!("{name}.{}", this.name("an attribute")?)
                    } else {
                        name
                    }
                });
                if !this.take_sign(",") {
                    break;
                }
                several = true;
                if this.is_name("in") || matches!(this.peek(), Some(Token::Sign("=" | ")"))) {
                    break;
                }
            }
            let only = several && names.len() == 1;
            Ok(if only { format!("({},)", names[0]) } else { names.join(", ") })
        })
    }

    pub(super) fn for_statement(&mut self) -> Parsed<String> {
        let target = self.target(false)?;
        if !self.take_name("in") {
            return self.unexpected("\"in\"");
        }
        let first = self.or()?;
        let over = self.rest_of_tuple(first, Self::or)?;
        let mut code = format!("for {target} in __each({})", over.text);
        if self.take_name("if") {
            code = format!("{code} if {}", self.expression()?.text);
        }
        if self.take_name("recursive") {
            code.push_str(" recursive");
        }
        Ok(code)
    }

    /// The statement, and whether a body follows.
    pub(super) fn set_statement(&mut self) -> Parsed<(String, bool)> {
        let target = self.target(true)?;
        if self.take_sign("=") {
            let value = self.tuple()?;
            let value = if value.holds { format!("__keep({})", value.text) } else { value.text };
            return Ok((format!("set {target} = {value}"), false));
        }
        let filters = if self.take_sign("|") { format!(" | {}", self.filters()?) } else { String::new() };
        Ok((format!("set {target}{filters}"), true))
    }

    fn parameters(&mut self) -> Parsed<String> {
        let mut parameters = Vec::new();
        self.need("(")?;
        while !self.take_sign(")") {
            if !parameters.is_empty() {
                self.need(",")?;
                if self.take_sign(")") {
                    break;
                }
            }
            let name = self.name("a parameter's name")?;
            let default =
                if self.take_sign("=") { format!("={}", self.expression()?.text) } else { String::new() };
            parameters.push(format!("{name}{default}"));
        }
        Ok(parameters.join(", "))
    }

    pub(super) fn macro_statement(&mut self) -> Parsed<String> {
        let name = self.name("the macro's name")?;
        let mut parameters = self.parameters()?;
        if self.variadic.contains_key(&name) {
            parameters.push_str(if parameters.is_empty() { "" } else { ", " });
            parameters.push_str("varargs=(), kwargs={}");
        }
        Ok(format!("macro {name}({parameters})"))
    }

    pub(super) fn call_statement(&mut self) -> Parsed<String> {
        let parameters = if self.is_sign("(") { format!("({})", self.parameters()?) } else { String::new() };
        Ok(format!("call{parameters} {}", self.expression()?.text))
    }

    pub(super) fn with_statement(&mut self) -> Parsed<String> {
        let mut assigned = Vec::new();
        while self.peek().is_some() {
            if !assigned.is_empty() {
                self.need(",")?;
            }
            let name = self.target(false)?;
            self.need("=")?;
            assigned.push(format!("{name} = {}", self.expression()?.text));
        }
        Ok(format!("with {}", assigned.join(", ")))
    }
}
