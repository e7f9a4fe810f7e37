//! Expressions, parsed with Jinja2's precedence and written for minijinja.

use super::syntax::{Fault, quoted, shown};
use super::token::Token;
use super::variadic::Variadic;

/// How deep expressions may be nested: minijinja's parser, compiler and destructors recurse.
pub(super) const MAX_DEPTH: usize = 60;
/// Longest chain of operators or methods on one level.
const MAX_CHAIN: usize = 2000;

/// An expression as minijinja reads it.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) text: String,
    pub(super) depth: usize,
    /// Whether it may be a new list, or another value that holds others.
    pub(super) holds: bool,
}

impl Code {
    pub(super) fn atom(code: impl Into<String>) -> Self {
        Self { text: code.into(), depth: 0, holds: false }
    }
}

/// A reader of the tokens of a tag.
#[derive(Debug)]
pub(super) struct Parser<'a> {
    pub(super) tokens: &'a [Token],
    pub(super) variadic: &'a Variadic,
    pub(super) at: usize,
    line: usize,
    nested: usize,
}

pub(super) type Parsed<T = Code> = Result<T, Fault>;

impl<'a> Parser<'a> {
    pub(super) fn new(tokens: &'a [Token], variadic: &'a Variadic, line: usize) -> Self {
        Self { tokens, variadic, at: 0, line, nested: 0 }
    }

    pub(super) fn fault<T>(&self, what: impl Into<String>) -> Parsed<T> {
        Err(Fault { line: self.line, what: what.into() })
    }

    pub(super) fn unexpected<T>(&self, wanted: &str) -> Parsed<T> {
        self.fault(format!("has {} where {wanted} is expected", shown(self.tokens.get(self.at))))
    }

    pub(super) fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at)
    }

    pub(super) fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(Token::Sign(found)) if *found == sign)
    }

    pub(super) fn is_name(&self, name: &str) -> bool {
        matches!(self.peek(), Some(Token::Name(found)) if found == name)
    }

    pub(super) fn take_sign(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        self.at += usize::from(found);
        found
    }

    pub(super) fn take_name(&mut self, name: &str) -> bool {
        let found = self.is_name(name);
        self.at += usize::from(found);
        found
    }

    pub(super) fn need(&mut self, sign: &str) -> Parsed<()> {
        if self.take_sign(sign) { Ok(()) } else { self.unexpected(&format!("\"{sign}\"")) }
    }

    pub(super) fn name(&mut self, what: &str) -> Parsed<String> {
        let Some(Token::Name(name)) = self.peek() else { return self.unexpected(what) };
        self.at += 1;
        Ok(name.clone())
    }

    pub(super) fn skip_name(&mut self) {
        self.at += usize::from(matches!(self.peek(), Some(Token::Name(_))));
    }

    /// Nothing may follow.
    pub(super) fn end(&self) -> Parsed<()> {
        if self.peek().is_none() { Ok(()) } else { self.unexpected("the end of the tag") }
    }

    /// A compound expression over `parts`, one deeper than they are.
    pub(super) fn over<'b>(&self, code: String, parts: impl IntoIterator<Item = &'b Code>) -> Parsed {
        let (mut depth, mut holds) = (0, false);
        for part in parts {
            depth = depth.max(part.depth);
            holds |= part.holds;
        }
        if depth >= MAX_DEPTH {
            return self.fault(format!("nests an expression more than {MAX_DEPTH} deep; simplify it"));
        }
        Ok(Code { text: code, depth: depth + 1, holds })
    }

    /// Counts the recursion of this parser.
    pub(super) fn nest<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.nested >= MAX_DEPTH {
            return self.fault(format!("nests an expression more than {MAX_DEPTH} deep; simplify it"));
        }
        self.nested += 1;
        let parsed = parse(self);
        self.nested -= 1;
        parsed
    }

    fn chain(&self, length: usize) -> Parsed<()> {
        if length <= MAX_CHAIN {
            return Ok(());
        }
        self.fault(format!("has a chain of more than {MAX_CHAIN} operators; simplify it"))
    }

    /// One expression, or several between commas.
    pub(super) fn tuple(&mut self) -> Parsed {
        let first = self.expression()?;
        self.rest_of_tuple(first, Self::expression)
    }

    pub(super) fn rest_of_tuple(&mut self, first: Code, item: fn(&mut Self) -> Parsed) -> Parsed {
        if !self.is_sign(",") {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.take_sign(",") {
            if matches!(self.peek(), None | Some(Token::Sign(")" | "]" | "}" | "=")))
                || self.is_name("recursive")
            {
                break;
            }
            self.chain(items.len())?;
            items.push(item(self)?);
        }
        self.collection("(", &items, ",)")
    }

    fn collection(&self, open: &str, items: &[Code], close: &str) -> Parsed {
        let code = items.iter().map(|item| item.text.as_str()).collect::<Vec<_>>().join(", ");
        let mut whole = self.over(format!("{open}{code}{close}"), items)?;
        whole.holds = true;
        Ok(whole)
    }

    /// An expression, with a condition or without.
    pub(super) fn expression(&mut self) -> Parsed {
        self.nest(|this| {
            let mut value = this.or()?;
            while this.take_name("if") {
                let condition = this.or()?;
                let other = if this.take_name("else") { Some(this.expression()?) } else { None };
                let otherwise = other.as_ref().map(|o| format!(" else {}", o.text)).unwrap_or_default();
                let code = format!("({} if {}{otherwise})", value.text, condition.text);
                value = this.over(code, [&value, &condition].into_iter().chain(&other))?;
            }
            Ok(value)
        })
    }

    pub(super) fn or(&mut self) -> Parsed {
        let first = self.and()?;
        self.logic(first, "or", Self::and)
    }

    fn and(&mut self) -> Parsed {
        let first = self.not()?;
        self.logic(first, "and", Self::not)
    }

    fn logic(&mut self, first: Code, operator: &str, next: fn(&mut Self) -> Parsed) -> Parsed {
        let mut parts = vec![first];
        while self.take_name(operator) {
            self.chain(parts.len())?;
            parts.push(next(self)?);
        }
        self.halved(parts, operator)
    }

    /// A chain of an operator as a tree of low depth.
    fn halved(&self, mut parts: Vec<Code>, operator: &str) -> Parsed {
        if parts.len() > 1 {
            let right = parts.split_off(parts.len() / 2);
            let (left, right) = (self.halved(parts, operator)?, self.halved(right, operator)?);
            return self.over(format!("({} {operator} {})", left.text, right.text), [&left, &right]);
        }
        parts.pop().map_or_else(|| self.unexpected("an expression"), Ok)
    }

    fn not(&mut self) -> Parsed {
        if !self.take_name("not") {
            return self.compare();
        }
        let operand = self.nest(Self::not)?;
        self.over(format!("(not {})", operand.text), [&operand])
    }

    fn compare(&mut self) -> Parsed {
        let first = self.sum()?;
        let (mut code, mut parts) = (first.text.clone(), vec![first]);
        while let Some(operator) = self.comparison() {
            self.chain(parts.len())?;
            let operand = self.sum()?;
            code = format!("{code} {operator} {}", operand.text);
            parts.push(operand);
        }
        match parts.len() {
            1 => parts.pop().map_or_else(|| self.unexpected("an expression"), Ok),
            _ => self.over(format!("({code})"), &parts).map(|code| Code { holds: false, ..code }),
        }
    }

    fn comparison(&mut self) -> Option<&'static str> {
        for sign in ["==", "!=", "<=", ">=", "<", ">"] {
            if self.take_sign(sign) {
                return Some(sign);
            }
        }
        if self.take_name("in") {
            return Some("in");
        }
        let follows = matches!(self.tokens.get(self.at + 1), Some(Token::Name(name)) if name == "in");
        if self.is_name("not") && follows {
            self.at += 2;
            return Some("not in");
        }
        None
    }

    fn sum(&mut self) -> Parsed {
        let mut value = self.concat()?;
        let mut length = 0;
        loop {
            let mut parts = vec![value];
            while self.take_sign("+") {
                self.chain(parts.len())?;
                parts.push(self.concat()?);
            }
            value = self.call("__add", parts)?;
            if !self.take_sign("-") {
                return Ok(value);
            }
            length += 1;
            self.chain(length)?;
            let operand = self.concat()?;
            value = self.over(format!("({} - {})", value.text, operand.text), [&value, &operand])?;
        }
    }

    /// A call of a function with several operands; one operand is itself.
    pub(super) fn call(&self, function: &str, mut parts: Vec<Code>) -> Parsed {
        match parts.len() {
            1 => parts.pop().map_or_else(|| self.unexpected("an expression"), Ok),
            _ => self.collection(&format!("{function}("), &parts, ")"),
        }
    }

    fn concat(&mut self) -> Parsed {
        let mut parts = vec![self.product()?];
        while self.take_sign("~") {
            self.chain(parts.len())?;
            parts.push(self.product()?);
        }
        self.call("__concat", parts)
    }

    fn product(&mut self) -> Parsed {
        let mut value = self.power()?;
        loop {
            let Some(sign) = ["*", "//", "/", "%"].into_iter().find(|sign| self.take_sign(sign)) else {
                return Ok(value);
            };
            let operand = self.power()?;
            value = match sign {
                "*" => self.call("__mul", vec![value, operand])?,
                "%" => self.call("__mod", vec![value, operand])?,
                _ => self.over(format!("({} {sign} {})", value.text, operand.text), [&value, &operand])?,
            };
        }
    }

    fn power(&mut self) -> Parsed {
        let mut value = self.unary()?;
        while self.take_sign("**") {
            let operand = self.unary()?;
            value = self.over(format!("({} ** {})", value.text, operand.text), [&value, &operand])?;
        }
        Ok(value)
    }

    fn unary(&mut self) -> Parsed {
        let value = self.signed()?;
        let value = self.postfix(value)?;
        self.filtered(value)
    }

    fn signed(&mut self) -> Parsed {
        if self.take_sign("+") {
            return self.nest(Self::signed);
        }
        if !self.take_sign("-") {
            return self.primary();
        }
        let operand = self.nest(Self::signed)?;
        let operand = self.postfix(operand)?;
        self.over(format!("(-{})", operand.text), [&operand])
    }

    pub(super) fn primary(&mut self) -> Parsed {
        let Some(token) = self.peek() else { return self.unexpected("an expression") };
        match token {
            Token::Name(name) if KEYWORDS.contains(&name.as_str()) => self.unexpected("an expression"),
            Token::Name(name) => {
                self.at += 1;
                Ok(Code::atom(name))
            }
            Token::Text(_) => {
                let mut whole = String::new();
                while let Some(Token::Text(text)) = self.peek() {
                    whole.push_str(text);
                    self.at += 1;
                }
                Ok(Code::atom(quoted(&whole)))
            }
            Token::Number(number) => {
                self.at += 1;
                Ok(Code::atom(number))
            }
            Token::Sign("(") => self.parenthesised(),
            Token::Sign("[") => {
                self.at += 1;
                let items = self.items("]")?;
                self.collection("[", &items, "]")
            }
            Token::Sign("{") => self.dict(),
            Token::Sign(_) => self.unexpected("an expression"),
        }
    }

    fn parenthesised(&mut self) -> Parsed {
        self.at += 1;
        if self.take_sign(")") {
            return Ok(Code { holds: true, ..Code::atom("()") });
        }
        let inner = self.tuple()?;
        self.need(")")?;
        Ok(inner)
    }

    fn items(&mut self, close: &str) -> Parsed<Vec<Code>> {
        let mut items = Vec::new();
        while !self.take_sign(close) {
            if !items.is_empty() {
                self.need(",")?;
                if self.take_sign(close) {
                    break;
                }
            }
            items.push(self.expression()?);
        }
        Ok(items)
    }

    fn dict(&mut self) -> Parsed {
        self.at += 1;
        let (mut parts, mut pairs) = (Vec::new(), Vec::new());
        while !self.take_sign("}") {
            if !pairs.is_empty() {
                self.need(",")?;
                if self.take_sign("}") {
                    break;
                }
            }
            let key = self.expression()?;
            self.need(":")?;
            let value = self.expression()?;
            pairs.push(format!("{}: {}", key.text, value.text));
            parts.extend([key, value]);
        }
        let whole = self.over(format!("{{{}}}", pairs.join(", ")), &parts)?;
        Ok(Code { holds: true, ..whole })
    }
}

/// Names that are no variables.
const KEYWORDS: [&str; 7] = ["if", "else", "and", "or", "not", "in", "is"];
