//! Type names of the papers.

use serde_json::Value;

/// A parameter's schema with `list` for `list(str)`. `ToolSpec` translates plain type names to JSON Schema's and reads
/// unknown ones as a string.
pub(crate) fn plain(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(name) = schema.get("type").and_then(Value::as_str) {
        schema["type"] = head(name).to_owned().into();
    }
    schema
}

/// `Array` of `Array[string]`, `list(str)` or `Object{name: string}`.
pub(crate) fn head(name: &str) -> &str {
    name.split(['(', '[', '<', '{']).next().unwrap_or(name).trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_head_of_a_type_stays() {
        for (name, want) in [("str", "str"), ("list(str)", "list"), ("Array[Object{x: string}]", "Array")] {
            let schema = json!({"type": name, "description": "d(e)"});
            assert_eq!(plain(&schema), json!({"type": want, "description": "d(e)"}));
        }
        assert_eq!(plain(&json!({"description": "no type"})), json!({"description": "no type"}));
    }
}
