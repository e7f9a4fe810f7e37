use proptest::prelude::*;
use serde_json::{Map, Value, json};
use sparring_bfcl::{CallJudge, Checker, Expected, MatchJudge, PyValue};
use sparring_tools::Assignment;

/// A type, and the accepted values of a parameter that has it. Golds of one type, as they should be.
fn parameter() -> impl Strategy<Value = (Value, Vec<Value>)> {
    let text =
        || prop_oneof!["[a-zA-Z' ,.]{1,6}", "\\PC{1,4}"].prop_filter("not the mark", |s| !s.is_empty());
    let some = |one: BoxedStrategy<Value>| prop::collection::vec(one, 1..3);
    let of =
        |details: Value, one: BoxedStrategy<Value>| some(one).prop_map(move |golds| (details.clone(), golds));
    let integers = || any::<i64>().prop_map(Value::from).boxed();
    let floats = || (-1e9..1e9_f64).prop_map(Value::from).boxed();
    let texts = move || text().prop_map(Value::from).boxed();
    let list = |one: BoxedStrategy<Value>| prop::collection::vec(one, 0..3).prop_map(Value::from).boxed();
    let dict = prop::collection::btree_map("[a-d]", some(texts()).prop_map(Value::from), 0..3);
    let dict = dict.prop_map(|entries| Value::Object(entries.into_iter().collect())).boxed();
    prop_oneof![
        of(json!({"type": "string"}), texts()),
        of(json!({"type": "integer"}), integers()),
        of(json!({"type": "float"}), floats()),
        of(json!({"type": "boolean"}), any::<bool>().prop_map(Value::from).boxed()),
        of(json!({"type": "array", "items": {"type": "string"}}), list(texts())),
        of(json!({"type": "array", "items": {"type": "integer"}}), list(integers())),
        of(json!({"type": "array", "items": {"type": "dict"}}), list(dict.clone())),
        of(json!({"type": "dict"}), dict),
    ]
}

/// A plain value for an accepted one: the first of each dict's accepted values.
fn rendered(value: &Value) -> Value {
    match value {
        Value::Object(entries) => Value::Object(
            entries.iter().map(|(key, accepted)| (key.clone(), rendered(&accepted[0]))).collect(),
        ),
        Value::Array(items) => items.iter().map(rendered).collect(),
        other => other.clone(),
    }
}

prop_compose! {
    /// A function, a gold call, and the call that takes the accepted value of this index everywhere.
    fn case()(parameters in prop::collection::btree_map("[a-c]{1,3}", (parameter(), any::<bool>()), 0..4), pick in 0_usize..2)
        -> (Value, Value, Value) {
        let (mut properties, mut gold, mut call) = (Map::new(), Map::new(), Map::new());
        for (name, ((details, golds), optional)) in parameters {
            call.insert(name.clone(), rendered(&golds[pick % golds.len()]));
            let mark = optional.then(|| json!(""));
            gold.insert(name.clone(), mark.into_iter().chain(golds).collect());
            properties.insert(name, details);
        }
        let parameters = json!({"type": "dict", "required": [], "properties": properties});
        (json!({"name": "f.g", "parameters": parameters}), json!({"f.g": gold}), json!({"f.g": call}))
    }
}

/// Gold calls of `f` that accept some of a few integers, and calls that give one.
fn parallel() -> impl Strategy<Value = (Vec<Value>, Vec<Value>)> {
    let gold = prop::collection::vec(0_u8..4, 1..3).prop_map(|golds| json!({"f": {"x": golds}}));
    let call = (0_u8..4).prop_map(|x| json!({"f": {"x": x}}));
    (1_usize..6).prop_flat_map(move |n| {
        (prop::collection::vec(gold.clone(), n), prop::collection::vec(call.clone(), n))
    })
}

fn integer() -> [Value; 1] {
    let properties = json!({"x": {"type": "integer"}});
    [json!({"name": "f", "parameters": {"type": "dict", "required": [], "properties": properties}})]
}

proptest! {
    #[test]
    fn gold_rendered_as_output_is_valid((function, gold, call) in case()) {
        let (functions, gold, output) = ([function], [gold], PyValue::from_json(&json!([call])));
        for category in ["simple_python", "multiple", "parallel"] {
            let verdict = Checker::of(category).judge(&functions, &gold, &output);
            prop_assert!(verdict.is_valid(), "{verdict}");
        }
        let expected = Expected { functions: &functions, gold: &gold };
        let judgement = MatchJudge::default().judge(expected, &output);
        prop_assert!(judgement.valid, "{judgement}");
    }

    #[test]
    fn order_never_changes_the_optimal_verdict((gold, calls) in parallel(), shift in 0_usize..5) {
        let functions = integer();
        let greedy = Checker::of("parallel");
        let optimal = greedy.with_assignment(Assignment::Optimal);
        let output = PyValue::from_json(&Value::from(calls.clone()));
        let valid = optimal.check(&functions, &gold, &output).is_valid();
        prop_assert!(valid || !greedy.check(&functions, &gold, &output).is_valid());

        let mut moved = calls;
        let n = moved.len();
        moved.rotate_left(shift % n);
        moved.swap(0, n - 1);
        let moved = PyValue::from_json(&Value::from(moved));
        prop_assert_eq!(optimal.check(&functions, &gold, &moved).is_valid(), valid);
        let expected = Expected { functions: &functions, gold: &gold };
        let matching = MatchJudge::default();
        prop_assert_eq!(matching.judge(expected, &output).valid, valid);
        prop_assert_eq!(matching.judge(expected, &moved).valid, valid);
    }

    #[test]
    fn nothing_panics(functions in prop::collection::vec(any_json(), 0..2), gold in prop::collection::vec(any_json(), 0..2), output in any_json()) {
        let output = PyValue::from_recorded(&output);
        for category in ["simple_java", "simple_javascript", "multiple", "parallel"] {
            let verdict = Checker::of(category).check(&functions, &gold, &output);
            prop_assert_eq!(verdict.is_valid(), verdict.error_type().is_none());
            prop_assert!(!verdict.to_string().is_empty());
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec!["f", "x", "", "array", "type", "new int[]{1}"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        let key =
            prop::sample::select(vec!["name", "parameters", "properties", "required", "type", "f", "x"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..5)
                .prop_map(|e| Value::Object(e.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        ]
    })
}
