//! Keywords of JSON Schema that are read the same way for every notation.

use serde_json::Value;

/// The values that `const` or `enum` allows; `None` where neither restricts.
pub(super) fn choices(schema: &Value) -> Option<Vec<Value>> {
    let choices = match schema.get("const") {
        Some(only) => vec![only.clone()],
        None => schema.get("enum")?.as_array()?.clone(),
    };
    (!choices.is_empty()).then_some(choices)
}

/// A `pattern` as an expression for a whole text between slashes; `any` stands where it is not anchored.
pub(super) fn expression(pattern: &str, any: &str) -> String {
    let at = |anchored: bool| if anchored { "" } else { any };
    let (start, end) = (at(pattern.starts_with('^')), at(pattern.ends_with('$')));
    let body = pattern.trim_start_matches('^').trim_end_matches('$').replace('/', r"\/");
    format!("{start}({body}){end}")
}
