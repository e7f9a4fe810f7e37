//! BFCL's decoding against Python's own parsers, and against hostile texts.

use proptest::prelude::*;
use serde_json::{Value, json};
use sparring_bfcl::{PyValue, Raised, ReturnFormat, decode};

/// A value in the notation of `testdata/bfcl_decode.py`.
fn recorded(value: &PyValue) -> Value {
    let all = |items: &[PyValue]| items.iter().map(recorded).collect::<Value>();
    match value {
        PyValue::None => Value::Null,
        PyValue::Bool(b) => json!(b),
        PyValue::Int(i) => json!(i),
        PyValue::BigInt(i) => json!({"__int__": i.to_string()}),
        PyValue::Float(_) => json!({"__float__": value.to_string()}),
        PyValue::Str(text) => json!(text.as_str()),
        PyValue::List(items) => all(items),
        PyValue::Tuple(items) => json!({"__tuple__": all(items)}),
        PyValue::Dict(entries) => {
            let pairs: Value = entries.iter().map(|(k, v)| json!([recorded(k), recorded(v)])).collect();
            json!({"__dict__": pairs})
        }
        PyValue::Other { kind, .. } => json!({"__other__": kind.name()}),
    }
}

#[test]
fn python_makes_the_same_of_generated_texts() {
    let rows = include_str!("../testdata/bfcl_decode.jsonl");
    let (mut decoded, mut not_evaluated) = (0, 0);
    for line in rows.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let text = row["text"].as_str().unwrap();
        let format = row["format"].as_str().unwrap().parse().unwrap();
        match decode(text, format, row["tag"] == true) {
            Ok(value) => {
                assert_eq!(recorded(&value), row["decoded"], "{text:?}: Python raises {}", row["error"]);
                decoded += 1;
            }
            Err(error) if error.exception() == Raised::NotEvaluated => not_evaluated += 1,
            Err(error) => {
                assert_eq!(Some(error.exception().name()), row["error"].as_str(), "{text:?}: {error}");
                assert!(error.offset() <= text.len());
            }
        }
    }
    assert!(decoded > 400 && not_evaluated < 10, "{decoded} decoded, {not_evaluated} not evaluated");
}

fn python(text: &str) -> Result<Value, &'static str> {
    decode(text, ReturnFormat::Python, false)
        .map(|value| value.to_json())
        .map_err(|error| error.exception().name())
}

#[test]
fn text_that_python_would_write() {
    // The one argument, a call without keywords or a subscript, comes back as `ast.unparse` writes it.
    for (written, text) in [
        ("g( 1,b )", "g(1, b)"),
        ("g( *a , \"it's\" )", "g(*a, \"it's\")"),
        ("g(lambda x,/,y = 1,*z:x+1)", "g(lambda x, /, y=1, *z: x + 1)"),
        ("g((1+2)*3, 1+2*3, (a)**-b, -(a**b))", "g((1 + 2) * 3, 1 + 2 * 3, a ** (-b), -a ** b)"),
        ("g(a or b or c or d)", "g(a or b or c or d)"),
        ("g(not(a)in b, a if b else c)", "g(not a in b, a if b else c)"),
        ("g((yield), (x:=1), (1,), ())", "g((yield), (x := 1), (1,), ())"),
        ("g([x for x, in y if z], {1:2,**q}, {*a})", "g([x for x, in y if z], {1: 2, **q}, {*a})"),
        ("g(0xff, 1e999, 5j, b'\\x00', ...)", "g(255, 1e309, 5j, b'\\x00', ...)"),
        ("g(1 .real, (1).real, 1.5.real)", "g(1 .real, 1 .real, 1.5.real)"),
        ("x[ 1:2 , :: -1 ]", "x[(1:2, ::-1)]"),
        ("x.y[ 'k' ][...]", "x.y['k'][...]"),
        ("g(f\"{a!r:>{w}}b\")", "g(f'{a!r:>{w}}b')"),
    ] {
        assert_eq!(python(&format!("f(v={written})")), Ok(json!([{"f": {"v": text}}])), "{written}");
    }
}

#[test]
fn operators_are_evaluated() {
    for (text, value) in [
        ("2**10", json!(1024)),
        ("2**-1", json!(0.5)),
        ("-7//2", json!(-4)),
        ("7%-3", json!(-2)),
        ("7.5//2", json!(3.0)),
        ("-7.5%2", json!(0.5)),
        ("10**20/10**19", json!(10.0)),
        ("(10**400)//(10**399)", json!(10)),
        ("True+True", json!(2)),
        ("'ab'*2+'c'", json!("ababc")),
        ("[1]*2+[3]", json!([1, 1, 3])),
        ("1<<70>>69", json!(2)),
        ("6&3|8^1", json!(11)),
        ("9007199254740993/1", json!(9_007_199_254_740_992_i64 as f64)),
    ] {
        assert_eq!(python(&format!("f(v={text})")), Ok(json!([{"f": {"v": value}}])), "{text}");
    }
    for (text, raised) in [
        ("x-1", "NameError"),
        ("1/0", "ZeroDivisionError"),
        ("1+'a'", "TypeError"),
        ("1<<-1", "ValueError"),
        ("10**400/3", "OverflowError"),
        ("9**9**9**9", "MemoryError"),
        ("'a'*10**12", "MemoryError"),
        ("[[0]*9999]*9999", "MemoryError"),
        ("len('a')+1", "NotEvaluated"),
        ("'%s' % 1", "NotEvaluated"),
    ] {
        assert_eq!(python(&format!("f(v={text})")), Err(raised), "{text}");
    }
}

#[test]
fn errors_say_where() {
    for (text, offset) in
        [("f(a=1 b)", 6), ("```\n[f(a=$)]\n```", 9), ("x <TOOLCALL> [f(", 0), ("[f(a='x)]", 5)]
    {
        let error = decode(text, ReturnFormat::Python, text.contains("TOOLCALL")).unwrap_err();
        assert_eq!(error.offset(), offset, "{text}: {error}");
    }
    let text = "ok: <functions><function name='f'><param name='a'>&no;</param></function></functions>";
    let error = decode(text, ReturnFormat::ConciseXml, false).unwrap_err();
    assert_eq!(
        (error.exception(), error.offset()),
        (Raised::XmlParse, text.find("no;").unwrap() + 2),
        "{error}"
    );
}

#[cfg(not(feature = "tree-sitter"))]
#[test]
fn without_the_feature_an_error_names_it() {
    for format in [ReturnFormat::Java, ReturnFormat::JavaScript] {
        let error = decode("f(a=1)", format, false).unwrap_err();
        assert_eq!(error.exception(), Raised::FeatureMissing);
        assert!(error.reason().contains("tree-sitter"), "{error}");
    }
}

#[cfg(feature = "tree-sitter")]
#[test]
fn grammars_of_java_and_javascript() {
    let decoded = |text, format| {
        decode(text, format, false).map(|value| value.to_json()).map_err(|error| error.exception().name())
    };
    for (text, wanted) in [
        ("[A.f(a=\"x\", b=new int[]{1, 2});]", Ok(json!([{"A.f": {"a": "x", "b": "new int[]{1,2}"}}]))),
        ("[A.f(a='c', b=-5);]", Ok(json!([{"A.f": {"a": "c", "b": "-5"}}]))),
        (
            "[A.f(m=new HashMap<String, Integer>() {{ put(\"a\", 1); }})]",
            Ok(json!([{"A.f": {"m": "new HashMap<String,Integer>()"}}])),
        ),
        ("[f(x);]", Ok(json!([{"f": {"null": "x"}}]))),
        ("[f(a=-5)]", Err("SyntaxError")),
        ("[f(a=1, a=2)]", Err("Exception")),
        ("[nothing;]", Ok(json!({}))),
        ("[A.f(a=\"é\", b=\"x\");]", Ok(json!([{"A.f": {"a": "é\"", "=": "\""}}]))),
    ] {
        assert_eq!(decoded(text, ReturnFormat::Java), wanted, "{text}");
    }
    for (text, wanted) in [
        (
            "[f(a='x', b=[1, \"y\"], c={k: 1})]",
            Ok(json!([{"f": {"a": "x", "b": "[1, \"y\"]", "c": "{k: 1}"}}])),
        ),
        ("[f(a=1); g(b=2)]", Ok(json!([{"f": {"a": "1"}}]))),
        ("[f(), g()]", Ok(json!(null))),
        ("[f(a=]", Err("SyntaxError")),
    ] {
        assert_eq!(decoded(text, ReturnFormat::JavaScript), wanted, "{text}");
    }
}

/// The formats that are read without a C library.
const OURS: [ReturnFormat; 4] =
    [ReturnFormat::Python, ReturnFormat::Json, ReturnFormat::VerboseXml, ReturnFormat::ConciseXml];

/// 200,000 different names or numbers, each between two texts.
fn numbered(before: &str, after: &str) -> String {
    (0..200_000).flat_map(|i: u32| [before.to_owned(), i.to_string(), after.to_owned()]).collect()
}

#[test]
fn bombs_are_refused_or_read_in_linear_time() {
    let million = 1_000_000;
    let texts = [
        "[".repeat(million),
        "(".repeat(million),
        "f(a=".repeat(million),
        "f(a=-".to_owned() + &"-".repeat(million) + "1)",
        "f(a=not ".to_owned() + &"not ".repeat(million) + "1)",
        "f(a=1".to_owned() + &"+1".repeat(million) + ")",
        "f(a=2".to_owned() + &"**2".repeat(million) + ")",
        "f".to_owned() + &"()".repeat(million),
        "f".to_owned() + &".a".repeat(million) + "()",
        "f(a=".to_owned() + &"lambda:".repeat(million) + "1)",
        "f(a=".to_owned() + &"1 if 1 else ".repeat(million) + "1)",
        "f(a=".to_owned() + &"'a' ".repeat(million) + ")",
        "f(a={".to_owned() + &numbered("", ":1,") + "})",
        "f(".to_owned() + &numbered("k", "=1,") + ")",
        "f(a=f'".to_owned() + &"{a:{b:".repeat(million) + "')",
        "f(a='".to_owned() + &"\\x41".repeat(2 * million) + "')",
        "[{".repeat(million),
        "[".to_owned() + &" ".repeat(10 * million),
        "[{\"function\":".to_owned() + &"[".repeat(million) + "}]",
        "[".to_owned() + &"{}\n,".repeat(million),
        "<functions>".to_owned() + &"<a>".repeat(million) + "</functions>",
        "<functions>".to_owned() + &"<function name='f'/>".repeat(200_000) + "</functions>",
        "<functions><a ".to_owned() + &numbered("a", "='' ") + "/></functions>",
        "<functions>".to_owned() + &"<!--".repeat(million) + "</functions>",
        "<functions>".to_owned() + &"&amp;".repeat(million) + "</functions>",
    ];
    for text in &texts {
        for format in OURS {
            // Whatever it is, it comes back.
            let _ = decode(text, format, false);
        }
    }
    assert!(python(&("[".repeat(199) + "f()" + &"]".repeat(199))).is_err_and(|e| e == "AssertionError"));
    assert_eq!(python(&("[".repeat(202) + "f()" + &"]".repeat(202))), Err("SyntaxError"));
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>(), tag in any::<bool>()) {
        for format in ReturnFormat::ALL {
            let _ = decode(&text, format, tag);
        }
    }

    #[test]
    fn no_mixture_of_tokens_panics(
        tokens in prop::collection::vec(prop::sample::select(vec![
            "f(", ")", "[", "]", "{", "}", ",", "a=", ":", "=", "'", "\"", "'''", "\\", "f'", "b'", "{a", "}", "#", "\n",
            "1", "0x", "1e", "_", ".", "*", "**", "lambda ", "for ", "in ", "if ", "else ", "not ", "x", "é", "\r", " ",
            "<functions>", "</functions>", "<function name=\"f\">", "</function>", "<param name='a' type='array'>",
            "</param>", "&#", ";", "<![CDATA[", "<TOOLCALL>", "</TOOLCALL>", "\"function\":", "\\u", "d83d", "<!--",
        ]), 0..40),
        tag in any::<bool>(),
    ) {
        let text = tokens.concat();
        for format in ReturnFormat::ALL {
            if let Err(error) = decode(&text, format, tag) {
                prop_assert!(error.offset() <= text.len());
            }
        }
    }
}
