use super::Fault;
use crate::decode::Raised;
use crate::number::MAX_DIGITS;
use crate::{OtherKind, PyValue};
use num_bigint::BigInt;

/// Where the number that starts at `at` ends.
pub(super) fn scan(text: &[u8], at: usize) -> Result<usize, Fault> {
    let mut scan = Scan { text, at };
    scan.number()?;
    Ok(scan.at)
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn fault<T>(&self, reason: &'static str) -> Result<T, Fault> {
        Err(Fault::new(Raised::Syntax, self.at as u32, reason))
    }

    fn number(&mut self) -> Result<(), Fault> {
        let start = self.at;
        if self.peek() == b'0' {
            let digit: fn(u8) -> bool = match self.text.get(start + 1) {
                Some(b'x' | b'X') => |b| b.is_ascii_hexdigit(),
                Some(b'o' | b'O') => |b| matches!(b, b'0'..=b'7'),
                Some(b'b' | b'B') => |b| matches!(b, b'0' | b'1'),
                _ => return self.decimal(start),
            };
            self.at += 2;
            return self.radix(digit);
        }
        self.decimal(start)
    }

    fn radix(&mut self, digit: fn(u8) -> bool) -> Result<(), Fault> {
        loop {
            if self.peek() == b'_' {
                self.at += 1;
            }
            if !digit(self.peek()) {
                return self.fault("invalid literal");
            }
            while digit(self.peek()) {
                self.at += 1;
            }
            if self.peek() != b'_' {
                break;
            }
        }
        if self.peek().is_ascii_digit() {
            return self.fault("invalid digit in literal");
        }
        self.end()
    }

    /// Digits with `_` between them.
    fn digits(&mut self) -> Result<(), Fault> {
        loop {
            while self.peek().is_ascii_digit() {
                self.at += 1;
            }
            if self.peek() != b'_' {
                return Ok(());
            }
            self.at += 1;
            if !self.peek().is_ascii_digit() {
                return self.fault("invalid decimal literal");
            }
        }
    }

    fn decimal(&mut self, start: usize) -> Result<(), Fault> {
        self.digits()?;
        let whole = self.at;
        if self.peek() == b'.' {
            self.at += 1;
            if self.peek().is_ascii_digit() {
                self.digits()?;
            }
        }
        if matches!(self.peek(), b'e' | b'E') {
            let sign = usize::from(matches!(self.text.get(self.at + 1), Some(b'+' | b'-')));
            if self.text.get(self.at + 1 + sign).is_some_and(u8::is_ascii_digit) {
                self.at += 1 + sign;
                self.digits()?;
            } else if sign == 1 {
                return self.fault("invalid decimal literal");
            } else {
                return self.end_of_decimal(start, whole);
            }
        }
        if matches!(self.peek(), b'j' | b'J') {
            self.at += 1;
            return self.end();
        }
        self.end_of_decimal(start, whole)
    }

    fn end_of_decimal(&self, start: usize, whole: usize) -> Result<(), Fault> {
        let digits = &self.text[start..whole];
        let integer = self.at == whole;
        if integer && digits.first() == Some(&b'0') && digits.iter().any(|b| matches!(b, b'1'..=b'9')) {
            return self.fault("leading zeros in decimal integer literals are not permitted");
        }
        if integer && digits.len() > MAX_DIGITS && digits.iter().filter(|b| **b != b'_').count() > MAX_DIGITS
        {
            return self.fault("more digits than Python converts");
        }
        self.end()
    }

    /// A keyword may follow a number directly (`1if x else 2`), a name may not.
    fn end(&self) -> Result<(), Fault> {
        let rest = &self.text[self.at..];
        let keywords: [&[u8]; 8] = [b"and", b"else", b"for", b"if", b"in", b"is", b"or", b"not"];
        let name = rest.first().is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_' || *b >= 0x80);
        if name && !keywords.iter().any(|word| rest.starts_with(word)) {
            return self.fault("invalid decimal literal");
        }
        Ok(())
    }
}

/// The value of a number literal that [`scan`] found.
pub(super) fn value(literal: &str) -> PyValue {
    if literal.len() <= 18 && literal.bytes().all(|b| b.is_ascii_digit()) {
        return PyValue::Int(literal.bytes().fold(0, |sum, b| sum * 10 + i64::from(b - b'0')));
    }
    let plain = literal.replace('_', "");
    let radix = match plain.as_bytes().get(1) {
        Some(b'x' | b'X') => 16,
        Some(b'o' | b'O') => 8,
        Some(b'b' | b'B') => 2,
        _ => 10,
    };
    let digits = if radix == 10 { plain.as_str() } else { &plain[2..] };
    if let Ok(small) = i64::from_str_radix(digits, radix) {
        return PyValue::Int(small);
    }
    if let Some(big) = BigInt::parse_bytes(digits.as_bytes(), radix) {
        return integer(big);
    }
    if let Some(imaginary) = digits.strip_suffix(['j', 'J']) {
        let repr = super::repr::complex(0.0, imaginary.parse().unwrap_or(f64::INFINITY));
        return PyValue::Other { kind: OtherKind::Complex, repr };
    }
    // Rust reads what Python does here, and rounds correctly: `5.`, `.5`, `1e400` (infinity).
    PyValue::Float(digits.parse().unwrap_or(f64::NAN))
}

/// An integer in the smallest variant that holds it.
pub(in crate::decode) fn integer(value: BigInt) -> PyValue {
    i64::try_from(&value).map_or_else(|_| PyValue::BigInt(Box::new(value)), PyValue::Int)
}
