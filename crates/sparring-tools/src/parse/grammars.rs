//! The formats of the model families as data. Sources: their chat templates and model cards, and the parsers of vLLM
//! and SGLang (0.5.23) where those show what models write.

use super::grammar::{Body, Grammar, Named, Typing, Xml};

/// Used by nearly every family.
const THINK: &[(&str, &str)] = &[("<think>", "</think>")];

pub(super) static HERMES: Grammar = Grammar {
    openers: &[("<tool_call>", Body::Json(&["</tool_call>"]))],
    frame: &["</tool_call>"],
    thoughts: THINK,
    bare: None,
};

pub(super) static QWEN3_CODER: Grammar = Grammar {
    openers: &[(
        "<function=",
        Body::Xml(&Xml {
            name_ends: &[(">", false)],
            parameter: "<parameter=",
            key_ends: &[(">", Typing::Unknown)],
            value_open: None,
            value_close: "</parameter>",
            // On lines of their own, so that a value can mention them.
            value_breaks: &["\n<parameter=", "\n</function>"],
            layout: true,
            json: false,
            closers: &["</function>"],
        }),
    )],
    frame: &["<tool_call>", "</tool_call>", "</function>", "<seed:tool_call>", "</seed:tool_call>"],
    // The latter are Seed-OSS's.
    thoughts: &[("<think>", "</think>"), ("<seed:think>", "</seed:think>")],
    bare: None,
};

pub(super) static GLM: Grammar = Grammar {
    openers: &[(
        "<tool_call>",
        Body::Xml(&Xml {
            name_ends: &[("\n", false), ("<arg_key>", false), ("</tool_call>", true)],
            parameter: "<arg_key>",
            key_ends: &[("</arg_key>", Typing::Unknown)],
            value_open: Some("<arg_value>"),
            value_close: "</arg_value>",
            value_breaks: &["<arg_key>", "</tool_call>"],
            layout: false,
            json: false,
            closers: &["</tool_call>"],
        }),
    )],
    frame: &["</tool_call>"],
    thoughts: THINK,
    bare: None,
};

pub(super) static LLAMA3_JSON: Grammar = Grammar {
    openers: &[
        ("<|python_tag|>", Body::Either(&[])),
        (
            "<function=",
            Body::Named(&Named {
                separators: &[">"],
                last: false,
                lists: false,
                clean: as_it_is,
                closers: &["</function>"],
            }),
        ),
    ],
    frame: &["</function>", "<|eom_id|>", "<|eot_id|>"],
    thoughts: THINK,
    bare: Some(Body::Json(&[])),
};

pub(super) static PYTHONIC: Grammar = Grammar {
    openers: &[
        ("<|python_start|>", Body::Python(&["<|python_end|>"])),
        ("<|python_tag|>", Body::Python(&[])),
        ("<function_calls>", Body::Python(&["</function_calls>"])),
    ],
    frame: &["<|python_end|>", "</function_calls>", "<|eom_id|>", "<|eot_id|>", "<|eot|>"],
    thoughts: THINK,
    bare: Some(Body::Python(&[])),
};

pub(super) static LLAMA4: Grammar = Grammar {
    openers: &[
        ("<|python_start|>", Body::Either(&["<|python_end|>"])),
        ("<|python_tag|>", Body::Either(&[])),
    ],
    frame: &["<|python_end|>", "<|eom|>", "<|eot|>"],
    thoughts: THINK,
    bare: Some(Body::Either(&[])),
};

pub(super) static MISTRAL: Grammar = Grammar {
    openers: &[(
        "[TOOL_CALLS]",
        Body::Named(&Named {
            separators: &["[CALL_ID]", "[ARGS]"],
            last: false,
            lists: true,
            clean: as_it_is,
            closers: &[],
        }),
    )],
    frame: &["</s>"],
    // The latter are Magistral's.
    thoughts: &[("<think>", "</think>"), ("[THINK]", "[/THINK]")],
    bare: None,
};

/// V3 writes `function<sep>name`, a newline and a code fence; V3.1 `name<sep>`. The last part is the name.
pub(super) static DEEPSEEK_V3: Grammar = Grammar {
    openers: &[(
        "<｜tool▁call▁begin｜>",
        Body::Named(&Named {
            separators: &["<｜tool▁sep｜>", "```json", "```", "\n"],
            last: true,
            lists: false,
            clean: as_it_is,
            closers: &["<｜tool▁call▁end｜>"],
        }),
    )],
    frame: &[
        "<｜tool▁calls▁begin｜>",
        "<｜tool▁calls▁end｜>",
        "<｜tool▁call▁end｜>",
        "<｜end▁of▁sentence｜>",
    ],
    thoughts: THINK,
    bare: None,
};

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
            value_open: None,
            value_close: "</｜DSML｜parameter>",
            value_breaks: &["<｜DSML｜parameter name=\"", "</｜DSML｜invoke>"],
            layout: false,
            json: true,
            closers: &["</｜DSML｜invoke>"],
        }),
    )],
    frame: &[
        "<｜DSML｜function_calls>",
        "</｜DSML｜function_calls>",
        "</｜DSML｜invoke>",
        "<｜end▁of▁sentence｜>",
    ],
    thoughts: THINK,
    bare: None,
};

/// `<|tool_call|>` on the model card, `functools` in vLLM's template.
pub(super) static PHI4: Grammar = Grammar {
    openers: &[("<|tool_call|>", Body::Json(&["<|/tool_call|>"])), ("functools[", Body::Json(&[]))],
    frame: &["<|/tool_call|>", "<|end|>"],
    thoughts: THINK,
    bare: None,
};

pub(super) static XLAM: Grammar = Grammar {
    openers: &[("[TOOL_CALLS]", Body::Json(&[])), ("<tool_call>", Body::Json(&["</tool_call>"]))],
    frame: &["</tool_call>"],
    thoughts: THINK,
    bare: Some(Body::Json(&[])),
};

pub(super) static HAMMER: Grammar =
    Grammar { openers: &[], frame: &[], thoughts: THINK, bare: Some(Body::Json(&[])) };

/// `<|tool_call|>` (3.x), `<tool_call>` (4), `<function_call>` (20B).
pub(super) static GRANITE: Grammar = Grammar {
    openers: &[
        ("<|tool_call|>", Body::Json(&[])),
        ("<tool_call>", Body::Json(&["</tool_call>"])),
        ("<function_call>", Body::Json(&["</function_call>"])),
    ],
    frame: &["<|/tool_call|>", "</tool_call>", "</function_call>", "<|end_of_text|>"],
    thoughts: THINK,
    bare: None,
};

pub(super) static KIMI: Grammar = Grammar {
    openers: &[(
        "<|tool_call_begin|>",
        Body::Named(&Named {
            separators: &["<|tool_call_argument_begin|>"],
            last: false,
            lists: false,
            clean: kimi_name,
            closers: &["<|tool_call_end|>"],
        }),
    )],
    frame: &["<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", "<|tool_call_end|>", "<|im_end|>"],
    thoughts: THINK,
    bare: None,
};

pub(super) static JAMBA: Grammar = Grammar {
    openers: &[("<tool_calls>", Body::Json(&["</tool_calls>"]))],
    frame: &["</tool_calls>"],
    thoughts: THINK,
    bare: None,
};

pub(super) static INTERNLM: Grammar = Grammar {
    openers: &[("<|plugin|>", Body::Json(&["<|action_end|>"]))],
    frame: &["<|action_start|>", "<|action_end|>"],
    thoughts: THINK,
    bare: None,
};

/// Tool-Zero (arXiv 2511.01934): reasoning, then a list of Python calls, or text, in the answer.
pub(super) static R1_PYTHON: Grammar = Grammar {
    openers: &[("<answer>", Body::Python(&["</answer>"]))],
    frame: &["</answer>"],
    thoughts: THINK,
    bare: None,
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
