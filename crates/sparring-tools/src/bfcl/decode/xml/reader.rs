//! A reader for XML elements, as strict as expat, which Python's ElementTree stands on.
//!
//! It reads one element with what may be inside: elements, text, CDATA, comments, processing instructions,
//! character references and namespaces. There are no declarations: the text starts with its root element.

use super::super::{DecodeError, Raised};
use std::collections::HashSet;

/// An element and the places of its children.
#[derive(Debug, Default)]
pub(super) struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    /// Text before the first child.
    text: String,
    children: Vec<usize>,
}

impl Element {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// All elements, in the order in which they start.
#[derive(Debug)]
pub(super) struct Document {
    elements: Vec<Element>,
}

impl Document {
    pub(super) const ROOT: usize = 0;

    pub(super) fn read(text: &str) -> Result<Self, DecodeError> {
        let mut reader = Reader { text, at: 0, elements: Vec::new(), open: Vec::new(), prefixes: Vec::new() };
        reader.document()?;
        Ok(Self { elements: reader.elements })
    }

    pub(super) fn element(&self, id: usize) -> &Element {
        &self.elements[id]
    }

    /// Children of `parent` with this name.
    pub(super) fn children<'a>(&'a self, parent: usize, name: &'a str) -> impl Iterator<Item = usize> + 'a {
        let children = self.elements[parent].children.iter().copied();
        children.filter(move |&child| self.elements[child].name == name)
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    elements: Vec<Element>,
    /// Open elements: their ids, names as written, and how many prefixes were known outside.
    open: Vec<(usize, &'a str, usize)>,
    /// Prefixes in scope and whether they are bound; the default namespace has the prefix "".
    prefixes: Vec<(&'a str, bool)>,
}

type Read<T = ()> = Result<T, DecodeError>;

impl<'a> Reader<'a> {
    fn fault<T>(&self, reason: &'static str) -> Read<T> {
        Err(DecodeError::new(Raised::XmlParse, self.at, reason))
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    fn skip_space(&mut self) -> bool {
        let rest = self.rest();
        let len = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
        self.at += len;
        len > 0
    }

    fn document(&mut self) -> Read {
        loop {
            if self.eat("<!--") {
                self.comment()?;
            } else if self.eat("<![CDATA[") {
                let text = self.until("]]>", "an unclosed CDATA section")?;
                self.put(&unix_lines(text))?;
            } else if self.eat("<?") {
                self.instruction()?;
            } else if self.eat("</") {
                self.end_tag()?;
            } else if self.eat("<") {
                self.start_tag()?;
            } else {
                self.characters()?;
            }
            if self.open.is_empty() {
                return if self.at < self.text.len() {
                    self.fault("junk after document element")
                } else {
                    Ok(())
                };
            }
            if self.at == self.text.len() {
                return self.fault("no element found");
            }
        }
    }

    /// Text up to `end`, which is skipped.
    fn until(&mut self, end: &str, reason: &'static str) -> Read<&'a str> {
        let rest = self.rest();
        let Some(len) = rest.find(end) else { return self.fault(reason) };
        let text = &rest[..len];
        self.check(text)?;
        self.at += len + end.len();
        Ok(text)
    }

    fn check(&self, text: &str) -> Read {
        if text.chars().all(is_char) { Ok(()) } else { self.fault("not well-formed (invalid token)") }
    }

    fn comment(&mut self) -> Read {
        self.until("--", "an unclosed comment")?;
        if self.eat(">") { Ok(()) } else { self.fault("not well-formed (invalid token)") }
    }

    fn instruction(&mut self) -> Read {
        let target = self.name()?;
        if target.eq_ignore_ascii_case("xml") || target.contains(':') {
            return self.fault("XML or text declaration not at start of entity");
        }
        if self.eat("?>") {
            return Ok(());
        }
        if !self.skip_space() {
            return self.fault("not well-formed (invalid token)");
        }
        self.until("?>", "an unclosed processing instruction").map(drop)
    }

    /// A name, with at most one `:` inside.
    fn name(&mut self) -> Read<&'a str> {
        let rest = self.rest();
        let len = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        let name = &rest[..len];
        let proper = |part: &str| part.starts_with(is_name_start);
        let (prefix, local) = name.split_once(':').unwrap_or(("x", name));
        if !proper(prefix) || !proper(local) || local.contains(':') {
            return self.fault("not well-formed (invalid token)");
        }
        self.at += len;
        Ok(name)
    }

    fn start_tag(&mut self) -> Read {
        let name = self.name()?;
        let outside = self.prefixes.len();
        let mut attributes = Vec::new();
        let mut names = HashSet::new();
        let empty = loop {
            let spaced = self.skip_space();
            if self.eat("/>") {
                break true;
            }
            if self.eat(">") {
                break false;
            }
            if !spaced {
                return self.fault("not well-formed (invalid token)");
            }
            let key = self.name()?;
            if !names.insert(key) {
                return self.fault("duplicate attribute");
            }
            let value = self.attribute_value()?;
            if key == "xmlns" {
                self.prefixes.push(("", !value.is_empty()));
            } else if let Some(prefix) = key.strip_prefix("xmlns:") {
                if value.is_empty() || prefix == "xmlns" {
                    return self.fault("must not undeclare prefix");
                }
                self.prefixes.push((prefix, true));
            } else {
                attributes.push((key, value));
            }
        };
        let id = self.elements.len();
        if let Some(&(parent, ..)) = self.open.last() {
            self.elements[parent].children.push(id);
        }
        let mut element = Element { name: self.resolved(name, true)?, ..Element::default() };
        for (key, value) in attributes {
            element.attributes.push((self.resolved(key, false)?, value));
        }
        self.elements.push(element);
        if empty {
            self.prefixes.truncate(outside);
        } else {
            self.open.push((id, name, outside));
        }
        Ok(())
    }

    /// A name by which the official code can ask for it; names in a namespace get one that it never asks for.
    fn resolved(&self, name: &str, element: bool) -> Read<String> {
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let known = self.prefixes.iter().rev().find(|(known, _)| *known == prefix);
        match (prefix, known) {
            ("", Some((_, true))) if element => Ok(format!("{{}}{local}")),
            ("", _) => Ok(local.into()),
            ("xml", _) | (_, Some((_, true))) => Ok(format!("{{{prefix}}}{local}")),
            _ => self.fault("unbound prefix"),
        }
    }

    fn end_tag(&mut self) -> Read {
        let name = self.name()?;
        self.skip_space();
        if !self.eat(">") {
            return self.fault("not well-formed (invalid token)");
        }
        match self.open.pop() {
            Some((_, opened, outside)) if opened == name => self.prefixes.truncate(outside),
            _ => return self.fault("mismatched tag"),
        }
        Ok(())
    }

    fn attribute_value(&mut self) -> Read<String> {
        self.skip_space();
        if !self.eat("=") {
            return self.fault("not well-formed (invalid token)");
        }
        self.skip_space();
        let quote = match self.rest().chars().next() {
            Some(quote @ ('"' | '\'')) => quote,
            _ => return self.fault("not well-formed (invalid token)"),
        };
        self.at += 1;
        let mut value = String::new();
        loop {
            let rest = self.rest();
            let Some(len) = rest.find([quote, '<', '&']) else { return self.fault("unclosed token") };
            let text = &rest[..len];
            self.check(text)?;
            value.push_str(&unix_lines(text).replace(['\n', '\t'], " "));
            self.at += len;
            if self.eat("&") {
                value.push(self.reference()?);
            } else if self.eat("<") {
                return self.fault("not well-formed (invalid token)");
            } else {
                self.at += 1;
                return Ok(value);
            }
        }
    }

    fn characters(&mut self) -> Read {
        let rest = self.rest();
        if self.eat("&") {
            let c = self.reference()?;
            return self.put(c.encode_utf8(&mut [0; 4]));
        }
        let len = rest.find(['<', '&']).unwrap_or(rest.len());
        let text = &rest[..len];
        self.check(text)?;
        if text.contains("]]>") {
            return self.fault("not well-formed (invalid token)");
        }
        self.put(&unix_lines(text))?;
        self.at += len;
        Ok(())
    }

    fn put(&mut self, text: &str) -> Read {
        let Some(&(id, ..)) = self.open.last() else { return self.fault("text outside the element") };
        let element = &mut self.elements[id];
        if element.children.is_empty() {
            element.text.push_str(text);
        }
        Ok(())
    }

    /// After `&`.
    fn reference(&mut self) -> Read<char> {
        let rest = self.rest();
        // Names and numbers of characters are short, but for zeros in front.
        let Some(len) = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '#') else {
            return self.fault("unclosed token");
        };
        let name = &rest[..len];
        let code = match name.strip_prefix('#') {
            Some(number) => match number.strip_prefix('x') {
                Some(hex) => parse_code(hex, 16),
                None => parse_code(number, 10),
            },
            None => match name {
                "lt" => Some('<'),
                "gt" => Some('>'),
                "amp" => Some('&'),
                "apos" => Some('\''),
                "quot" => Some('"'),
                _ => None,
            },
        };
        self.at += len;
        match code.filter(|c| is_char(*c)) {
            Some(c) if self.eat(";") => Ok(c),
            _ => self.fault("undefined entity or reference to an invalid character"),
        }
    }
}

fn parse_code(digits: &str, radix: u32) -> Option<char> {
    let proper = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    let significant = digits.trim_start_matches('0');
    if !proper || significant.len() > 8 {
        return None;
    }
    char::from_u32(u32::from_str_radix(digits, radix).ok()?)
}

fn unix_lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// What XML 1.0 may contain.
fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

fn is_name_start(c: char) -> bool {
    c == '_'
        || if c.is_ascii() {
            c.is_ascii_alphabetic()
        } else {
            unicode_ident::is_xid_start(c) && c <= '\u{ffff}'
        }
}

fn is_name(c: char) -> bool {
    matches!(c, ':' | '-' | '.' | '\u{b7}')
        || c.is_ascii_digit()
        || is_name_start(c)
        || !c.is_ascii() && unicode_ident::is_xid_continue(c) && c <= '\u{ffff}'
}
