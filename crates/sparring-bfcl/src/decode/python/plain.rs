//! A fast path for typical calls: names, keywords, literals without escapes, lists, dicts.
//!
//! It creates values while it reads, without a tree. Other texts are left to the parser; on the texts that it reads it
//! agrees with the parser.

use super::lexer::{Kind, WORD, keyword};
use super::{Fault, INVALID};
use crate::PyValue;
use crate::decode::dict::Dict;
use memchr::memchr2;

/// Deepest nesting of lists and dicts that is read this way.
const MAX_DEPTH: u8 = 16;

/// The calls in `[f(a=1, b='x'), ...]`, or the error that a `;` follows them; `None` if anything in the text is not
/// plain.
pub(super) fn calls(text: &str) -> Option<Result<PyValue, Fault>> {
    // White space before the bracket is left to the parser: it may be an indentation.
    if !text.starts_with('[') {
        return None;
    }
    let mut reader = PlainReader { text, at: 1 };
    let mut calls = Vec::new();
    while !reader.eat(b']') {
        calls.push(reader.call()?);
        if !reader.eat(b',') && reader.next() != b']' {
            return None;
        }
    }
    let rest = text[reader.at..].trim_start_matches(' ');
    match rest.bytes().next() {
        Some(b'#' | b';') if rest.bytes().any(|b| b < b' ') => None,
        None | Some(b'#') => Some(Ok(PyValue::List(calls))),
        Some(b';') => Some(Err(Fault::syntax((text.len() - rest.len()) as u32, INVALID))),
        Some(_) => None,
    }
}

struct PlainReader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> PlainReader<'a> {
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    /// The next byte that is not white space; inside brackets that includes line ends.
    fn next(&mut self) -> u8 {
        while matches!(self.peek(), b' ' | b'\n' | b'\t') {
            self.at += 1;
        }
        self.peek()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.next() == byte;
        self.at += usize::from(found);
        found
    }

    /// A word of ASCII.
    fn word(&mut self) -> Option<&'a str> {
        if self.next().is_ascii_digit() {
            return None;
        }
        let first = self.at;
        while WORD[self.peek() as usize] && self.peek() < 0x80 {
            self.at += 1;
        }
        // A quote after a word may make it a prefix.
        (self.at > first && !matches!(self.peek(), b'\'' | b'"' | 0x80..)).then(|| &self.text[first..self.at])
    }

    /// A word that is not a keyword.
    fn name(&mut self) -> Option<&'a str> {
        self.word().filter(|word| keyword(word.as_bytes()) == Kind::Name)
    }

    fn call(&mut self) -> Option<PyValue> {
        let start = self.name()?.as_ptr() as usize - self.text.as_ptr() as usize;
        while self.peek() == b'.' {
            self.at += 1;
            if !WORD[self.peek() as usize] {
                return None;
            }
            self.name()?;
        }
        let name = PyValue::Str(self.text[start..self.at].into());
        if !self.eat(b'(') {
            return None;
        }
        let mut arguments = Dict::default();
        let mut keywords = false;
        while !self.eat(b')') {
            let start = self.at;
            if let Some(key) = self.name()
                && self.eat(b'=')
            {
                let value = self.value(0)?;
                arguments.insert(PyValue::Str(key.into()), value)?;
                keywords = true;
            } else if keywords {
                return None;
            } else {
                // An argument without a keyword is dropped.
                self.at = start;
                self.value(0)?;
            }
            if !self.eat(b',') && self.next() != b')' {
                return None;
            }
        }
        Some(PyValue::Dict(vec![(name, arguments.finish())]))
    }

    /// A value. The caller checks what follows, which excludes operators.
    fn value(&mut self, depth: u8) -> Option<PyValue> {
        match self.next() {
            quote @ (b'\'' | b'"') => self.string(quote),
            b'0'..=b'9' | b'-' => self.number(),
            b'[' if depth < MAX_DEPTH => self.list(depth + 1),
            b'{' if depth < MAX_DEPTH => self.dict(depth + 1),
            _ => {
                let word = self.word()?;
                Some(match keyword(word.as_bytes()) {
                    Kind::Name => PyValue::Str(word.into()),
                    Kind::True => PyValue::Bool(true),
                    Kind::False => PyValue::Bool(false),
                    Kind::None => PyValue::None,
                    _ => return None,
                })
            }
        }
    }

    fn string(&mut self, quote: u8) -> Option<PyValue> {
        self.at += 1;
        let rest = &self.text.as_bytes()[self.at..];
        let end = self.at + memchr2(quote, b'\\', rest)?;
        if self.text.as_bytes()[end] != quote || rest[..end - self.at].iter().any(|&b| b < b' ') {
            return None;
        }
        let text = &self.text[self.at..end];
        self.at = end + 1;
        // Right after the quote, another would mean triple quotes.
        Some(PyValue::Str(text.into())).filter(|_| self.peek() != quote)
    }

    fn list(&mut self, depth: u8) -> Option<PyValue> {
        self.at += 1;
        let mut items = Vec::new();
        while !self.eat(b']') {
            items.push(self.value(depth)?);
            if !self.eat(b',') && self.next() != b']' {
                return None;
            }
        }
        Some(PyValue::List(items))
    }

    fn dict(&mut self, depth: u8) -> Option<PyValue> {
        self.at += 1;
        let mut entries = Dict::default();
        while !self.eat(b'}') {
            let key = self.value(depth)?;
            if !self.eat(b':') {
                return None;
            }
            let value = self.value(depth)?;
            entries.insert(key, value)?;
            if !self.eat(b',') && self.next() != b'}' {
                return None;
            }
        }
        Some(entries.finish())
    }

    /// A decimal number of few digits, with a `-` before it or not.
    fn number(&mut self) -> Option<PyValue> {
        let start = self.at;
        let negative = self.peek() == b'-';
        self.at += usize::from(negative);
        let digits = self.at;
        let mut value = 0;
        while self.peek().is_ascii_digit() && self.at - digits < 18 {
            value = value * 10 + i64::from(self.peek() - b'0');
            self.at += 1;
        }
        let whole = self.at - digits;
        if self.peek() == b'.' {
            self.at += 1;
            while self.peek().is_ascii_digit() {
                self.at += 1;
            }
        }
        let after = self.peek();
        // No digits, old octal notation, an exponent, a name directly after it, or a second dot.
        if whole == 0 || WORD[after as usize] || after == b'.' {
            return None;
        }
        if self.at > digits + whole {
            return self.text[start..self.at].parse().ok().map(PyValue::Float);
        }
        if whole > 1 && self.text.as_bytes()[digits] == b'0' {
            return None;
        }
        Some(PyValue::Int(if negative { -value } else { value }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Parser, resolve};
    use super::*;
    use proptest::prelude::*;

    /// What the parser makes of a text.
    fn parsed(text: &str) -> Result<PyValue, Fault> {
        let (tree, root) = Parser::new(text).whole()?;
        resolve::calls(text, &tree, root)
    }

    #[test]
    fn an_indentation_is_left_to_the_parser() {
        assert!(calls("[f(a=1)]").is_some());
        assert!(calls(" [f(a=1)]").is_none() && calls("\n[f(a=1)]").is_none());
    }

    #[test]
    fn plain_calls_are_read_this_way() {
        for text in [
            "[]",
            "[f()]",
            "[a.b.c(x=1, y=-2.5, z='it', w=\"a'b\"), g(k=[1, [2], {}],)]",
            "[f(a={'k': [True, None], 1: false}, a=-0.0,\n  b = name) , ]",
            "[f(\ta=1)]  # done]",
            "[f(a='é', b=0, c=00.5, d=123456789012345678)]",
            "[f(5, name, [1], a=2)]",
            "[f(a=1)];]",
        ] {
            assert_eq!(calls(text), Some(parsed(text)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_parser_agrees(tokens in prop::collection::vec(prop::sample::select(vec![
            "f(", "a=", "b =", ")", ")", ",", ", ", "[", "]", "{", "}", ":", "1", "-2", "0.5", "007", "1e5", ".", "-",
            "'x'", "\"y\"", "''", "'", "True", "None", "from", "name", "é", "r", "=", "(", "1_0", "\n", "+", "f(a=1)", "#",
            "9223372036854775808", "'a\\n'", "'k': ", "for",
        ]), 0..14), end in prop::sample::select(vec!["]", "];", "] ;]", "]\n;", "];\0", "] # ;"])) {
            let text = format!("[{}{end}", tokens.concat());
            if let Some(value) = calls(&text) {
                prop_assert_eq!(value, parsed(&text), "{}", text);
            }
        }

        #[test]
        fn the_parser_agrees_on_likely_calls(arguments in prop::collection::vec((
            prop::sample::select(vec!["a", "b", "_c1", "if", "d.e", ""]),
            prop::sample::select(vec![
                "1", "-1", "-", "--1", "0", "-0", "1.5", "-.5", "5.", "5..", "1.x", "1 .x", "'x'", "'x' 'y'", "'''x'''", "''",
                "'a\tb'", "x", "x.y", "x'y'", "b'y'", "[]", "[1,]", "[,]", "[[1], 'a']", "{}", "{'a': 1}", "{1: 2, 1.0: 3}",
                "{[]: 1}", "{'a'}", "(1)", "(1, 2)", "True", "not x", "x y", "1 if x else y", "g()", "- 1", "é", "xé",
            ]),
        ), 0..4)) {
            let one = |(name, value): &(&str, &str)| if name.is_empty() { (*value).to_owned() } else { format!("{name}={value}") };
            let arguments: Vec<String> = arguments.iter().map(one).collect();
            let text = format!("[f({})]", arguments.join(", "));
            if let Some(value) = calls(&text) {
                prop_assert_eq!(value, parsed(&text), "{}", text);
            }
        }
    }
}
