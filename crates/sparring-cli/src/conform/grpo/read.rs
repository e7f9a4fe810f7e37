//! Numbers of a case.
use serde_json::Value;
use sparring::core::BoxError;

pub(super) type Table = Vec<Vec<f64>>;

pub(super) fn is_extreme(case: &Value) -> bool {
    case["tags"].as_array().is_some_and(|tags| tags.iter().any(|tag| tag == "extreme"))
}

/// `null` is NaN.
pub(super) fn row(value: &Value, name: &str) -> Result<Vec<f64>, BoxError> {
    let items = value[name].as_array().ok_or_else(|| format!("{name} should be a list"))?;
    Ok(items.iter().map(|x| x.as_f64().unwrap_or(f64::NAN)).collect())
}

/// [B][T], or `None` where the case has none.
pub(super) fn table(value: &Value, name: &str) -> Option<Table> {
    let rows = value[name].as_array()?;
    let row = |row: &Value| {
        Some(row.as_array()?.iter().map(|x| x.as_f64().unwrap_or(f64::NAN)).collect::<Vec<f64>>())
    };
    rows.iter().map(row).collect()
}

pub(super) fn needed(value: &Value, name: &str) -> Result<Table, BoxError> {
    table(value, name).ok_or_else(|| format!("{name} should be a table").into())
}

pub(super) fn number(value: &Value, name: &str) -> Result<f64, BoxError> {
    value[name].as_f64().ok_or_else(|| format!("{name} should be a number").into())
}

pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// A table of flags: not 0.
pub(super) fn flags(table: &Table) -> Vec<Vec<bool>> {
    table.iter().map(|row| row.iter().map(|&x| x > 0.0).collect()).collect()
}
