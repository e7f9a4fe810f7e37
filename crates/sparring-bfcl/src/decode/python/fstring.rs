//! f-strings, by the rules before Python 3.12: an expression may hold no backslash, no `#` and not the quotes
//! around it.

use super::Fault;
use super::lexer::{Kind, Lexer, Token};
use super::parser::Parser;
use super::strings::{Literal, unescape};
use super::tree::{Expr, Id, Items, NIL, Span};

impl Parser<'_> {
    /// Reads one f-string literal; its parts go to `items`.
    pub(super) fn format_string(&mut self, literal: &Literal, items: &mut Items) -> Result<(), Fault> {
        let Span { start, end } = literal.inside;
        let stop = self.parts(start, end, literal.raw, 0, items)?;
        if stop < end { Err(Fault::syntax(stop, "f-string: single '}' is not allowed")) } else { Ok(()) }
    }

    fn byte(&self, at: u32) -> u8 {
        self.source.as_bytes().get(at as usize).copied().unwrap_or(0)
    }

    /// Literal text and fields in turn, up to `end`, or to a `}` where that closes a field's format.
    fn parts(
        &mut self,
        start: u32,
        end: u32,
        raw: bool,
        nested: u8,
        items: &mut Items,
    ) -> Result<u32, Fault> {
        let mut at = start;
        let mut piece = start;
        loop {
            let byte = if at < end { self.byte(at) } else { 0 };
            let doubled = nested == 0 && at + 1 < end && self.byte(at + 1) == byte;
            match byte {
                // `\N{...}` is no field.
                b'\\' if !raw && self.byte(at + 1) == b'N' => {
                    return Err(Fault::syntax(at, "characters by name (\\N) are not known here"));
                }
                b'\\' if !raw && !matches!(self.byte(at + 1), b'{' | b'}') => at += 2,
                b'{' | b'}' if doubled => {
                    self.piece(Span { start: piece, end: at + 1 }, raw, items)?;
                    at += 2;
                    piece = at;
                }
                b'{' => {
                    self.piece(Span { start: piece, end: at }, raw, items)?;
                    at = self.deeper(|parser| parser.field(at + 1, end, raw, nested, items))?;
                    piece = at;
                }
                b'}' if nested == 0 => return Err(Fault::syntax(at, "f-string: single '}' is not allowed")),
                _ if at >= end || byte == b'}' => {
                    self.piece(Span { start: piece, end: at.min(end) }, raw, items)?;
                    return Ok(at.min(end));
                }
                _ => at += 1,
            }
        }
    }

    fn piece(&mut self, span: Span, raw: bool, items: &mut Items) -> Result<(), Fault> {
        if span.start < span.end {
            if !raw {
                let text = &self.source[span.start as usize..span.end as usize];
                unescape(text, span.start, false, &mut |_| {})?;
            }
            let piece = self.tree.leaf(Expr::Piece { span, raw });
            self.tree.push(items, piece);
        }
        Ok(())
    }

    /// A field, from after its `{`; returns where it ends.
    fn field(
        &mut self,
        start: u32,
        end: u32,
        raw: bool,
        nested: u8,
        items: &mut Items,
    ) -> Result<u32, Fault> {
        if nested >= 2 {
            return Err(Fault::syntax(start, "f-string: expressions nested too deeply"));
        }
        let mut at = self.end_of_expression(start, end)?;
        let value = self.field_value(start, at)?;
        let mut conversion = 0;
        let debug = self.byte(at) == b'=' && at < end;
        if debug {
            at += 1;
            while matches!(self.byte(at), b' ' | b'\t' | b'\n' | 0xc | 0xb) {
                at += 1;
            }
            let piece = self.tree.leaf(Expr::Piece { span: Span { start, end: at.min(end) }, raw: true });
            self.tree.push(items, piece);
        }
        if at < end && self.byte(at) == b'!' {
            conversion = self.byte(at + 1);
            if at + 1 >= end || !matches!(conversion, b's' | b'r' | b'a') {
                return Err(Fault::syntax(at, "f-string: invalid conversion character"));
            }
            at += 2;
        }
        let mut spec = NIL;
        if at < end && self.byte(at) == b':' {
            let mut inner = Items::NONE;
            at = self.parts(at + 1, end, raw, nested + 1, &mut inner)?;
            spec = self.tree.over_items(Expr::Joined(inner.first), NIL, &inner, at)?;
        } else if debug && conversion == 0 {
            conversion = b'r';
        }
        if at >= end || self.byte(at) != b'}' {
            return Err(Fault::syntax(at.min(end), "f-string: expecting '}'"));
        }
        let field = Expr::Formatted { value, conversion, spec };
        let field = self.tree.above(field, [value, spec, NIL], start)?;
        self.tree.push(items, field);
        Ok(at + 1)
    }

    /// Reads the expression between `start` and `end` as if in parentheses.
    fn field_value(&mut self, start: u32, end: u32) -> Result<Id, Fault> {
        let inside = Lexer::new(self.source.as_bytes(), start as usize, end as usize, 1);
        let lexer = std::mem::replace(&mut self.lexer, inside);
        let token =
            std::mem::replace(&mut self.token, Token { kind: Kind::End, plain: false, start, end: start });
        self.advance()?;
        if self.token.kind == Kind::End {
            return self.fault("f-string: empty expression not allowed");
        }
        let value = self.in_parentheses(Kind::End)?;
        self.expect_now(Kind::End, "f-string: invalid syntax")?;
        self.lexer = lexer;
        self.token = token;
        Ok(value)
    }

    /// Where the expression of a field ends: before `!`, `:`, `=` or `}` outside brackets and strings.
    fn end_of_expression(&self, start: u32, end: u32) -> Result<u32, Fault> {
        let mut brackets: Vec<u8> = Vec::new();
        // The quote of an open string, and how many of it close it.
        let mut open: Option<(u8, u32)> = None;
        let mut at = start;
        while at < end {
            let byte = self.byte(at);
            let triple = at + 2 < end && self.byte(at + 1) == byte && self.byte(at + 2) == byte;
            match (byte, open) {
                (b'\\', _) => {
                    return Err(Fault::syntax(at, "f-string expression part cannot include a backslash"));
                }
                (_, Some((quote, count))) if byte == quote && (count == 1 || triple) => {
                    open = None;
                    at += count - 1;
                }
                (b'\'' | b'"', None) => {
                    open = Some((byte, if triple { 3 } else { 1 }));
                    at += if triple { 2 } else { 0 };
                }
                (b'#', None) => return Err(Fault::syntax(at, "f-string expression part cannot include '#'")),
                (b'(' | b'[' | b'{', None) => brackets.push(byte),
                (b'=' | b'!' | b'<' | b'>', None) if brackets.is_empty() && self.byte(at + 1) == b'=' => {
                    at += 1;
                }
                (b'=' | b'!' | b':' | b'}', None) if brackets.is_empty() => return Ok(at),
                (b')' | b']' | b'}', None) => {
                    let opened = brackets.pop();
                    if !matches!((opened, byte), (Some(b'('), b')') | (Some(b'['), b']') | (Some(b'{'), b'}'))
                    {
                        return Err(Fault::syntax(at, "f-string: this bracket closes nothing"));
                    }
                }
                _ => {}
            }
            at += 1;
        }
        if open.is_some() || !brackets.is_empty() {
            return Err(Fault::syntax(start, "f-string: an open string or bracket"));
        }
        Ok(end)
    }
}
