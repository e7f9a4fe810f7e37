use super::tree::Span;
use super::{Fault, number};
use crate::decode::Raised;

/// Deepest nesting of brackets, CPython's own limit (`MAXLEVEL` of its tokenizer).
const MAX_BRACKETS: u16 = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    End,
    Newline,
    Name,
    Number,
    Text,
    Comma,
    Equal,
    Colon,
    Dot,
    Open,
    Close,
    OpenSquare,
    CloseSquare,
    OpenBrace,
    CloseBrace,
    ColonEqual,
    Ellipsis,
    Plus,
    Minus,
    Star,
    DoubleStar,
    Slash,
    DoubleSlash,
    Percent,
    At,
    Tilde,
    Caret,
    Ampersand,
    Bar,
    ShiftLeft,
    ShiftRight,
    Less,
    Greater,
    LessEqual,
    GreaterEqual,
    DoubleEqual,
    NotEqual,
    True,
    False,
    None,
    And,
    Or,
    Not,
    In,
    Is,
    If,
    Else,
    For,
    Async,
    Await,
    Lambda,
    Yield,
    From,
    /// A keyword that no expression holds.
    Reserved,
    /// A sign of Python that no expression holds (`;`, `->`, `+=`), or none at all.
    Stray,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// A string without prefix and escapes, in single quotes of either kind.
    pub(super) plain: bool,
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Token {
    pub(super) fn span(self) -> Span {
        Span { start: self.start, end: self.end }
    }
}

/// Cuts a text into tokens, as CPython 3.11 does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    /// Whether the token being read is a plain string.
    plain: bool,
    /// Open brackets: inside them, line ends mean nothing.
    pub(super) level: u16,
}

impl<'a> Lexer<'a> {
    /// Reads the part of `text` that ends at `end`, from `start` on.
    pub(super) fn new(text: &'a [u8], start: usize, end: usize, level: u16) -> Self {
        Self { text: &text[..end], at: start, plain: false, level }
    }

    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn fault<T>(&self, reason: &'static str) -> Result<T, Fault> {
        Err(Fault::new(Raised::Syntax, self.at as u32, reason))
    }

    /// Skips blank lines before the first token, which must not be indented.
    pub(super) fn skip_blank_lines(&mut self) -> Result<(), Fault> {
        loop {
            let line = self.at;
            while matches!(self.peek(), b' ' | b'\t' | 0xc) {
                self.at += 1;
            }
            match self.peek() {
                b'#' => self.skip_comment(),
                b'\n' => {}
                _ => {
                    // A form feed starts the count of columns anew.
                    let feed = self.text[line..self.at].iter().rposition(|&b| b == 0xc);
                    let indented = self.at > line + feed.map_or(0, |feed| feed + 1);
                    if indented && self.at < self.text.len() {
                        return Err(Fault::new(Raised::Indentation, self.at as u32, "unexpected indent"));
                    }
                    return Ok(());
                }
            }
            if self.peek() == b'\n' {
                self.at += 1;
            }
        }
    }

    fn skip_comment(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
    }

    /// Skips white space, comments and joined lines; whether the line ends.
    fn skip_space(&mut self) -> Result<bool, Fault> {
        loop {
            match self.peek() {
                b' ' | b'\t' | 0xc => self.at += 1,
                b'#' => self.skip_comment(),
                b'\n' if self.level > 0 => self.at += 1,
                b'\n' => {
                    self.at += 1;
                    return Ok(true);
                }
                b'\\' => {
                    if self.text.get(self.at + 1) != Some(&b'\n') {
                        return self.fault("unexpected character after line continuation character");
                    }
                    self.at += 2;
                    if self.at == self.text.len() {
                        return self.fault("unexpected EOF while parsing");
                    }
                }
                _ => return Ok(false),
            }
        }
    }

    pub(super) fn next(&mut self) -> Result<Token, Fault> {
        let newline = self.skip_space()?;
        let start = self.at;
        self.plain = false;
        let kind = if newline { Kind::Newline } else { self.kind()? };
        Ok(Token { kind, plain: self.plain, start: start as u32, end: self.at as u32 })
    }

    fn kind(&mut self) -> Result<Kind, Fault> {
        let Some(&byte) = self.text.get(self.at) else { return Ok(Kind::End) };
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => self.word(),
            b'0'..=b'9' => self.number(),
            b'.' if self.text.get(self.at + 1).is_some_and(u8::is_ascii_digit) => self.number(),
            b'\'' | b'"' => self.string(),
            _ => self.sign(byte),
        }
    }

    fn number(&mut self) -> Result<Kind, Fault> {
        self.at = number::scan(self.text, self.at)?;
        Ok(Kind::Number)
    }

    fn word(&mut self) -> Result<Kind, Fault> {
        let start = self.at;
        let mut bits = 0;
        while let Some(&byte) = self.text.get(self.at)
            && WORD[byte as usize]
        {
            bits |= byte;
            self.at += 1;
        }
        let word = &self.text[start..self.at];
        if word.len() <= 2 && matches!(self.peek(), b'\'' | b'"') && is_prefix(word) {
            let kind = self.string();
            self.plain = false;
            return kind;
        }
        if bits >= 0x80 && !is_identifier(word) {
            self.at = start;
            return self.fault("invalid character in identifier");
        }
        Ok(keyword(word))
    }

    /// A string, from its opening quote on.
    fn string(&mut self) -> Result<Kind, Fault> {
        let quote = self.peek();
        if self.text[self.at + 1..].starts_with(&[quote; 2]) {
            return self.triple_quoted(quote);
        }
        let open = self.at;
        self.plain = true;
        loop {
            self.at += 1;
            match self.text.get(self.at) {
                Some(b'\\') => {
                    self.plain = false;
                    self.at += 1;
                }
                Some(&b) if b == quote => {
                    self.at += 1;
                    return Ok(Kind::Text);
                }
                Some(b'\n') | None => break,
                Some(_) => {}
            }
        }
        self.at = open;
        self.fault("unterminated string literal")
    }

    fn triple_quoted(&mut self, quote: u8) -> Result<Kind, Fault> {
        let open = self.at;
        self.at += 3;
        while let Some(&byte) = self.text.get(self.at) {
            if byte == quote && self.text[self.at..].starts_with(&[quote; 3]) {
                self.at += 3;
                return Ok(Kind::Text);
            }
            self.at += if byte == b'\\' { 2 } else { 1 };
        }
        self.at = open;
        self.fault("unterminated triple-quoted string literal")
    }

    fn sign(&mut self, byte: u8) -> Result<Kind, Fault> {
        let kind = match byte {
            b'(' => self.opened(Kind::Open)?,
            b'[' => self.opened(Kind::OpenSquare)?,
            b'{' => self.opened(Kind::OpenBrace)?,
            b')' => self.closed(Kind::Close),
            b']' => self.closed(Kind::CloseSquare),
            b'}' => self.closed(Kind::CloseBrace),
            b',' => Kind::Comma,
            b'~' => Kind::Tilde,
            _ => {
                let (kind, len) = self.longer_sign(byte);
                self.at += len;
                return Ok(kind);
            }
        };
        self.at += 1;
        Ok(kind)
    }

    fn opened(&mut self, kind: Kind) -> Result<Kind, Fault> {
        if self.level >= MAX_BRACKETS {
            return self.fault("too many nested parentheses");
        }
        self.level += 1;
        Ok(kind)
    }

    fn closed(&mut self, kind: Kind) -> Kind {
        self.level = self.level.saturating_sub(1);
        kind
    }

    /// A sign that may have several characters, and how many it has.
    fn longer_sign(&self, byte: u8) -> (Kind, usize) {
        let second = self.text.get(self.at + 1).copied().unwrap_or(0);
        let third = self.text.get(self.at + 2).copied().unwrap_or(0);
        match (byte, second) {
            (b'=', b'=') => (Kind::DoubleEqual, 2),
            (b'=', _) => (Kind::Equal, 1),
            (b':', b'=') => (Kind::ColonEqual, 2),
            (b':', _) => (Kind::Colon, 1),
            (b'.', b'.') if third == b'.' => (Kind::Ellipsis, 3),
            (b'.', _) => (Kind::Dot, 1),
            (b'*', b'*') if third != b'=' => (Kind::DoubleStar, 2),
            (b'/', b'/') if third != b'=' => (Kind::DoubleSlash, 2),
            (b'<', b'<') if third != b'=' => (Kind::ShiftLeft, 2),
            (b'>', b'>') if third != b'=' => (Kind::ShiftRight, 2),
            (b'<', b'=') => (Kind::LessEqual, 2),
            (b'>', b'=') => (Kind::GreaterEqual, 2),
            (b'!', b'=') => (Kind::NotEqual, 2),
            // `<>` and `->`, then the augmented assignments.
            (b'<' | b'-', b'>') | (b'+' | b'-' | b'*' | b'/' | b'%' | b'@' | b'&' | b'|' | b'^', b'=') => {
                (Kind::Stray, 2)
            }
            (b'*', b'*') | (b'/', b'/') | (b'<', b'<') | (b'>', b'>') => (Kind::Stray, 3),
            (b'+', _) => (Kind::Plus, 1),
            (b'-', _) => (Kind::Minus, 1),
            (b'*', _) => (Kind::Star, 1),
            (b'/', _) => (Kind::Slash, 1),
            (b'%', _) => (Kind::Percent, 1),
            (b'@', _) => (Kind::At, 1),
            (b'^', _) => (Kind::Caret, 1),
            (b'&', _) => (Kind::Ampersand, 1),
            (b'|', _) => (Kind::Bar, 1),
            (b'<', _) => (Kind::Less, 1),
            (b'>', _) => (Kind::Greater, 1),
            _ => (Kind::Stray, 1),
        }
    }
}

/// Bytes that names are made of.
pub(super) static WORD: [bool; 256] = {
    let mut word = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        word[byte] = (byte as u8).is_ascii_alphanumeric() || byte == b'_' as usize || byte >= 0x80;
        byte += 1;
    }
    word
};

fn is_prefix(word: &[u8]) -> bool {
    let mut lower = [0; 2];
    lower[..word.len()].copy_from_slice(word);
    lower.make_ascii_lowercase();
    matches!(&lower[..word.len()], b"r" | b"u" | b"b" | b"f" | b"br" | b"rb" | b"fr" | b"rf")
}

fn is_identifier(word: &[u8]) -> bool {
    let Ok(word) = std::str::from_utf8(word) else { return false };
    let mut chars = word.chars();
    chars.next().is_some_and(|c| c == '_' || unicode_ident::is_xid_start(c))
        && chars.all(unicode_ident::is_xid_continue)
}

pub(super) fn keyword(word: &[u8]) -> Kind {
    // The longest keywords have eight letters.
    if !(2..=8).contains(&word.len()) {
        return Kind::Name;
    }
    match word {
        b"True" => Kind::True,
        b"False" => Kind::False,
        b"None" => Kind::None,
        b"and" => Kind::And,
        b"or" => Kind::Or,
        b"not" => Kind::Not,
        b"in" => Kind::In,
        b"is" => Kind::Is,
        b"if" => Kind::If,
        b"else" => Kind::Else,
        b"for" => Kind::For,
        b"async" => Kind::Async,
        b"await" => Kind::Await,
        b"lambda" => Kind::Lambda,
        b"yield" => Kind::Yield,
        b"from" => Kind::From,
        b"as" | b"assert" | b"break" | b"class" | b"continue" | b"def" | b"del" | b"elif" | b"except"
        | b"finally" | b"global" | b"import" | b"nonlocal" | b"pass" | b"raise" | b"return" | b"try"
        | b"while" | b"with" => Kind::Reserved,
        _ => Kind::Name,
    }
}
