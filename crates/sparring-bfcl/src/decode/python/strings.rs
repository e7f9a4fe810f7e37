//! String literals: prefixes, quotes, escapes.

use super::lexer::{Kind, Lexer, Token};
use super::parser::{Parsed, Parser};
use super::tree::{Expr, Items, NIL, Span};
use super::{Fault, repr};
use crate::{OtherKind, PyValue};

/// One literal: its prefix, and the text between its quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Literal {
    pub(super) bytes: bool,
    pub(super) raw: bool,
    pub(super) format: bool,
    pub(super) inside: Span,
}

impl Literal {
    /// The literal that the token at `span` is.
    pub(super) fn of(source: &str, span: Span) -> Self {
        let mut literal = Self { bytes: false, raw: false, format: false, inside: span };
        for (i, &byte) in source.as_bytes()[span.start as usize..].iter().enumerate() {
            match byte {
                b'b' | b'B' => literal.bytes = true,
                b'r' | b'R' => literal.raw = true,
                b'f' | b'F' => literal.format = true,
                b'u' | b'U' => {}
                quote => {
                    let open = span.start + i as u32;
                    let rest = &source.as_bytes()[open as usize..span.end as usize];
                    let quotes = if rest.len() >= 6 && rest.starts_with(&[quote; 3]) { 3 } else { 1 };
                    literal.inside = Span { start: open + quotes, end: span.end - quotes };
                    break;
                }
            }
        }
        literal
    }

    /// Gives each character (or byte) of the literal to `put`.
    pub(super) fn read(&self, source: &str, put: &mut dyn FnMut(u32)) -> Result<(), Fault> {
        let Span { start, end } = self.inside;
        let text = &source[start as usize..end as usize];
        if self.bytes && !text.is_ascii() {
            return Err(Fault::syntax(start, "bytes can only contain ASCII literal characters"));
        }
        if self.raw {
            text.chars().for_each(|c| put(c as u32));
            return Ok(());
        }
        unescape(text, start, self.bytes, put)
    }
}

/// The literals side by side in `span`.
fn literals(source: &str, span: Span) -> impl Iterator<Item = Literal> + '_ {
    let mut lexer = Lexer::new(source.as_bytes(), span.start as usize, span.end as usize, 1);
    std::iter::from_fn(move || {
        let token = lexer.next().ok().filter(|token| token.kind == Kind::Text)?;
        Some(Literal::of(source, token.span()))
    })
}

impl Parser<'_> {
    /// String literals side by side: Python joins them.
    pub(super) fn strings(&mut self) -> Parsed {
        let first = self.token;
        self.advance()?;
        if first.plain && self.token.kind != Kind::Text {
            return Ok(self.tree.leaf(Expr::Plain(Span { start: first.start + 1, end: first.end - 1 })));
        }
        self.joined_strings(first)
    }

    /// Strings from `first` on, which was read.
    fn joined_strings(&mut self, first: Token) -> Parsed {
        let bytes = Literal::of(self.source, first.span()).bytes;
        let (mut token, mut format) = (first, false);
        loop {
            let literal = Literal::of(self.source, token.span());
            if literal.bytes != bytes {
                return Err(Fault::syntax(token.start, "cannot mix bytes and nonbytes literals"));
            }
            if !literal.format {
                literal.read(self.source, &mut |_| {})?;
            }
            format |= literal.format;
            if self.token.kind != Kind::Text {
                break;
            }
            token = self.token;
            self.advance()?;
        }
        let span = Span { start: first.start, end: token.end };
        if !format {
            return Ok(self.tree.leaf(if bytes { Expr::Bytes(span) } else { Expr::Text(span) }));
        }
        let mut items = Items::NONE;
        for literal in literals(self.source, span) {
            if literal.format {
                self.format_string(&literal, &mut items)?;
            } else {
                let piece = self.tree.leaf(Expr::Piece { span: literal.inside, raw: literal.raw });
                self.tree.push(&mut items, piece);
            }
        }
        self.tree.over_items(Expr::Joined(items.first), NIL, &items, first.start)
    }
}

/// The value of the `str` literals in `span`.
///
/// Python's strings may hold halves of surrogate pairs, which Rust's may not: such a literal becomes
/// [`PyValue::Other`] with its source text, equal to no string.
pub(super) fn text_value(source: &str, span: Span) -> Result<PyValue, Fault> {
    let mut text = String::new();
    let mut lone = false;
    for literal in literals(source, span) {
        literal.read(source, &mut |code| match char::from_u32(code) {
            Some(c) => text.push(c),
            None => lone = true,
        })?;
    }
    if lone {
        return Ok(PyValue::Other {
            kind: OtherKind::Str,
            repr: source[span.start as usize..span.end as usize].into(),
        });
    }
    Ok(PyValue::Str(text.into()))
}

/// The value of the `bytes` literals in `span`.
pub(super) fn bytes_value(source: &str, span: Span) -> Result<PyValue, Fault> {
    let mut bytes = Vec::new();
    for literal in literals(source, span) {
        literal.read(source, &mut |code| bytes.push(code as u8))?;
    }
    Ok(PyValue::Other { kind: OtherKind::Bytes, repr: repr::bytes(&bytes) })
}

/// Resolves escapes; an unknown one stands for itself, backslash and all.
pub(super) fn unescape(text: &str, start: u32, bytes: bool, put: &mut dyn FnMut(u32)) -> Result<(), Fault> {
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        at += c.len_utf8();
        if c != '\\' {
            put(c as u32);
            continue;
        }
        let escape = start + at as u32 - 1;
        let fault = |reason| Err(Fault::syntax(escape, reason));
        // Only before a field of an f-string.
        let Some(c) = text[at..].chars().next() else {
            put(u32::from(b'\\'));
            return Ok(());
        };
        at += c.len_utf8();
        let digits = match c {
            '\n' => continue,
            '\\' | '\'' | '"' => {
                put(c as u32);
                continue;
            }
            'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' => {
                put(u32::from(control(c)));
                continue;
            }
            '0'..='7' => {
                at += octal(&text[at - 1..], put) - 1;
                continue;
            }
            'x' => 2,
            'u' if !bytes => 4,
            'U' if !bytes => 8,
            'N' if !bytes => return fault("characters by name (\\N) are not known here"),
            _ => {
                put(u32::from(b'\\'));
                put(c as u32);
                continue;
            }
        };
        let code = text
            .get(at..at + digits)
            .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|hex| u32::from_str_radix(hex, 16).ok());
        match code {
            Some(code) if code <= 0x0010_ffff => put(code),
            _ => return fault("this escape is no character"),
        }
        at += digits;
    }
    Ok(())
}

const fn control(letter: char) -> u8 {
    match letter {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => 10,
        'r' => 13,
        't' => 9,
        _ => 11,
    }
}

/// One to three octal digits; returns how many.
fn octal(text: &str, put: &mut dyn FnMut(u32)) -> usize {
    let digits = text.bytes().take(3).take_while(|b| matches!(b, b'0'..=b'7'));
    let (len, code) = digits.fold((0, 0), |(len, code), b| (len + 1, code * 8 + u32::from(b - b'0')));
    put(code);
    len
}
