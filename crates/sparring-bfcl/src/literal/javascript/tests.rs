use super::convert;
use crate::{Exception, PyValue};
use serde_json::{Value, json};

#[track_caller]
fn reads(text: &str, declared: &str, element: &str, value: &Value) {
    let element = Some(element).filter(|e| !e.is_empty());
    let found = convert(text, declared, element).unwrap().unwrap_or_else(|| PyValue::Str(text.into()));
    assert_eq!(found, PyValue::from_json(value), "{text}");
}

#[test]
fn scalars() {
    for (text, declared, value) in [
        ("\"abc\"", "String", json!("abc")),
        ("'abc'", "String", json!("abc")),
        ("'abc\"", "String", json!("'abc\"")),
        ("\"\"abc\"\"", "String", json!("\"abc\"")),
        ("'", "String", json!("")),
        ("'abc'", "any", json!("'abc'")),
        ("-5\n", "integer", json!(-5)),
        ("5.0", "integer", json!("5.0")),
        ("5", "float", json!(5.0)),
        ("٥.٥", "float", json!(5.5)),
        ("1e3", "float", json!("1e3")),
        ("4.", "float", json!("4.")),
        ("5n", "Bigint", json!(5)),
        ("5", "Bigint", json!("5")),
        ("true", "Boolean", json!(true)),
        ("True", "Boolean", json!("True")),
    ] {
        reads(text, declared, "", &value);
    }
    // The pattern lets the line feed through, and int("5n") then fails.
    assert_eq!(convert("5n\n", "Bigint", None), Err(Exception::Value));
}

#[test]
fn arrays() {
    reads("['a', \"b\"]", "array", "String", &json!(["a", "b"]));
    reads(" [1, 2].map(f) ", "array", "integer", &json!([1, 2]));
    reads("new  Array(1, 2)", "array", "float", &json!([1.0, 2.0]));
    reads("[1, 2.5]", "array", "integer", &json!([1, "2.5"]));
    reads("[\"a,b\"]", "array", "String", &json!(["\"a", "b\""]));
    reads("[]", "array", "String", &json!([]));
    reads("new Array( )", "array", "String", &json!([]));
    reads("[1, ]", "array", "integer", &json!([1, ""]));
    reads("[{a: 1}, {b: 2}]", "array", "dict", &json!([{"a": 1}, {"b": 2}]));
    reads("[true, 'x']", "array", "any", &json!(["true", "'x'"]));
    for text in ["x[1]", "[1,\n2]", "[1", "newArray(1)", "new Array(1"] {
        reads(text, "array", "integer", &json!(text));
    }
    // What an element cannot be converted to leaves the whole a text, without the space around it.
    let long = format!("[{}]", "9".repeat(5000));
    reads(&format!(" {long}"), "array", "integer", &json!(long));
}

#[test]
fn arrays_of_arrays() {
    reads("[[1, 2], [3, 4]]", "array", "array", &json!([[1, 2], [3, 4]]));
    reads("[ [1], ['a', true] ].x", "array", "integer", &json!([[1], ["a", true]]));
    reads("new Array([1], [2])", "array", "array", &json!([[1], [2]]));
    reads("[[]]", "array", "array", &json!([[""]]));
    reads("[\n[1],\n[2]\n]", "array", "array", &json!([[1], [2]]));
    reads("[[1], 2]", "array", "integer", &json!(["[1"]));
    reads("[[[1], [2]], [[3]]]", "array", "array", &json!([["[1"], [2]]));
    reads("[[1],x[2]]", "array", "array", &json!([[1], [2]]));
    reads("[[1]", "array", "integer", &json!(["[1"]));
    reads("[[1],[2\n]]", "array", "integer", &json!(["[1"]));
}

#[test]
fn dicts() {
    let dict = |text: &str, value: &Value| reads(text, "dict", "", value);
    dict("{a: 1, 'b': \"x\", \"c\": 1.5}", &json!({"a": 1, "b": "x", "c": 1.5}));
    dict("{\"a\": \"true\", \"b\": \"5\"}", &json!({"a": true, "b": 5}));
    dict("{a: ['x', 2], b: [1]}", &json!({"a": ["x", 2], "b": [1]}));
    dict("{a: x, y, b: 2}", &json!({"a": "x, y", "b": 2}));
    dict("{a: {b: 1}}", &json!({"a": "{b: 1"}));
    dict("{a: {b: 1}, c: 2}", &json!({"a": "{b: 1"}));
    dict("{a: 1}.x", &json!({"a": 1}));
    dict("{a: http://x, b:: 2}", &json!({"a": "http://x", "b": ": 2"}));
    dict("{: 1, : 2}", &json!({"1,": 2}));
    dict("{a: 1,  : 2}", &json!({"a": 1, "": 2}));
    dict("{a: 1, b: 2, a: 3}", &json!({"a": 3, "b": 2}));
    dict("{a: 1, b}", &json!({"a": "1, b"}));
    dict("{}", &json!({}));
    dict("{ }", &json!({}));
    dict("{a}", &json!({}));
    for text in ["{\n a: 1\n}", "x", "{a: 1", "[1]"] {
        dict(text, &json!(text));
    }
}
