//! Python's `repr`.
use super::view::{Seq, View};
use std::fmt::{self, Display, Formatter, Write};

impl Display for View<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Self::None => f.write_str("None"),
            Self::Bool(flag) => f.write_str(if flag { "True" } else { "False" }),
            Self::Int(i) => write!(f, "{i}"),
            Self::Big(big) => write!(f, "{big}"),
            Self::Float(x) => float(x, f),
            Self::Str(s) => text(s, f),
            Self::List(items) => {
                f.write_char('[')?;
                join(items, f)?;
                f.write_char(']')
            }
            Self::Tuple(items) => {
                f.write_char('(')?;
                join(items, f)?;
                f.write_str(if items.len() == 1 { ",)" } else { ")" })
            }
            Self::Dict(entries) => {
                f.write_char('{')?;
                for (i, (key, value)) in entries.iter().enumerate() {
                    write!(f, "{}{key}: {value}", if i == 0 { "" } else { ", " })?;
                }
                f.write_char('}')
            }
            Self::Other { repr, .. } => f.write_str(repr),
        }
    }
}

fn join(items: Seq<'_>, f: &mut Formatter<'_>) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
    }
    Ok(())
}

/// The shortest digits that round-trip, in Python's notation: with an exponent below 1e-4 and from 1e16 on.
fn float(x: f64, f: &mut Formatter<'_>) -> fmt::Result {
    if !x.is_finite() {
        return f.write_str(match x {
            _ if x.is_nan() => "nan",
            _ if x > 0.0 => "inf",
            _ => "-inf",
        });
    }
    let scientific = format!("{x:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>().unwrap_or(0) {
        -4..=15 => write!(f, "{x:?}"),
        exponent => write!(f, "{mantissa}e{exponent:+03}"),
    }
}

fn text(s: &str, f: &mut Formatter<'_>) -> fmt::Result {
    let quote = if s.contains('\'') && !s.contains('"') { '"' } else { '\'' };
    f.write_char(quote)?;
    for c in s.chars() {
        match c {
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            _ if c == quote || c == '\\' => write!(f, "\\{c}")?,
            _ if c == ' ' || !unprintable(c) => f.write_char(c)?,
            _ => match u32::from(c) {
                code @ ..0x100 => write!(f, "\\x{code:02x}")?,
                code @ ..0x1_0000 => write!(f, "\\u{code:04x}")?,
                code => write!(f, "\\U{code:08x}")?,
            },
        }
    }
    f.write_char(quote)
}

/// Controls, white space, and the common invisible characters.
fn unprintable(c: char) -> bool {
    c.is_control()
        || c.is_whitespace()
        || matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}')
        || matches!(c, '\u{E000}'..='\u{F8FF}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use crate::PyValue;

    #[test]
    fn as_python_prints_them() {
        let cases = [
            (PyValue::Float(5.0), "5.0"),
            (PyValue::Float(1e16), "1e+16"),
            (PyValue::Float(123_456_789_012_345.5), "123456789012345.5"),
            (PyValue::Float(1e-5), "1e-05"),
            (PyValue::Float(-0.0), "-0.0"),
            (PyValue::Float(0.000_12), "0.00012"),
            (PyValue::Float(1.5e300), "1.5e+300"),
            (PyValue::Float(f64::NEG_INFINITY), "-inf"),
            (PyValue::Str("it's".into()), "\"it's\""),
            (PyValue::Str("'\"\n\u{A0}é\\".into()), "'\\'\"\\n\\xa0é\\\\'"),
            (PyValue::Tuple(vec![PyValue::Int(1)]), "(1,)"),
            (PyValue::Tuple(vec![PyValue::None, PyValue::Bool(true)]), "(None, True)"),
            (PyValue::Dict(vec![(PyValue::None, PyValue::List(vec![]))]), "{None: []}"),
        ];
        for (value, repr) in cases {
            assert_eq!(value.to_string(), repr);
        }
    }
}
