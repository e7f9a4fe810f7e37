use crate::{error, function};
use serde_json::{Value, json};
use sparring_bfcl::{CallJudge, Checker, Expected, Kind, Language, MatchJudge, PyValue};
use sparring_bfcl::{is_empty_output, is_function_call_format};
use sparring_tools::Assignment;

const SIMPLE: Option<&str> = Some("type_error:simple");
const NESTED: Option<&str> = Some("type_error:nested");
const OTHERS: Option<&str> = Some("value_error:others");
const STRING: Option<&str> = Some("value_error:string");
const LIST: Option<&str> = Some("value_error:list/tuple");
const DICT_KEY: Option<&str> = Some("value_error:dict_key");
const DICT_VALUE: Option<&str> = Some("value_error:dict_value");

type Case = (Value, Value, Option<&'static str>);

/// Cases (accepted, found, error) of a parameter of this type.
#[track_caller]
fn python(details: &Value, cases: impl IntoIterator<Item = Case>) {
    for (accepted, found, expected) in cases {
        assert_eq!(error("simple_python", details, &accepted, &found), expected, "{found} in {accepted}");
    }
}

#[test]
fn scalars_are_of_the_exact_type() {
    python(
        &json!({"type": "integer"}),
        [
            (json!([5]), json!(5), None),
            (json!([5]), json!(5.0), SIMPLE),
            (json!([5]), json!("5"), SIMPLE),
            (json!([1]), json!(true), SIMPLE),
            (json!([5, ""]), json!(""), SIMPLE),
            (json!([""]), json!(5), OTHERS),
            (json!([]), json!(5), OTHERS),
            (json!([u64::MAX]), json!(u64::MAX), None),
            // The first gold that is not "" decides on the type; another type than declared is compared exactly.
            (json!([5, "five"]), json!("five"), SIMPLE),
            (json!(["five", 5]), json!("five"), None),
            (json!(["five", 5]), json!("Five"), OTHERS),
            (json!(["five", 5]), json!(5), None),
            (json!([null]), json!(null), None),
            (json!([null, 5]), json!(5), None),
        ],
    );
    python(
        &json!({"type": "float"}),
        [
            (json!([5.0]), json!(5), None),
            (json!([5]), json!(5.0), None),
            (json!([5]), json!(5), None),
            (json!([1.0]), json!(true), SIMPLE),
            (json!([0.0]), json!(-0.0), None),
            (json!([0.3]), json!(0.1 + 0.2), OTHERS),
            (json!([1.0]), json!({"__float__": "inf"}), OTHERS),
            // float() rounds, == does not.
            (json!([9_007_199_254_740_992.0]), json!(9_007_199_254_740_993_i64), None),
            (json!([9_007_199_254_740_993_i64]), json!(9_007_199_254_740_993_i64), OTHERS),
        ],
    );
    python(
        &json!({"type": "string"}),
        [
            (json!(["a", ""]), json!(""), None),
            (json!(["a"]), json!(""), STRING),
            (json!(["a", 5]), json!("A."), None),
            (json!([5, "A"]), json!("a"), OTHERS),
            (json!(["a"]), json!(["a"]), SIMPLE),
            // A text for the list of accepted values: its characters.
            (json!("xyz"), json!("Y"), None),
            (json!("xyz"), json!("xy"), STRING),
        ],
    );
    python(&json!({"type": "any"}), [(json!([5]), json!(5), None), (json!([5]), json!(5.0), SIMPLE)]);
    python(&json!({"type": "any"}), [(json!([["A"]]), json!(["a"]), OTHERS)]);
    python(&json!({"type": "number"}), [(json!([5]), json!(5), Some("exception:KeyError"))]);
}

#[test]
fn lists() {
    python(
        &json!({"type": "array", "items": {"type": "string"}}),
        [
            (json!([["a", "B c"]]), json!(["A", "bc"]), None),
            (json!([["a", "b"]]), json!(["b", "a"]), LIST),
            (json!([["a"], ""]), json!([]), None),
            (json!([["a"]]), json!([]), LIST),
            (json!([["a"]]), json!({"__tuple__": ["a"]}), SIMPLE),
            (json!([["a", null]]), json!(["a", null]), NESTED),
            (json!([["ab"], "ab"]), json!(["A", "b"]), None),
            // Only "" says nothing about elements.
            (json!([[1], ""]), json!([null]), LIST),
            (json!([]), json!([]), SIMPLE),
            (json!(["v"]), json!("v"), None),
            (json!(["v", ["a"]]), json!(["a"]), None),
            (json!(["v", ["a"]]), json!(["A"]), OTHERS),
            (json!([["a"], 5]), json!(["a"]), Some("exception:TypeError")),
        ],
    );
    python(
        &json!({"type": "array", "items": {"type": "float"}}),
        [
            (json!([[1, 2]]), json!([1, 2]), None),
            (json!([[1.0, 2]]), json!([1, 2]), NESTED),
            (json!([[1.0, 2.0]]), json!([1.0, 2]), NESTED),
            (json!([[1, 2.0]]), json!([1.0, 2]), None),
        ],
    );
    python(
        &json!({"type": "array", "items": {"type": "array"}}),
        [
            (json!([[[1, "A"]]]), json!([[true, "A"]]), None),
            (json!([[[1, "A"]]]), json!([[1, "a"]]), LIST),
            (json!([[[9_007_199_254_740_993_i64]]]), json!([[9_007_199_254_740_992.0]]), LIST),
        ],
    );
    let tuple = json!({"type": "tuple", "items": {"type": "integer"}});
    python(&tuple, [(json!([[1, 2]]), json!({"__tuple__": [1, 2]}), None), (json!([[1]]), json!([1]), None)]);
    python(&json!({"type": "array"}), [(json!([["a"]]), json!(["a"]), Some("exception:KeyError"))]);
}

#[test]
fn dicts() {
    python(
        &json!({"type": "dict"}),
        [
            (json!([{"a": ["X y"], "b": [1]}]), json!({"b": true, "a": "xy"}), None),
            (json!([{"a": ["x"]}]), json!({"A": "x"}), DICT_KEY),
            (json!([{"a": ["x"], "b": [1, ""]}]), json!({"a": "x"}), None),
            (json!([{"a": [1]}]), json!({"a": "1"}), DICT_VALUE),
            // A key that is missing too decides on the error.
            (json!([{"a": [1], "b": [2]}]), json!({"a": 0}), DICT_KEY),
            (json!([{"a": [["X"]]}]), json!({"a": ["x"]}), DICT_VALUE),
            (json!([{"a": [{"b": [1]}]}]), json!({"a": {"b": 1}}), DICT_VALUE),
            // The error is that of the last gold.
            (json!([{"a": [1]}, {"b": [1]}]), json!({"a": 2}), DICT_KEY),
            (json!([{"b": [1]}, {"a": [1]}]), json!({"a": 2}), DICT_VALUE),
            (json!([{"a": [1]}, "", {"a": [2]}]), json!({"a": 2}), None),
            (json!([""]), json!({"a": 1}), Some("dict_checker:unclear")),
            (json!([{"a": "xyz"}]), json!({"a": "Y"}), None),
            (json!([{"a": "xyz"}]), json!({}), None),
            (json!([{"a": {"b": 1}}]), json!({"a": 1}), Some("exception:KeyError")),
            (json!([{"a": [1]}, "cfg"]), json!({"a": 1}), None),
            (json!([{"c": [1]}, "cfg"]), json!({"c": 2}), Some("exception:TypeError")),
            (json!([{"a": [1]}, "cfg"]), json!({"z": 2}), Some("exception:AttributeError")),
            (json!(["cfg"]), json!("Cfg"), OTHERS),
        ],
    );
    python(
        &json!({"type": "array", "items": {"type": "dict"}}),
        [
            (json!([[{"a": ["x"]}, {"a": ["y"]}]]), json!([{"a": "X"}, {"a": "Y"}]), None),
            (json!([[{"a": ["x"]}, {"a": ["y"]}]]), json!([{"a": "y"}, {"a": "x"}]), DICT_VALUE),
            (json!([[{"a": ["x"]}], ""]), json!([]), None),
            (json!([[{"a": ["x"]}], ""]), json!([{"a": "z"}]), Some("value_error:list_dict_count")),
            (json!([[{"a": ["x"]}], ["x"]]), json!(["x"]), Some("exception:AttributeError")),
        ],
    );
}

#[test]
fn the_order_of_the_checks_decides_on_the_error() {
    let properties = json!({"a": {"type": "string"}, "b": {"type": "integer", "default": 3}});
    let functions = [function(&["a"], &properties)];
    let check = |gold: Value, call: Value| {
        let (gold, output) = ([json!({"other name": gold})], PyValue::from_json(&json!([call])));
        Checker::of("simple_python").check(&functions, &gold, &output).error_type()
    };
    let gold = || json!({"a": ["x", ""], "b": [1], "c": [1, ""]});
    assert_eq!(check(gold(), json!({"f": {"a": "x", "b": 1}})), None);
    assert_eq!(check(gold(), json!({"f": {"a": "x", "b": 1}, "g": {}})), None);
    assert_eq!(check(gold(), json!({"F": {}})), Some("simple_function_checker:wrong_func_name"));
    assert_eq!(check(gold(), json!({"f": {"z": 1}})), Some("simple_function_checker:missing_required"));
    let unexpected = Some("simple_function_checker:unexpected_param");
    assert_eq!(check(gold(), json!({"f": {"a": "x", "c": 1}})), unexpected);
    assert_eq!(check(gold(), json!({"f": {"z": 1, "a": 5}})), unexpected);
    assert_eq!(check(gold(), json!({"f": {"a": 5, "z": 1}})), SIMPLE);
    assert_eq!(check(gold(), json!({"f": {"a": "x", "b": 3}})), OTHERS);
    assert_eq!(check(gold(), json!({"f": {"a": "x"}})), Some("simple_function_checker:missing_optional"));
}

#[test]
fn dots_and_underscores() {
    let functions =
        [json!({"name": "a.b_c.d", "parameters": {"type": "dict", "required": [], "properties": {}}})];
    let gold = [json!({"a.b_c.d": {}})];
    for (underscores, name, valid) in [
        (false, "a.b_c.d", true),
        (false, "a_b_c_d", false),
        (true, "a_b_c_d", true),
        (true, "a.b_c.d", false),
        (true, "a_b.c_d", false),
    ] {
        let output = PyValue::from_json(&json!([{name: {}}]));
        for category in ["simple_python", "multiple", "parallel"] {
            let checker = Checker::of(category).with_underscore_to_dot(underscores);
            assert_eq!(checker.check(&functions, &gold, &output).is_valid(), valid, "{name} {underscores}");
        }
    }
}

#[test]
fn categories() {
    for (category, kind, language) in [
        ("simple_python", Kind::Simple, Language::Python),
        ("live_simple", Kind::Simple, Language::Python),
        ("simple_java", Kind::Simple, Language::Java),
        ("simple_javascript", Kind::Simple, Language::JavaScript),
        ("live_multiple", Kind::Multiple, Language::Python),
        ("parallel", Kind::Parallel, Language::Python),
        ("parallel_multiple", Kind::Parallel, Language::Python),
        ("format_sensitivity_0:ret_fmt=parallel:live_multiple_1-2-3", Kind::Multiple, Language::Python),
    ] {
        assert_eq!((Kind::of(category), Language::of(category)), (kind, language), "{category}");
    }
}

/// The document of a function with an integer parameter `x`, which is required.
fn integer(name: &str) -> Value {
    let properties = json!({"x": {"type": "integer"}});
    json!({"name": name, "parameters": {"type": "dict", "required": ["x"], "properties": properties}})
}

fn several(checker: Checker, gold: &Value, output: &Value) -> Option<&'static str> {
    let functions = [integer("a"), integer("b")];
    let gold = gold.as_array().map_or(&[][..], Vec::as_slice);
    checker.check(&functions, gold, &PyValue::from_json(output)).error_type()
}

#[test]
fn several_calls() {
    let multiple = Checker::of("multiple");
    let gold = json!([{"b": {"x": [1]}}]);
    assert_eq!(several(multiple, &gold, &json!([{"b": {"x": 1}}])), None);
    let name = Some("simple_function_checker:wrong_func_name");
    assert_eq!(several(multiple, &gold, &json!([{"a": {"x": 1}}])), name);
    assert_eq!(several(multiple, &gold, &json!([])), Some("multiple_function_checker:wrong_count"));
    let unknown = json!([{"c": {"x": [1]}}]);
    assert_eq!(several(multiple, &unknown, &json!([{"c": {"x": 1}}])), Some("exception:TypeError"));

    let parallel = Checker::of("parallel_multiple");
    let count = Some("parallel_function_checker_no_order:wrong_count");
    let no_match = Some("parallel_function_checker_no_order:cannot_find_match");
    let gold = json!([{"a": {"x": [1]}}, {"b": {"x": [2]}}]);
    assert_eq!(several(parallel, &gold, &json!([{"b": {"x": 2}}, {"a": {"x": 1}}])), None);
    assert_eq!(several(parallel, &gold, &json!([{"a": {"x": 1}}])), count);
    assert_eq!(several(parallel, &gold, &json!([{"a": {"x": 1}}, {"a": {"x": 1}}])), no_match);
    assert_eq!(several(parallel, &json!([]), &json!([])), None);
    let simple = Checker::of("simple_python");
    assert_eq!(several(simple, &gold, &json!([])), Some("simple_function_checker:wrong_count"));
}

/// The shape of the leaderboard's parallel_178: the first gold call accepts both answers, the second only one.
#[test]
fn the_optimal_assignment_accepts_what_greed_rejects() {
    let (functions, gold) = ([integer("a")], [json!({"a": {"x": [1, 2]}}), json!({"a": {"x": [1]}})]);
    let output = PyValue::from_json(&json!([{"a": {"x": 1}}, {"a": {"x": 2}}]));
    let greedy = Checker::of("parallel");
    let verdict = greedy.check(&functions, &gold, &output);
    assert_eq!(
        verdict.to_string(),
        "no call matches gold call 1\n  call 1: x: expected one of [1], found 2 (exactly)"
    );
    let optimal = greedy.with_assignment(Assignment::Optimal);
    assert!(optimal.check(&functions, &gold, &output).is_valid());

    let expected = Expected { functions: &functions, gold: &gold };
    assert!(MatchJudge::default().judge(expected, &output).valid);
    let wrong = PyValue::from_json(&json!([{"a": {"x": 2}}, {"a": {"x": 2}}]));
    for judge in [&optimal as &dyn CallJudge, &MatchJudge::default()] {
        let judgement = judge.judge(expected, &wrong);
        assert!(!judgement.valid && judgement.explanation.contains("found 2"), "{judgement}");
    }
}

#[test]
fn matching_reads_possible_answers() {
    let gold =
        [json!({"f": {"city": ["Paris", "paris"], "days": [3, ""], "where": [{"a": [1], "b": [2, ""]}],
        "rooms": [[{"n": [1, 2]}]]}})];
    let expected = Expected { functions: &[], gold: &gold };
    let judge = MatchJudge::default();
    let valid = |call: Value| judge.judge(expected, &PyValue::from_json(&json!([{"f": call}])));
    assert!(valid(json!({"city": "paris", "where": {"a": 1}, "rooms": [{"n": 2}]})).valid);
    assert!(
        valid(json!({"city": "Paris", "days": 3, "where": {"a": 1.0, "b": 2}, "rooms": [{"n": 1}]})).valid
    );
    let wrong = valid(json!({"city": "Lyon", "days": 4, "where": {"b": 2}, "rooms": []}));
    assert_eq!(
        wrong.explanation.lines().collect::<Vec<_>>(),
        [
            r#"call 0 (f): city: expected "Paris", found "Lyon""#,
            "call 0 (f): days: expected 3, found 4",
            r#"call 0 (f): where: expected {"a":1,"b":2}, found {"b":2}"#,
            r#"call 0 (f): rooms: expected [{"n":1}], found []"#,
        ]
    );
    assert!(!judge.judge(expected, &PyValue::None).valid);
}

#[test]
fn java_and_javascript() {
    let cases = [
        ("simple_java", json!({"type": "integer"}), json!([5]), json!("5"), None),
        ("simple_java", json!({"type": "integer"}), json!([5]), json!(5), Some("type_error:java")),
        ("simple_java", json!({"type": "integer"}), json!(["n"]), json!("n"), None),
        ("simple_java", json!({"type": "Map"}), json!([5]), json!(5), Some("exception:KeyError")),
        (
            "simple_java",
            json!({"type": "Set"}),
            json!([5]),
            json!("x"),
            Some("exception:NotImplementedError"),
        ),
        ("simple_java", json!({"type": "HashMap"}), json!([{}]), json!("new HashMap<>()"), None),
        ("simple_java", json!({"type": "Array"}), json!([[1]]), json!("x"), Some("exception:KeyError")),
        ("simple_javascript", json!({"type": "Boolean"}), json!([true]), json!("true"), None),
        ("simple_javascript", json!({"type": "Boolean"}), json!([true]), json!(true), Some("type_error:js")),
        ("simple_javascript", json!({"type": "dict"}), json!([{"a": [1]}]), json!("{a: 1}"), None),
        ("simple_javascript", json!({"type": "dict"}), json!([{"a": [1]}]), json!("{a: 2}"), DICT_VALUE),
    ];
    for (category, details, accepted, found, expected) in cases {
        assert_eq!(error(category, &details, &accepted, &found), expected, "{category} {found}");
    }
}

#[test]
fn forms() {
    for (output, form, empty) in [
        (json!([]), true, true),
        (json!([{"f": {}}]), true, false),
        (json!([{}]), false, true),
        (json!([{"f": {}, "g": {}}]), false, true),
        (json!([{"f": "{}"}]), false, true),
        (json!({"__tuple__": [{"f": {}}]}), false, true),
        (json!("f()"), false, true),
        (json!(null), false, true),
    ] {
        let value = PyValue::from_recorded(&output);
        assert_eq!((is_function_call_format(&value), is_empty_output(&value)), (form, empty), "{output}");
        let judged = Checker::of("parallel").judge(&[], &[], &value).error_type();
        assert_eq!(judged == Some("ast_decoder:decoder_wrong_output_format"), !form, "{output}");
    }
}
