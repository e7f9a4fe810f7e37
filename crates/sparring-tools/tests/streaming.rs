//! Reading does not depend on how a text is split.
mod support;

use proptest::prelude::*;
use sparring_tools::{ByteStream, CallParser, Format, conformance};
use support::{calls, text};

fn check(format: Format, text: &str) {
    assert_eq!(conformance::streams_as_whole(&*format.parser(), text), Ok(()), "{}", format.name());
}

/// Pieces of every format, well-formed or not.
const PIECES: &[&str] = &[
    "<tool_call>",
    "</tool_call>",
    "\n<parameter=b>",
    "\n</function>",
    "\"parameters\":",
    "'''",
    "\\033",
    "[str(",
    "<think>",
    "</think>",
    "<function=",
    "</function>",
    "<parameter=a>",
    "</parameter>",
    "[TOOL_CALLS]",
    "[ARGS]",
    "[CALL_ID]",
    "<arg_key>",
    "</arg_key>",
    "<arg_value>",
    "</arg_value>",
    "<|python_tag|>",
    "<|python_start|>",
    "<|python_end|>",
    "<answer>",
    "</answer>",
    "<|tool_call|>",
    "<|/tool_call|>",
    "functools",
    "<｜tool▁calls▁begin｜>",
    "<｜tool▁call▁begin｜>",
    "<｜tool▁sep｜>",
    "<｜tool▁call▁end｜>",
    "<｜DSML｜invoke name=\"f\">",
    "<｜DSML｜invoke name=\"g\"/>",
    "<｜DSML｜parameter name=\"a\" string=\"false\">",
    "</｜DSML｜parameter>",
    "</｜DSML｜invoke>",
    "<|tool_call_begin|>",
    "<|tool_call_argument_begin|>",
    "<|tool_call_end|>",
    "```",
    "```json\n",
    "{\"name\": \"f\", \"arguments\": {\"a\": 1}}",
    "{\"name\":",
    "\"f\"",
    "\"arguments\":",
    "{\"a\": [1, (2), (3,)]}",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "f",
    "f(a=1)",
    "[f(a='x', b=-1.5), g()]",
    "a=",
    "'it\\'s'",
    "\"\\u00e9\\ud83d\\ude00\"",
    "'\\ud800'",
    "True",
    "None",
    "1e3",
    ",",
    ";",
    ":",
    " ",
    "\n",
    "é",
    "\\",
    "\"",
    "'",
    "functions.f:0",
    ">",
    "name",
    "NaN",
];

proptest! {
    // Every case is read at every cut in every format.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_cut_reads_the_same(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..14)) {
        let text = pieces.concat();
        for format in Format::ALL {
            check(format, &text);
        }
    }

    #[test]
    fn any_cut_of_calls_reads_the_same(calls in calls(), before in text(), after in text()) {
        for format in Format::ALL {
            check(format, &format!("{before}{}{after}", format.parser().render(&calls)));
        }
    }

    /// More white space than the lookahead.
    #[test]
    fn any_space_reads_the_same(spaces in 250_usize..260, call in prop::sample::select(vec![
        "{\"name\": \"f\", \"arguments\": {}}]", "f(a=1)]", "x]",
    ])) {
        for (format, start) in [(Format::Llama4, "<|python_start|>["), (Format::Llama4, "["), (Format::Xlam, "[")] {
            check(format, &format!("{start}{}{call}", " ".repeat(spaces)));
        }
    }

    #[test]
    fn bytes_are_read_as_their_text(
        text in ".{0,40}",
        extra in prop::collection::vec(any::<u8>(), 0..6),
        at in 0.0..1.0_f64,
    ) {
        let mut bytes = text.into_bytes();
        let at = (bytes.len() as f64 * at) as usize;
        bytes.splice(at..at, extra);
        for format in [Format::Hermes, Format::Pythonic] {
            let mut stream = ByteStream::new(format.parser().stream());
            for byte in &bytes {
                stream.feed(std::slice::from_ref(byte));
            }
            prop_assert_eq!(stream.finish().1, format.parser().read(&String::from_utf8_lossy(&bytes)));
        }
    }
}
