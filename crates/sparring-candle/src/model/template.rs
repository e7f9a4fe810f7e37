//! Chat templates: the Jinja programs of Hugging Face tokenizers.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde};
use minijinja::{Environment, Error, ErrorKind, Value, context};
use serde::Serialize;
use sparring_core::{Conversation, PolicyError};

/// ChatML, used if a tokenizer knows `<|im_start|>` but has no template.
pub(crate) const CHATML: &str = "{% for message in messages %}<|im_start|>{{ message.role }}\n\
    {{ message.content }}<|im_end|>\n{% endfor %}\
    {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

const NAME: &str = "chat_template";

/// A parsed template.
#[derive(Debug, Clone)]
pub(crate) struct ChatTemplate {
    environment: Environment<'static>,
    bos: String,
    eos: String,
    origin: String,
    source: String,
}

impl ChatTemplate {
    /// Parses `source`; `origin` names the file in errors.
    pub(crate) fn new(source: &str, bos: &str, eos: &str, origin: &str) -> Result<Self, PolicyError> {
        let mut environment = Environment::new();
        let mut syntax = SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true);
        let syntax = syntax.build().map_err(|error| PolicyError::backend("configuring templates", error))?;
        environment.set_syntax(syntax);
        // Errors in one line, without a listing of the template.
        environment.set_debug(false);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", raise_exception);
        environment.add_function("strftime_now", strftime_now);
        environment.add_filter("tojson", tojson);
        environment.add_template_owned(NAME, source.to_owned()).map_err(|error| {
            PolicyError::invalid(format!("{origin}: chat_template does not parse: {error}"))
        })?;
        let [bos, eos, origin, source] = [bos, eos, origin, source].map(str::to_owned);
        Ok(Self { environment, bos, eos, origin, source })
    }

    /// The program.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// Renders a conversation, with the header of the assistant's turn if wanted. The result is that of
    /// `apply_chat_template` of `transformers` for the same messages, tools and further arguments.
    pub(crate) fn render(
        &self,
        conversation: &Conversation,
        add_generation_prompt: bool,
    ) -> Result<String, PolicyError> {
        let Conversation { messages, tools, variables, .. } = conversation;
        if let Some(name) = RESERVED.iter().find(|name| variables.contains_key(**name)) {
            return Err(PolicyError::invalid(format!(
                "the conversation's variable \"{name}\" is a built-in argument of chat templates; remove it"
            )));
        }
        let messages: Vec<Value> = messages.iter().map(|message| Serde(message).into()).collect();
        // `transformers` passes None if there are no tools.
        let tools = if tools.is_empty() { Value::from(()) } else { Serde(tools).into() };
        let tokens = context! { bos_token => self.bos.as_str(), eos_token => self.eos.as_str() };
        let render = || {
            // As in `transformers`, a variable may override a special token.
            let variables = context! { ..Value::from(Serde(variables)), ..tokens };
            self.environment.get_template(NAME)?.render(context! {
                messages,
                tools,
                add_generation_prompt,
                ..variables
            })
        };
        render().map_err(|error| {
            PolicyError::invalid(format!("{}: chat_template refuses these messages: {error}", self.origin))
        })
    }
}

/// Arguments of a template that no variable may override.
const RESERVED: [&str; 3] = ["messages", "tools", "add_generation_prompt"];

fn raise_exception(message: String) -> Result<String, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

/// Today's date, for templates that print it. The clock is fixed at 26 July 2024, the default date of
/// Llama 3's templates, so that the same conversation gives the same tokens on every day.
fn strftime_now(format: &str) -> String {
    let fields = [
        ("%d", "26"),
        ("%b", "Jul"),
        ("%B", "July"),
        ("%m", "07"),
        ("%Y", "2024"),
        ("%y", "24"),
        ("%A", "Friday"),
        ("%a", "Fri"),
        ("%H", "00"),
        ("%M", "00"),
        ("%S", "00"),
    ];
    fields.iter().fold(format.to_owned(), |text, (field, value)| text.replace(field, value))
}

/// JSON as Python's `json.dumps(ensure_ascii=False)` writes it: a space after `,` and `:`.
#[allow(clippy::needless_pass_by_value, reason = "the signature of a filter")]
fn tojson(value: Value, options: Kwargs) -> Result<Value, Error> {
    let indent: Option<usize> = options.get("indent")?;
    // Further arguments of Python's function; none changes these defaults.
    for key in ["ensure_ascii", "sort_keys", "separators"] {
        let _: Option<Value> = options.get(key)?;
    }
    options.assert_all_used()?;
    let fail = |error: serde_json::Error| Error::new(ErrorKind::BadSerialization, error.to_string());
    let mut out = Vec::new();
    if let Some(indent) = indent {
        let spaces = vec![b' '; indent];
        let pretty = serde_json::ser::PrettyFormatter::with_indent(&spaces);
        value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, pretty)).map_err(fail)?;
    } else {
        value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Spaced)).map_err(fail)?;
    }
    Ok(Value::from_safe_string(String::from_utf8_lossy(&out).into_owned()))
}

/// Python's default separators.
struct Spaced;

impl serde_json::ser::Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        w: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { w.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        w: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { w.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, w: &mut W) -> std::io::Result<()> {
        w.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sparring_core::{Message, MessageCall};

    fn render(source: &str, messages: &[Message]) -> Result<String, PolicyError> {
        let conversation = Conversation::new(messages.iter().cloned());
        ChatTemplate::new(source, "<s>", "</s>", "test")?.render(&conversation, true)
    }

    #[test]
    fn chatml() {
        let text = render(CHATML, &[Message::system("Be brief."), Message::user("Hi")]).unwrap();
        assert_eq!(
            text,
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
        );
    }

    #[test]
    fn python_methods_and_json() {
        let source = "{% set x = messages[0].content.strip().split('|') %}{{ x[-1] }} \
                      {{ messages[0]|tojson }}{{ bos_token }}";
        let text = render(source, &[Message::user(" a|<b> ")]).unwrap();
        assert_eq!(text, "<b> {\"role\": \"user\", \"content\": \" a|<b> \"}<s>");
    }

    #[test]
    fn tools_reach_the_template() {
        use serde_json::json;
        let source = "{% if tools %}{% for t in tools %}{{ t | tojson }}{% endfor %}{% endif %}\
            {% for m in messages %}[{{ m.role }}{{ m.content }}{% for c in m.tool_calls %}{{ c.function.name }}\
            {{ c.function.arguments | tojson }}{% endfor %}]{% endfor %}{{ strftime_now('%d %b %Y') }}";
        let template = ChatTemplate::new(source, "", "", "test").unwrap();
        let call = MessageCall::new("f", json!({"b": 1.0, "a": [1]}));
        let turns = [Message::user("u"), Message::assistant("").with_tool_calls([call]), Message::tool("r")];
        let tools =
            [json!({"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}})];
        let text = template.render(&Conversation::new(turns).with_tools(tools), true).unwrap();
        let tool_list =
            r#"{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}"#;
        assert_eq!(
            text,
            format!(r#"{tool_list}[useru][assistantf{{"b": 1.0, "a": [1]}}][toolr]26 Jul 2024"#)
        );
    }

    #[test]
    fn variables_reach_the_template() {
        let source = "{{ bos_token }}{% if enable_thinking is defined and not enable_thinking %}no thoughts{% endif %}\
            {% if tools is none %}, no tools{% endif %}{{ budget }}";
        let template = ChatTemplate::new(source, "<s>", "", "test").unwrap();
        let asked =
            |name: &str| Conversation::default().with_variable(name, false).with_variable("budget", 7);
        assert_eq!(template.render(&asked("enable_thinking"), true).unwrap(), "<s>no thoughts, no tools7");
        let error = template.render(&asked("tools"), true).unwrap_err().to_string();
        assert!(error.contains("variable \"tools\""), "{error}");
    }

    #[test]
    fn a_refusal_is_reported() {
        let error = render("{{ raise_exception('no system message') }}", &[]).unwrap_err().to_string();
        assert!(error.contains("test: ") && error.contains("no system message"), "{error}");
        let error = render("{% if %}", &[]).unwrap_err().to_string();
        assert!(error.contains("does not parse"), "{error}");
    }
}
