//! Formats with a notation of their own for values: Python's, and Gemma's.

use super::lark::{Rules, literal, sequence};
use super::{CallGrammar, json, schema};
use crate::GuidedError;
use serde_json::{Value, json};
use sparring_tools::{CallParser, Format, ToolCall, ToolSpec};

/// `f(a=1, b='x')`.
pub(super) fn python(
    grammar: &CallGrammar,
    tool: &ToolSpec,
    rules: &mut Rules,
) -> Result<String, GuidedError> {
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
    let arguments = arguments(grammar, tool, PYTHON, |name| format!("{name}="), rules)?;
    Ok(rules.fresh("call", format!("{} {arguments} \")\"", literal(&format!("{}(", tool.name)))))
}

/// `call:f{a:QUOTExQUOTE,b:1}` in a format's tags.
pub(super) fn gemma(
    grammar: &CallGrammar,
    tool: &ToolSpec,
    (open, quote, close): (&'static str, &'static str, &'static str),
    rules: &mut Rules,
) -> Result<String, GuidedError> {
    if tool.name.is_empty() || tool.name.contains(|c: char| c.is_whitespace() || "{}<>".contains(c)) {
        let what = "this format cannot write its name; rename the tool, or choose another format".to_owned();
        return Err(GuidedError::Tool { tool: tool.name.clone(), what });
    }
    let notation = Notation { quote: Some(quote), ..GEMMA };
    let arguments = arguments(grammar, tool, notation, |name| notation.key(name), rules)?;
    let head = literal(&format!("{open}call:{}{{", tool.name));
    Ok(rules.fresh("call", format!("{head} {arguments} {}", literal(&format!("}}{close}")))))
}

/// A rule for a value in Python's notation.
pub(super) fn python_value(
    grammar: &CallGrammar,
    schema: &Value,
    root: &Value,
    rules: &mut Rules,
) -> Result<String, String> {
    Literals { grammar, root, notation: PYTHON }.value(schema, rules, 0)
}

/// The arguments in their order; `write` gives what stands before a value.
fn arguments(
    grammar: &CallGrammar,
    tool: &ToolSpec,
    notation: Notation,
    write: impl Fn(&str) -> String,
    rules: &mut Rules,
) -> Result<String, GuidedError> {
    let root = tool.parameters_schema();
    let literals = Literals { grammar, root: &root, notation };
    let mut parameters = Vec::new();
    for name in tool.parameters.keys() {
        let value = literals.value(&root["properties"][name.as_str()], rules, 0);
        let wrong = |what| GuidedError::Tool { tool: tool.name.clone(), what };
        let value = value.map_err(|what| wrong(format!("parameter `{name}`: {what}")))?;
        let rule = rules.fresh("parameter", format!("{} {value}", literal(&write(name))));
        parameters.push((rule, tool.required.contains(name)));
    }
    Ok(sequence(rules, &parameters, notation.comma))
}

/// How values are written.
#[derive(Clone, Copy)]
struct Notation {
    /// The tag on either side of a text; Python's quotes without one.
    quote: Option<&'static str>,
    /// True, false and null.
    words: [&'static str; 3],
    comma: &'static str,
    colon: &'static str,
}

const PYTHON: Notation = Notation { quote: None, words: ["True", "False", "None"], comma: ", ", colon: ": " };
const GEMMA: Notation = Notation { quote: None, words: ["true", "false", "null"], comma: ",", colon: ":" };

impl Notation {
    /// What stands before a value in an object.
    fn key(self, name: &str) -> String {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        let name = match self.quote {
            None => written(&Value::from(name)),
            Some(_) if !name.is_empty() && name.chars().all(plain) => name.to_owned(),
            Some(quote) => format!("{quote}{name}{quote}"),
        };
        format!("{name}{}", self.colon)
    }

    /// A value as the format writes it.
    fn written(self, value: &Value) -> String {
        let Some(quote) = self.quote else { return written(value) };
        let text = Format::Gemma4.parser().render(&[ToolCall::new("f", [("a", value.clone())])]);
        let inside =
            text.strip_prefix("<|tool_call>call:f{a:").and_then(|text| text.strip_suffix("}<tool_call|>"));
        inside.unwrap_or(&text).replace("<|\"|>", quote)
    }
}

/// Deepest schema, references followed.
const DEEPEST: usize = 12;

/// Rules for the literals of the schemas of one tool.
#[derive(Clone, Copy)]
struct Literals<'a> {
    grammar: &'a CallGrammar,
    root: &'a Value,
    notation: Notation,
}

impl Literals<'_> {
    /// A rule for a literal of a schema; where the schema does not say, any simple literal.
    fn value(self, schema: &Value, rules: &mut Rules, depth: usize) -> Result<String, String> {
        if depth > DEEPEST {
            return Err(
                "its schema is nested too deeply, or refers to itself; choose another format".to_owned()
            );
        }
        if let Some(choices) = schema::choices(schema) {
            let choices: Vec<String> =
                choices.iter().map(|choice| literal(&self.notation.written(choice))).collect();
            return Ok(rules.fresh("choice", choices.join(" | ")));
        }
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            let target = target.ok_or_else(|| format!("there is no `{reference}` in its schema"))?;
            return self.value(target, rules, depth + 1);
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(any) = schema.get(key).and_then(Value::as_array) {
                let any: Result<Vec<String>, String> =
                    any.iter().map(|one| self.value(one, rules, depth + 1)).collect();
                return Ok(rules.fresh("either", any?.join(" | ")));
            }
        }
        match schema.get("type") {
            Some(Value::String(kind)) => self.typed(kind, schema, rules, depth),
            Some(Value::Array(kinds)) => {
                let one = |kind: &Value| self.typed(kind.as_str().unwrap_or_default(), schema, rules, depth);
                let kinds: Result<Vec<String>, String> = kinds.iter().map(one).collect();
                Ok(rules.fresh("either", kinds?.join(" | ")))
            }
            _ if schema.get("allOf").is_some() => {
                Err("its schema has `allOf`, which this format cannot follow; choose another format"
                    .to_owned())
            }
            _ if schema.get("properties").is_some() => self.typed("object", schema, rules, depth),
            _ => {
                let simple = ["string", "number", "boolean", "null"];
                let simple: Result<Vec<String>, String> =
                    simple.iter().map(|kind| self.typed(kind, schema, rules, depth)).collect();
                Ok(rules.fresh("any", simple?.join(" | ")))
            }
        }
    }

    fn typed(self, kind: &str, schema: &Value, rules: &mut Rules, depth: usize) -> Result<String, String> {
        Ok(match kind {
            "string" => self.string(schema, rules),
            // All write numbers as JSON does.
            "integer" | "number" => {
                let keys = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];
                let mut number = json!({ "type": kind });
                for key in keys {
                    if let Some(bound) = schema.get(key) {
                        number[key] = bound.clone();
                    }
                }
                json::value(self.grammar, number, rules, false)
            }
            "boolean" => {
                format!("({} | {})", literal(self.notation.words[0]), literal(self.notation.words[1]))
            }
            "null" => literal(self.notation.words[2]),
            "array" => {
                let item = self.value(schema.get("items").unwrap_or(&Value::Null), rules, depth + 1)?;
                let count = |key: &str| schema.get(key).and_then(Value::as_u64);
                let (least, most) = (count("minItems").unwrap_or(0), count("maxItems"));
                let most = most.map_or_else(String::new, |most| most.saturating_sub(1).to_string());
                let comma = literal(self.notation.comma);
                let more = format!("{item} ({comma} {item}){{{},{most}}}", least.saturating_sub(1));
                let items = if least == 0 { format!("({more})?") } else { more };
                rules.fresh("list", format!("\"[\" {items} \"]\""))
            }
            "object" => return self.object(schema, rules, depth),
            other => return Err(format!("there is no type `{other}`")),
        })
    }

    /// A string in its quotes.
    fn string(self, schema: &Value, rules: &mut Rules) -> String {
        if let Some(quote) = self.notation.quote {
            return self.quoted(schema, &literal(quote), rules);
        }
        if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
            // Texts of the pattern that would have to be escaped are left out.
            let text = format!(r"/'{}'/ & /'[^'\\\n\r\t]*'/", schema::expression(pattern, r"[^'\\\n]*"));
            return rules.fresh("TEXT", text);
        }
        let (least, most) = self.lengths(schema);
        format!(r"/'([^'\\\n\r\t]|\\['\\nrt]){{{least},{most}}}'/")
    }

    /// A string between tags, which may not hold the beginning of one.
    fn quoted(self, schema: &Value, quote: &str, rules: &mut Rules) -> String {
        if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
            let text = format!(r"/{}/ & /[^<]*/", schema::expression(pattern, r"[^<]*"));
            return format!("({quote} {} {quote})", rules.fresh("TEXT", text));
        }
        let (least, most) = self.lengths(schema);
        format!("({quote} /[^<]{{{least},{most}}}/ {quote})")
    }

    /// The fewest and the most characters of a string.
    fn lengths(self, schema: &Value) -> (usize, String) {
        let count = |key: &str| schema.get(key).and_then(Value::as_u64).map(|n| n as usize);
        let least = count("minLength").unwrap_or(0);
        let most = match (count("maxLength"), self.grammar.string_chars) {
            (Some(a), Some(b)) => Some(a.min(b.max(least))),
            (a, b) => a.or(b.map(|b| b.max(least))),
        };
        (least, most.map_or_else(String::new, |most| most.to_string()))
    }

    /// `{'a': 1}`: the properties in order, or any keys with values of `additionalProperties`.
    fn object(self, schema: &Value, rules: &mut Rules, depth: usize) -> Result<String, String> {
        let key = |name: &str| literal(&self.notation.key(name));
        let properties = schema.get("properties").and_then(Value::as_object);
        if let Some(properties) = properties.filter(|properties| !properties.is_empty()) {
            let required = schema.get("required").and_then(Value::as_array);
            let mut parts = Vec::new();
            for (name, property) in properties {
                let value = self.value(property, rules, depth + 1)?;
                let rule = rules.fresh("entry", format!("{} {value}", key(name)));
                parts.push((rule, required.is_some_and(|all| all.iter().any(|one| one == name))));
            }
            let entries = sequence(rules, &parts, self.notation.comma);
            return Ok(rules.fresh("object", format!("\"{{\" {entries} \"}}\"")));
        }
        let other = schema.get("additionalProperties").unwrap_or(&Value::Null);
        if *other == Value::Bool(false) {
            return Ok(r#""{}""#.to_owned());
        }
        let value = self.value(other, rules, depth + 1)?;
        let name = match self.notation.quote {
            None => r"/'[^'\\\n]{1,40}'/".to_owned(),
            Some(_) => "/[A-Za-z_][A-Za-z0-9_]{0,39}/".to_owned(),
        };
        let entry = rules.fresh("entry", format!("{name} {} {value}", literal(self.notation.colon)));
        let comma = literal(self.notation.comma);
        Ok(rules.fresh("object", format!("\"{{\" ({entry} ({comma} {entry})*)? \"}}\"")))
    }
}

/// A value as Python writes it.
fn written(value: &Value) -> String {
    let text = Format::Pythonic.parser().render(&[ToolCall::new("f", [("a", value.clone())])]);
    text.strip_prefix("[f(a=").and_then(|text| text.strip_suffix(")]")).unwrap_or(&text).to_owned()
}
