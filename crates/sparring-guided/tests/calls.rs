//! Whatever a model writes under the grammar of calls can be parsed: known tools, arguments of their schemas. What a
//! format writes of valid calls belongs to its grammar.
#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use serde_json::{Value, json};
use sparring_core::{LogitHook, Seed};
use sparring_guided::{CallGrammar, Constraint, Guide, Vocabulary};
use sparring_tools::{CallParser, Format, ToolCall, ToolSpec};

/// Tools with parameters of every kind, required and not.
fn tools() -> Vec<ToolSpec> {
    let tool = |name: &str, parameters: Value, required: &[&str]| {
        let schema = json!({"type": "object", "properties": parameters, "required": required});
        ToolSpec::from_json(&json!({"name": name, "description": "d", "parameters": schema})).unwrap()
    };
    vec![
        tool("now", json!({}), &[]),
        tool("get_forecast", json!({"city": {"type": "string"}, "days": {"type": "integer"}}), &["city"]),
        tool(
            "book_table",
            json!({
                "time": {"type": "string", "enum": ["noon", "evening"]},
                "guests": {"type": "array", "items": {"type": "string"}},
                "outside": {"type": "boolean"},
                "budget": {"type": "number"},
                "where": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]},
            }),
            &["guests", "where"],
        ),
    ]
}

/// Schemas as programs write them: references, alternatives, bounds, several types.
fn intricate() -> Vec<ToolSpec> {
    let schema = json!({"type": "object",
        "properties": {
            "who": {"$ref": "#/$defs/Person"},
            "age": {"type": ["integer", "null"], "minimum": 0, "maximum": 150},
            "code": {"type": "string", "pattern": "^[A-Z]{3}$"},
            "memo": {"type": "string", "pattern": "^[a-z<>\"']{2,8}$"},
            "one": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "fixed": {"const": "yes"},
            "pair": {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 2},
            "short": {"type": "string", "minLength": 2, "maxLength": 4},
            "empty": {"type": "object", "additionalProperties": false},
            "id": {"type": "integer", "minimum": 2_000_000_000_000_000_i64},
        },
        "required": ["who", "age", "code", "one", "fixed", "pair", "short", "empty", "id"],
        "$defs": {"Person": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}},
    });
    vec![ToolSpec::from_json(&json!({"name": "register", "description": "d", "parameters": schema})).unwrap()]
}

#[test]
fn intricate_schemas_are_followed_in_every_format() {
    let (tools, guide) = (intricate(), guide());
    for format in Format::ALL {
        let grammar = CallGrammar::new(format).with_string_chars(8);
        let constraint = guide.calls(&tools, &grammar).unwrap_or_else(|error| panic!("{format}: {error}"));
        let parser = format.parser_for(tools.clone());
        for i in 0..12 {
            let text = walk(&constraint, Seed::new(11).child(format.name()).index(i));
            let calls = parser.parse(&text).unwrap_or_else(|error| panic!("{format}: {error}\n{text}"));
            valid(&calls[0], &tools).unwrap_or_else(|why| panic!("{format}: {why}\n{text}"));
        }
    }
}

#[test]
fn numbers_of_calls_are_bounded() {
    let (tools, guide) = (tools(), guide());
    let any = guide.calls(&tools, &CallGrammar::new(Format::Hermes).with_calls(1..=usize::MAX)).unwrap();
    let call = ToolCall::new("now", Vec::<(String, Value)>::new());
    let text = |n: usize| Format::Hermes.parser().render(&vec![call.clone(); n]);
    assert!(any.accepts(text(1).as_bytes()).unwrap() && any.accepts(text(9).as_bytes()).unwrap());
    #[allow(clippy::reversed_empty_ranges)]
    let none = CallGrammar::new(Format::Hermes).with_calls(2..=1);
    assert!(guide.calls(&tools, &none).unwrap_err().to_string().contains("2..=1"));
    let kimi = guide.calls(&tools, &CallGrammar::new(Format::Kimi).with_calls(2..=2)).unwrap();
    let two = Format::Kimi.parser().render(&vec![call; 2]);
    assert!(two.contains("now:1") && kimi.accepts(two.as_bytes()).unwrap(), "{two}");
}

/// A guide of another model's vocabulary is an error of the request.
#[test]
fn a_model_with_fewer_tokens_is_refused() {
    let constraint = guide().regex("a").unwrap();
    let error = constraint.start(&[]).apply(&mut [0.0; 200]).unwrap_err();
    assert!(error.to_string().contains("larger vocabulary"), "{error}");
}

fn guide() -> Guide {
    Guide::new(&Vocabulary::bytes()).unwrap()
}

/// A random text of the grammar, by uniform draws among the allowed bytes.
fn walk(constraint: &Constraint, seed: Seed) -> String {
    let mut state = constraint.start(&[]);
    let mut bytes = Vec::new();
    for step in 0..4000 {
        let mut logits = [0.0_f32; 257];
        state.apply(&mut logits).unwrap();
        let allowed: Vec<u32> = (0..257).filter(|&id| logits[id as usize] == 0.0).collect();
        assert!(!allowed.is_empty(), "a dead end after {:?}", String::from_utf8_lossy(&bytes));
        // Multi-byte characters would make most of the draws of a string; a mark of the format is one choice.
        let (ascii, others): (Vec<u32>, Vec<u32>) = allowed.iter().partition(|id| **id < 128 || **id == 256);
        let choice = seed.index(step).value();
        let marks = others.len() <= 4 && choice & 4 == 0 && !others.is_empty();
        let from = if ascii.is_empty() || marks { &others } else { &ascii };
        // The first token often decides between a sentence and a call.
        let upper = |id: &u32| (65..91).contains(id);
        let from: Vec<u32> = if step == 0 && from.iter().any(upper) && choice & 2 == 0 {
            from.iter().copied().filter(|id| !upper(id)).collect()
        } else {
            from.clone()
        };
        let token = match allowed.iter().find(|id| **id == 256).filter(|_| choice & 1 == 0) {
            Some(end) => *end,
            None => from[(choice >> 1) as usize % from.len()],
        };
        state.accept(token).unwrap();
        if token == 256 {
            return String::from_utf8(bytes).unwrap();
        }
        bytes.push(token as u8);
    }
    panic!("no end: {}", String::from_utf8_lossy(&bytes[..200]));
}

fn valid(call: &ToolCall, tools: &[ToolSpec]) -> Result<(), String> {
    let tool =
        tools.iter().find(|tool| tool.name == call.name).ok_or_else(|| format!("unknown {}", call.name))?;
    tool.validate(call).map_err(|error| format!("{call:?}: {error:?}"))
}

#[test]
fn random_texts_are_valid_calls_in_every_format() {
    let (tools, guide) = (tools(), guide());
    for format in Format::ALL {
        let grammar = CallGrammar::new(format).with_calls(1..=2).with_string_chars(12);
        let constraint = guide.calls(&tools, &grammar).unwrap_or_else(|error| panic!("{format}: {error}"));
        let parser = format.parser_for(tools.clone());
        let mut seen = [0; 3];
        for i in 0..60 {
            let text = walk(&constraint, Seed::new(7).child(format.name()).index(i));
            let calls = parser.parse(&text).unwrap_or_else(|error| panic!("{format}: {error}\n{text}"));
            seen[calls.len().min(2)] += 1;
            for call in &calls {
                valid(call, &tools).unwrap_or_else(|why| panic!("{format}: {why}\n{text}"));
            }
            assert!(constraint.accepts(text.as_bytes()).unwrap(), "{format}: {text}");
        }
        assert!(seen[0] == 0 && seen[1] > 5 && seen[2] > 5, "{format}: {seen:?}");
    }
}

#[test]
fn what_a_format_writes_is_accepted() {
    let (tools, guide) = (tools(), guide());
    let calls = [
        ToolCall::new("now", Vec::<(String, Value)>::new()),
        ToolCall::new("get_forecast", [("city", json!("New York")), ("days", json!(3))]),
        ToolCall::new("get_forecast", [("city", json!("Oslo"))]),
        ToolCall::new(
            "book_table",
            [
                ("time", json!("noon")),
                ("guests", json!(["Ada", "Bo"])),
                ("outside", json!(true)),
                ("budget", json!(12.5)),
                ("where", json!({"x": 1})),
            ],
        ),
        ToolCall::new("book_table", [("guests", json!(["Ada"])), ("where", json!({"x": -4}))]),
    ];
    for format in Format::ALL {
        let constraint = guide.calls(&tools, &CallGrammar::new(format)).unwrap();
        for call in &calls {
            let text = format.parser().render(std::slice::from_ref(call));
            assert!(constraint.accepts(text.as_bytes()).unwrap(), "{format}: {text}");
        }
        let wrong = format.parser().render(&[ToolCall::new("get_weather", [("city", json!("Oslo"))])]);
        assert!(!constraint.accepts(wrong.as_bytes()).unwrap(), "{format}: {wrong}");
    }
}

#[test]
fn declining_and_thinking_are_choices() {
    let (tools, guide) = (tools(), guide());
    for format in Format::ALL {
        let grammar = CallGrammar::new(format).with_calls(0..=1).with_string_chars(8);
        let constraint = guide.calls(&tools, &grammar).unwrap();
        let parser = format.parser_for(tools.clone());
        let counts: Vec<usize> = (0..40)
            .map(|i| {
                let text = walk(&constraint, Seed::new(5).child(format.name()).index(i));
                parser.parse(&text).map_or(0, |calls| calls.len())
            })
            .collect();
        assert!(counts.contains(&0) && counts.contains(&1), "{format}: {counts:?}");
        let thinking = guide.calls(&tools, &grammar.clone().with_thought(CallGrammar::FREE_THOUGHT)).unwrap();
        let call = walk(&constraint, Seed::new(1));
        assert!(thinking.accepts(format!("<think>I wonder.</think>\n{call}").as_bytes()).unwrap());
        assert!(!constraint.accepts(format!("<think>I wonder.</think>\n{call}").as_bytes()).unwrap());
        let few = guide.calls(&tools, &grammar.clone().with_thought("[a-z/]{1,4}")).unwrap();
        for (thought, allowed) in [("a/b", true), ("", false), ("abcde", false), ("a b", false)] {
            let text = format!("<think>{thought}</think>\n{call}");
            assert_eq!(few.accepts(text.as_bytes()).unwrap(), allowed, "{format}: {text}");
        }
        let none = guide.calls(&[], &grammar).unwrap();
        assert!(parser.parse(&walk(&none, Seed::new(2))).map_or(true, |calls| calls.is_empty()), "{format}");
    }
    assert!(
        guide
            .calls(&[], &CallGrammar::new(Format::Hermes))
            .unwrap_err()
            .to_string()
            .contains("at least one tool")
    );
}

#[test]
fn tools_that_a_format_cannot_write_are_named() {
    let guide = guide();
    let named = |name: &str| ToolSpec::new(name, "", serde_json::Map::default(), vec![]);
    let tools = [named("fine"), named("a b")];
    for format in [Format::Pythonic, Format::Glm, Format::Kimi] {
        let error = guide.calls(&tools, &CallGrammar::new(format)).unwrap_err().to_string();
        assert!(error.contains("`a b`") && error.contains("rename"), "{format}: {error}");
    }
    guide.calls(&tools, &CallGrammar::new(Format::Hermes)).unwrap();
    for (error, wanted) in [
        (guide.regex("a[").unwrap_err(), "regex: "),
        (guide.json_schema(json!({"type": "nothing"})).unwrap_err(), "json_schema: "),
        (guide.lark("start: missing").unwrap_err(), "lark: "),
    ] {
        let text = error.to_string();
        assert!(text.starts_with(wanted) && !text.contains('\n'), "{text}");
    }
}

#[test]
fn schemas_and_expressions_are_followed() {
    let guide = guide();
    let digits = guide.regex("[0-9]{2,3}").unwrap();
    assert!(
        digits.accepts(b"12").unwrap() && !digits.accepts(b"1").unwrap() && !digits.accepts(b"12a").unwrap()
    );
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"],
        "additionalProperties": false});
    let object = guide.json_schema(schema).unwrap();
    assert!(object.accepts(br#"{"a":1}"#).unwrap() && !object.accepts(br#"{"b":1}"#).unwrap());
    for i in 0..20 {
        let text = walk(&digits, Seed::new(i));
        assert!((2..=3).contains(&text.len()), "{text}");
    }
}

#[test]
fn a_vocabulary_needs_an_end() {
    assert!(
        Vocabulary::new(vec![b"a".to_vec()], vec![]).unwrap_err().to_string().contains("no token that ends")
    );
    assert!(Vocabulary::new(vec![b"a".to_vec()], vec![3]).unwrap_err().to_string().contains("end token 3"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A state depends on the tokens that it accepted, and on nothing else.
    #[test]
    fn states_of_one_constraint_are_independent(a in any::<u64>(), b in any::<u64>()) {
        let constraint = guide().calls(&tools(), &CallGrammar::new(Format::Hermes).with_string_chars(6)).unwrap();
        let alone = walk(&constraint, Seed::new(a));
        let other = walk(&constraint, Seed::new(b));
        prop_assert_eq!(walk(&constraint, Seed::new(a)), alone);
        prop_assert_eq!(walk(&constraint.clone(), Seed::new(b)), other);
    }
}
