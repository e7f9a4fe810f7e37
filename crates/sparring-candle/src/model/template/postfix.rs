//! What follows an expression: attributes, indices, calls, filters and tests.

use super::expression::{Code, Parsed, Parser};
use super::syntax::quoted;
use super::token::Token;

impl Parser<'_> {
    pub(super) fn postfix(&mut self, mut value: Code) -> Parsed {
        loop {
            if self.take_sign(".") {
                let part = match self.peek() {
                    Some(Token::Name(name)) => format!(".{name}"),
                    Some(Token::Number(index)) => format!("[{index}]"),
                    _ => return self.unexpected("an attribute's name"),
                };
                self.at += 1;
                value = self.over(format!("{}{part}", value.text), [&value])?;
            } else if self.take_sign("[") {
                value = self.subscript(value)?;
            } else if self.is_sign("(") {
                let parameters = self.variadic.get(&value.text);
                let (arguments, part) = self.arguments(parameters.map(Vec::as_slice))?;
                value = self.over(format!("{}({arguments})", value.text), [&value, &part])?;
                value.holds = true;
            } else {
                return Ok(value);
            }
        }
    }

    /// An index, or a slice, which is a call: minijinja cannot reverse what is empty.
    fn subscript(&mut self, value: Code) -> Parsed {
        let mut parts = vec![value];
        let mut colons = 0;
        while !self.take_sign("]") {
            if self.take_sign(":") {
                colons += 1;
                parts.resize_with(colons + 1, || Code::atom("none"));
                continue;
            }
            if parts.len() > colons + 1 {
                return self.unexpected("\"]\"");
            }
            parts.push(if colons == 0 { self.tuple()? } else { self.expression()? });
        }
        match (colons, parts.as_slice()) {
            (0, [value, index]) => self.over(format!("{}[{}]", value.text, index.text), [value, index]),
            (1..=2, _) => self.call("__slice", parts),
            _ => self.fault("has an index that is neither an expression nor a slice"),
        }
    }

    /// Arguments of a call. What is beyond the parameters of a variadic macro becomes its `varargs` and `kwargs`.
    pub(super) fn arguments(&mut self, parameters: Option<&[String]>) -> Parsed<(String, Code)> {
        self.need("(")?;
        let (mut codes, mut parts, mut rest, mut named) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        while !self.take_sign(")") {
            if !parts.is_empty() {
                self.need(",")?;
                if self.take_sign(")") {
                    break;
                }
            }
            let is_named = matches!(self.tokens.get(self.at + 1), Some(Token::Sign("=")));
            let prefix = match self.peek() {
                Some(Token::Sign(stars @ ("*" | "**"))) => {
                    self.at += 1;
                    (*stars).to_owned()
                }
                Some(Token::Name(name)) if is_named => {
                    self.at += 2;
                    format!("{name}=")
                }
                _ => String::new(),
            };
            let value = self.expression()?;
            match (parameters, prefix.strip_suffix('=')) {
                (Some(known), None) if prefix.is_empty() && codes.len() >= known.len() => {
                    rest.push(value.text.clone());
                }
                (Some(known), Some(name)) if known.iter().all(|known| known != name) => {
                    named.push(format!("{}: {}", quoted(name), value.text));
                }
                _ => codes.push(format!("{prefix}{}", value.text)),
            }
            parts.push(value);
        }
        if !rest.is_empty() {
            codes.push(format!("varargs=({},)", rest.join(", ")));
        }
        if !named.is_empty() {
            codes.push(format!("kwargs={{{}}}", named.join(", ")));
        }
        let whole = self.over(String::new(), &parts)?;
        Ok((codes.join(", "), whole))
    }

    /// Filters and tests after an expression.
    pub(super) fn filtered(&mut self, mut value: Code) -> Parsed {
        loop {
            if self.take_sign("|") {
                let (filter, part) = self.filter()?;
                value = self.over(format!("({}|{filter})", value.text), [&value, &part])?;
                value.holds = true;
            } else if self.take_name("is") {
                let not = if self.take_name("not") { "not " } else { "" };
                let (test, part) = self.test()?;
                value = self.over(format!("({} is {not}{test})", value.text), [&value, &part])?;
                value.holds = false;
            } else if self.is_sign("(") {
                // A filter's result may be called.
                let (arguments, part) = self.arguments(None)?;
                value = self.over(format!("{}({arguments})", value.text), [&value, &part])?;
            } else {
                return Ok(value);
            }
        }
    }

    fn dotted(&mut self, what: &str) -> Parsed<String> {
        let mut name = self.name(what)?;
        while self.take_sign(".") {
            name = format!("{name}.{}", self.name(what)?);
        }
        Ok(name)
    }

    pub(super) fn filter(&mut self) -> Parsed<(String, Code)> {
        let name = self.dotted("a filter's name")?;
        if !self.is_sign("(") {
            return Ok((name, Code::atom("")));
        }
        let (arguments, part) = self.arguments(None)?;
        Ok((format!("{name}({arguments})"), part))
    }

    fn test(&mut self) -> Parsed<(String, Code)> {
        let name = self.dotted("a test's name")?;
        if self.is_sign("(") {
            let (arguments, part) = self.arguments(None)?;
            return Ok((format!("{name}({arguments})"), part));
        }
        let argument = match self.peek() {
            Some(Token::Name(next)) => {
                !["else", "or", "and", "is", "if", "in", "not"].contains(&next.as_str())
            }
            Some(Token::Text(_) | Token::Number(_) | Token::Sign("[" | "{")) => true,
            _ => false,
        };
        if !argument {
            return Ok((name, Code::atom("")));
        }
        let value = self.primary()?;
        let value = self.postfix(value)?;
        Ok((format!("{name}({})", value.text), value))
    }
}
