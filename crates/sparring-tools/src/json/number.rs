use std::borrow::Cow;

/// Converts a decimal Python int or float to JSON's notation. `_` between digits, a sign, `.5` and `5.` are accepted;
/// `05` and numbers outside the range of floats are not.
pub(crate) fn json_number(text: &str) -> Option<Cow<'_, str>> {
    if let Some(exact) = is_json(text) {
        // Only an exponent, or very many digits, can exceed the range of floats.
        let checked = exact || text.parse::<f64>().is_ok_and(f64::is_finite);
        return checked.then_some(Cow::Borrowed(text));
    }
    let bytes = text.as_bytes();
    let lone_underscore = bytes.iter().enumerate().any(|(i, &b)| {
        let digit = |j: Option<usize>| j.and_then(|j| bytes.get(j)).is_some_and(u8::is_ascii_digit);
        b == b'_' && !(digit(i.checked_sub(1)) && digit(Some(i + 1)))
    });
    if lone_underscore {
        return None;
    }
    let plain = text.replace('_', "");
    let (sign, unsigned) = match plain.strip_prefix(['+', '-']) {
        Some(unsigned) => (if plain.starts_with('-') { "-" } else { "" }, unsigned),
        None => ("", plain.as_str()),
    };
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    // Digits with a point or an exponent: a Python float.
    let split = unsigned.find(['e', 'E']).unwrap_or(unsigned.len());
    let (mantissa, exponent) = unsigned.split_at(split);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let float = mantissa.contains('.') || !exponent.is_empty();
    if !float && whole.len() > 1 && whole.starts_with('0') {
        return None;
    }
    let trimmed = whole.trim_start_matches('0');
    let whole = if trimmed.is_empty() && !(whole.is_empty() && fraction.is_empty()) { "0" } else { trimmed };
    let point = if mantissa.contains('.') { "." } else { "" };
    let fraction = if point == "." && fraction.is_empty() { "0" } else { fraction };
    let number = format!("{sign}{whole}{point}{fraction}{exponent}");
    is_json(&number)?;
    number.parse::<f64>().is_ok_and(f64::is_finite).then_some(Cow::Owned(number))
}

/// Returns whether `text` is a JSON number and, if so, whether it is certainly in range.
fn is_json(text: &str) -> Option<bool> {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    let whole = digits(at);
    if whole == 0 || (whole > 1 && bytes[at] == b'0') {
        return None;
    }
    at += whole;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    }
    let mut in_range = whole < 300;
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at);
        if exponent == 0 {
            return None;
        }
        at += exponent;
        in_range = false;
    }
    (at == bytes.len()).then_some(in_range)
}

#[cfg(test)]
mod tests {
    use super::json_number;

    #[test]
    fn python_numbers_become_json() {
        for (text, want) in [
            ("5", "5"),
            ("-0", "-0"),
            ("1e3", "1e3"),
            ("+4", "4"),
            ("1_000", "1000"),
            (".5", "0.5"),
            ("-.5", "-0.5"),
            ("5.", "5.0"),
            ("5.e2", "5.0e2"),
            ("00.5", "0.5"),
            ("007e1", "7e1"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
        ] {
            assert_eq!(json_number(text).as_deref(), Some(want), "{text}");
        }
        for bad in [
            "",
            "-",
            ".",
            "+",
            "05",
            "--1",
            "1__0",
            "_1",
            "1_",
            "1e",
            "1e999",
            "2024-01-01",
            "1.2.3",
            "0x1f",
            "1j",
            "e5",
            "+-1",
        ] {
            assert_eq!(json_number(bad), None, "{bad}");
        }
    }
}
