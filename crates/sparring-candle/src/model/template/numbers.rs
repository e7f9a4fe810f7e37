//! Filters of numbers.

use super::operators::{Number, invalid};
use minijinja::Error;
use minijinja::value::{Kwargs, Value};

/// Python rounds halves of what the binary number is, to even; a whole number stays one.
pub(super) fn round(
    value: &Value,
    precision: Option<i32>,
    method: Option<String>,
    named: Kwargs,
) -> Result<Value, Error> {
    let precision = precision.or(named.get("precision")?).unwrap_or(0);
    let method = method.or(named.get("method")?).unwrap_or_else(|| "common".to_owned());
    named.assert_all_used()?;
    let number =
        Number::of(value).ok_or_else(|| invalid(format!("round: a {} is not a number", value.kind())))?;
    let (x, factor) = (number.float(), 10_f64.powi(precision));
    let rounded = match method.as_str() {
        "ceil" => (x * factor).ceil() / factor,
        "floor" => (x * factor).floor() / factor,
        "common" => match usize::try_from(precision) {
            Ok(_) if value.is_integer() => return Ok(value.clone()),
            // Formatting rounds exactly.
            Ok(places) if x.is_finite() => format!("{x:.*}", places.min(400)).parse().unwrap_or(x),
            _ => (x * factor).round_ties_even() / factor,
        },
        _ => return Err(invalid("round: the method must be common, ceil or floor")),
    };
    Ok(if value.is_integer() && method == "common" { Value::from(rounded as i64) } else { rounded.into() })
}

/// A number of what was written, or what was asked for instead.
pub(super) fn int(
    value: &Value,
    default: Option<Value>,
    base: Option<u32>,
    named: Kwargs,
) -> Result<Value, Error> {
    let default = default.map_or_else(|| named.get("default"), |given| Ok(Some(given)))?;
    let base = base.map_or_else(|| named.get("base"), |given| Ok(Some(given)))?.unwrap_or(10);
    named.assert_all_used()?;
    let whole = match (value.as_str(), Number::of(value)) {
        (Some(text), _) => whole(text, base).or_else(|| python_float(text).map(|x| x.trunc() as i64)),
        (None, Some(Number::Int(_))) if value.is_integer() => return Ok(value.clone()),
        (None, number) => number.map(|number| number.float().trunc() as i64),
    };
    Ok(whole.map_or_else(|| default.unwrap_or_else(|| Value::from(0)), Value::from))
}

fn whole(text: &str, base: u32) -> Option<i64> {
    let text = text.trim().replace('_', "").to_lowercase();
    let prefix = match base {
        16 => "0x",
        8 => "0o",
        2 => "0b",
        _ => "",
    };
    let digits = text.strip_prefix(prefix).unwrap_or(&text);
    if (2..=36).contains(&base) { i64::from_str_radix(digits, base).ok() } else { None }
}

fn python_float(text: &str) -> Option<f64> {
    text.trim().replace('_', "").parse().ok()
}

pub(super) fn float(value: &Value, default: Option<Value>, named: Kwargs) -> Result<Value, Error> {
    let default = default.map_or_else(|| named.get("default"), |given| Ok(Some(given)))?;
    named.assert_all_used()?;
    let number = match value.as_str() {
        Some(text) => python_float(text),
        None => Number::of(value).map(|number| number.float()),
    };
    Ok(number.map_or_else(|| default.unwrap_or_else(|| Value::from(0.0)), Value::from))
}
