use crate::json;
use serde_json::{Number, Value};
use std::cmp::Ordering;

/// Decides whether an argument's value equals the expected one.
///
/// # Contract
/// Reflexive (`equal(v, v)`), symmetric, and a function of its arguments only.
pub trait Comparator: Send + Sync {
    /// Returns whether `found` equals `expected`.
    fn equal(&self, expected: &Value, found: &Value) -> bool;
}

impl<C: Comparator + ?Sized> Comparator for Box<C> {
    fn equal(&self, expected: &Value, found: &Value) -> bool {
        (**self).equal(expected, found)
    }
}

impl<C: Comparator + ?Sized> Comparator for &C {
    fn equal(&self, expected: &Value, found: &Value) -> bool {
        (**self).equal(expected, found)
    }
}

/// The trait is object-safe.
const _: fn(&dyn Comparator) = |_| {};

/// Compares canonical JSON: type and value must agree, so `5`, `5.0` and `"5"` all differ.
#[derive(Debug, Clone, Copy, Default)]
pub struct StrictJson;

impl Comparator for StrictJson {
    fn equal(&self, expected: &Value, found: &Value) -> bool {
        json::canonical(expected) == json::canonical(found)
    }
}

/// Compares like Python's `==`: `5` = `5.0` and `true` = `1`, in lists and objects too, but `5` is not `"5"`. The
/// released rewards of ToolRL (arXiv 2504.13958) compare this way.
#[derive(Debug, Clone, Copy, Default)]
pub struct PythonValues;

impl Comparator for PythonValues {
    fn equal(&self, expected: &Value, found: &Value) -> bool {
        python_equal(expected, found)
    }
}

/// The comparator of Tool-R0's accuracy reward (arXiv 2602.21320, Eq. 7, and its released code).
///
/// Two values are equal if one of these holds:
///
/// 1. they are equal as Python values: `5` = `5.0`, `true` = `1`, in lists and objects too;
/// 2. both can be read as numbers (numbers, or strings in plain notation) and differ by at most 1e-9: `"5"` = `5.0`.
///    Integers of more than 15 digits are identifiers and must agree digit by digit;
/// 3. both are strings that agree after white space is trimmed and collapsed; case matters.
///
/// A string is a number only in plain notation: `"05"`, `"+5"` and `"1,000"` are text. `"True"` is text and not `true`;
/// `null` equals `null` only.
#[derive(Debug, Clone, Copy, Default)]
pub struct RobustComparator;

/// Largest difference between equal numbers.
const TOLERANCE: f64 = 1e-9;
/// Longer integers are identifiers: f64 holds every integer of 15 digits.
const MAX_EXACT_DIGITS: usize = 15;

impl Comparator for RobustComparator {
    fn equal(&self, expected: &Value, found: &Value) -> bool {
        if python_equal(expected, found) {
            return true;
        }
        if let (Some(a), Some(b)) = (numeric(expected), numeric(found)) {
            return a.equal(&b);
        }
        match (expected, found) {
            (Value::String(a), Value::String(b)) => a.split_whitespace().eq(b.split_whitespace()),
            _ => false,
        }
    }
}

/// Python's `==` of the corresponding Python values.
fn python_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Bool(flag), Value::Number(n)) | (Value::Number(n), Value::Bool(flag)) => {
            numbers_equal(n, &Number::from(u8::from(*flag)))
        }
        (Value::Number(a), Value::Number(b)) => numbers_equal(a, b),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| python_equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|other| python_equal(v, other)))
        }
        _ => a == b,
    }
}

fn numbers_equal(a: &Number, b: &Number) -> bool {
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => a == b,
        // An integer and a float, or two floats.
        _ => a.as_f64().partial_cmp(&b.as_f64()) == Some(Ordering::Equal),
    }
}

fn integer(n: &Number) -> Option<i128> {
    n.as_i64().map(i128::from).or_else(|| n.as_u64().map(i128::from))
}

/// A value that can be read as a number.
struct Numeric {
    text: String,
    value: f64,
}

impl Numeric {
    /// Whether this is an integer too long for `f64` to distinguish it from its neighbours.
    fn identifier(&self) -> bool {
        let digits = self.text.trim_start_matches('-');
        digits.len() > MAX_EXACT_DIGITS && digits.bytes().all(|b| b.is_ascii_digit())
    }

    fn equal(&self, other: &Self) -> bool {
        self.text == other.text
            || (!self.identifier() && !other.identifier() && (self.value - other.value).abs() <= TOLERANCE)
    }
}

fn numeric(value: &Value) -> Option<Numeric> {
    let text = match value {
        Value::Number(n) => n.to_string(),
        Value::String(text) if plain_number(text.trim()) => text.trim().to_owned(),
        _ => return None,
    };
    let value = text.parse().ok().filter(|v: &f64| v.is_finite())?;
    Some(Numeric { text, value })
}

/// `-?(0|[1-9][0-9]*)(\.[0-9]+)?`
fn plain_number(text: &str) -> bool {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (unsigned, None),
    };
    digits(whole) && (whole == "0" || !whole.starts_with('0')) && fraction.is_none_or(digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn python_values_are_typed() {
        let equal =
            [(json!(5), json!(5.0)), (json!([true]), json!([1])), (json!({"a": 1}), json!({"a": 1.0}))];
        for (a, b) in equal {
            assert!(PythonValues.equal(&a, &b) && PythonValues.equal(&b, &a), "{a} = {b}");
        }
        for (a, b) in [(json!(5), json!("5")), (json!("a b"), json!("a  b")), (json!(null), json!(0))] {
            assert!(!PythonValues.equal(&a, &b), "{a} != {b}");
        }
    }

    /// Test cases that the released comparator was run on.
    #[test]
    fn reference_cases() {
        let equal = [
            (json!(5), json!("5")),
            (json!("5"), json!(5.0)),
            (json!(1e3), json!("1000")),
            (json!(true), json!(1)),
            (json!("New  York "), json!("New York")),
            (json!([1, 2.0]), json!([1.0, 2])),
            (json!({"a": 1, "b": 2}), json!({"b": 2.0, "a": 1})),
            (json!("1234567890123456789"), json!(1_234_567_890_123_456_789_u64)),
        ];
        for (a, b) in equal {
            assert!(RobustComparator.equal(&a, &b) && RobustComparator.equal(&b, &a), "{a} = {b}");
        }
        let different = [
            (json!("05"), json!(5)),
            (json!("+5"), json!(5)),
            (json!("1,000"), json!(1000)),
            (json!("Paris"), json!("paris")),
            (json!("True"), json!(true)),
            (json!(null), json!("null")),
            (json!("1234567890123456789"), json!(1_234_567_890_123_456_788_u64)),
            (json!("1234567890123456"), json!("1234567890123457")),
            (json!(["5"]), json!([5])),
            (json!(5), json!(6)),
            (json!(""), json!(0)),
        ];
        for (a, b) in different {
            assert!(!RobustComparator.equal(&a, &b) && !RobustComparator.equal(&b, &a), "{a} != {b}");
        }
    }

    #[test]
    fn strict_distinguishes_types() {
        assert!(StrictJson.equal(&json!({"a": 1, "b": [2]}), &json!({"b": [2], "a": 1})));
        for (a, b) in [(json!(5), json!("5")), (json!(5), json!(5.0)), (json!(true), json!(1))] {
            assert!(!StrictJson.equal(&a, &b), "{a} != {b}");
        }
    }
}
