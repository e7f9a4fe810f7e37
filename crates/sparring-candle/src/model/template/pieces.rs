//! A template's source as pieces of text and tags, cut as Jinja2 cuts it with `trim_blocks` and `lstrip_blocks`.
//!
//! White space that the tags swallow is gone afterwards, comments are too, and the content of a raw block is text like
//! any other. Later stages need no rules for white space.

use super::syntax::Fault;
use super::token::{Token, tokens};

/// A piece of a template, and the line it begins in.
#[derive(Debug, PartialEq)]
pub(super) struct Piece {
    pub(super) line: usize,
    pub(super) kind: Kind,
}

#[derive(Debug, PartialEq)]
pub(super) enum Kind {
    /// Text to write as it is.
    Text(String),
    /// `{{ ... }}`.
    Print(Vec<Token>),
    /// `{% ... %}`.
    Tag(Vec<Token>),
}

/// Cuts a source into pieces.
pub(super) fn pieces(source: &str) -> Result<Vec<Piece>, Fault> {
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    // A line break at the end of a file is not part of the template.
    let source = source.strip_suffix('\n').unwrap_or(&source);
    let mut cutter = Cutter { source, at: 0, line: 1, pieces: Vec::new() };
    while cutter.step()? {}
    Ok(cutter.pieces)
}

struct Cutter<'a> {
    source: &'a str,
    at: usize,
    line: usize,
    pieces: Vec<Piece>,
}

impl<'a> Cutter<'a> {
    /// Reads the text up to the next tag, and the tag; false at the end.
    fn step(&mut self) -> Result<bool, Fault> {
        let rest = &self.source[self.at..];
        let Some(open) = opening(rest) else {
            self.text(rest);
            return Ok(false);
        };
        let kind = rest.as_bytes()[open + 1];
        self.text(self.before(open, kind != b'{'));
        self.advance(open);
        let inside = 2 + usize::from(matches!(self.source.as_bytes().get(self.at + 2), Some(b'-' | b'+')));
        match kind {
            b'#' => self.comment(inside)?,
            b'%' if self.raw_opening(inside).is_some() => self.raw(inside)?,
            _ => self.tag(inside, kind)?,
        }
        Ok(true)
    }

    /// The text before a tag that opens at `open`, without what the tag swallows.
    fn before(&self, open: usize, strip_line: bool) -> &'a str {
        let rest = &self.source[self.at..];
        let text = &rest[..open];
        match rest.as_bytes().get(open + 2) {
            Some(b'-') => text.trim_end(),
            Some(b'+') => text,
            _ if !strip_line => text,
            _ => {
                let line = text.rfind('\n').map_or(0, |at| at + 1);
                let starts_line = line > 0 || self.at == 0 || self.source[..self.at].ends_with('\n');
                if starts_line && text[line..].chars().all(char::is_whitespace) {
                    &text[..line]
                } else {
                    text
                }
            }
        }
    }

    fn comment(&mut self, inside: usize) -> Result<(), Fault> {
        let rest = &self.source[self.at..];
        let text = &rest[inside..];
        let end = text.find("#}").ok_or_else(|| self.fault("has a comment without its end, #}"))?;
        let sign = text.as_bytes()[..end].last().copied();
        self.advance(inside + end + 2);
        self.swallow(sign);
        Ok(())
    }

    /// The length of `{% raw %}` at this place.
    fn raw_opening(&self, inside: usize) -> Option<(usize, bool)> {
        let rest = &self.source[self.at..];
        let after = rest.get(inside..)?.trim_start().strip_prefix("raw")?.trim_start();
        let (after, strips) = match after.strip_prefix("-%}") {
            Some(after) => (after, true),
            None => (after.strip_prefix("%}")?, false),
        };
        Some((rest.len() - after.len(), strips))
    }

    fn raw(&mut self, inside: usize) -> Result<(), Fault> {
        let (length, strips) = self.raw_opening(inside).unwrap_or_default();
        self.advance(length);
        if strips {
            self.swallow(Some(b'-'));
        }
        let rest = &self.source[self.at..];
        let ends = rest.match_indices("{%").find_map(|(at, _)| Some((at, raw_closing(&rest[at..])?)));
        let (at, (length, sign)) =
            ends.ok_or_else(|| self.fault("has a {% raw %} without its {% endraw %}"))?;
        self.text(self.before(at, true));
        self.advance(at + length);
        self.swallow(sign);
        Ok(())
    }

    fn tag(&mut self, inside: usize, kind: u8) -> Result<(), Fault> {
        let close = if kind == b'{' { "}}" } else { "%}" };
        let (found, length) = tokens(&self.source[self.at + inside..], close)
            .map_err(|why| Fault { line: self.line + why.line, what: why.what })?;
        let end = inside + length;
        let sign = self.source.as_bytes()[self.at + end - 3];
        let sign = matches!(sign, b'-' | b'+').then_some(sign).filter(|_| end - 3 >= inside);
        let line = self.line;
        self.advance(end);
        if kind == b'{' {
            if sign == Some(b'-') {
                self.swallow(sign);
            }
            self.pieces.push(Piece { line, kind: Kind::Print(found) });
        } else {
            self.swallow(sign);
            self.pieces.push(Piece { line, kind: Kind::Tag(found) });
        }
        Ok(())
    }

    /// What the end of a tag swallows: all white space after `-`, nothing after `+`, else one line break.
    fn swallow(&mut self, sign: Option<u8>) {
        let rest = &self.source[self.at..];
        match sign {
            Some(b'-') => self.advance(rest.len() - rest.trim_start().len()),
            Some(b'+') => {}
            _ => self.advance(usize::from(rest.starts_with('\n'))),
        }
    }

    fn advance(&mut self, length: usize) {
        self.line += self.source[self.at..self.at + length].matches('\n').count();
        self.at += length;
    }

    fn text(&mut self, text: &str) {
        if !text.is_empty() {
            self.pieces.push(Piece { line: self.line, kind: Kind::Text(text.to_owned()) });
        }
    }

    fn fault(&self, what: &str) -> Fault {
        Fault { line: self.line, what: what.to_owned() }
    }
}

/// The first place where a tag opens.
fn opening(text: &str) -> Option<usize> {
    let braces = text.match_indices('{').map(|(at, _)| at);
    let mut tags = braces.filter(|&at| matches!(text.as_bytes().get(at + 1), Some(b'{' | b'%' | b'#')));
    tags.next()
}

/// The length of `{% endraw %}` at the beginning of a text, and the sign at its end.
fn raw_closing(text: &str) -> Option<(usize, Option<u8>)> {
    let after = text.strip_prefix("{%")?;
    let after = after.strip_prefix(['-', '+']).unwrap_or(after);
    let after = after.trim_start().strip_prefix("endraw")?.trim_start();
    let (after, sign) = match after.as_bytes().first()? {
        sign @ (b'-' | b'+') => (&after[1..], Some(*sign)),
        _ => (after, None),
    };
    let after = after.strip_prefix("%}")?;
    Some((text.len() - after.len(), sign))
}
