use super::emit::Emitter;
use super::grammar::{Body, Grammar};
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
    /// [`Qwen3Coder`](Self::Qwen3Coder) with `<seed:tool_call>` around it: Seed-OSS.
    SeedOss,
    /// `<tool_call>f<arg_key>a</arg_key><arg_value>...</arg_value></tool_call>` on several lines: GLM 4.5 and 4.6.
    Glm,
    /// [`Glm`](Self::Glm) on one line: GLM 4.7 and later.
    Glm47,
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
    /// [`DeepSeekV32`](Self::DeepSeekV32) with `<｜DSML｜tool_calls>` around it: DeepSeek V4.
    DeepSeekV4,
    /// `<invoke name="f"><parameter name="a">...</parameter></invoke>`: MiniMax-M2.
    MiniMaxM2,
    /// `<steptml:invoke name="f">`: Step-3.
    Step3,
    /// `to=functions.f<|channel|>commentary json<|message|>{...}<|call|>`: gpt-oss.
    Harmony,
    /// `<|tool_call>call:f{a:<|"|>x<|"|>}<tool_call|>`: Gemma 4.
    Gemma4,
    /// `<start_function_call>call:f{a:<escape>x<escape>}<end_function_call>`: FunctionGemma.
    FunctionGemma,
    /// `<|tool_call_start|>[f(a=1)]<|tool_call_end|>`: LFM2.
    Lfm2,
    /// `<|START_ACTION|>[{"tool_name": ..., "parameters": {...}}]<|END_ACTION|>`: Command R7B, Command A.
    Cohere,
    /// `<tool_calls>[...]</tool_calls>`, in or without `<answer>`: Hunyuan-A13B.
    Hunyuan,
    /// `<tool_call>f<tool_sep>` and [`Glm`](Self::Glm)'s arguments: Hunyuan 3 and 4.
    Hy3,
    /// `<TOOLCALL>[...]</TOOLCALL>`: Nemotron Nano v2.
    Nemotron,
    /// `<|tools_prefix|>[{"f": {...}}]<|tools_suffix|>`: Apertus.
    Apertus,
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
    /// `<|open|>call tool="f" index="1"<|sep|>...<|close|>call<|sep|>`: Kimi K3.
    KimiK3,
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
#[error("there is no format {name:?}; there are {}", Format::ALL.map(Format::name).join(", "))]
#[non_exhaustive]
pub struct UnknownFormat {
    /// The name.
    pub name: String,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 35] = [
        Self::Hermes,
        Self::Qwen3Coder,
        Self::SeedOss,
        Self::Glm,
        Self::Glm47,
        Self::Llama3Json,
        Self::Pythonic,
        Self::Llama4,
        Self::Mistral,
        Self::MistralV11,
        Self::DeepSeekV3,
        Self::DeepSeekV31,
        Self::DeepSeekV32,
        Self::DeepSeekV4,
        Self::MiniMaxM2,
        Self::Step3,
        Self::Harmony,
        Self::Gemma4,
        Self::FunctionGemma,
        Self::Lfm2,
        Self::Cohere,
        Self::Hunyuan,
        Self::Hy3,
        Self::Nemotron,
        Self::Apertus,
        Self::Phi4,
        Self::Xlam,
        Self::Hammer,
        Self::Granite,
        Self::Kimi,
        Self::KimiK3,
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
            Self::SeedOss => "seed_oss",
            Self::Glm => "glm",
            Self::Glm47 => "glm47",
            Self::Llama3Json => "llama3_json",
            Self::Pythonic => "pythonic",
            Self::Llama4 => "llama4",
            Self::Mistral => "mistral",
            Self::MistralV11 => "mistral_v11",
            Self::DeepSeekV3 => "deepseek_v3",
            Self::DeepSeekV31 => "deepseek_v31",
            Self::DeepSeekV32 => "deepseek_v32",
            Self::DeepSeekV4 => "deepseek_v4",
            Self::MiniMaxM2 => "minimax_m2",
            Self::Step3 => "step3",
            Self::Harmony => "harmony",
            Self::Gemma4 => "gemma4",
            Self::FunctionGemma => "functiongemma",
            Self::Lfm2 => "lfm2",
            Self::Cohere => "cohere",
            Self::Hunyuan => "hunyuan",
            Self::Hy3 => "hy3",
            Self::Nemotron => "nemotron",
            Self::Apertus => "apertus",
            Self::Phi4 => "phi4",
            Self::Xlam => "xlam",
            Self::Hammer => "hammer",
            Self::Granite => "granite",
            Self::Kimi => "kimi",
            Self::KimiK3 => "kimi_k3",
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
            "qwen" | "qwen25" | "qwen2_5" | "qwen2_5_coder" | "qwen25_coder" | "qwen3" | "granite4"
            | "ernie45" | "trinity" | "reka" => Self::Hermes,
            "qwen3_xml" | "qwen3_5" | "qwen35" | "step3p5" | "mimo" | "nanbeige" | "nemotron3" => {
                Self::Qwen3Coder
            }
            "glm45" | "glm46" => Self::Glm,
            "ling3" | "poolside_v1" | "spark25" => Self::Glm47,
            "llama3" | "llama31" | "llama3_1" => Self::Llama3Json,
            "llama32" | "llama3_2" | "olmo3" | "toolace" => Self::Pythonic,
            "llama4_pythonic" | "llama4_json" => Self::Llama4,
            "deepseekv3" => Self::DeepSeekV3,
            "deepseekv31" => Self::DeepSeekV31,
            "deepseekv32" => Self::DeepSeekV32,
            "deepseekv4" | "deepseekv41" | "deepseek_v41" => Self::DeepSeekV4,
            "minimax" | "minimax_m1" => Self::Jamba,
            "gpt_oss" | "gptoss" | "openai" => Self::Harmony,
            "gemma" | "function_gemma" => Self::FunctionGemma,
            "lfm2_5" => Self::Lfm2,
            "cohere_command3" | "cohere_command4" | "command_r7b" | "command_a" => Self::Cohere,
            "hunyuan_a13b" => Self::Hunyuan,
            "hy_v3" | "hy_v4" => Self::Hy3,
            "nemotron_nano_v2" | "nemotron_json" => Self::Nemotron,
            "apertus2509" => Self::Apertus,
            "phi4_mini_json" => Self::Phi4,
            "granite_20b_fc" => Self::Granite,
            "kimi_k2" => Self::Kimi,
            "interns1" => Self::InternLm,
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
        let marks: &[(&[&str], Option<Self>)] = &[
            // MiniMax-M3: nested tags, which no format here has.
            (&["]<]minimax[>["], None),
            (&["｜DSML｜", "tool_calls"], Some(Self::DeepSeekV4)),
            (&["｜DSML｜"], Some(Self::DeepSeekV32)),
            (&["<｜tool▁call▁begin｜>", "```json"], Some(Self::DeepSeekV3)),
            (&["<｜tool▁call▁begin｜>"], Some(Self::DeepSeekV31)),
            (&["<|open|>", "<|sep|>"], Some(Self::KimiK3)),
            (&["<|tool_call_argument_begin|>"], Some(Self::Kimi)),
            (&["<tool_sep"], Some(Self::Hy3)),
            (&["<steptml:"], Some(Self::Step3)),
            (&["<minimax:tool_call>"], Some(Self::MiniMaxM2)),
            (&["</arg_key>\n<arg_value>"], Some(Self::Glm)),
            (&["</arg_key>\\n<arg_value>"], Some(Self::Glm)),
            (&["<arg_key>"], Some(Self::Glm47)),
            (&["<seed:tool_call>"], Some(Self::SeedOss)),
            (&["<function=", "<parameter="], Some(Self::Qwen3Coder)),
            (&["<|channel|>", "<|message|>", "<|call|>"], Some(Self::Harmony)),
            (&["<|tool_call>call:"], Some(Self::Gemma4)),
            (&["<start_function_call>"], Some(Self::FunctionGemma)),
            (&["<|tool_call_start|>"], Some(Self::Lfm2)),
            (&["<|START_ACTION|>"], Some(Self::Cohere)),
            (&["<TOOLCALL>"], Some(Self::Nemotron)),
            (&["<|tools_prefix|>"], Some(Self::Apertus)),
            (&["[TOOL_CALLS]", "[ARGS]"], Some(Self::MistralV11)),
            (&["[TOOL_CALLS]"], Some(Self::Mistral)),
            (&["<|plugin|>"], Some(Self::InternLm)),
            (&["<tool_calls>", "<answer>"], Some(Self::Hunyuan)),
            (&["<tool_calls>"], Some(Self::Jamba)),
            (&["<|/tool_call|>"], Some(Self::Phi4)),
            (&["functools["], Some(Self::Phi4)),
            (&["<|tool|>", "<|/tool|>"], Some(Self::Phi4)),
            (&["<|tool_call|>"], Some(Self::Granite)),
            (&["<function_call>"], Some(Self::Granite)),
            (&["<tool_call_answer>"], Some(Self::ToolR0)),
            (&["<tool_call>"], Some(Self::Hermes)),
            (&["<|python_start|>"], Some(Self::Llama4)),
            (&["<function_calls>"], Some(Self::Pythonic)),
            (&["[func_name1(params_name1=params_value1"], Some(Self::Pythonic)),
            (&["calls in a single JSON array"], Some(Self::Xlam)),
            (&["<|python_tag|>"], Some(Self::Llama3Json)),
            (&["{\"name\": function name, \"parameters\":"], Some(Self::Llama3Json)),
            (&["<answer>", "tools"], Some(Self::R1Python)),
        ];
        let fits = |marks: &[&str]| marks.iter().all(|mark| chat_template.contains(mark));
        marks.iter().find(|(marks, _)| fits(marks)).and_then(|(_, format)| *format)
    }

    /// Returns whether arguments are untyped text, so that only the tools' schemas tell the string `5` from the number.
    pub fn needs_tools(self) -> bool {
        self.grammar().is_some_and(|grammar| {
            let untyped = |(_, body): &(&str, Body)| matches!(body, Body::Xml(xml) if xml.is_untyped());
            !grammar.bare_first && grammar.openers.iter().any(untyped)
        })
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
            Self::Qwen3Coder | Self::SeedOss => &grammars::QWEN3_CODER,
            Self::Glm | Self::Glm47 => &grammars::GLM,
            Self::MiniMaxM2 => &grammars::MINIMAX_M2,
            Self::Step3 => &grammars::STEP3,
            Self::Harmony => &grammars::HARMONY,
            Self::Gemma4 => &grammars::GEMMA4,
            Self::FunctionGemma => &grammars::FUNCTION_GEMMA,
            Self::Lfm2 => &grammars::LFM2,
            Self::Cohere => &grammars::COHERE,
            Self::Hunyuan => &grammars::HUNYUAN,
            Self::Hy3 => &grammars::HY3,
            Self::Nemotron => &grammars::NEMOTRON,
            Self::Apertus => &grammars::APERTUS,
            Self::KimiK3 => &grammars::KIMI_K3,
            Self::Llama3Json => &grammars::LLAMA3_JSON,
            Self::Pythonic => &grammars::PYTHONIC,
            Self::Llama4 => &grammars::LLAMA4,
            Self::Mistral | Self::MistralV11 => &grammars::MISTRAL,
            Self::DeepSeekV3 | Self::DeepSeekV31 => &grammars::DEEPSEEK_V3,
            Self::DeepSeekV32 | Self::DeepSeekV4 => &grammars::DEEPSEEK_V32,
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
            Format::Qwen3Coder => render::qwen3_coder(calls),
            Format::SeedOss => render::seed_oss(calls),
            Format::Glm => render::glm(calls, "\n"),
            Format::Glm47 => render::glm(calls, ""),
            Format::Llama3Json => render::parameters_each(calls, "", "", "; "),
            // Words are a name only where a tag says so.
            Format::Pythonic if calls.iter().any(|call| call.name.contains(' ')) => {
                format!("<|python_start|>{}<|python_end|>", render::python(calls))
            }
            Format::Pythonic => render::python(calls),
            Format::Llama4 if render::fits_python(calls) => {
                format!("<|python_start|>{}<|python_end|>", render::python(calls))
            }
            Format::Llama4 => format!("<|python_start|>{}<|python_end|>", list()),
            Format::MistralV11 if render::fits_tags(calls) => {
                render::named(calls, "[TOOL_CALLS]", "[ARGS]", "", "")
            }
            Format::Mistral | Format::MistralV11 => {
                format!("[TOOL_CALLS] {}", render::json_list_with_ids(calls))
            }
            Format::DeepSeekV3 => {
                let open = "<｜tool▁call▁begin｜>function<｜tool▁sep｜>";
                let calls = render::named(calls, open, "\n```json\n", "\n```<｜tool▁call▁end｜>", "\n");
                format!("<｜tool▁calls▁begin｜>{calls}<｜tool▁calls▁end｜>")
            }
            Format::DeepSeekV31 => {
                let calls = render::named(
                    calls,
                    "<｜tool▁call▁begin｜>",
                    "<｜tool▁sep｜>",
                    "<｜tool▁call▁end｜>",
                    "",
                );
                format!("<｜tool▁calls▁begin｜>{calls}<｜tool▁calls▁end｜>")
            }
            Format::DeepSeekV32 => render::dsml(calls, "function_calls"),
            Format::DeepSeekV4 => render::dsml(calls, "tool_calls"),
            Format::MiniMaxM2 => render::minimax_m2(calls),
            Format::Step3 => render::step3(calls),
            Format::Harmony => render::harmony(calls),
            Format::Gemma4 => render::gemma(calls, "<|tool_call>", "<|\"|>", "<tool_call|>"),
            Format::FunctionGemma => {
                render::gemma(calls, "<start_function_call>", "<escape>", "<end_function_call>")
            }
            Format::Lfm2 => format!("<|tool_call_start|>{}<|tool_call_end|>", render::python(calls)),
            Format::Cohere => format!("<|START_ACTION|>{}<|END_ACTION|>", render::cohere(calls)),
            Format::Hy3 => render::hy3(calls),
            Format::Hunyuan => format!("<tool_calls>{}</tool_calls>", list()),
            Format::Nemotron => format!("<TOOLCALL>{}</TOOLCALL>", list()),
            Format::Apertus => format!("<|tools_prefix|>{}<|tools_suffix|>", render::keyed(calls)),
            Format::KimiK3 => render::kimi_k3(calls),
            Format::Phi4 => format!("<|tool_call|>{}<|/tool_call|>", list()),
            Format::Xlam => list(),
            Format::Hammer => format!("```\n{}\n```", list()),
            Format::Granite => format!("<|tool_call|>{}", list()),
            Format::Kimi => render::kimi(calls),
            Format::Jamba => {
                format!("<tool_calls>[\n{}\n]</tool_calls>", render::json_each(calls, "    ", "", ",\n"))
            }
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
