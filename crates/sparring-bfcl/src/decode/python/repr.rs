//! Python's `repr` of what a [`PyValue`] only keeps as text.

use crate::PyValue;
use std::fmt::Write;

/// `repr` of bytes.
pub(super) fn bytes(bytes: &[u8]) -> String {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
    let mut out = format!("b{quote}");
    for &byte in bytes {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b'\\' => out.push_str("\\\\"),
            _ if char::from(byte) == quote => out.extend(['\\', quote]),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    out.push(quote);
    out
}

/// `repr` of a complex number.
pub(super) fn complex(real: f64, imaginary: f64) -> String {
    let part = |x: f64| {
        let text = PyValue::Float(x).to_string();
        text.strip_suffix(".0").map_or(text.clone(), str::to_string)
    };
    let imaginary_text = part(imaginary);
    if real == 0.0 && real.is_sign_positive() {
        return format!("{imaginary_text}j");
    }
    let plus = if imaginary_text.starts_with('-') { "" } else { "+" };
    format!("({}{plus}{imaginary_text}j)", part(real))
}
