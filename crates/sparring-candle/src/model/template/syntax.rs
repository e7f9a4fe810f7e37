//! Translates Jinja2 as Python understands it into what minijinja understands alike.
//!
//! Every expression is parsed, with a bound on its depth, and written out with all of its parentheses. Operators and
//! loops whose meaning differs become calls of functions of [`super::operators`].

use super::expression::Parser;
use super::pieces::{Kind, Piece, pieces};
use super::token::Token;
use super::variadic::{Variadic, variadic};
use std::fmt;

/// Longest source, bytes. The longest published templates have a tenth of this.
const MAX_SOURCE: usize = 1 << 20;
/// How deep statements may be nested, and how many branches an `if` may have.
const MAX_BLOCKS: usize = 50;
const MAX_BRANCHES: usize = 100;
/// Longer texts are printed by an expression, so that their length is counted against the render's budget.
const MAX_RAW: usize = 64;

/// What is wrong with a template, and where.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "does not parse: line {} {}", self.line, self.what)
    }
}

/// Translates a template.
pub(super) fn translate(source: &str) -> Result<String, Fault> {
    if source.len() > MAX_SOURCE {
        let what =
            format!("is the first of {} bytes; templates of up to {MAX_SOURCE} are read", source.len());
        return Err(Fault { line: 1, what });
    }
    let pieces = pieces(source)?;
    let tags = pieces.iter().filter_map(|piece| match &piece.kind {
        Kind::Text(_) => None,
        Kind::Print(tokens) | Kind::Tag(tokens) => Some(tokens.as_slice()),
    });
    let mut writer = Writer { out: String::new(), line: 1, open: Vec::new(), variadic: variadic(tags) };
    for piece in pieces {
        writer.piece(piece)?;
    }
    match writer.open.pop() {
        None => Ok(writer.out),
        Some(Open { name, line, .. }) => {
            Err(Fault { line, what: format!("has a {{% {name} %}} without its {{% end{name} %}}") })
        }
    }
}

/// A statement whose end has not been reached.
struct Open {
    name: &'static str,
    line: usize,
    branches: usize,
}

struct Writer {
    out: String,
    /// The line that is being written; line breaks in tags keep it the line of the source.
    line: usize,
    open: Vec<Open>,
    variadic: Variadic,
}

/// Statements with a body; `set` has one if it has no value.
const BODIES: [&str; 10] =
    ["if", "for", "macro", "call", "filter", "with", "autoescape", "block", "generation", "set"];

impl Writer {
    fn piece(&mut self, Piece { line, kind }: Piece) -> Result<(), Fault> {
        match kind {
            Kind::Text(text) => self.text(&text, line),
            Kind::Print(tokens) => {
                let mut parser = Parser::new(&tokens, &self.variadic, line);
                let printed = parser.tuple()?;
                parser.end()?;
                self.write("{{", line, &printed.text, "}}");
            }
            Kind::Tag(tokens) => {
                let variadic = std::mem::take(&mut self.variadic);
                let mut parser = Parser::new(&tokens, &variadic, line);
                let code = self.statement(&mut parser, line)?;
                parser.end()?;
                self.write("{%", line, &code, "%}");
                self.variadic = variadic;
            }
        }
        Ok(())
    }

    /// Writes a tag, on the line of the source where it can.
    fn write(&mut self, open: &str, line: usize, code: &str, close: &str) {
        self.out.push_str(open);
        self.out.push(' ');
        while self.line < line {
            self.out.push('\n');
            self.line += 1;
        }
        self.out.push_str(code);
        self.line += code.matches('\n').count();
        self.out.push(' ');
        self.out.push_str(close);
    }

    fn text(&mut self, text: &str, line: usize) {
        if text.len() > MAX_RAW || text.contains(['{', '}', '#', '%', '-']) {
            self.write("{{", line, &format!("({}|safe)", quoted(text)), "}}");
        } else {
            self.out.push_str(text);
            self.line += text.matches('\n').count();
        }
    }

    fn statement(&mut self, parser: &mut Parser<'_>, line: usize) -> Result<String, Fault> {
        let name = parser.name("a statement")?;
        if let Some(body) = name.strip_prefix("end").and_then(body_named) {
            return self.close(body, parser, line);
        }
        if let Some(body) = body_named(&name).filter(|body| *body != "set") {
            self.enter(body, line)?;
        }
        let code = match name.as_str() {
            "if" => format!("if {}", parser.tuple()?.text),
            "elif" => {
                self.branch(line)?;
                format!("elif {}", parser.tuple()?.text)
            }
            "else" | "break" | "continue" => name,
            "for" => parser.for_statement()?,
            "set" => {
                let (code, has_body) = parser.set_statement()?;
                if has_body {
                    self.enter("set", line)?;
                }
                code
            }
            "macro" => parser.macro_statement()?,
            "call" => parser.call_statement()?,
            "filter" => format!("filter {}", parser.filters()?),
            "with" => parser.with_statement()?,
            "autoescape" => format!("autoescape {}", parser.tuple()?.text),
            "do" => format!("set __done = {}", parser.tuple()?.text),
            "block" => {
                let block = parser.name("the block's name")?;
                while parser.take_name("scoped") || parser.take_name("required") {}
                format!("block {block}")
            }
            // Marks the model's own text, and is the scope of what is set within.
            "generation" => "with".to_owned(),
            "include" | "import" | "from" | "extends" => {
                let what =
                    format!("has {{% {name} %}}, but is not part of several files; write them into one");
                return Err(Fault { line, what });
            }
            _ => return Err(Fault { line, what: format!("has the unknown statement {{% {name} %}}") }),
        };
        Ok(code)
    }

    fn enter(&mut self, name: &'static str, line: usize) -> Result<(), Fault> {
        if self.open.len() == MAX_BLOCKS {
            let what = format!("nests statements more than {MAX_BLOCKS} deep; simplify it");
            return Err(Fault { line, what });
        }
        self.open.push(Open { name, line, branches: 0 });
        Ok(())
    }

    fn branch(&mut self, line: usize) -> Result<(), Fault> {
        let Some(open) = self.open.last_mut() else { return Ok(()) };
        open.branches += 1;
        if open.branches > MAX_BRANCHES {
            let what = format!("has an {{% if %}} with more than {MAX_BRANCHES} branches; simplify it");
            return Err(Fault { line, what });
        }
        Ok(())
    }

    fn close(&mut self, name: &str, parser: &mut Parser<'_>, line: usize) -> Result<String, Fault> {
        match self.open.pop() {
            Some(open) if open.name == name => {}
            Some(Open { name: other, line: opened, .. }) => {
                let what =
                    format!("has {{% end{name} %}} where {{% end{other} %}} is expected, for line {opened}");
                return Err(Fault { line, what });
            }
            None => {
                return Err(Fault {
                    line,
                    what: format!("has {{% end{name} %}} without its {{% {name} %}}"),
                });
            }
        }
        if name == "block" || name == "macro" {
            parser.skip_name();
        }
        Ok(if name == "generation" { "endwith".to_owned() } else { format!("end{name}") })
    }
}

fn body_named(name: &str) -> Option<&'static str> {
    BODIES.into_iter().find(|body| *body == name)
}

/// A string literal of minijinja.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// What a token looks like, for errors.
pub(super) fn shown(token: Option<&Token>) -> String {
    match token {
        None => "the end of the tag".to_owned(),
        Some(Token::Name(name)) => format!("\"{name}\""),
        Some(Token::Text(_)) => "a string".to_owned(),
        Some(Token::Number(number)) => number.clone(),
        Some(Token::Sign(sign)) => format!("\"{sign}\""),
    }
}
