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
    /// `<function=f><parameter=a>`.
    Qwen3Coder,
    /// `f<arg_key>a</arg_key>`.
    Glm,
    /// `<｜DSML｜invoke name="f">`.
    Dsml,
}

impl Shape {
    pub(super) fn of(format: Format) -> Self {
        let each = |each, between| Self { open: "", each, between, close: "", lists: false };
        let object = |open, close, arguments| Each::Object { open, close, arguments };
        let list =
            |open, close| Self { open, each: object("", "", "arguments"), between: ", ", close, lists: true };
        let python = |open, close| Self { each: Each::Python, ..list(open, close) };
        match format {
            Format::Qwen3Coder => each(Each::Qwen3Coder, "\n"),
            Format::Glm => each(Each::Glm, "\n"),
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
            Format::Jamba => list("<tool_calls>[", "]</tool_calls>"),
            Format::ToolR0 => list("<tool_call_answer>[", "]</tool_call_answer>"),
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
                    "",
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
            Format::DeepSeekV32 => Self {
                open: "<｜DSML｜function_calls>\n",
                close: "</｜DSML｜function_calls>",
                ..each(Each::Dsml, "")
            },
            // Hermes, and formats to come: the most common notation.
            _ => each(object("<tool_call>\n", "\n</tool_call>", "arguments"), "\n"),
        }
    }
}
