use super::CallGrammar;
use super::lark::{Rules, literal, sequence};
use crate::GuidedError;
use serde_json::Value;
use sparring_tools::{CallParser, Format, ToolCall, ToolSpec};

/// `f(a=1, b='x')`.
pub(super) fn call(grammar: &CallGrammar, tool: &ToolSpec, rules: &mut Rules) -> Result<String, GuidedError> {
    let identifier = |name: &str| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_numeric())
            && name.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    let wrong = |what: &str| GuidedError::Tool { tool: tool.name.clone(), what: what.to_owned() };
    if !tool.name.split('.').all(identifier) {
        return Err(wrong("its name is no Python name; rename the tool, or choose another format"));
    }
    if !tool.parameters.keys().all(|name| identifier(name)) {
        return Err(wrong("a parameter's name is no Python name; rename it, or choose another format"));
    }
    let schema = tool.parameters_schema();
    let mut parameters = Vec::new();
    for name in tool.parameters.keys() {
        let value = value(grammar, &schema["properties"][name.as_str()], rules);
        let rule = rules.fresh("parameter", format!("{} {value}", literal(&format!("{name}="))));
        parameters.push((rule, tool.required.contains(name)));
    }
    let arguments = sequence(rules, &parameters, ", ");
    Ok(rules.fresh("call", format!("{} {arguments} \")\"", literal(&format!("{}(", tool.name)))))
}

/// A rule for a literal of a schema; where the schema does not say, any simple literal.
fn value(grammar: &CallGrammar, schema: &Value, rules: &mut Rules) -> String {
    if let Some(choices) = schema.get("enum").and_then(Value::as_array).filter(|choices| !choices.is_empty())
    {
        let choices: Vec<String> = choices.iter().map(|choice| literal(&written(choice))).collect();
        return rules.fresh("choice", choices.join(" | "));
    }
    let most = grammar.string_chars.map_or_else(|| "*".to_owned(), |most| format!("{{0,{most}}}"));
    let text = format!(r"/'([^'\\\n\r\t]|\\['\\nrt]){most}'/");
    let number = r"/-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,9})?/";
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => text,
        Some("integer") => r"/-?(0|[1-9][0-9]{0,17})/".to_owned(),
        Some("number") => number.to_owned(),
        Some("boolean") => r#"("True" | "False")"#.to_owned(),
        Some("null") => r#""None""#.to_owned(),
        Some("array") => {
            let item = value(grammar, schema.get("items").unwrap_or(&Value::Null), rules);
            rules.fresh("list", format!("\"[\" ({item} (\", \" {item})*)? \"]\""))
        }
        Some("object") => object(grammar, schema, rules),
        _ => rules.fresh("any", format!("{text} | {number} | \"True\" | \"False\" | \"None\"")),
    }
}

/// `{'a': 1}`: the properties in order, or any keys with values of `additionalProperties`.
fn object(grammar: &CallGrammar, schema: &Value, rules: &mut Rules) -> String {
    let key = |name: &str| literal(&format!("{}: ", written(&Value::from(name))));
    let properties = schema.get("properties").and_then(Value::as_object);
    if let Some(properties) = properties.filter(|properties| !properties.is_empty()) {
        let required = schema.get("required").and_then(Value::as_array);
        let mut parts = Vec::new();
        for (name, property) in properties {
            let value = value(grammar, property, rules);
            let rule = rules.fresh("entry", format!("{} {value}", key(name)));
            parts.push((rule, required.is_some_and(|all| all.iter().any(|one| one == name))));
        }
        let entries = sequence(rules, &parts, ", ");
        return rules.fresh("object", format!("\"{{\" {entries} \"}}\""));
    }
    let other = schema.get("additionalProperties").unwrap_or(&Value::Null);
    let value = value(grammar, other, rules);
    let entry = rules.fresh("entry", format!(r"/'[^'\\\n]{{1,40}}'/ {} {value}", literal(": ")));
    rules.fresh("object", format!("\"{{\" ({entry} (\", \" {entry})*)? \"}}\""))
}

/// A value as the format writes it.
fn written(value: &Value) -> String {
    let text = Format::Pythonic.parser().render(&[ToolCall::new("f", [("a", value.clone())])]);
    text.strip_prefix("[f(a=").and_then(|text| text.strip_suffix(")]")).unwrap_or(&text).to_owned()
}
