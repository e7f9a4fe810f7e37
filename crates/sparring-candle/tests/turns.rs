//! Conversations that grow by tokens: what stands between turns, in templates of several families.
#![allow(clippy::unwrap_used, clippy::panic)] // A failed step is a failed test.

use proptest::prelude::*;
use serde_json::json;
use sparring_candle::ChatTokenizer;
use sparring_core::{Continuation, Conversation, Encoder, Message, MessageCall, Prompt};

const CHATML: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}\
    {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
const LLAMA3: &str = "{% for m in messages %}<|start_header_id|>{{ 'ipython' if m.role == 'tool' else m.role }}\
    <|end_header_id|>\n\n{{ m.content | trim }}<|eot_id|>{% endfor %}\
    {% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}";
const MISTRAL: &str = "<s>{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }}[/INST]\
    {% elif m.role == 'tool' %}[TOOL_RESULTS] {{ m.content }}[/TOOL_RESULTS]{% else %} {{ m.content }}</s>{% endif %}\
    {% endfor %}";
/// Its end token swallows the white space after it.
const PHI3: &str = "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}\
    {% if add_generation_prompt %}<|assistant|>\n{% endif %}";
/// As the model folder has it, without the instructions about tools.
const QWEN3: &str = include_str!("templates/qwen3.jinja");

const ADDED: [&str; 13] = [
    "<s>",
    "</s>",
    "<|im_start|>",
    "<|im_end|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "[INST]",
    "[/INST]",
    "<|end|>",
    "<|user|>",
    "<|assistant|>",
    "<think>",
];

/// A byte-level tokenizer that merges line breaks, and a letter with the one before it. It cuts texts at added tokens
/// only: with a pattern that looks ahead, a prompt would be cut in another way alone than before its turn.
fn tokenizer(template: &str, end: &str) -> ChatTokenizer {
    let plain = |b: u8| matches!(b, 33..=126 | 161..=172 | 174..=255);
    let mut others = 256..;
    let byte = |b: u8| if plain(b) { u32::from(b) } else { others.next().unwrap() };
    let letters = (0..=255).map(byte).map(|code| char::from_u32(code).unwrap().to_string());
    let merges = [("Ċ", "Ċ"), ("a", "b"), ("Ġ", "a"), (">", "Ċ")];
    let merged = merges.map(|(a, b)| format!("{a}{b}"));
    let vocab: serde_json::Map<_, _> =
        letters.chain(merged).enumerate().map(|(id, token)| (token, json!(id))).collect();
    let added: Vec<_> = (vocab.len()..)
        .zip(ADDED)
        .map(|(id, content)| {
            json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": content == "<|end|>",
                "normalized": false, "special": true})
        })
        .collect();
    let pretokenizer =
        json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false});
    let text = json!({"version": "1.0", "added_tokens": added, "pre_tokenizer": pretokenizer, "decoder": pretokenizer,
        "model": {"type": "BPE", "vocab": vocab, "merges": merges.map(|(a, b)| [a, b])}});
    ChatTokenizer::from_text(&text.to_string(), Some(template), Some(end)).unwrap()
}

/// Ids of a turn as the model draws it.
fn turn(tokenizer: &ChatTokenizer, text: &str, ended: bool) -> Vec<u32> {
    let mut ids = tokenizer.completion(text).unwrap();
    ids.truncate(ids.len() - usize::from(!ended));
    ids
}

fn prompt(tokenizer: &ChatTokenizer, conversation: &Conversation) -> Vec<u32> {
    tokenizer.prompt(&Prompt::from(conversation.clone())).unwrap().to_vec()
}

proptest! {
    #[test]
    fn turns_and_what_stands_between_them_are_the_whole_conversation(
        (template, end, lead) in prop::sample::select(vec![
            (CHATML, "<|im_end|>", ""), (LLAMA3, "<|eot_id|>", ""), (MISTRAL, "</s>", " "), (PHI3, "<|end|>", ""),
            (QWEN3, "<|im_end|>", "<think>\nhm ab\n</think>\n\n"),
        ]),
        rounds in prop::collection::vec(("[ab>\\[]([ab> \n]{0,6}[ab>])?", "[ab> \n]{0,6}", any::<bool>()), 1..4),
    ) {
        let tokenizer = tokenizer(template, end);
        let mut conversation = Conversation::new([Message::user("a b")]);
        let mut ids = prompt(&tokenizer, &conversation);
        for (said, result, ended) in rounds {
            let text = format!("{lead}{said}");
            let drawn = turn(&tokenizer, &text, ended);
            // The space is the template's own.
            let content = text.trim_start_matches(' ');
            conversation = conversation.followed_by([Message::assistant(content)]);
            let next = [Message::tool(result)];
            let between = tokenizer.continuation(&conversation, &drawn, &next).unwrap();
            let Continuation::Appends(between) = between else { panic!("{between:?}") };
            ids.extend(drawn);
            ids.extend(between);
            conversation = conversation.followed_by(next);
            prop_assert_eq!(&ids, &prompt(&tokenizer, &conversation));
        }
    }
}

#[test]
fn a_template_that_drops_thoughts_says_so() {
    let tokenizer = tokenizer(QWEN3, "<|im_end|>");
    let text = "<think>\nhm\n</think>\n\nab";
    let conversation = Conversation::new([Message::user("a"), Message::assistant(text)]);
    let next = [Message::user("b")];
    let found = tokenizer.continuation(&conversation, &turn(&tokenizer, text, true), &next).unwrap();
    let anew = prompt(&tokenizer, &conversation.clone().followed_by(next));
    let tokens = tokenizer.encode("\n<|im_start|>user\nb<|im_end|>\n<|im_start|>assistant\n").unwrap();
    assert!(!tokenizer.decode(&anew).unwrap().contains("hm"));
    assert_eq!(found, Continuation::Rewrites { tokens, prompt: anew.into() });

    // Without thoughts the template opens and closes them for the model, and forgets that once a tool has answered.
    let calls = [MessageCall::new("f", json!({"a": 1}))];
    let conversation = Conversation::new([Message::user("a"), Message::assistant("").with_tool_calls(calls)])
        .with_variable("enable_thinking", false);
    let drawn =
        turn(&tokenizer, "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\":1}}\n</tool_call>", true);
    let found = tokenizer.continuation(&conversation, &drawn, &[Message::tool("4")]).unwrap();
    let Continuation::Rewrites { tokens, .. } = found else { panic!("{found:?}") };
    let want = "\n<|im_start|>user\n<tool_response>\n4\n</tool_response><|im_end|>\n<|im_start|>assistant\n\
        <think>\n\n</think>\n\n";
    assert_eq!(tokens, tokenizer.encode(want).unwrap());
}

#[test]
fn a_turn_stands_as_it_was_drawn() {
    // The template trims what the model wrote, and the call is written with other white space.
    let tokenizer = tokenizer(LLAMA3, "<|eot_id|>");
    let conversation = Conversation::new([Message::user("a"), Message::assistant(" ab\n")]);
    let between =
        tokenizer.continuation(&conversation, &turn(&tokenizer, " ab\n", true), &[Message::tool("b")]);
    let header = "<|start_header_id|>ipython<|end_header_id|>\n\nb<|eot_id|>\
        <|start_header_id|>assistant<|end_header_id|>\n\n";
    assert_eq!(between.unwrap(), Continuation::Appends(tokenizer.encode(header).unwrap()));
}

#[test]
fn an_unknown_end_of_a_turn_is_an_error() {
    let open = tokenizer("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}", "</s>");
    let conversation = Conversation::new([Message::user("a"), Message::assistant("b")]);
    let error = open.continuation(&conversation, &[], &[Message::user("c")]).unwrap_err().to_string();
    assert!(error.contains("closes a turn with none of the model's end tokens"), "{error}");
    let asked = Conversation::new([Message::user("a")]);
    let error = open.continuation(&asked, &[], &[]).unwrap_err().to_string();
    assert!(error.contains("let the conversation end with one"), "{error}");
}

#[test]
fn a_written_completion_ends_as_the_template_ends_a_turn() {
    // The end of the text is an end too, and has a lower id than the end of a turn.
    for (template, eos, end) in [
        (LLAMA3, "</s>", "<|eot_id|>"),
        (PHI3, "</s>", "<|end|>"),
        (CHATML, "</s>", "<|im_end|>"),
        (MISTRAL, "</s>", "</s>"),
    ] {
        let tokenizer = tokenizer(template, eos);
        let end = tokenizer.token_id(end).unwrap();
        assert_eq!(tokenizer.completion("ab").unwrap().last(), Some(&end));
        assert!(tokenizer.is_end(end) && tokenizer.is_end(tokenizer.token_id(eos).unwrap()));
    }
}

#[test]
fn special_tokens_are_shown_if_asked() {
    let tokenizer = tokenizer(CHATML, "<|im_end|>");
    let ids = tokenizer.encode("a<think>b").unwrap();
    assert_eq!(tokenizer.decode(&ids).unwrap(), "ab");
    assert_eq!(tokenizer.with_special_tokens(true).decode(&ids).unwrap(), "a<think>b");
}

const TOOL: &str = r#"{"type": "function", "function": {"name": "f"}}"#;

/// The tokenizer of a folder with this `tokenizer_config.json` and further files.
fn folder(config: &serde_json::Value, files: &[(&str, &str)]) -> ChatTokenizer {
    let dir = tempfile::tempdir().unwrap();
    let vocabulary = json!({"version": "1.0", "added_tokens": [],
        "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}});
    std::fs::create_dir(dir.path().join("additional_chat_templates")).unwrap();
    let (vocabulary, config) = (vocabulary.to_string(), config.to_string());
    let own = [("tokenizer.json", vocabulary.as_str()), ("tokenizer_config.json", config.as_str())];
    for (name, text) in own.iter().chain(files) {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    ChatTokenizer::from_folder(dir.path()).unwrap()
}

#[test]
fn the_template_for_tools_is_used_for_tools() {
    let plain = Conversation::new([Message::user("u")]);
    let tool: serde_json::Value = serde_json::from_str(TOOL).unwrap();
    let with_tools = plain.clone().with_tools([tool]);
    let named = |name: &str| json!({"name": name, "template": format!("{name} template")});
    let listed = folder(&json!({"chat_template": [named("default"), named("tool_use"), named("rag")]}), &[]);
    let files = folder(
        &json!({"chat_template": "not read"}),
        &[
            ("chat_template.jinja", "default template"),
            ("additional_chat_templates/tool_use.jinja", "tool_use template"),
        ],
    );
    for tokenizer in [listed, files] {
        assert_eq!(tokenizer.render(&plain).unwrap(), "default template");
        assert_eq!(tokenizer.render(&with_tools).unwrap(), "tool_use template");
        assert_eq!(tokenizer.template_source(), Some("tool_use template"));
    }
    let only = folder(&json!({"chat_template": [named("tool_use")]}), &[]);
    assert_eq!(only.render(&with_tools).unwrap(), "tool_use template");
    let error = only.render(&plain).unwrap_err().to_string();
    assert!(error.contains("has only \"tool_use\", and none named \"default\""), "{error}");
    let single = folder(&json!({"chat_template": "{{ tools|length if tools }}"}), &[]);
    assert_eq!(single.render(&with_tools).unwrap(), "1");
}

#[test]
fn special_tokens_are_variables() {
    let template =
        "{{ pad_token }}|{{ unk_token }}|{{ sep_token }}|{{ image_token }}|{{ bos_token is defined }}";
    let config = json!({"chat_template": template, "pad_token": "<pad>", "unk_token": {"content": "<unk>"},
        "sep_token": null, "extra_special_tokens": {"image_token": "<image>"}});
    assert_eq!(folder(&config, &[]).render(&Conversation::default()).unwrap(), "<pad>|<unk>||<image>|False");
    let turns = [json!({"role": "assistant", "content": null, "reasoning": "why"})];
    let template =
        "{{ messages[0].reasoning_content }}{{ messages[0].content }}{{ budget }}{{ add_generation_prompt }}";
    let tokenizer = folder(&json!({"chat_template": template}), &[]).with_variable("budget", 3);
    assert_eq!(tokenizer.render_messages(&turns, &[], false).unwrap(), "whyNone3False");
}
