use super::*;
use proptest::prelude::*;
use serde_json::json;

#[test]
fn json_and_python_literals() {
    for (text, want) in [
        (r#"{"a": [1, 2.5, "x\n"]}"#, json!({"a": [1, 2.5, "x\n"]})),
        (
            "{'a': True, 'b': None, 'c': (1, 2), 'd': (1), 'e': (1,)}",
            json!({"a": true, "b": null, "c": [1, 2], "d": 1, "e": [1]}),
        ),
        (r#"{"a": true, 'b': "it's", 'c': 'say "hi"',}"#, json!({"a": true, "b": "it's", "c": "say \"hi\""})),
        ("[1_000, -3, +4, .5, 5., 1e3]", json!([1000, -3, 4, 0.5, 5.0, 1000.0])),
        (r"['\u00e9\x41', '\ud83d\ude00', 'a' 'b', '\d']", json!(["éA", "😀", "ab", "\\d"])),
        ("```json\n[1]\n```", json!([1])),
        ("  ```\n{'a': 1}```  ", json!({"a": 1})),
        ("```python\n[None]\n```", json!([null])),
        ("```true```", json!(true)),
        // "..." is ordinary text (the released code refuses it).
        (r#"{"query": "wait..."}"#, json!({"query": "wait..."})),
        ("[]", json!([])),
    ] {
        assert_eq!(relaxed(text), Ok(want), "{text}");
    }
}

#[test]
fn other_text_is_refused_with_its_position() {
    for (text, offset) in [
        ("", 0),
        ("[1 2]", 3),
        ("[1,,2]", 3),
        ("{'a' 1}", 5),
        ("{1: 2}", 1),
        ("[05]", 1),
        ("[2024-01-01]", 1),
        ("[paris]", 1),
        ("['open]", 1),
        ("[1] and more", 4),
        ("```json\n[oops]\n```", 9),
        ("{'a', 'b'}", 4),
        ("[1e999]", 1),
        (r"['\ud800']", 4),
        ("1__0", 0),
        ("--1", 0),
    ] {
        let error = relaxed(text).expect_err(text);
        assert_eq!(error.offset(), offset, "{text}: {error}");
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(relaxed(&nested(MAX_DEPTH)).is_ok());
    for bomb in [nested(100_000), "[".repeat(1_000_000), "{'a':".repeat(100_000), "(".repeat(100_000)] {
        assert!(relaxed(&bomb).is_err());
    }
}

#[test]
fn canonical_sorts_keys_at_every_depth() {
    let value = json!({"b": [{"d": 1, "c": 2.0}], "a": "x"});
    assert_eq!(canonical(&value), r#"{"a":"x","b":[{"c":2.0,"d":1}]}"#);
}

/// What Python's `repr` writes for a JSON value.
fn python_repr(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(b) => (if *b { "True" } else { "False" }).to_owned(),
        Value::Number(n) => n.to_string(),
        Value::String(s) => {
            format!("'{}'", s.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n"))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(python_repr).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entry = |(k, v): (&String, &Value)| {
                format!("{}: {}", python_repr(&k.as_str().into()), python_repr(v))
            };
            format!("{{{}}}", map.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e6..1e6_f64).prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((".*", inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn never_panics(text in ".*", soup in r#"[\[\]{}()'",:\\u0-9a-fTNone .+-]{0,60}"#) {
        let _ = relaxed(&text);
        let _ = relaxed(&soup);
        let _ = strip_fence(&text);
    }

    #[test]
    fn json_and_repr_read_back(value in value()) {
        prop_assert_eq!(relaxed(&value.to_string()), Ok(value.clone()));
        prop_assert_eq!(relaxed(&python_repr(&value)), Ok(value.clone()));
        let (read, end) = prefix(&value.to_string(), Notation::Python).unwrap();
        prop_assert_eq!((canonical(&read), end), (canonical(&value), value.to_string().len()));
    }
}
