//! What `render` writes is what the chat templates of the families write for an assistant's calls. The templates here
//! are our own, of that part alone.
use minijinja::value::Serde;
use minijinja::{Environment, Value as Jinja, context};
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use serde_json::{Value, json};
use sparring_tools::{Format, ToolCall};
use std::io::{self, Write};

/// A format and its template; `calls` has each call's `name` and `arguments`.
const TEMPLATES: [(Format, &str); 16] = [
    (
        Format::Hermes,
        "{% for c in calls %}{% if not loop.first %}\n{% endif %}<tool_call>\n{\"name\": \"{{ c.name }}\", \"arguments\": \
         {{ c.arguments|tojson }}}\n</tool_call>{% endfor %}",
    ),
    (
        Format::Qwen3Coder,
        "{% for c in calls %}{% if not loop.first %}\n{% endif %}<tool_call>\n<function={{ c.name }}>\n\
         {% for k, v in c.arguments|items %}<parameter={{ k }}>\n{% if v is mapping or (v is sequence and v is not \
         string) %}{{ v|tojson }}{% else %}{{ v|python }}{% endif %}\n</parameter>\n{% endfor %}</function>\n\
         </tool_call>{% endfor %}",
    ),
    (
        Format::SeedOss,
        "{% for c in calls %}{% if not loop.first %}\n{% endif %}<seed:tool_call>\n<function={{ c.name }}>\n\
         {% for k, v in c.arguments|items %}<parameter={{ k }}>{{ v|python }}</parameter>\n{% endfor %}</function>\n\
         </seed:tool_call>{% endfor %}",
    ),
    (
        Format::Glm,
        "{% for c in calls %}{% if not loop.first %}\n{% endif %}<tool_call>{{ c.name }}\n{% for k, v in \
         c.arguments|items %}<arg_key>{{ k }}</arg_key>\n<arg_value>{{ v if v is string else v|tojson }}</arg_value>\n\
         {% endfor %}</tool_call>{% endfor %}",
    ),
    (
        Format::Llama3Json,
        "{% for c in calls %}{% if not loop.first %}; {% endif %}{\"name\": \"{{ c.name }}\", \"parameters\": \
         {{ c.arguments|tojson }}}{% endfor %}",
    ),
    (
        Format::Mistral,
        "[TOOL_CALLS] [{% for c in calls %}{% if not loop.first %}, {% endif %}{\"name\": \"{{ c.name }}\", \
         \"arguments\": {{ c.arguments|tojson }}}{% endfor %}]",
    ),
    (
        Format::MistralV11,
        "{% for c in calls %}[TOOL_CALLS]{{ c.name }}[ARGS]{{ c.arguments|tojson }}{% endfor %}",
    ),
    (
        Format::DeepSeekV3,
        "<｜tool▁calls▁begin｜>{% for c in calls %}{% if not loop.first %}\n{% endif %}<｜tool▁call▁begin｜>function\
         <｜tool▁sep｜>{{ c.name }}\n```json\n{{ c.arguments|tojson }}\n```<｜tool▁call▁end｜>{% endfor %}\
         <｜tool▁calls▁end｜>",
    ),
    (
        Format::DeepSeekV31,
        "<｜tool▁calls▁begin｜>{% for c in calls %}<｜tool▁call▁begin｜>{{ c.name }}<｜tool▁sep｜>\
         {{ c.arguments|tojson }}<｜tool▁call▁end｜>{% endfor %}<｜tool▁calls▁end｜>",
    ),
    (
        Format::Kimi,
        "<|tool_calls_section_begin|>{% for c in calls %}<|tool_call_begin|>functions.{{ c.name }}:{{ loop.index0 }}\
         <|tool_call_argument_begin|>{{ c.arguments|tojson }}<|tool_call_end|>{% endfor %}<|tool_calls_section_end|>",
    ),
    (
        Format::Nemotron,
        "<TOOLCALL>[{% for c in calls %}{% if not loop.first %}, {% endif %}{\"name\": \"{{ c.name }}\", \
         \"arguments\": {{ c.arguments|tojson }}}{% endfor %}]</TOOLCALL>",
    ),
    (
        Format::Jamba,
        "<tool_calls>[\n{% for c in calls %}    {\"name\": \"{{ c.name }}\", \"arguments\": {{ c.arguments|tojson }}}\
         {% if not loop.last %},{% endif %}\n{% endfor %}]</tool_calls>",
    ),
    (
        Format::Cohere,
        "<|START_ACTION|>[\n{% for c in calls %}    {\"tool_call_id\": \"{{ loop.index0 }}\", \"tool_name\": \
         \"{{ c.name }}\", \"parameters\": {{ c.arguments|tojson }}}{% if not loop.last %},{% endif %}\n{% endfor %}]\
         <|END_ACTION|>",
    ),
    (
        Format::MiniMaxM2,
        "<minimax:tool_call>\n{% for c in calls %}<invoke name=\"{{ c.name }}\">\n{% for k, v in c.arguments|items %}\
         <parameter name=\"{{ k }}\">{{ v if v is string else v|tojson }}</parameter>\n{% endfor %}</invoke>\n\
         {% endfor %}</minimax:tool_call>",
    ),
    (
        Format::Harmony,
        "{% for c in calls %}{% if not loop.first %}<|start|>assistant{% endif %} to=functions.{{ c.name }}<|channel|>\
         commentary json<|message|>{{ c.arguments|tojson }}<|call|>{% endfor %}",
    ),
    (
        Format::Apertus,
        "<|tools_prefix|>[{% for c in calls %}{% if not loop.first %}, {% endif %}{\"{{ c.name }}\": \
         {{ c.arguments|tojson }}}{% endfor %}]<|tools_suffix|>",
    ),
];

/// Python's `json.dumps`, which `tojson` calls.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }
}

fn tojson(value: &Jinja) -> Result<String, minijinja::Error> {
    let mut out = Vec::new();
    let json = value.serialize(&mut Serializer::with_formatter(&mut out, Spaced));
    json.map_err(|error| minijinja::Error::new(minijinja::ErrorKind::BadSerialization, error.to_string()))?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// What Python prints: a text as it is, and `repr` of all else.
fn python(value: &Jinja) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None => repr(&serde_json::to_value(value).unwrap_or_default()),
    }
}

fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("'{text}'"),
        Value::Array(items) => format!("[{}]", items.iter().map(repr).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entry = |(key, value): (&String, &Value)| format!("'{key}': {}", repr(value));
            format!("{{{}}}", map.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}

#[test]
fn calls_are_written_as_the_families_templates_write_them() {
    let calls = [
        ToolCall::new(
            "book",
            [
                ("city", json!("Malmö")),
                ("nights", json!(2)),
                ("price", json!(9.5)),
                ("late", json!(true)),
                ("note", Value::Null),
                ("guests", json!(["Ada", "Bo"])),
                ("room", json!({"floor": 3, "view": ["sea"]})),
            ],
        ),
        ToolCall::new("now", Vec::<(String, Value)>::new()),
    ];
    let mut environment = Environment::new();
    environment.add_filter("tojson", |value: Jinja| tojson(&value));
    environment.add_filter("python", |value: Jinja| python(&value));
    let context: Vec<Value> = calls.iter().map(ToolCall::to_json).collect();
    for (format, template) in TEMPLATES {
        for n in 1..=calls.len() {
            let wanted =
                environment.render_str(template, context! { calls => Serde(&context[..n]) }).unwrap();
            assert_eq!(format.parser().render(&calls[..n]), wanted, "{format}");
        }
    }
}
