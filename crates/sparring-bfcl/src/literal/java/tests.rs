use super::convert;
use crate::{Exception, PyValue};
use serde_json::{Value, json};

/// The value of a literal; a text where it stays one.
fn read(text: &str, declared: &str, element: Option<&str>) -> PyValue {
    convert(text, declared, element).unwrap().unwrap_or_else(|| PyValue::Str(text.into()))
}

#[track_caller]
fn reads(text: &str, declared: &str, element: &str, value: &Value) {
    let element = Some(element).filter(|e| !e.is_empty());
    assert_eq!(read(text, declared, element), PyValue::from_json(value), "{text}");
}

#[test]
fn numbers() {
    for (text, declared, value) in [
        ("5", "integer", json!(5)),
        ("-5\n", "byte", json!(-5)),
        ("٥", "short", json!(5)),
        ("5L", "integer", json!("5L")),
        ("+5", "integer", json!("+5")),
        ("5.0", "integer", json!("5.0")),
        ("5\n\n", "integer", json!("5\n\n")),
        ("5L", "long", json!(5)),
        ("5l\n", "long", json!(5)),
        ("5", "long", json!("5")),
        ("1.5f", "float", json!(1.5)),
        ("1F\n", "float", json!(1.0)),
        ("1.5", "float", json!("1.5")),
        ("1.5e-2f", "float", json!(0.015)),
        ("1.5", "double", json!(1.5)),
        ("2E+1", "double", json!(20.0)),
        ("1.5d", "double", json!("1.5d")),
        (".5", "double", json!(".5")),
        ("5.", "double", json!("5.")),
        ("1e", "double", json!("1e")),
        ("true", "boolean", json!(true)),
        ("True", "boolean", json!("True")),
        ("true\n", "boolean", json!("true\n")),
        ("'c'", "char", json!("'c'")),
        ("\"x\"", "String", json!("\"x\"")),
        ("5", "any", json!("5")),
    ] {
        reads(text, declared, "", &value);
    }
    assert!(matches!(read("9223372036854775808L", "long", None), PyValue::BigInt(_)));
    assert_eq!(convert(&"9".repeat(5000), "integer", None), Err(Exception::Value));
    for declared in ["Set", "Hashtable", "Queue", "Stack"] {
        assert_eq!(convert("x", declared, None), Err(Exception::NotImplemented));
    }
}

#[test]
fn arrays() {
    reads("new int[]{1, 2}", "Array", "integer", &json!([1, 2]));
    reads("(new  int[] \n { 1,, 2 }).x", "Array", "integer", &json!([1, 2]));
    reads("new String[]{\"a\", \"b\"}", "Array", "String", &json!(["\"a\"", "\"b\""]));
    reads("new long[]{1L, 2}", "Array", "long", &json!([1, "2"]));
    reads("new int[]{}", "Array", "integer", &json!([]));
    reads("new Object[]{1, \"a\", true}", "Array", "", &json!([1, "a", true]));
    // The first that matches, from left to right.
    reads("new X() new int[]{1}", "Array", "integer", &json!([1]));
    for text in ["new int[2]", "newint[]{1}", "new []{1}", "new int[]{1,\n2}", "new int[]{1", "int[]{1}"] {
        reads(text, "Array", "integer", &json!(text));
    }
    assert_eq!(convert("new X[]{1}", "Array", Some("Set")), Err(Exception::NotImplemented));
}

#[test]
fn array_lists() {
    reads("new ArrayList<>(Arrays.asList(1, 2))", "ArrayList", "integer", &json!([1, 2]));
    reads("new ArrayList<String>(Arrays.asList(\"a\", \"b\"))", "ArrayList", "String", &json!(["a", "b"]));
    reads("new ArrayList<>(Arrays.asList(\"a,b\"))", "ArrayList", "String", &json!(["", ""]));
    reads("new ArrayList<>(Arrays.asList(\"u\", 42))", "ArrayList", "any", &json!(["\"u\"", "42"]));
    reads("new ArrayList<>(Arrays.asList('c', é))", "ArrayList", "char", &json!(["c", ""]));
    reads("new ArrayList<>(Arrays.asList(f(1)))", "ArrayList", "any", &json!(["f(1"]));
    reads("new ArrayList<>(Arrays.asList())))", "ArrayList", "any", &json!([")"]));
    reads("new ArrayList<Integer>() {{ add(1); add(2); }}", "ArrayList", "integer", &json!([1, 2]));
    reads("new ArrayList<X>()\n{{\nadd( 1 );\nadd(\n2); add(3);}}", "ArrayList", "integer", &json!([1, 3]));
    reads("new ArrayList<X>() {{ add(\"a\"); }}", "ArrayList", "String", &json!(["a"]));
    reads("new ArrayList<X>() {{ add(); add(1); }}", "ArrayList", "any", &json!(["); add(1"]));
    reads("new ArrayList<X>() {{}}", "ArrayList", "integer", &json!([]));
    reads("new ArrayList<X>() {{ }}", "ArrayList", "integer", &json!([]));
    reads("new ArrayList<Integer>()", "ArrayList", "integer", &json!([]));
    for text in [
        "List.of(1)",
        "new ArrayList<>(10)",
        "new ArrayList<List<X>>()",
        "new ArrayList(Arrays.asList(1))",
        "new ArrayList<>(Arrays.asList(1,\n2))",
        "new ArrayList<>(Arrays.asList(1)",
        "NEW ArrayList<>()",
    ] {
        reads(text, "ArrayList", "integer", &json!(text));
    }
}

#[test]
fn hash_maps() {
    let map = |text: &str, value: &Value| reads(text, "HashMap", "", value);
    map("new HashMap<String, Object>() {{ put(\"a\", 1); put(\"b\", \"x\"); }}", &json!({"a": 1, "b": "x"}));
    map("new HashMap<>() { { put(\"a\", 5L); } }", &json!({"a": 5}));
    map("new HashMap<>() { put(\"a\",\n true); }", &json!({"a": true}));
    map(
        "new HashMap<>() {{ put(\"a\", 1.5f); put(\"b\", 1e3); put(\"c\", x.y); }}",
        &json!({"a": 1.5, "b": 1000.0, "c": "x.y"}),
    );
    map("new HashMap<>() {{ put(\"a\", \"f(x)\"); }}", &json!({"a": "\"f(x"}));
    map("new HashMap<>() {{ put(\"a\", \"}\"); put(\"b\", 1); }}", &json!({}));
    map("new HashMap<>() {{ put(\"a\", 1); put(\"b\", 2); put(\"a\", 3); }}", &json!({"a": 3, "b": 2}));
    map("new HashMap<>() {{ put(\"a\", 1\n2); put(\"b\", 2); }}", &json!({"b": 2}));
    map("new HashMap<>() {{ put(\"a\", null); put('b', 2); put(c, 3); }}", &json!({"a": "null"}));
    map("new HashMap<Map<A, B>, C>() {}", &json!({}));
    map("(new HashMap<>())", &json!({}));
    for text in ["new HashMap<>(Map.of(\"a\", 1))", "new HashMap()", "new HashMap<\n>()", "HashMap<>()", "{}"]
    {
        map(text, &json!(text));
    }
}
