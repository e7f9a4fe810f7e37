use super::emit::Emitter;
use super::grammar::Grammar;
use super::machine::{GrammarTables, Machine};
use super::{CallParser, CallStream, Reading, ToolR0Tags, grammars, render};
use crate::{ToolCall, ToolSpec};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::Arc;

/// The tool-call formats of model families.
///
/// ```
/// use sparring_tools::{CallParser, Format, ToolCall};
/// let call = ToolCall::new("get_weather", [("city", "Paris".into())]);
/// for format in Format::ALL {
///     let text = format.parser().render(std::slice::from_ref(&call));
///     assert_eq!(format.parser().parse(&text)?, [call.clone()], "{text}");
/// }
/// # Ok::<(), sparring_tools::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`: Hermes, Qwen2.5, Qwen3.
    Hermes,
    /// `<function=f><parameter=a>...</parameter></function>`: Qwen3-Coder, and others after it.
    Qwen3Coder,
    /// `<tool_call>f<arg_key>a</arg_key><arg_value>...</arg_value></tool_call>`: GLM 4.5 and later.
    Glm,
    /// `{"name": ..., "parameters": {...}}` joined by `;`, or `<function=f>{...}</function>`: Llama 3.
    Llama3Json,
    /// `[f(a=1), g()]`: Llama 3.2, ToolACE; between tags and also one per line: Olmo 3.
    Pythonic,
    /// `<|python_start|>` and Python calls or JSON: Llama 4.
    Llama4,
    /// `[TOOL_CALLS] [{...}]`: Mistral's tokenisers before version 11.
    Mistral,
    /// `[TOOL_CALLS]f{...}` and `[TOOL_CALLS]f[ARGS]{...}`: version 11 and later.
    MistralV11,
    /// `function<｜tool▁sep｜>f` and a fence: DeepSeek V3, R1-0528.
    DeepSeekV3,
    /// `f<｜tool▁sep｜>{...}`: DeepSeek V3.1.
    DeepSeekV31,
    /// `<｜DSML｜invoke name="f">`: DeepSeek V3.2.
    DeepSeekV32,
    /// `<|tool_call|>[...]<|/tool_call|>` and `functools[...]`: Phi-4-mini.
    Phi4,
    /// A JSON list, bare or in one of several tags: xLAM.
    Xlam,
    /// A JSON list in a code fence: Hammer.
    Hammer,
    /// `<|tool_call|>[...]` and its relatives: Granite.
    Granite,
    /// `<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{...}`: Kimi K2.
    Kimi,
    /// `<tool_calls>[...]</tool_calls>`: Jamba.
    Jamba,
    /// `<|action_start|><|plugin|>{...}<|action_end|>`: InternLM.
    InternLm,
    /// `<think>...</think><answer>[f(a=1)]</answer>`: Tool-Zero (arXiv 2511.01934).
    R1Python,
    /// `<tool_call_answer>[...]</tool_call_answer>`: Tool-R0 (arXiv 2602.21320).
    ToolR0,
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Self::from_name(name).ok_or_else(|| UnknownFormat { name: name.to_owned() })
    }
}

/// The name of an unknown [`Format`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no format {name:?}")]
#[non_exhaustive]
pub struct UnknownFormat {
    /// The name.
    pub name: String,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 20] = [
        Self::Hermes,
        Self::Qwen3Coder,
        Self::Glm,
        Self::Llama3Json,
        Self::Pythonic,
        Self::Llama4,
        Self::Mistral,
        Self::MistralV11,
        Self::DeepSeekV3,
        Self::DeepSeekV31,
        Self::DeepSeekV32,
        Self::Phi4,
        Self::Xlam,
        Self::Hammer,
        Self::Granite,
        Self::Kimi,
        Self::Jamba,
        Self::InternLm,
        Self::R1Python,
        Self::ToolR0,
    ];

    /// Returns a short, stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hermes => "hermes",
            Self::Qwen3Coder => "qwen3_coder",
            Self::Glm => "glm",
            Self::Llama3Json => "llama3_json",
            Self::Pythonic => "pythonic",
            Self::Llama4 => "llama4",
            Self::Mistral => "mistral",
            Self::MistralV11 => "mistral_v11",
            Self::DeepSeekV3 => "deepseek_v3",
            Self::DeepSeekV31 => "deepseek_v31",
            Self::DeepSeekV32 => "deepseek_v32",
            Self::Phi4 => "phi4",
            Self::Xlam => "xlam",
            Self::Hammer => "hammer",
            Self::Granite => "granite",
            Self::Kimi => "kimi",
            Self::Jamba => "jamba",
            Self::InternLm => "internlm",
            Self::R1Python => "r1_python",
            Self::ToolR0 => "tool_r0",
        }
    }

    /// Returns the format with this name, or with this name in vLLM or SGLang.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase().replace(['-', '.'], "_");
        if let Some(format) = Self::ALL.into_iter().find(|format| format.name() == name) {
            return Some(format);
        }
        Some(match name.as_str() {
            "qwen" | "qwen25" | "qwen2_5" | "qwen3" | "granite4" => Self::Hermes,
            "qwen3_xml" | "seed_oss" => Self::Qwen3Coder,
            "glm45" | "glm47" => Self::Glm,
            "llama3" | "llama31" | "llama3_1" => Self::Llama3Json,
            "llama32" | "llama3_2" | "olmo3" | "toolace" => Self::Pythonic,
            "llama4_pythonic" | "llama4_json" => Self::Llama4,
            "deepseekv3" => Self::DeepSeekV3,
            "deepseekv31" => Self::DeepSeekV31,
            "deepseekv32" => Self::DeepSeekV32,
            "phi4_mini_json" => Self::Phi4,
            "granite_20b_fc" => Self::Granite,
            "kimi_k2" => Self::Kimi,
            "tool_zero" => Self::R1Python,
            _ => return None,
        })
    }

    /// Detects the format that a chat template uses.
    ///
    /// ```
    /// use sparring_tools::Format;
    /// let template = "{%- for call in tool_calls %}<tool_call>\n{{ call | tojson }}\n</tool_call>{% endfor %}";
    /// assert_eq!(Format::guess(template), Some(Format::Hermes));
    /// assert_eq!(Format::guess("{{ messages[0].content }}"), None);
    /// ```
    pub fn guess(chat_template: &str) -> Option<Self> {
        let marks: [(&[&str], Self); 22] = [
            (&["<｜DSML｜"], Self::DeepSeekV32),
            (&["<｜tool▁call▁begin｜>", "```json"], Self::DeepSeekV3),
            (&["<｜tool▁call▁begin｜>"], Self::DeepSeekV31),
            (&["<|tool_call_argument_begin|>"], Self::Kimi),
            (&["<arg_key>"], Self::Glm),
            (&["<function=", "<parameter="], Self::Qwen3Coder),
            (&["[TOOL_CALLS]", "[ARGS]"], Self::MistralV11),
            (&["[TOOL_CALLS]"], Self::Mistral),
            (&["<|plugin|>"], Self::InternLm),
            (&["<tool_calls>"], Self::Jamba),
            (&["<|/tool_call|>"], Self::Phi4),
            (&["functools["], Self::Phi4),
            (&["<|tool|>", "<|/tool|>"], Self::Phi4),
            (&["<|tool_call|>"], Self::Granite),
            (&["<tool_call_answer>"], Self::ToolR0),
            (&["<tool_call>"], Self::Hermes),
            (&["<|python_start|>"], Self::Llama4),
            (&["<function_calls>"], Self::Pythonic),
            (&["[func_name1(params_name1=params_value1"], Self::Pythonic),
            (&["<|python_tag|>"], Self::Llama3Json),
            (&["{\"name\": function name, \"parameters\":"], Self::Llama3Json),
            (&["<answer>"], Self::R1Python),
        ];
        let fits = |marks: &[&str]| marks.iter().all(|mark| chat_template.contains(mark));
        marks.into_iter().find(|(marks, _)| fits(marks)).map(|(_, format)| format)
    }

    /// Returns a parser without tool schemas.
    ///
    /// In formats whose arguments are untyped text ([`Qwen3Coder`](Self::Qwen3Coder), [`Glm`](Self::Glm)), text that is
    /// valid JSON is then read as JSON.
    pub fn parser(self) -> Box<dyn CallParser> {
        self.parser_for(Vec::new())
    }

    /// Returns a parser that knows the tools: their schemas give the types of untyped arguments. Calls of other tools
    /// are read too; whether a call is allowed is left to validation.
    pub fn parser_for(self, tools: Vec<ToolSpec>) -> Box<dyn CallParser> {
        match self.grammar() {
            Some(grammar) => {
                Box::new(FormatParser { format: self, tables: Arc::new(GrammarTables::new(grammar, tools)) })
            }
            None => Box::new(ToolR0Tags::default()),
        }
    }

    /// Returns a [`parser_for`](Self::parser_for) texts that start inside the reasoning: some chat templates end the
    /// prompt with `<think>`, so the model's text starts after it. Nothing before `</think>` is a call.
    ///
    /// ```
    /// use sparring_tools::{CallParser, Format};
    /// let parser = Format::Hermes.parser_in_thought(Vec::new());
    /// let text = "I could write <tool_call>.\n</think>\n<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>";
    /// assert_eq!(parser.parse(text)?.len(), 1);
    /// # Ok::<(), sparring_tools::ParseError>(())
    /// ```
    pub fn parser_in_thought(self, tools: Vec<ToolSpec>) -> Box<dyn CallParser> {
        match self.grammar() {
            Some(grammar) => {
                let tables = GrammarTables::new(grammar, tools).in_thought();
                Box::new(FormatParser { format: self, tables: Arc::new(tables) })
            }
            // Only the last block counts, wherever the reasoning ends.
            None => Box::new(ToolR0Tags::default()),
        }
    }

    fn grammar(self) -> Option<&'static Grammar> {
        Some(match self {
            Self::Hermes => &grammars::HERMES,
            Self::Qwen3Coder => &grammars::QWEN3_CODER,
            Self::Glm => &grammars::GLM,
            Self::Llama3Json => &grammars::LLAMA3_JSON,
            Self::Pythonic => &grammars::PYTHONIC,
            Self::Llama4 => &grammars::LLAMA4,
            Self::Mistral | Self::MistralV11 => &grammars::MISTRAL,
            Self::DeepSeekV3 | Self::DeepSeekV31 => &grammars::DEEPSEEK_V3,
            Self::DeepSeekV32 => &grammars::DEEPSEEK_V32,
            Self::Phi4 => &grammars::PHI4,
            Self::Xlam => &grammars::XLAM,
            Self::Hammer => &grammars::HAMMER,
            Self::Granite => &grammars::GRANITE,
            Self::Kimi => &grammars::KIMI,
            Self::Jamba => &grammars::JAMBA,
            Self::InternLm => &grammars::INTERNLM,
            Self::R1Python => &grammars::R1_PYTHON,
            Self::ToolR0 => return None,
        })
    }
}

/// The parser of every format that has a grammar.
#[derive(Debug, Clone)]
struct FormatParser {
    format: Format,
    tables: Arc<GrammarTables>,
}

impl CallParser for FormatParser {
    fn name(&self) -> &str {
        self.format.name()
    }

    fn stream(&self) -> Box<dyn CallStream> {
        Box::new(Machine::new(Arc::clone(&self.tables), Emitter::streaming()))
    }

    fn read(&self, text: &str) -> Reading {
        Machine::new(Arc::clone(&self.tables), Emitter::default()).read(text)
    }

    fn render(&self, calls: &[ToolCall]) -> String {
        let calls = self.written(calls);
        // Reasoning that the prompt opened ends first.
        match self.tables.thought_end() {
            Some(tag) => format!("{tag}\n{calls}"),
            None => calls,
        }
    }
}

impl FormatParser {
    fn written(&self, calls: &[ToolCall]) -> String {
        let list = || render::json_list(calls);
        if calls.is_empty() && !matches!(self.format, Format::Hammer | Format::R1Python) {
            return String::new();
        }
        match self.format {
            Format::Hermes => render::json_each(calls, "<tool_call>\n", "\n</tool_call>", "\n"),
            Format::Qwen3Coder => render::join(calls, "\n", render::qwen3_coder),
            Format::Glm => render::join(calls, "\n", render::glm),
            Format::Llama3Json => render::parameters_each(calls, "", "", "; "),
            Format::Pythonic => render::python(calls),
            Format::Llama4 if render::fits_python(calls) => {
                format!("<|python_start|>{}<|python_end|>", render::python(calls))
            }
            Format::Llama4 => format!("<|python_start|>{}<|python_end|>", list()),
            Format::MistralV11 if render::fits_tags(calls) => {
                render::named(calls, "[TOOL_CALLS]", "[ARGS]", "")
            }
            Format::Mistral | Format::MistralV11 => {
                format!("[TOOL_CALLS] {}", render::json_list_with_ids(calls))
            }
            Format::DeepSeekV3 => {
                let open = "<｜tool▁call▁begin｜>function<｜tool▁sep｜>";
                let calls = render::named(calls, open, "\n```json\n", "\n```<｜tool▁call▁end｜>");
                format!("<｜tool▁calls▁begin｜>{calls}<｜tool▁calls▁end｜>")
            }
            Format::DeepSeekV31 => {
                let calls =
                    render::named(calls, "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>");
                format!("<｜tool▁calls▁begin｜>{calls}<｜tool▁calls▁end｜>")
            }
            Format::DeepSeekV32 => render::dsml(calls),
            Format::Phi4 => format!("<|tool_call|>{}<|/tool_call|>", list()),
            Format::Xlam => list(),
            Format::Hammer => format!("```\n{}\n```", list()),
            Format::Granite => format!("<|tool_call|>{}", list()),
            Format::Kimi => render::kimi(calls),
            Format::Jamba => format!("<tool_calls>{}</tool_calls>", list()),
            Format::InternLm => {
                render::parameters_each(calls, "<|action_start|><|plugin|>\n", "<|action_end|>", "\n")
            }
            Format::R1Python => format!("<answer>{}</answer>", render::python(calls)),
            Format::ToolR0 => ToolR0Tags::default().render(calls),
        }
    }
}
impl Serialize for Format {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
