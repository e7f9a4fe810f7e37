//! A reader for XML elements, as strict as expat, which Python's ElementTree uses.
//!
//! It reads one element with what may be inside: elements, text, CDATA, comments, processing instructions,
//! character references and namespaces. There are no declarations: the text starts with its root element.

use super::super::{DecodeError, Raised};
use super::chars::{is_char, is_name, is_name_start, parse_code, unix_lines};
use memchr::{memchr2, memchr3};
use std::borrow::Cow;
use std::collections::HashSet;

/// An element. Its children are linked: the first, and from each the next.
#[derive(Debug, Default)]
pub(super) struct Element<'a> {
    name: Cow<'a, str>,
    attributes: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Text before the first child.
    text: Cow<'a, str>,
    first_child: Option<usize>,
    last_child: Option<usize>,
    next: Option<usize>,
}

impl Element<'_> {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// All elements, in the order in which they start.
#[derive(Debug)]
pub(super) struct Document<'a> {
    elements: Vec<Element<'a>>,
}

impl<'a> Document<'a> {
    pub(super) const ROOT: usize = 0;

    pub(super) fn read(text: &'a str) -> Result<Self, DecodeError> {
        let mut reader =
            XmlReader { text, at: 0, elements: Vec::new(), open: Vec::new(), prefixes: Vec::new() };
        reader.document()?;
        Ok(Self { elements: reader.elements })
    }

    pub(super) fn element(&self, id: usize) -> &Element<'a> {
        &self.elements[id]
    }

    /// Children of `parent` with this name.
    pub(super) fn children(&self, parent: usize, name: &str) -> impl Iterator<Item = usize> {
        let first = self.elements[parent].first_child;
        let children = std::iter::successors(first, |&child| self.elements[child].next);
        children.filter(move |&child| self.elements[child].name == name)
    }
}

struct XmlReader<'a> {
    text: &'a str,
    at: usize,
    elements: Vec<Element<'a>>,
    /// Open elements: their ids, names as written, and how many prefixes were known outside.
    open: Vec<(usize, &'a str, usize)>,
    /// Prefixes in scope and whether they are bound; the default namespace has the prefix "".
    prefixes: Vec<(&'a str, bool)>,
}

type Read<T = ()> = Result<T, DecodeError>;

impl<'a> XmlReader<'a> {
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
        let rest = self.rest().bytes();
        let len = rest.take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.at += len;
        len > 0
    }

    fn document(&mut self) -> Read {
        loop {
            if self.eat("<!--") {
                self.comment()?;
            } else if self.eat("<![CDATA[") {
                let text = self.until("]]>", "an unclosed CDATA section")?;
                self.put(unix_lines(text))?;
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
        let plain = text.bytes().all(|b| matches!(b, b' '..=b'~'));
        if plain || text.chars().all(is_char) {
            Ok(())
        } else {
            self.fault("not well-formed (invalid token)")
        }
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
        let ascii = rest.bytes().take_while(|&b| b.is_ascii() && is_name(char::from(b))).count();
        let others = &rest[ascii..];
        let len = ascii + others.find(|c| !is_name(c)).unwrap_or(others.len());
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
        let mut element = Element::default();
        let mut names = Names::default();
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
                element.attributes.push((key.into(), value));
            }
        };
        let id = self.elements.len();
        element.name = self.resolved(name, true)?;
        for (key, _) in &mut element.attributes {
            if let Cow::Borrowed(written) = *key {
                *key = self.resolved(written, false)?;
            }
        }
        self.elements.push(element);
        if let Some(&(parent, ..)) = self.open.last() {
            let before = self.elements[parent].last_child.replace(id);
            match before {
                Some(before) => self.elements[before].next = Some(id),
                None => self.elements[parent].first_child = Some(id),
            }
        }
        if empty {
            self.prefixes.truncate(outside);
        } else {
            self.open.push((id, name, outside));
        }
        Ok(())
    }

    /// A name by which the official code can ask for it; names in a namespace get one that it never asks for.
    fn resolved(&self, name: &'a str, element: bool) -> Read<Cow<'a, str>> {
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let known = self.prefixes.iter().rev().find(|(known, _)| *known == prefix);
        match (prefix, known) {
            ("", Some((_, true))) if element => Ok(format!("{{}}{local}").into()),
            ("", _) => Ok(local.into()),
            ("xml", _) | (_, Some((_, true))) => Ok(format!("{{{prefix}}}{local}").into()),
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

    fn attribute_value(&mut self) -> Read<Cow<'a, str>> {
        self.skip_space();
        if !self.eat("=") {
            return self.fault("not well-formed (invalid token)");
        }
        self.skip_space();
        let Some(quote @ (b'"' | b'\'')) = self.rest().bytes().next() else {
            return self.fault("not well-formed (invalid token)");
        };
        self.at += 1;
        let mut value = Cow::Borrowed("");
        loop {
            let rest = self.rest();
            let Some(len) = memchr3(quote, b'<', b'&', rest.as_bytes()) else {
                return self.fault("unclosed token");
            };
            let text = &rest[..len];
            self.check(text)?;
            add(
                &mut value,
                match memchr2(b'\n', b'\t', text.as_bytes()) {
                    None if !text.contains('\r') => text.into(),
                    _ => unix_lines(text).replace(['\n', '\t'], " ").into(),
                },
            );
            self.at += len;
            if self.eat("&") {
                value.to_mut().push(self.reference()?);
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
            return self.put(c.to_string().into());
        }
        let len = memchr2(b'<', b'&', rest.as_bytes()).unwrap_or(rest.len());
        let text = &rest[..len];
        self.check(text)?;
        if text.contains("]]>") {
            return self.fault("not well-formed (invalid token)");
        }
        self.put(unix_lines(text))?;
        self.at += len;
        Ok(())
    }

    fn put(&mut self, text: Cow<'a, str>) -> Read {
        let Some(&(id, ..)) = self.open.last() else { return self.fault("text outside the element") };
        let element = &mut self.elements[id];
        if element.first_child.is_none() {
            add(&mut element.text, text);
        }
        Ok(())
    }

    /// After `&`.
    fn reference(&mut self) -> Read<char> {
        let rest = self.rest();
        // Names and numbers of characters are short, except for zeros in front.
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

/// Appends `more` to `text`.
fn add<'a>(text: &mut Cow<'a, str>, more: Cow<'a, str>) {
    if text.is_empty() {
        *text = more;
    } else {
        text.to_mut().push_str(&more);
    }
}

/// The names of a tag's attributes so far. A few are compared, many are hashed.
#[derive(Default)]
struct Names<'a> {
    few: Vec<&'a str>,
    many: HashSet<&'a str>,
}

impl<'a> Names<'a> {
    /// Whether the name is new.
    fn insert(&mut self, name: &'a str) -> bool {
        const FEW: usize = 16;
        if self.few.len() < FEW {
            let new = !self.few.contains(&name);
            self.few.push(name);
            return new;
        }
        !self.few.contains(&name) && self.many.insert(name)
    }
}
