//! The formats of the model families as data. Sources: their chat templates and model cards, and the parsers of vLLM
//! (0.32) and SGLang (0.5.23) where those show what models write.

use super::grammar::{Body, Gemma, Grammar, Named, Typing, Xml};

/// Used by nearly every family.
const THINK: &[(&str, &str)] = &[("<think>", "</think>")];

/// Arguments in tags; formats differ from this.
const XML: Xml = Xml {
    name_ends: &[("\">", false)],
    name_rest: None,
    parameter: "<parameter name=\"",
    key_ends: &[("\">", Typing::Unknown)],
    value_open: None,
    value_close: "</parameter>",
    value_close_odd: &[],
    value_breaks: &[],
    layout: false,
    python: false,
    around: &[],
    json: false,
    closers: &["</invoke>"],
};

/// A name before JSON; formats differ from this.
const NAMED: Named =
    Named { separators: &[], last: false, lists: false, clean: as_it_is, ids: false, closers: &[] };

static QWEN3_CODER_XML: Xml = Xml {
    name_ends: &[(">", false)],
    parameter: "<parameter=",
    key_ends: &[(">", Typing::Unknown)],
    value_close_odd: &["</parameter/>"],
    // On lines of their own, so that a value can mention them.
    value_breaks: &["\n<parameter=", "\n</function>"],
    layout: true,
    python: true,
    around: &[("<tool_call>", "</tool_call>"), ("<seed:tool_call>", "</seed:tool_call>")],
    closers: &["</function>"],
    ..XML
};

/// Hermes and Qwen2.5; Qwen2.5-Coder often writes `<tools>`, a code fence or nothing around the JSON, and models that
/// have seen Qwen3-Coder's format sometimes write that.
pub(super) static HERMES: Grammar = Grammar {
    openers: &[
        ("<tool_call>", Body::Json(&["</tool_call>"])),
        ("<tools>", Body::IfJson(&["</tools>"])),
        ("<function=", Body::Xml(&QWEN3_CODER_XML)),
    ],
    frame: &["</tool_call>", "</tools>", "</function>", "<|im_end|>", "<|endoftext|>"],
    thoughts: THINK,
    bare: Some(Body::Json(&[])),
    bare_first: true,
    ..Grammar::NONE
};

pub(super) static QWEN3_CODER: Grammar = Grammar {
    openers: &[
        ("<function=", Body::Xml(&QWEN3_CODER_XML)),
        // Hermes' format.
        ("<tool_call>", Body::IfJson(&["</tool_call>"])),
        ("<seed:tool_call>", Body::IfJson(&["</seed:tool_call>"])),
    ],
    frame: &["</tool_call>", "</function>", "</seed:tool_call>", "<seed:eos>", "<|im_end|>", "<|endoftext|>"],
    // The latter are Seed-OSS's.
    thoughts: &[("<think>", "</think>"), ("<seed:think>", "</seed:think>")],
    ..Grammar::NONE
};

pub(super) static GLM: Grammar = Grammar {
    openers: &[(
        "<tool_call>",
        Body::Xml(&Xml {
            name_ends: &[("\n", false), ("<arg_key>", false), ("</tool_call>", true)],
            ..ARG_KEYS
        }),
    )],
    frame: &["</tool_call>", "<|observation|>", "<|user|>", "<|endoftext|>"],
    thoughts: THINK,
    ..Grammar::NONE
};

/// Arguments of GLM, and of Hunyuan from version 3.
const ARG_KEYS: Xml = Xml {
    parameter: "<arg_key>",
    key_ends: &[("</arg_key>", Typing::Unknown)],
    value_open: Some("<arg_value>"),
    value_close: "</arg_value>",
    value_breaks: &["<arg_key>", "</tool_call>"],
    closers: &["</tool_call>"],
    ..XML
};

pub(super) static HUNYUAN: Grammar = Grammar {
    openers: &[("<tool_calls>", Body::Json(&["</tool_calls>"]))],
    frame: &["</tool_calls>", "<answer>", "</answer>", "<|eos|>"],
    thoughts: THINK,
    ..Grammar::NONE
};

/// Hunyuan 3 and 4.
pub(super) static HY3: Grammar = Grammar {
    openers: &[(
        "<tool_call>",
        Body::Xml(&Xml {
            name_ends: &[("<tool_sep>", false), ("<arg_key>", false), ("</tool_call>", true)],
            ..ARG_KEYS
        }),
    )],
    frame: &["<tool_calls>", "</tool_calls>", "</tool_call>", "<answer>", "</answer>", "<|eos|>"],
    thoughts: THINK,
    ..Grammar::NONE
};

pub(super) static LLAMA3_JSON: Grammar = Grammar {
    openers: &[
        ("<|python_tag|>", Body::Either(&[])),
        ("<function=", Body::Named(&Named { separators: &[">"], closers: &["</function>"], ..NAMED })),
    ],
    frame: &["</function>", "<|eom_id|>", "<|eot_id|>"],
    thoughts: THINK,
    bare: Some(Body::Json(&[])),
    // `brave_search.call(query="...")`
    method: Some(".call"),
    ..Grammar::NONE
};

pub(super) static PYTHONIC: Grammar = Grammar {
    openers: &[
        ("<|python_start|>", Body::Python(&["<|python_end|>"])),
        ("<|python_tag|>", Body::Python(&[])),
        ("<function_calls>", Body::Python(&["</function_calls>"])),
        ("<|tool_call_start|>", Body::Either(&["<|tool_call_end|>"])),
    ],
    frame: &[
        "<|python_end|>",
        "</function_calls>",
        "<|tool_call_end|>",
        "<|eom_id|>",
        "<|eot_id|>",
        "<|eot|>",
        "<|im_end|>",
    ],
    thoughts: THINK,
    bare: Some(Body::Python(&[])),
    ..Grammar::NONE
};

pub(super) static LLAMA4: Grammar = Grammar {
    openers: &[
        ("<|python_start|>", Body::Either(&["<|python_end|>"])),
        ("<|python_tag|>", Body::Either(&[])),
    ],
    frame: &["<|python_end|>", "<|eom|>", "<|eot|>"],
    thoughts: THINK,
    bare: Some(Body::Either(&[])),
    ..Grammar::NONE
};

pub(super) static MISTRAL: Grammar = Grammar {
    openers: &[(
        "[TOOL_CALLS]",
        Body::Named(&Named { separators: &["[CALL_ID]", "[ARGS]"], lists: true, ..NAMED }),
    )],
    frame: &["</s>"],
    // The latter are Magistral's.
    thoughts: &[("<think>", "</think>"), ("[THINK]", "[/THINK]")],
    ..Grammar::NONE
};

/// V3 writes `function<sep>name`, a newline and a code fence; V3.1 `name<sep>`. The last part is the name.
pub(super) static DEEPSEEK_V3: Grammar = Grammar {
    openers: &[(
        "<｜tool▁call▁begin｜>",
        Body::Named(&Named {
            separators: &["<｜tool▁sep｜>", "```json", "```", "\n"],
            last: true,
            closers: &["<｜tool▁call▁end｜>"],
            ..NAMED
        }),
    )],
    frame: &[
        "<｜tool▁calls▁begin｜>",
        "<｜tool▁calls▁end｜>",
        "<｜tool▁call▁end｜>",
        "<｜end▁of▁sentence｜>",
    ],
    thoughts: THINK,
    ..Grammar::NONE
};

/// V3.2; V4 and V4.1 have other names for the tags around the calls.
pub(super) static DEEPSEEK_V32: Grammar = Grammar {
    openers: &[(
        "<｜DSML｜invoke name=\"",
        Body::Xml(&Xml {
            name_ends: &[("\"/>", true), ("\" />", true), ("\">", false)],
            parameter: "<｜DSML｜parameter name=\"",
            key_ends: &[
                ("\" string=\"true\">", Typing::Text),
                ("\" string=\"false\">", Typing::Json),
                ("\">", Typing::Unknown),
            ],
            value_close: "</｜DSML｜parameter>",
            value_breaks: &["<｜DSML｜parameter name=\"", "</｜DSML｜invoke>"],
            json: true,
            closers: &["</｜DSML｜invoke>"],
            ..XML
        }),
    )],
    frame: &[
        "<｜DSML｜function_calls>",
        "</｜DSML｜function_calls>",
        "<｜DSML｜tool_calls>",
        "</｜DSML｜tool_calls>",
        "<｜DSML｜ calls>",
        "</｜DSML｜ calls>",
        "</｜DSML｜invoke>",
        "<｜end▁of▁sentence｜>",
    ],
    thoughts: THINK,
    ..Grammar::NONE
};

pub(super) static MINIMAX_M2: Grammar = Grammar {
    openers: &[(
        "<invoke name=\"",
        Body::Xml(&Xml { value_breaks: &["<parameter name=\"", "</invoke>"], ..XML }),
    )],
    frame: &["<minimax:tool_call>", "</minimax:tool_call>", "</invoke>", "[e~["],
    thoughts: THINK,
    ..Grammar::NONE
};

pub(super) static STEP3: Grammar = Grammar {
    openers: &[(
        "<steptml:invoke name=\"",
        Body::Xml(&Xml {
            parameter: "<steptml:parameter name=\"",
            value_close: "</steptml:parameter>",
            value_breaks: &["<steptml:parameter name=\"", "</steptml:invoke>"],
            closers: &["</steptml:invoke>"],
            ..XML
        }),
    )],
    frame: &[
        "<｜tool_calls_begin｜>",
        "<｜tool_calls_end｜>",
        "<｜tool_call_begin｜>function<｜tool_sep｜>",
        "<｜tool_call_begin｜>",
        "<｜tool_sep｜>",
        "<｜tool_call_end｜>",
        "</steptml:invoke>",
        "<|EOT|>",
    ],
    thoughts: THINK,
    ..Grammar::NONE
};

/// Calls, arguments and channels alike are `<|open|>kind attributes<|sep|>...<|close|>kind<|sep|>`.
pub(super) static KIMI_K3: Grammar = Grammar {
    openers: &[(
        "<|open|>call tool=\"",
        Body::Xml(&Xml {
            name_ends: &[("\"", false)],
            name_rest: Some("<|sep|>"),
            parameter: "<|open|>argument key=\"",
            key_ends: &[
                ("\" type=\"string\"<|sep|>", Typing::Text),
                ("\" type=\"integer\"<|sep|>", Typing::Json),
                ("\" type=\"number\"<|sep|>", Typing::Json),
                ("\" type=\"boolean\"<|sep|>", Typing::Json),
                ("\" type=\"object\"<|sep|>", Typing::Json),
                ("\" type=\"array\"<|sep|>", Typing::Json),
                ("\" type=\"null\"<|sep|>", Typing::Json),
                ("\"<|sep|>", Typing::Unknown),
            ],
            value_close: "<|close|>argument<|sep|>",
            value_breaks: &["<|open|>argument key=\"", "<|close|>call<|sep|>"],
            closers: &["<|close|>call<|sep|>"],
            ..XML
        }),
    )],
    frame: &[
        "<|open|>response<|sep|>",
        "<|close|>response<|sep|>",
        "<|open|>tools<|sep|>",
        "<|close|>tools<|sep|>",
        "<|close|>call<|sep|>",
        "<|close|>message<|sep|>",
    ],
    thoughts: &[("<|open|>think<|sep|>", "<|close|>think<|sep|>")],
    ..Grammar::NONE
};

/// gpt-oss: a message's head names its channel and, if it is a call, the tool.
pub(super) static HARMONY: Grammar = Grammar {
    openers: &[("<|start|>", Body::Message("<|message|>")), ("<|channel|>", Body::Message("<|message|>"))],
    frame: &["<|call|>", "<|end|>", "<|return|>", "<|message|>", "<|constrain|>"],
    thoughts: &[("<|channel|>analysis<|message|>", "<|end|>")],
    // The prompt ends before the recipient.
    bare: Some(Body::Message("<|message|>")),
    bare_first: true,
    ..Grammar::NONE
};

/// `<|tool_call|>` on the model card, `functools` in vLLM's template.
pub(super) static PHI4: Grammar = Grammar {
    openers: &[("<|tool_call|>", Body::Json(&["<|/tool_call|>"])), ("functools[", Body::Json(&[]))],
    frame: &["<|/tool_call|>", "<|end|>"],
    thoughts: THINK,
    ..Grammar::NONE
};

pub(super) static XLAM: Grammar = Grammar {
    openers: &[("[TOOL_CALLS]", Body::Json(&[])), ("<tool_call>", Body::Json(&["</tool_call>"]))],
    frame: &["</tool_call>", "<|eot_id|>", "<|im_end|>"],
    thoughts: THINK,
    bare: Some(Body::Json(&[])),
    ..Grammar::NONE
};

pub(super) static HAMMER: Grammar =
    Grammar { frame: &["<|im_end|>"], thoughts: THINK, bare: Some(Body::Json(&[])), ..Grammar::NONE };

/// `<|tool_call|>` (3.x), `<tool_call>` (4), `<function_call>` (20B).
pub(super) static GRANITE: Grammar = Grammar {
    openers: &[
        ("<|tool_call|>", Body::Json(&[])),
        ("<tool_call>", Body::Json(&["</tool_call>"])),
        ("<function_call>", Body::Json(&["</function_call>"])),
    ],
    frame: &["<|/tool_call|>", "</tool_call>", "</function_call>", "<|end_of_text|>"],
    thoughts: THINK,
    ..Grammar::NONE
};

pub(super) static KIMI: Grammar = Grammar {
    openers: &[(
        "<|tool_call_begin|>",
        Body::Named(&Named {
            separators: &["<|tool_call_argument_begin|>"],
            clean: kimi_name,
            ids: true,
            closers: &["<|tool_call_end|>"],
            ..NAMED
        }),
    )],
    frame: &[
        "<|tool_calls_section_begin|>",
        "<|tool_calls_section_end|>",
        "<|tool_call_section_begin|>",
        "<|tool_call_section_end|>",
        "<|tool_call_end|>",
        "<|im_end|>",
    ],
    thoughts: THINK,
    ..Grammar::NONE
};

pub(super) static JAMBA: Grammar = Grammar {
    openers: &[("<tool_calls>", Body::Json(&["</tool_calls>"]))],
    frame: &["</tool_calls>", "<|im_end|>", "<|eom|>", "[e~["],
    thoughts: THINK,
    ..Grammar::NONE
};

pub(super) static INTERNLM: Grammar = Grammar {
    openers: &[("<|plugin|>", Body::Json(&["<|action_end|>"]))],
    frame: &["<|action_start|>", "<|action_end|>", "<|im_end|>"],
    thoughts: THINK,
    ..Grammar::NONE
};

pub(super) static NEMOTRON: Grammar = Grammar {
    openers: &[("<TOOLCALL>", Body::Json(&["</TOOLCALL>"]))],
    frame: &["</TOOLCALL>", "<SPECIAL_12>", "<|im_end|>"],
    thoughts: THINK,
    ..Grammar::NONE
};

pub(super) static COHERE: Grammar = Grammar {
    openers: &[("<|START_ACTION|>", Body::Json(&["<|END_ACTION|>"]))],
    frame: &[
        "<|END_ACTION|>",
        "<|START_RESPONSE|>",
        "<|END_RESPONSE|>",
        "<|START_TEXT|>",
        "<|END_TEXT|>",
        "<|END_OF_TURN_TOKEN|>",
    ],
    thoughts: &[("<|START_THINKING|>", "<|END_THINKING|>")],
    ..Grammar::NONE
};

pub(super) static APERTUS: Grammar = Grammar {
    openers: &[("<|tools_prefix|>", Body::Keyed(&["<|tools_suffix|>"]))],
    frame: &["<|tools_suffix|>", "<|assistant_end|>"],
    thoughts: &[("<|inner_prefix|>", "<|inner_suffix|>")],
    ..Grammar::NONE
};

pub(super) static LFM2: Grammar = Grammar {
    openers: &[("<|tool_call_start|>", Body::Either(&["<|tool_call_end|>"]))],
    frame: &["<|tool_call_end|>", "<|im_end|>"],
    thoughts: THINK,
    ..Grammar::NONE
};

pub(super) static GEMMA4: Grammar = Grammar {
    openers: &[("<|tool_call>", Body::Gemma(&Gemma { quote: "<|\"|>", closers: &["<tool_call|>"] }))],
    frame: &["<tool_call|>", "<turn|>", "<|tool_response>"],
    thoughts: &[("<|channel>thought\n", "<channel|>")],
    ..Grammar::NONE
};

pub(super) static FUNCTION_GEMMA: Grammar = Grammar {
    openers: &[(
        "<start_function_call>",
        Body::Gemma(&Gemma { quote: "<escape>", closers: &["<end_function_call>"] }),
    )],
    frame: &["<end_function_call>", "<end_of_turn>", "<start_function_response>"],
    thoughts: THINK,
    ..Grammar::NONE
};

/// Tool-Zero (arXiv 2511.01934): reasoning, then a list of Python calls, or text, in the answer.
pub(super) static R1_PYTHON: Grammar = Grammar {
    openers: &[("<answer>", Body::Python(&["</answer>"]))],
    frame: &["</answer>"],
    thoughts: THINK,
    ..Grammar::NONE
};

fn as_it_is(name: &str) -> &str {
    name
}

/// Returns `f` for `functions.f:0`.
pub(super) fn kimi_name(id: &str) -> &str {
    let name = id.strip_prefix("functions.").unwrap_or(id);
    match name.rsplit_once(':') {
        Some((name, number)) if number.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => name,
    }
}
