use super::tags::{Notes, Tags};
use sparring_tools::Format;

/// How a format writes calls: what its `render` writes, in parts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) open: &'static str,
    pub(super) each: Each,
    pub(super) between: &'static str,
    pub(super) close: &'static str,
    /// Whether no call is an empty list.
    pub(super) lists: bool,
}

/// How a format writes one call.
#[derive(Debug, Clone, Copy)]
pub(super) enum Each {
    /// A JSON object with `name` and `arguments` (or that key).
    Object { open: &'static str, close: &'static str, arguments: &'static str },
    /// The name, and the arguments as JSON.
    Named { open: &'static str, separator: &'static str, close: &'static str },
    /// `f(a=1)`.
    Python,
    /// A JSON object with a number, `tool_name` and `parameters`.
    Numbered { open: &'static str, close: &'static str },
    /// A JSON object whose key is the name.
    Keyed,
    /// `call:f{a:1}`
    Gemma { open: &'static str, quote: &'static str, close: &'static str },
    /// Arguments in tags.
    Tags(&'static Tags),
}

static QWEN3_CODER: Tags = Tags {
    call: ["<tool_call>\n<function=", ">\n", "</function>\n</tool_call>"],
    parameter: ["<parameter=", ">\n", "\n</parameter>\n"],
    notes: Notes::Python,
};

static SEED_OSS: Tags = Tags {
    call: ["<seed:tool_call>\n<function=", ">\n", "</function>\n</seed:tool_call>"],
    parameter: ["<parameter=", ">", "</parameter>\n"],
    notes: Notes::PythonLists,
};

static GLM: Tags = Tags {
    call: ["<tool_call>", "\n", "</tool_call>"],
    parameter: ["<arg_key>", "</arg_key>\n<arg_value>", "</arg_value>\n"],
    notes: Notes::None,
};

static GLM47: Tags = Tags {
    call: ["<tool_call>", "", "</tool_call>"],
    parameter: ["<arg_key>", "</arg_key><arg_value>", "</arg_value>"],
    notes: Notes::None,
};

// Neither text around the calls begins as the text between them does: the lexer does not go back.
static HY3: Tags = Tags { call: ["<tool_call>", "<tool_sep>\n", "</tool_call>\n"], ..GLM };

static DSML: Tags = Tags {
    call: ["<｜DSML｜invoke name=\"", "\">\n", "</｜DSML｜invoke>\n"],
    parameter: ["<｜DSML｜parameter name=\"", ">", "</｜DSML｜parameter>\n"],
    notes: Notes::String,
};

static MINIMAX_M2: Tags = Tags {
    call: ["<invoke name=\"", "\">\n", "</invoke>\n"],
    parameter: ["<parameter name=\"", "\">", "</parameter>\n"],
    notes: Notes::None,
};

static STEP3: Tags = Tags {
    call: [
        "<｜tool_call_begin｜>function<｜tool_sep｜><steptml:invoke name=\"",
        "\">",
        "</steptml:invoke><｜tool_call_end｜>",
    ],
    parameter: ["<steptml:parameter name=\"", "\">", "</steptml:parameter>"],
    notes: Notes::None,
};

static KIMI_K3: Tags = Tags {
    call: ["<|open|>call tool=\"", "\" index=\"N\"<|sep|>", "<|close|>call<|sep|>"],
    parameter: ["<|open|>argument key=\"", "<|sep|>", "<|close|>argument<|sep|>"],
    notes: Notes::Type,
};

impl Shape {
    pub(super) fn of(format: Format) -> Self {
        // Hermes, and formats to come: the most common notation.
        let hermes = object("<tool_call>\n", "\n</tool_call>", "arguments");
        Self::in_tags(format)
            .or_else(|| Self::after_a_name(format))
            .or_else(|| Self::of_lists(format))
            .unwrap_or_else(|| each(hermes, "\n"))
    }

    /// Arguments in tags, and Gemma's notation.
    fn in_tags(format: Format) -> Option<Self> {
        Some(match format {
            Format::Qwen3Coder => each(Each::Tags(&QWEN3_CODER), "\n"),
            Format::SeedOss => each(Each::Tags(&SEED_OSS), "\n"),
            Format::Glm => each(Each::Tags(&GLM), "\n"),
            Format::Glm47 => each(Each::Tags(&GLM47), "\n"),
            Format::Hy3 => within("<tool_calls>\n", each(Each::Tags(&HY3), ""), "</tool_calls>"),
            Format::MiniMaxM2 => {
                within("<minimax:tool_call>\n", each(Each::Tags(&MINIMAX_M2), ""), "</minimax:tool_call>")
            }
            Format::Step3 => {
                within("<｜tool_calls_begin｜>", each(Each::Tags(&STEP3), ""), "<｜tool_calls_end｜>")
            }
            Format::KimiK3 => {
                within("<|open|>tools<|sep|>", each(Each::Tags(&KIMI_K3), ""), "<|close|>tools<|sep|>")
            }
            Format::Gemma4 => {
                each(Each::Gemma { open: "<|tool_call>", quote: "<|\"|>", close: "<tool_call|>" }, "")
            }
            Format::FunctionGemma => {
                let (open, close) = ("<start_function_call>", "<end_function_call>");
                each(Each::Gemma { open, quote: "<escape>", close }, "")
            }
            Format::DeepSeekV32 => {
                within("<｜DSML｜function_calls>\n", each(Each::Tags(&DSML), ""), "</｜DSML｜function_calls>")
            }
            Format::DeepSeekV4 => {
                within("<｜DSML｜tool_calls>\n", each(Each::Tags(&DSML), ""), "</｜DSML｜tool_calls>")
            }
            _ => return None,
        })
    }

    /// JSON after a name.
    fn after_a_name(format: Format) -> Option<Self> {
        Some(match format {
            Format::Harmony => each(
                Each::Named {
                    open: " to=functions.",
                    separator: "<|channel|>commentary json<|message|>",
                    close: "<|call|>",
                },
                "<|start|>assistant",
            ),
            Format::MistralV11 => {
                each(Each::Named { open: "[TOOL_CALLS]", separator: "[ARGS]", close: "" }, "")
            }
            Format::DeepSeekV3 => Self {
                open: "<｜tool▁calls▁begin｜>",
                close: "<｜tool▁calls▁end｜>",
                ..each(
                    Each::Named {
                        open: "<｜tool▁call▁begin｜>function<｜tool▁sep｜>",
                        separator: "\n```json\n",
                        close: "\n```<｜tool▁call▁end｜>",
                    },
                    "\n",
                )
            },
            Format::DeepSeekV31 => Self {
                open: "<｜tool▁calls▁begin｜>",
                close: "<｜tool▁calls▁end｜>",
                ..each(
                    Each::Named {
                        open: "<｜tool▁call▁begin｜>",
                        separator: "<｜tool▁sep｜>",
                        close: "<｜tool▁call▁end｜>",
                    },
                    "",
                )
            },
            Format::Kimi => Self {
                open: "<|tool_calls_section_begin|>",
                close: "<|tool_calls_section_end|>",
                ..each(
                    Each::Named {
                        open: "<|tool_call_begin|>functions.",
                        separator: ":N<|tool_call_argument_begin|>",
                        close: "<|tool_call_end|>",
                    },
                    "",
                )
            },
            _ => return None,
        })
    }

    /// Lists and objects of JSON, and lists of Python's calls.
    fn of_lists(format: Format) -> Option<Self> {
        Some(match format {
            Format::Cohere => Self {
                lists: true,
                ..within(
                    "<|START_ACTION|>[\n",
                    each(Each::Numbered { open: "    ", close: "" }, ",\n"),
                    "\n]<|END_ACTION|>",
                )
            },
            Format::Apertus => Self { each: Each::Keyed, ..list("<|tools_prefix|>[", "]<|tools_suffix|>") },
            Format::Nemotron => list("<TOOLCALL>[", "]</TOOLCALL>"),
            Format::Hunyuan => list("<tool_calls>[", "]</tool_calls>"),
            Format::Lfm2 => python("<|tool_call_start|>[", "]<|tool_call_end|>"),
            Format::Llama3Json => each(object("", "", "parameters"), "; "),
            Format::InternLm => {
                each(object("<|action_start|><|plugin|>\n", "<|action_end|>", "parameters"), "\n")
            }
            Format::Pythonic => python("[", "]"),
            Format::Llama4 => python("<|python_start|>[", "]<|python_end|>"),
            Format::R1Python => python("<answer>[", "]</answer>"),
            Format::Mistral => list("[TOOL_CALLS] [", "]"),
            Format::Phi4 => list("<|tool_call|>[", "]<|/tool_call|>"),
            Format::Xlam => list("[", "]"),
            Format::Hammer => list("```\n[", "]\n```"),
            Format::Granite => list("<|tool_call|>[", "]"),
            Format::Jamba => Self {
                lists: true,
                ..within("<tool_calls>[\n", each(object("    ", "", "arguments"), ",\n"), "\n]</tool_calls>")
            },
            Format::ToolR0 => list("<tool_call_answer>[", "]</tool_call_answer>"),
            _ => return None,
        })
    }
}

fn each(each: Each, between: &'static str) -> Shape {
    Shape { open: "", each, between, close: "", lists: false }
}

fn object(open: &'static str, close: &'static str, arguments: &'static str) -> Each {
    Each::Object { open, close, arguments }
}

fn list(open: &'static str, close: &'static str) -> Shape {
    Shape { open, each: object("", "", "arguments"), between: ", ", close, lists: true }
}

fn python(open: &'static str, close: &'static str) -> Shape {
    Shape { each: Each::Python, ..list(open, close) }
}

fn within(open: &'static str, shape: Shape, close: &'static str) -> Shape {
    Shape { open, close, ..shape }
}
