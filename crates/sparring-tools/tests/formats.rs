//! Every format on texts that its models write, valid or nearly valid.
#![allow(clippy::unwrap_used)] // helpers of tests
#[path = "support/fuzzed.rs"]
mod fuzzed;

use serde_json::{Value, json};
use sparring_tools::{CallParser, Format, ToolCall, ToolSpec, conformance};
use std::fs;
use std::path::Path;

fn call(name: &str, arguments: Value) -> ToolCall {
    ToolCall::new(name, serde_json::from_value::<serde_json::Map<String, Value>>(arguments).unwrap())
}

/// `f` with `{"a": 1, "b": "x"}`, then `g` without arguments.
fn two() -> Vec<ToolCall> {
    vec![call("f", json!({"a": 1, "b": "x"})), call("g", json!({}))]
}

const F: &str = r#"{"name": "f", "arguments": {"a": 1, "b": "x"}}"#;
const G: &str = r#"{"name": "g", "arguments": {}}"#;

#[test]
fn every_format_reads_what_its_models_write() {
    let json_list = format!("[{F}, {G}]");
    for (format, text) in [
        (Format::Hermes, format!("<tool_call>\n{F}\n</tool_call>\n<tool_call>\n{G}\n</tool_call>")),
        (Format::Hermes, format!("<tool_call>{F}\n{G}</tool_call>")),
        (
            Format::Qwen3Coder,
            "<tool_call>\n<function=f>\n<parameter=a>\n1\n</parameter>\n<parameter=b>\nx\n</parameter>\n\
                </function>\n</tool_call>\n<tool_call>\n<function=g>\n</function>\n</tool_call>".to_owned(),
        ),
        (
            Format::Glm,
            "<tool_call>f\n<arg_key>a</arg_key>\n<arg_value>1</arg_value>\n<arg_key>b</arg_key><arg_value>\
                x</arg_value>\n</tool_call><tool_call>g</tool_call>".to_owned(),
        ),
        (Format::Llama3Json, format!("{F}; {G}")),
        (Format::Llama3Json, format!("<|python_tag|>{F};{G}<|eom_id|>")),
        (Format::Llama3Json, r#"<function=f>{"a": 1, "b": "x"}</function><function=g>{}</function>"#.to_owned()),
        (Format::Llama3Json, "<|python_tag|>f.call(a=1)".replace("f.call(a=1)", "[f(a=1, b=\"x\"), g()]")),
        (Format::Llama3Json, format!("I will call these: {F}\n{G}")),
        (Format::Pythonic, "[f(a=1, b='x'), g()]".to_owned()),
        (Format::Pythonic, "Calling [\n  f(a=1, b='x'),\n  g(),\n]".to_owned()),
        (Format::Pythonic, "<function_calls>\nf(a=1, b=\"x\")\ng()\n</function_calls>".to_owned()),
        (Format::Llama4, "<|python_start|>[f(a=1, b=\"x\"), g()]<|python_end|>".to_owned()),
        (Format::Llama4, format!("<|python_start|>{F}; {G}<|python_end|>")),
        (Format::Llama4, "[f(a=1, b=\"x\"), g()]".to_owned()),
        (Format::Llama4, json_list.clone()),
        (Format::Mistral, format!("[TOOL_CALLS] {json_list}")),
        (Format::Mistral, format!("[TOOL_CALLS]{json_list}</s>")),
        (Format::MistralV11, r#"[TOOL_CALLS]f{"a": 1, "b": "x"}[TOOL_CALLS]g{}"#.to_owned()),
        (
            Format::MistralV11,
            r#"[TOOL_CALLS]f[CALL_ID]abc123def[ARGS]{"a": 1, "b": "x"}[TOOL_CALLS]g[ARGS]{}"#.to_owned(),
        ),
        (
            Format::DeepSeekV3,
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{\n \"a\": 1, \"b\": \"x\"\n\
                }\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>g\n\
                {}<｜tool▁call▁end｜><｜tool▁calls▁end｜>".to_owned(),
        ),
        (
            Format::DeepSeekV31,
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"a\": 1, \"b\": \"x\"}<｜tool▁call▁end｜>\
                <｜tool▁call▁begin｜>g<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜>".to_owned(),
        ),
        (
            Format::DeepSeekV32,
            "<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"f\">\n<｜DSML｜parameter name=\"a\" string=\"false\">\
                1</｜DSML｜parameter>\n<｜DSML｜parameter name=\"b\" string=\"true\">x</｜DSML｜parameter>\n\
                </｜DSML｜invoke>\n<｜DSML｜invoke name=\"g\"/>\n</｜DSML｜function_calls>".to_owned(),
        ),
        (
            Format::DeepSeekV32,
            "<｜DSML｜function_calls><｜DSML｜invoke name=\"f\">{\"a\": 1, \"b\": \"x\"}</｜DSML｜invoke>\
                <｜DSML｜invoke name=\"g\">{}</｜DSML｜invoke></｜DSML｜function_calls>".to_owned(),
        ),
        (Format::Phi4, format!("<|tool_call|>{json_list}<|/tool_call|>")),
        (Format::Phi4, format!("functools{json_list}")),
        (Format::Xlam, json_list.clone()),
        (Format::Xlam, format!("<think>two</think>```json\n{json_list}\n```")),
        (Format::Xlam, format!("[TOOL_CALLS]{json_list}")),
        (Format::Hammer, format!("```\n{json_list}\n```")),
        (Format::Granite, format!("<|tool_call|>{json_list}")),
        (Format::Granite, format!("<function_call> {F}\n<function_call> {G}")),
        (
            Format::Kimi,
            "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>\
                {\"a\": 1, \"b\": \"x\"}<|tool_call_end|><|tool_call_begin|>\
                functions.g:1<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_calls_section_end|>".to_owned(),
        ),
        (Format::Jamba, format!("<tool_calls>{json_list}</tool_calls>")),
        (
            Format::InternLm,
            format!("<|action_start|><|plugin|>\n{F}<|action_end|>\n<|action_start|><|plugin|>\n{G}<|action_end|>"),
        ),
        (Format::R1Python, "<think>Two calls.</think>\n<answer>[f(a=1, b='x'), g()]</answer>".to_owned()),
        (Format::ToolR0, format!("<think>x</think><tool_call_answer>{json_list}</tool_call_answer>")),
    ] {
        assert_eq!(format.parser().parse(&text), Ok(two()), "{}: {text}", format.name());
    }
}

#[test]
fn plain_text_is_not_a_call() {
    for format in Format::ALL.into_iter().filter(|format| *format != Format::ToolR0) {
        for text in [
            "",
            "It is sunny.",
            "[x] todo",
            "a < b, {c}, `d`, f(x) and [1, 2]",
            "{\"answer\": 5}",
            "functools is a module",
        ] {
            let reading = format.parser().read(text);
            assert_eq!((reading.calls.len(), reading.repairs.len()), (0, 0), "{}: {text}", format.name());
            assert_eq!(reading.content, text, "{}", format.name());
        }
    }
    let answer =
        Format::R1Python.parser().read("<think>none fits</think><answer>No function can do that.</answer>");
    assert_eq!((answer.content.as_str(), answer.repairs.len()), ("No function can do that.", 0));
}

#[test]
fn recovery_of_malformed_text() {
    let f1 = || vec![call("f", json!({"a": 1}))];
    for (format, text, calls, repairs) in [
        // Notation: nothing is lost, nothing is wrong.
        (Format::Hermes, "<tool_call>{'name': 'f', 'arguments': {'a': 1,}}</tool_call>", f1(), 0),
        (
            Format::Hermes,
            "<tool_call>\n```json\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n```\n</tool_call>",
            f1(),
            0,
        ),
        (Format::Hermes, "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}}", f1(), 0),
        // Too many brackets, or too few where a tag says that the call is over.
        (Format::Hermes, "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}}}</tool_call>", f1(), 1),
        (Format::Hermes, "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}</tool_call>", f1(), 1),
        (Format::Hermes, "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}", f1(), 1),
        // The value, or what would follow it, is lost: no call.
        (Format::Hermes, "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1", vec![], 1),
        (Format::Hermes, "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"x", vec![], 1),
        (Format::Hermes, "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": NaN}}</tool_call>", vec![], 1),
        (
            Format::Hermes,
            "<tool_call>{\"name\": \"f\", \"arguments\": {}, \"arguments\": {\"a\": 1}}</tool_call>",
            vec![],
            1,
        ),
        // The last value of a parameter counts.
        (
            Format::Hermes,
            "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 2, \"a\": 1}}</tool_call>",
            f1(),
            1,
        ),
        (Format::Hermes, "<tool_call>{\"name\": \"f\", \"a\": 2, \"a\": 1}</tool_call>", f1(), 1),
        (Format::MistralV11, "[TOOL_CALLS]f{\"a\": 2, \"a\": 1}", f1(), 1),
        (Format::Pythonic, "[f(a=2, a=1)]", f1(), 1),
        (
            Format::Qwen3Coder,
            "<function=f><parameter=a>2</parameter><parameter=a>1</parameter></function>",
            f1(),
            1,
        ),
        // One bad call does not cost the others.
        (
            Format::Hermes,
            "<tool_call>{oops}</tool_call><tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}}</tool_call>",
            f1(),
            1,
        ),
        (
            Format::Mistral,
            "[TOOL_CALLS] [{\"name\": \"f\", \"arguments\": {\"a\": 1}}, {\"name\": \"g\", \"argu",
            f1(),
            1,
        ),
        // Half of a surrogate pair.
        (Format::Pythonic, r"[f(a=['\ud800', 1])]", vec![call("f", json!({"a": ["\u{fffd}", 1]}))], 1),
        (Format::Pythonic, "[f(a=1), zzz(1)]", f1(), 1),
        (Format::Pythonic, "[zzz(1), f(a=1)]", vec![], 0),
        (Format::Pythonic, "[zzz(a=1+2), zzz(a=b'('), zzz(a=x), f(a=1)]", f1(), 3),
        (Format::Pythonic, "[f(a=1), zzz(a='x", f1(), 1),
        (Format::Pythonic, "[f(a=1)", f1(), 1),
        (
            Format::DeepSeekV31,
            "<｜tool▁call▁begin｜>zzz<｜tool▁sep｜>{oops<｜tool▁call▁end｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>\
                {\"a\": 1}<｜tool▁call▁end｜>",
            f1(),
            1,
        ),
        (Format::Qwen3Coder, "<function=zzz><parameter=a>1</function> <function=f><parameter=a>1", vec![], 1),
        (Format::Xlam, "[{\"name\": \"f\", \"arguments\": {\"a\": 1}}, {\"name\": 3}]", f1(), 1),
    ] {
        let reading = format.parser().read(text);
        assert_eq!(
            (&reading.calls, reading.repairs.len()),
            (&calls, repairs),
            "{text}: {:?}",
            reading.repairs
        );
        assert_eq!(format.parser().parse(text).is_err(), repairs > 0, "{text}");
    }
}

/// Without a tag, only what has arguments is a call; the rest is text, as it stands.
#[test]
fn data_is_not_a_call() {
    for format in [Format::Llama3Json, Format::Xlam, Format::Hammer, Format::Llama4] {
        for text in [
            r#"{"name": "John", "age": 30}"#,
            r#"{"people": [{"name": "John", "age": 30}]}"#,
            r#"{"type": "object"}"#,
            r#"[{"name": "John"}, {"name": "Jane"}] are here."#,
            r#"{"name": oops, "items": [{"name": "x", "arguments": {}}]}"#,
            r#"{"name": "cut"#,
        ] {
            let reading = format.parser().read(text);
            assert_eq!((reading.calls, reading.repairs), (vec![], vec![]), "{}: {text}", format.name());
            assert_eq!(reading.content, text, "{}", format.name());
        }
    }
    let broken = r#"{"name":"f","parameters":{"a":NaN,"items":[{"name":"x","arguments":{}}]}} Done."#;
    let reading = Format::Llama3Json.parser().read(broken);
    assert_eq!((reading.calls.len(), reading.repairs.len(), reading.content.as_str()), (0, 1, "Done."));
    for prose in [
        "<answer>Paris (France) is the capital.</answer>",
        "See [docs (v2)](http://x)",
        "In Python: [str(x) for x in xs]",
        "[Note (it's fine)] so",
    ] {
        for format in [Format::R1Python, Format::Pythonic] {
            let reading = format.parser().read(prose);
            assert_eq!((reading.calls, reading.repairs), (vec![], vec![]), "{}: {prose}", format.name());
        }
    }
}

#[test]
fn parts_given_twice_are_errors_in_any_order() {
    for call in [
        r#"{"arguments":{"a":1},"name":"f","parameters":{"b":2}}"#,
        r#"{"name":"f","arguments":"{}","parameters":{"b":2}}"#,
        r#"{"arguments":{"a":1},"arguments":{"b":2},"name":"f"}"#,
        r#"{"name":"f","name":"g","arguments":{}}"#,
        r#"{"name":"f","tool_name":"g","arguments":{}}"#,
        r#"{"name":"f","arguments":{},"function":{"name":"g","arguments":{}}}"#,
    ] {
        let text = format!("<tool_call>{call}</tool_call>");
        assert!(Format::Hermes.parser().parse(&text).is_err(), "{call}");
        assert_eq!(conformance::streams_as_whole(&*Format::Hermes.parser(), &text), Ok(()));
    }
}

#[test]
fn values_in_tags_end_where_the_next_part_begins() {
    let coder = "<function=f>\n<parameter=a>\n1\n<parameter=b>\n2\n</function>\n<function=g>\n</function>";
    let glm = "<tool_call>f\n<arg_key>a</arg_key>\n<arg_value>1<arg_key>b</arg_key><arg_value>2</tool_call>\
        <tool_call>g</tool_call>";
    for (format, text) in [(Format::Qwen3Coder, coder), (Format::Glm, glm)] {
        let reading = format.parser().read(text);
        let calls = vec![call("f", json!({"a": 1, "b": 2})), call("g", json!({}))];
        assert_eq!((reading.calls, reading.repairs.len()), (calls, 2), "{text}");
    }
    // Properly closed, a value can speak of tags.
    let text =
        "<function=f>\n<parameter=a>\nsay <parameter=b> and </function> here\n</parameter>\n</function>";
    let want = json!({"a": "say <parameter=b> and </function> here"});
    assert_eq!(Format::Qwen3Coder.parser().parse(text), Ok(vec![call("f", want)]));
    let hermes = r#"<tool_call>{"name":"f","arguments":{}}</tool_call>"#;
    assert!(Format::Glm.parser().parse(hermes).is_err(), "another format's call is no name");
}

#[test]
fn an_unclosed_parameter_name_ends_at_the_next_parameter() {
    let coder = "<function=f><parameter=unit</parameter><parameter=city>Paris</parameter></function>";
    let glm = "<tool_call>f\n<arg_key>a<arg_value>5</arg_value>\n<arg_key>b</arg_key>\n<arg_value>6</arg_value>\
        </tool_call>";
    let opened = "<tool_call>f\n<arg_key>a</arg_key>5</arg_value></tool_call>";
    let empty = "<function=f>\n<parameter=>\n1\n</parameter>\n</function>";
    let dsml = "<｜DSML｜invoke name=\"f\"><｜DSML｜parameter name=\"a</｜DSML｜parameter><｜DSML｜parameter name=\"b\">\
        1</｜DSML｜parameter></｜DSML｜invoke>";
    for (format, text, calls) in [
        (Format::Qwen3Coder, coder, vec![]),
        (Format::Glm, glm, vec![call("f", json!({"a": 5, "b": 6}))]),
        (Format::Glm, opened, vec![call("f", json!({"a": 5}))]),
        (Format::Glm, "<tool_call>f<arg_key>a</arg_key></tool_call>", vec![]),
        (Format::Qwen3Coder, empty, vec![]),
        (Format::DeepSeekV32, dsml, vec![]),
    ] {
        let parser = format.parser();
        let reading = parser.read(text);
        assert_eq!((reading.calls, reading.repairs.len()), (calls, 1), "{text}");
        assert_eq!(reading.content, "", "{text}");
        assert_eq!(conformance::streams_as_whole(&*parser, text), Ok(()));
    }
}

#[test]
fn escapes_are_those_of_the_notation() {
    let hermes = |string: &str| {
        format!("<tool_call>{{\"name\": \"f\", \"arguments\": {{\"a\": {string}}}}}</tool_call>")
    };
    for (string, want, repairs) in [
        (r#""C:\apps""#, "C:\\apps", 1),
        (r#""\x41\d""#, "\\x41\\d", 2),
        (r#""it\'s""#, "it's", 1),
        (r#""\/\n\u00e9""#, "/\n\u{e9}", 0),
    ] {
        let text = hermes(string);
        let reading = Format::Hermes.parser().read(&text);
        assert_eq!(reading.calls, [call("f", json!({"a": want}))], "{text}");
        assert_eq!(reading.repairs.len(), repairs, "{text}: {:?}", reading.repairs);
        assert_eq!(conformance::streams_as_whole(&*Format::Hermes.parser(), &text), Ok(()));
    }
    for broken in [r#"["a" "b"]"#, r#""a" "b""#, r#""""a""""#] {
        assert!(Format::Hermes.parser().read(&hermes(broken)).calls.is_empty(), "{broken}");
    }
    let python = r#"<tool_call>{'name': 'f', 'arguments': {'a': "it's \x41"}}</tool_call>"#;
    assert_eq!(Format::Hermes.parser().parse(python), Ok(vec![call("f", json!({"a": "it's A"}))]));
    let slash = r"[f(a='\/foo')]";
    assert_eq!(Format::Pythonic.parser().parse(slash), Ok(vec![call("f", json!({"a": "\\/foo"}))]));
}

#[test]
fn no_call_begins_inside_other_json() {
    let tool_list = r#"{"tools": [{"name": "f", "parameters": {"a": 1}}], "path": "C:\apps"}"#;
    for format in [Format::Llama3Json, Format::Xlam, Format::Hammer, Format::Llama4] {
        let parser = format.parser();
        let reading = parser.read(tool_list);
        assert_eq!((reading.calls, reading.content.as_str()), (vec![], tool_list), "{}", format.name());
        let wrapped = format!(r#"Here: {{"thought": "[x", "tool_calls": [{F}, {G}]}} Done."#);
        let reading = parser.read(&wrapped);
        assert_eq!((reading.calls, reading.content.as_str()), (two(), "Here: Done."), "{}", format.name());
        for text in [
            tool_list,
            &wrapped,
            r#"{"tool_calls": []}"#,
            r#"{"tool_calls": [1]} or [so {"name": "f", "arguments": {}}"#,
        ] {
            assert_eq!(conformance::parser(&*parser, &[text]), Ok(()));
        }
        assert_eq!(parser.read(r#"{"tool_calls": [1]}"#).content, r#"{"tool_calls": [1]}"#);
    }
}

#[test]
fn code_fences_go_with_their_calls_and_stay_with_the_rest() {
    let data = "```json\n{\"name\": \"John\", \"age\": 3}\n```";
    let code = format!("{F}\n```python\nx\n```");
    for format in [Format::Llama3Json, Format::Hammer, Format::Xlam] {
        assert_eq!(format.parser().read(data).content, data, "{}", format.name());
        assert_eq!(format.parser().read(&code).content, "```python\nx\n```", "{}", format.name());
    }
    for text in ["```python\n[f(a=1)]\n```", "```\n[f(a=1)]```"] {
        let reading = Format::Pythonic.parser().read(text);
        assert_eq!((reading.calls.len(), reading.content.as_str()), (1, ""), "{text}");
    }
    assert_eq!(Format::Pythonic.parser().read("[f(a=1)]\n```\nx\n```").content, "```\nx\n```");
}

#[test]
fn texts_that_start_inside_the_reasoning() {
    for format in Format::ALL {
        let parser = format.parser_in_thought(Vec::new());
        let text = parser.render(&two());
        assert_eq!(parser.parse(&text), Ok(two()), "{}: {text}", format.name());
        assert_eq!(conformance::parser(&*parser, &[&text, "hm</think> No."]), Ok(()), "{}", format.name());
    }
}

#[test]
fn reasoning_has_its_own_tags() {
    for (format, text) in [
        (Format::Qwen3Coder, "<seed:think>a <function=x></seed:think>Yes."),
        (Format::MistralV11, "[THINK]a [TOOL_CALLS]x{}[/THINK]Yes."),
        (Format::Hermes, "<think>a <tool_call></think>Yes."),
    ] {
        let reading = format.parser().read(text);
        assert_eq!((reading.calls.len(), reading.repairs.len(), reading.content.as_str()), (0, 0, "Yes."));
        assert!(reading.thought.starts_with("a "), "{}", reading.thought);
    }
}

#[test]
fn the_end_of_a_turn_ends_its_calls() {
    let list = format!("[{F}, {G}]");
    for (format, text) in [
        (Format::Granite, format!("<|tool_call|>{list}<|end_of_text|>")),
        (Format::Phi4, format!("<|tool_call|>{list}<|end|>")),
        (Format::Llama4, format!("<|python_start|>{list}<|eot|>")),
        (Format::Llama4, "<|python_start|>[f(a=1, b='x'), g()]<|eot|>".to_owned()),
        (
            Format::Kimi,
            "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>\
            {\"a\": 1, \"b\": \"x\"}<|tool_call_begin|>functions.g:1<|tool_call_argument_begin|>{}\
            <|tool_calls_section_end|>"
                .to_owned(),
        ),
        (
            Format::DeepSeekV31,
            "<｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"a\": 1, \"b\": \"x\"}<｜tool▁call▁begin｜>\
            g<｜tool▁sep｜>{}<｜tool▁calls▁end｜><｜end▁of▁sentence｜>"
                .to_owned(),
        ),
    ] {
        assert_eq!(format.parser().parse(&text), Ok(two()), "{text}");
        assert_eq!(conformance::streams_as_whole(&*format.parser(), &text), Ok(()));
    }
    // Complete but for the closing tag.
    for (format, text) in [
        (Format::Qwen3Coder, "<tool_call>\n<function=f>\n<parameter=a>\n1\n</parameter>\n</tool_call>"),
        (Format::Qwen3Coder, "<function=f>\n<parameter=a>\n1\n</parameter>\n"),
        (Format::Glm, "<tool_call>f\n<arg_key>a</arg_key><arg_value>1</arg_value>"),
    ] {
        let reading = format.parser().read(text);
        assert_eq!((reading.calls, reading.repairs.len()), (vec![call("f", json!({"a": 1}))], 1), "{text}");
    }
}

#[test]
fn strings_of_python() {
    let text = r#"[f(a='\033[0m', b="""say "hi" and ""go""", c='''it's''', d='', e='a' 'b', g="\0")]"#;
    let want =
        json!({"a": "\u{1b}[0m", "b": "say \"hi\" and \"\"go", "c": "it's", "d": "", "e": "ab", "g": "\0"});
    assert_eq!(Format::Pythonic.parser().parse(text), Ok(vec![call("f", want)]));
    assert_eq!(conformance::streams_as_whole(&*Format::Pythonic.parser(), text), Ok(()));
}

#[test]
fn values_have_the_intended_types() {
    let text = "[a.b.f(n=-1.5, t=True, none=null, s='] [', d={'k': [1, (2, 3)]}, q='it\\'s', e=1e3)]";
    let want = json!({"n": -1.5, "t": true, "none": null, "s": "] [", "d": {"k": [1, [2, 3]]}, "q": "it's", "e": 1e3});
    assert_eq!(Format::Pythonic.parser().parse(text), Ok(vec![call("a.b.f", want)]));

    let schema = json!({"name": "f", "parameters": {"code": {"type": "string"}, "n": {"type": "integer"}}});
    let parser = Format::Qwen3Coder.parser_for(vec![ToolSpec::from_json(&schema).unwrap()]);
    let text = "<function=f>\n<parameter=code>\n5\n</parameter>\n<parameter=n>\n5\n</parameter>\n</function>";
    assert_eq!(parser.parse(text), Ok(vec![call("f", json!({"code": "5", "n": 5}))]));
}

#[test]
fn names_and_templates() {
    for format in Format::ALL {
        assert_eq!(Format::from_name(format.name()), Some(format));
        assert_eq!(format.to_string().parse(), Ok(format));
        let two = format.parser().render(&two());
        let guess = Format::guess(&two);
        let expected = match format {
            // The last needs a template that speaks of tools.
            Format::Llama3Json | Format::Pythonic | Format::Xlam | Format::Hammer | Format::R1Python => None,
            // The answer's tag tells them apart.
            Format::Hunyuan => Some(Format::Jamba),
            marked => Some(marked),
        };
        assert_eq!(guess, expected, "{two}");
    }
    assert_eq!(Format::from_name("Qwen2.5"), Some(Format::Hermes));
    for (name, format) in [
        ("seed_oss", Format::SeedOss),
        ("step3p5", Format::Qwen3Coder),
        ("gpt-oss", Format::Harmony),
        ("ling3", Format::Glm47),
        ("minimax-m2", Format::MiniMaxM2),
        ("hunyuan_a13b", Format::Hunyuan),
    ] {
        assert_eq!(Format::from_name(name), Some(format), "{name}");
    }
    let error = "nonsense".parse::<Format>().unwrap_err().to_string();
    assert!(error.starts_with("there is no format \"nonsense\"; there are hermes, qwen3_coder,"), "{error}");
    assert_eq!(Format::guess("{{ ']<]minimax[>[' }}<tool_call>"), None, "nested tags");
    assert_eq!(Format::guess("Think in <think>, then write <answer>."), None, "no tools");
}

/// Long and nasty texts are read to their end.
#[test]
fn deep_nesting_and_long_texts() {
    let long = 10_000_000;
    let string = "x".repeat(long);
    let text = format!("<tool_call>{{\"name\": \"f\", \"arguments\": {{\"a\": \"{string}\"}}}}</tool_call>");
    assert_eq!(Format::Hermes.parser().parse(&text).map(|calls| calls.len()), Ok(1));
    let long = long / 10;
    for flood in [
        "[".repeat(long),
        "{".repeat(long),
        "<".repeat(long),
        "`".repeat(long),
        "<tool_call>".repeat(long / 11),
        "[TOOL_CALLS]".repeat(long / 12),
        "[f(".repeat(long / 3),
        "{\"name\":".repeat(long / 8),
        "<function=".repeat(long / 10),
        "<think>".repeat(long / 7),
        "(".repeat(long),
        "\\".repeat(long),
        " ".repeat(long),
        "[f(a=".repeat(long / 5),
        format!("[f({}", (0..long / 10).map(|i| format!("a{i}=1,")).collect::<Vec<_>>().concat()),
        format!(
            "<tool_call>{{{}",
            (0..long / 10).map(|i| format!("\"a{i}\":1,")).collect::<Vec<_>>().concat()
        ),
    ] {
        for format in [
            Format::Hermes,
            Format::Llama3Json,
            Format::Pythonic,
            Format::Mistral,
            Format::Qwen3Coder,
            Format::Xlam,
        ] {
            let reading = format.parser().read(&flood);
            assert!(reading.calls.is_empty(), "{}: {}", format.name(), &flood[..20]);
        }
    }
}

/// Letter by letter, a long text takes no longer than its length explains.
#[test]
fn reading_by_character_takes_linear_time() {
    for (format, start, letter, end) in [
        (Format::Hermes, "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"", "x", "\"}}</tool_call>"),
        (Format::Qwen3Coder, "<function=f>\n<parameter=a>\n", "x", "\n</parameter>\n</function>"),
        (Format::Pythonic, "[f(a='", "x", "')]"),
        (Format::MistralV11, "[TOOL_CALLS]f{\"a\": \"", "x", "\"}"),
        (Format::Hermes, "", "<", ""),
        (Format::Pythonic, "[", "x", ""),
        (Format::Llama4, "<|python_start|>[", " ", ""),
    ] {
        let mut stream = format.parser().stream();
        stream.feed(start);
        for _ in 0..200_000 {
            stream.feed(letter);
        }
        stream.feed(end);
        assert_eq!(stream.finish().1.calls.len(), usize::from(!end.is_empty()), "{}", format.name());
    }
}

/// The corpus of the fuzz target, as a plain test.
#[test]
fn the_fuzz_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/parse");
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 40, "{}", files.len());
    for file in files {
        let seed = fs::read(&file).unwrap();
        // Every format, not only the one that the seed names, and pieces of several lengths.
        for (format, piece) in (0..Format::ALL.len()).zip([1, 2, 3, 7, 255].into_iter().cycle()) {
            fuzzed::check(&[&[format as u8, piece], seed.get(2..).unwrap_or_default()].concat());
        }
    }
}
