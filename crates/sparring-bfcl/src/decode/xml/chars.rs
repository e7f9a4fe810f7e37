//! Characters of XML.

use std::borrow::Cow;

/// The character that a reference gives by number.
pub(super) fn parse_code(digits: &str, radix: u32) -> Option<char> {
    let proper = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    let significant = digits.trim_start_matches('0');
    if !proper || significant.len() > 8 {
        return None;
    }
    char::from_u32(u32::from_str_radix(digits, radix).ok()?)
}

/// Every line end as `\n`.
pub(super) fn unix_lines(text: &str) -> Cow<'_, str> {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n").into() } else { text.into() }
}

/// What XML 1.0 may contain.
pub(super) fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// What a name may start with.
pub(super) fn is_name_start(c: char) -> bool {
    c == '_'
        || if c.is_ascii() {
            c.is_ascii_alphabetic()
        } else {
            unicode_ident::is_xid_start(c) && c <= '\u{ffff}'
        }
}

/// What a name may contain.
pub(super) fn is_name(c: char) -> bool {
    matches!(c, ':' | '-' | '.' | '\u{b7}')
        || c.is_ascii_digit()
        || is_name_start(c)
        || !c.is_ascii() && unicode_ident::is_xid_continue(c) && c <= '\u{ffff}'
}
