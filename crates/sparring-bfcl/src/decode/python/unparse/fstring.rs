use super::{Writer, Written, level};
use crate::decode::Raised;
use crate::decode::python::resolve::Resolver;
use crate::decode::python::strings::Literal;
use crate::decode::python::tree::{Expr, Id, NIL, Span};

impl Writer<'_> {
    /// An f-string, in the first kind of quotes that its text leaves free.
    pub(super) fn joined(&mut self, first: Id) -> Written {
        let outside = std::mem::take(&mut self.out);
        self.format_parts(first)?;
        let inside = std::mem::replace(&mut self.out, outside);
        let quotes = ["'", "\"", "\"\"\"", "'''"];
        let free = |quote: &&&str| !inside.contains(**quote) && (quote.len() == 3 || !inside.contains('\n'));
        let quote = quotes.iter().find(free).unwrap_or(&"'''");
        self.out.extend(["f", quote, inside.as_str(), quote]);
        Ok(())
    }

    fn format_parts(&mut self, first: Id) -> Written {
        for (_, part) in self.resolver.tree.items(first) {
            match part {
                Expr::Piece { span, raw } => self.piece(span, raw)?,
                Expr::Formatted { value, conversion, spec } => {
                    self.out.push('{');
                    let start = self.out.len();
                    self.write(value, level::OR)?;
                    let written = &self.out[start..];
                    if written.contains('\\') {
                        let reason = "a backslash in the expression of an f-string";
                        return Err(Resolver::fault(Raised::Value, reason));
                    }
                    if written.starts_with('{') {
                        self.out.insert(start, ' ');
                    }
                    if conversion != 0 {
                        self.out.extend(['!', char::from(conversion)]);
                    }
                    if let Some(Expr::Joined(spec)) = (spec != NIL).then(|| self.resolver.tree.expr(spec)) {
                        self.out.push(':');
                        self.format_parts(spec)?;
                    }
                    self.out.push('}');
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn piece(&mut self, span: Span, raw: bool) -> Written {
        let literal = Literal { bytes: false, raw, format: false, inside: span };
        let mut text = String::new();
        literal.read(self.resolver.source, &mut |code| text.extend(char::from_u32(code)))?;
        for c in text.chars() {
            match c {
                '{' | '}' => self.out.extend([c, c]),
                '\n' => self.out.push_str("\\n"),
                '\t' => self.out.push_str("\\t"),
                '\r' => self.out.push_str("\\r"),
                '\\' => self.out.push_str("\\\\"),
                _ => self.out.push(c),
            }
        }
        Ok(())
    }
}
