//! Numbers and white space as Python reads them.
use super::PyValue;
use num_bigint::BigInt;

/// Every zero of Unicode's decimal digits (category Nd, Unicode 14); its nine successors are the other digits.
const ZEROS: [u32; 66] = [
    0x30, 0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50,
    0xED0, 0xF20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40,
    0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x1_04A0, 0x1_0D30, 0x1_1066,
    0x1_10F0, 0x1_1136, 0x1_11D0, 0x1_12F0, 0x1_1450, 0x1_14D0, 0x1_1650, 0x1_16C0, 0x1_1730, 0x1_18E0,
    0x1_1950, 0x1_1C50, 0x1_1D50, 0x1_1DA0, 0x1_6A60, 0x1_6AC0, 0x1_6B50, 0x1_D7CE, 0x1_D7D8, 0x1_D7E2,
    0x1_D7EC, 0x1_D7F6, 0x1_E140, 0x1_E2F0, 0x1_E950, 0x1_FBF0,
];

/// CPython refuses to read longer integers (`sys.get_int_max_str_digits`).
pub(super) const MAX_DIGITS: usize = 4300;

/// Value of a decimal digit of any script: what `\d` matches.
pub(super) fn digit(c: char) -> Option<u8> {
    if c.is_ascii() {
        return c.to_digit(10).map(|d| d as u8);
    }
    let code = u32::from(c);
    let zero = ZEROS[..ZEROS.partition_point(|&zero| zero <= code)].last()?;
    (code - zero < 10).then_some((code - zero) as u8)
}

/// White space of `\s` and of `str.strip()`.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1C}'..='\u{1F}').contains(&c)
}

/// `str.strip()`.
pub(super) fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// `int(text)`; `None` if it raises `ValueError`.
pub(super) fn int(text: &str) -> Option<PyValue> {
    if let Some(small) = text.parse().ok().filter(|_| text.len() <= MAX_DIGITS) {
        return Some(PyValue::Int(small));
    }
    let text = plain(text)?;
    let digits = text.strip_prefix(['+', '-']).unwrap_or(&text);
    if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    match text.parse() {
        Ok(small) => Some(PyValue::Int(small)),
        Err(_) => text.parse::<BigInt>().ok().map(|big| PyValue::BigInt(Box::new(big))),
    }
}

/// `float(text)`; `None` if it raises `ValueError`.
pub(super) fn float(text: &str) -> Option<f64> {
    text.parse().ok().or_else(|| plain(text)?.parse().ok())
}

/// The text stripped, in ASCII digits, and without underscores between digits; `None` if an underscore is elsewhere.
fn plain(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = strip(text).chars().peekable();
    while let Some(c) = chars.next() {
        if c == '_' {
            let between = out.ends_with(|d: char| d.is_ascii_digit())
                && chars.peek().is_some_and(|&next| digit(next).is_some());
            if !between {
                return None;
            }
        } else {
            out.push(digit(c).map_or(c, |d| char::from(b'0' + d)));
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        for (text, value) in
            [("5", 5), (" -5\n", -5), ("+5", 5), ("007", 7), ("1_000", 1000), ("٥", 5), ("１２", 12)]
        {
            assert_eq!(int(text), Some(PyValue::Int(value)), "{text:?}");
        }
        for text in ["", "-", "5.0", "5L", "_5", "5_", "1__0", "- 5", "1e3", "½", "²"] {
            assert_eq!(int(text), None, "{text:?}");
        }
        assert!(matches!(int("99999999999999999999"), Some(PyValue::BigInt(_))));
        assert!(int(&"9".repeat(4300)).is_some() && int(&"9".repeat(4301)).is_none());
    }

    #[test]
    fn floats() {
        for (text, value) in [("1.5", 1.5), (" .5", 0.5), ("5.", 5.0), ("1_0.5e1", 105.0), ("٣.٥", 3.5)] {
            assert_eq!(float(text), Some(value), "{text:?}");
        }
        assert!(float("-Infinity").is_some_and(|x| x < 0.0) && float("nan").is_some_and(f64::is_nan));
        for text in ["", ".", "1e", "1.5f", "1_.5", "0x10", "null"] {
            assert_eq!(float(text), None, "{text:?}");
        }
    }

    #[test]
    fn white_space_holds_the_separators() {
        assert_eq!(strip("\u{1C} \u{85}a\u{A0}\u{3000}"), "a");
        assert_eq!(strip("\u{200B}a"), "\u{200B}a");
    }
}
