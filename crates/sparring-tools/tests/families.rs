//! What models of further families write, and texts that are nearly right.
#![allow(clippy::needless_pass_by_value)] // helpers of tests
use serde_json::{Value, json};
use sparring_tools::{CallParser, Delta, Format, Reading, ToolCall, ToolSpec, conformance};

fn call(name: &str, arguments: Value) -> ToolCall {
    ToolCall::new(name, arguments.as_object().cloned().unwrap_or_default())
}

/// Reads a text whole and at every cut.
fn read(parser: &dyn CallParser, text: &str) -> Reading {
    assert_eq!(conformance::streams_as_whole(parser, text), Ok(()), "{text}");
    parser.read(text)
}

fn tools() -> Vec<ToolSpec> {
    let tools = json!([
        {"name": "read_file", "parameters": {"path": {"type": "string"}}},
        {"name": "exec", "parameters": {"cmd": {"type": "string"}}}
    ]);
    ToolSpec::list_from_json(&tools).unwrap_or_default()
}

#[test]
fn harmony_has_messages_on_channels() {
    let weather = [call("get_weather", json!({"city": "Paris"}))];
    let parser = Format::Harmony.parser();
    for text in [
        "<|channel|>analysis<|message|>Look.<|end|><|start|>assistant<|channel|>commentary to=functions.get_weather \
         <|constrain|>json<|message|>{\"city\": \"Paris\"}<|call|>",
        "<|channel|>analysis<|message|>Look.<|end|><|start|>assistant to=functions.get_weather<|channel|>commentary \
         json<|message|>{\"city\": \"Paris\"}<|call|>",
        // On the channel of the reasoning, too.
        "<|channel|>analysis<|message|>Look.<|end|><|start|>assistant<|channel|>analysis to=functions.get_weather \
         code<|message|>{\"city\":\"Paris\"}<|call|>",
    ] {
        let reading = read(&*parser, text);
        assert_eq!((reading.calls.as_slice(), reading.thought.as_str()), (&weather[..], "Look."), "{text}");
        assert_eq!((reading.content.as_str(), reading.repairs.len()), ("", 0), "{text}");
    }
    assert_eq!(read(&*parser, &parser.render(&weather)).calls, weather);
    let text = "<|channel|>analysis<|message|>Easy.<|end|><|start|>assistant<|channel|>final<|message|>Hi!<|return|>";
    let reading = read(&*parser, text);
    assert_eq!((reading.content.as_str(), reading.thought.as_str()), ("Hi!", "Easy."));
    let text = "<|channel|>commentary<|message|>I will look.<|end|><|start|>assistant<|channel|>commentary \
                to=functions.f<|message|>{oops<|call|>";
    let reading = read(&*parser, text);
    assert_eq!((reading.content.as_str(), reading.calls.len(), reading.broken.len()), ("I will look.", 0, 1));
    assert!(parser.parse("<|channel|>commentary to=functions.f").is_err());
    assert_eq!(parser.parse("No channels."), Ok(vec![]));
}

#[test]
fn gemmas_have_a_notation_of_their_own() {
    let want =
        [call("f", json!({"s": "a \"b\", {c}", "n": -1.5, "b": true, "l": ["x", [1]], "o": {"k k": null}}))];
    for (format, text) in [
        (
            Format::Gemma4,
            "Ok.<|tool_call>call:f{s:<|\"|>a \"b\", {c}<|\"|>,n:-1.5,b:true,l:[<|\"|>x<|\"|>,[1]],\
             o:{<|\"|>k k<|\"|>:null}}<tool_call|><turn|>",
        ),
        (
            Format::FunctionGemma,
            "Ok.<start_function_call>call:f{s:<escape>a \"b\", {c}<escape>,n:-1.5,b:true,\
             l:[<escape>x<escape>,[1]],o:{<escape>k k<escape>:null}}<end_function_call>",
        ),
    ] {
        let parser = format.parser();
        let reading = read(&*parser, text);
        assert_eq!((reading.calls.as_slice(), reading.content.as_str()), (&want[..], "Ok."), "{text}");
        assert_eq!(parser.parse(&parser.render(&want)), Ok(want.to_vec()));
        let cut = &text[..text.len() - 30];
        assert!(read(&*parser, cut).calls.is_empty(), "{cut}");
    }
    let parser = Format::Gemma4.parser();
    assert_eq!(read(&*parser, "<|tool_call>call:f{a:1,a:2}<tool_call|>").calls, []);
    assert_eq!(read(&*parser, "<|channel>thought\nHm.<channel|>Hi.").thought, "Hm.");
    assert_eq!(read(&*parser, "<|tool_call>call:f{}").calls, [call("f", json!({}))], "the text ends there");
}

#[test]
fn arguments_in_other_families_tags() {
    let want = [call("f", json!({"a": "x <b>", "n": 5}))];
    for (format, text) in [
        (
            Format::MiniMaxM2,
            "<minimax:tool_call>\n<invoke name=\"f\">\n<parameter name=\"a\">x <b></parameter>\n\
             <parameter name=\"n\">5</parameter>\n</invoke>\n</minimax:tool_call>[e~[",
        ),
        (
            Format::Step3,
            "<｜tool_calls_begin｜><｜tool_call_begin｜>function<｜tool_sep｜><steptml:invoke name=\"f\">\
             <steptml:parameter name=\"a\">x <b></steptml:parameter><steptml:parameter name=\"n\">5\
             </steptml:parameter></steptml:invoke><｜tool_call_end｜><｜tool_calls_end｜>",
        ),
        (
            Format::Hy3,
            "<tool_calls>\n<tool_call>f<tool_sep>\n<arg_key>a</arg_key>\n<arg_value>x <b></arg_value>\n\
             <arg_key>n</arg_key>\n<arg_value>5</arg_value>\n</tool_call>\n</tool_calls>",
        ),
        (
            Format::Glm47,
            "<tool_call>f<arg_key>a</arg_key><arg_value>x <b></arg_value><arg_key>n</arg_key><arg_value>5</arg_value>\
             </tool_call><|observation|>",
        ),
        (
            Format::KimiK3,
            "<|open|>tools<|sep|><|open|>call tool=\"f\" index=\"1\"<|sep|><|open|>argument key=\"a\" \
             type=\"string\"<|sep|>x <b><|close|>argument<|sep|><|open|>argument key=\"n\" type=\"integer\"<|sep|>5\
             <|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|><|close|>message<|sep|>",
        ),
        (
            Format::DeepSeekV4,
            "<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"f\">\n<｜DSML｜parameter name=\"a\" string=\"true\">x <b>\
             </｜DSML｜parameter>\n<｜DSML｜parameter name=\"n\" string=\"false\">5</｜DSML｜parameter>\n\
             </｜DSML｜invoke>\n</｜DSML｜tool_calls>",
        ),
    ] {
        let parser = format.parser();
        let reading = read(&*parser, text);
        assert_eq!((reading.calls.as_slice(), reading.content.as_str()), (&want[..], ""), "{format}");
        assert_eq!(reading.repairs, [], "{format}");
        assert_eq!(parser.parse(&parser.render(&want)), Ok(want.to_vec()), "{format}");
    }
}

#[test]
fn json_in_other_families_tags() {
    let want = [call("f", json!({"a": 1})), call("g", json!({}))];
    for (format, text) in [
        (
            Format::Cohere,
            "<|START_THINKING|>Hm.<|END_THINKING|><|START_ACTION|>[\n    {\"tool_call_id\": \"0\", \"tool_name\": \
             \"f\", \"parameters\": {\"a\": 1}},\n    {\"tool_call_id\": \"1\", \"tool_name\": \"g\", \"parameters\": \
             {}}\n]<|END_ACTION|><|END_OF_TURN_TOKEN|>",
        ),
        (
            Format::Nemotron,
            "<TOOLCALL>[{\"name\": \"f\", \"arguments\": {\"a\": 1}}, {\"name\": \"g\"}]</TOOLCALL>",
        ),
        (
            Format::Apertus,
            "<|tools_prefix|>[{\"f\": {\"a\": 1}}, {\"g\": {}}]<|tools_suffix|><|assistant_end|>",
        ),
        (
            Format::Hunyuan,
            "<think>Hm.</think><answer><tool_calls>[{\"name\": \"f\", \"arguments\": {\"a\": 1}}, {\"name\": \"g\", \
             \"arguments\": {}}]</tool_calls></answer>",
        ),
        (Format::Lfm2, "<|tool_call_start|>[f(a=1), g()]<|tool_call_end|><|im_end|>"),
    ] {
        let parser = format.parser();
        let reading = read(&*parser, text);
        assert_eq!((reading.calls.as_slice(), reading.content.as_str()), (&want[..], ""), "{format}");
        assert_eq!(reading.repairs, [], "{format}");
        assert_eq!(parser.parse(&parser.render(&want)), Ok(want.to_vec()), "{format}");
    }
    let ids =
        Format::Cohere.parser().read("<|START_ACTION|>[{\"tool_call_id\": \"7\", \"tool_name\": \"f\"}]");
    assert_eq!(ids.calls[0].id.as_deref(), Some("7"));
    assert!(
        Format::Apertus.parser().parse("<|tools_prefix|>[{\"f\": {}, \"g\": {}}]<|tools_suffix|>").is_err()
    );
}

#[test]
fn a_call_ends_reasoning_that_never_ends() {
    let call_text = "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>";
    let parser = Format::Hermes.parser_in_thought(Vec::new());
    let reading = read(&*parser, &format!("Need to look.\n{call_text}"));
    assert_eq!((reading.calls.len(), reading.thought.as_str()), (1, "Need to look.\n"));
    assert!(
        parser.parse(&format!("Need to look.\n{call_text}")).is_err(),
        "the end of the reasoning is missing"
    );
    let reading = read(&*parser, &format!("Or {call_text}?\n</think>{call_text}"));
    assert_eq!((reading.calls.len(), reading.repairs.len()), (1, 0), "only the second is a call");
    let reading = read(&*parser, "I could write <tool_call> and");
    assert_eq!((reading.content.as_str(), reading.thought.as_str()), ("", "I could write <tool_call> and"));
    let reading = read(&*Format::Hermes.parser(), &format!("<think>Hm. {call_text}"));
    assert_eq!((reading.calls.len(), reading.thought.as_str()), (1, "Hm. "));
}

#[test]
fn a_tag_that_is_mentioned_is_text() {
    for (format, text) in [
        (Format::Hermes, "The `<tool_call>` tag opens a call; `</tool_call` ends it."),
        (Format::Hermes, "A <tool_call> tag comes first."),
        (Format::Glm, "The `<tool_call>` tag opens a call."),
        (Format::Phi4, "See functools[0] and more."),
        (Format::Qwen3Coder, "Write `<function=`, then the name."),
        (Format::Mistral, "It begins with `[TOOL_CALLS]`."),
    ] {
        let reading = read(&*format.parser(), text);
        assert_eq!((reading.content.as_str(), reading.repairs.len()), (text, 0), "{format}");
    }
    assert!(Format::Hermes.parser().parse("<tool_call>oops</tool_call>").is_err(), "an attempt at a call");
}

#[test]
fn a_missing_quote_does_not_cost_the_next_call() {
    let good = "<tool_call>\n{\"name\": \"g\", \"arguments\": {\"b\": \"y\"}}\n</tool_call>";
    let text = format!(
        "<tool_call>\n{{\"name\": \"f\", \"arguments\": {{\"a\": \"x}}}}\n</tool_call>\n{good}\n{good}"
    );
    let reading = read(&*Format::Hermes.parser(), &text);
    assert_eq!(reading.calls, [call("g", json!({"b": "y"})), call("g", json!({"b": "y"}))]);
    assert_eq!((reading.broken.len(), reading.broken[0].place), (1, 0));
    assert_eq!(reading.broken[0].name.as_deref(), Some("f"));
    // A text about calls is no call: inside a string, the quotes of JSON are escaped.
    let quoted = "<tool_call>{\"name\": \"w\", \"arguments\": {\"t\": \"</tool_call><tool_call>{\\\"name\\\": \\\"f\\\"}";
    assert_eq!(read(&*Format::Hermes.parser(), quoted).calls, []);
    // Searching takes linear time however many tags the value has.
    let bomb = "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"</tool_call>".repeat(20_000);
    let _ = Format::Hermes.parser().read(&bomb);
}

#[test]
fn families_borrow_each_others_wrappers() {
    let want = [call("f", json!({"a": 1}))];
    let body = "{\"name\": \"f\", \"arguments\": {\"a\": 1}}";
    for text in [
        format!("<tools>\n{body}\n</tools>"),
        format!("```json\n{body}\n```"),
        body.to_owned(),
        "<tool_call>\n<function=f>\n<parameter=a>\n1\n</parameter>\n</function>\n</tool_call>".to_owned(),
    ] {
        assert_eq!(read(&*Format::Hermes.parser(), &text).calls, want, "{text}");
    }
    let text = format!("<tool_call>\n{body}\n</tool_call>");
    assert_eq!(read(&*Format::Qwen3Coder.parser(), &text).calls, want);
    for text in [format!("An example: {body}"), "{\"name\": \"Bingo\", \"age\": 30}".to_owned()] {
        let reading = read(&*Format::Hermes.parser(), &text);
        assert_eq!((reading.content, reading.calls), (text, vec![]));
    }
}

#[test]
fn ids_name_a_tool_of_the_menu() {
    let parser = Format::Kimi.parser_for(tools());
    for (id, want) in [
        ("functions.exec:0", call("exec", json!({"cmd": "ls"}))),
        ("functionsexec5", call("exec", json!({"cmd": "ls"}))),
        ("functions.exec5", call("exec", json!({"cmd": "ls"}))),
        ("functions_read_file_3", call("read_file", json!({"cmd": "ls"}))),
        ("exec", call("exec", json!({"cmd": "ls"}))),
        ("unknown", call("unknown", json!({"cmd": "ls"}))),
    ] {
        let text = format!(
            "<|tool_call_begin|>{id}<|tool_call_argument_begin|>{{\"cmd\": \"ls\"}}<|tool_call_end|>"
        );
        assert_eq!(read(&*parser, &text).calls, [want], "{id}");
    }
    let text = "<|tool_call_begin|>call_abc<|tool_call_argument_begin|>{\"name\": \"exec\", \"cmd\": \"ls\"}\
                <|tool_call_end|>";
    let reading = read(&*parser, text);
    assert_eq!(reading.calls, [call("exec", json!({"cmd": "ls"}))]);
    assert_eq!(reading.calls[0].id.as_deref(), Some("call_abc"));
}

#[test]
fn names_need_not_be_identifiers() {
    for (format, text) in [
        (Format::Pythonic, "[get-weather(city=\"Rome\")]"),
        (Format::Llama4, "<|python_start|>[get-weather(city=\"Rome\")]<|python_end|>"),
        (Format::R1Python, "<answer>[get-weather(city='Rome')]</answer>"),
    ] {
        assert_eq!(
            read(&*format.parser(), text).calls,
            [call("get-weather", json!({"city": "Rome"}))],
            "{text}"
        );
    }
    let python = "<|python_tag|>brave_search.call(query=\"x\")<|eom_id|>";
    assert_eq!(
        read(&*Format::Llama3Json.parser(), python).calls,
        [call("brave_search", json!({"query": "x"}))]
    );
    let prose = "See [as in f(x=1)] there.";
    assert_eq!(read(&*Format::Pythonic.parser(), prose).content, prose);
}

#[test]
fn values_are_neither_shortened_nor_split() {
    let parser = Format::Qwen3Coder.parser_for(tools());
    let text = |value: &str| {
        format!(
            "<tool_call>\n<function=exec>\n<parameter=cmd>\n{value}\n</parameter>\n</function>\n</tool_call>"
        )
    };
    for value in ["echo '</parameter>' > x", "a</parameter> and\nb", "# </function>\nls"] {
        assert_eq!(read(&*parser, &text(value)).calls, [call("exec", json!({"cmd": value}))], "{value}");
    }
    for value in ["doc:\n</parameter>\n</function>\nend", "a</parameter>\n<parameter=mode>\nforce"] {
        assert_eq!(read(&*parser, &text(value)).calls, [], "{value}");
        assert!(parser.parse(&text(value)).is_err(), "{value}");
    }
    let odd = "<tool_call><function=exec><parameter=cmd>\nls\n</parameter/>\n</function></tool_call>";
    assert_eq!(read(&*parser, odd).calls, [call("exec", json!({"cmd": "ls"}))]);
}

#[test]
fn a_stream_ends_each_call_with_the_call_or_its_error() {
    let mut stream = Format::Hermes.parser().stream();
    let text = "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}}</tool_call><tool_call>{\"name\": \"g\", \"argum";
    let mut deltas = stream.feed(text);
    deltas.extend(stream.finish().0);
    let end = |delta| match delta {
        Delta::End { call, .. } => Some(call),
        _ => None,
    };
    let ends: Vec<_> = deltas.into_iter().filter_map(end).collect();
    assert_eq!(ends[0], Ok(call("f", json!({"a": 1})).into()));
    assert!(ends[1].is_err(), "{:?}", ends[1]);
}
