use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use sparring_tools::{Assignment, Format, calls_from_value};

fn calls(value: &Value) -> Vec<ToolCall> {
    calls_from_value(value).unwrap()
}

fn task(reference: &Value) -> ToolTask {
    ToolTask { question: String::new(), tools: vec![], calls: calls(reference), domain: String::new() }
}

/// A completion in Tool-Zero's form that makes these calls.
fn says(made: &Value) -> String {
    format!("<think>hm</think>{}", Format::R1Python.parser().render(&calls(made)))
}

/// The rule's score of a text, as the reward returns it.
fn rate(rule: &dyn Reward<ToolTask>, task: &ToolTask, text: &str) -> Option<f32> {
    rule.score(task, &[Rollout::from_text(text)], &RewardContext::default()).unwrap()[0]
}

const PYTHON: Format = Format::R1Python;

#[test]
fn ast_equality_by_hand() {
    let rule = AstMatch::of(PYTHON).with_fail(-1.0);
    let two = task(&json!([{"name": "f", "arguments": {"a": 1}}, {"name": "g"}]));
    for (text, want) in [
        (says(&json!([{"name": "f", "arguments": {"a": 1}}, {"name": "g"}])), 1.0),
        (says(&json!([{"name": "g"}, {"name": "f", "arguments": {"a": "1"}}])), 1.0),
        (says(&json!([{"name": "f", "arguments": {"a": 2}}, {"name": "g"}])), -1.0),
        (says(&json!([{"name": "f", "arguments": {"a": 1}}])), -1.0),
        (says(&json!([{"name": "f", "arguments": {"a": 1}}, {"name": "g"}, {"name": "g"}])), -1.0),
        (says(&json!([{"name": "f", "arguments": {"a": 1, "b": 1}}, {"name": "g"}])), -1.0),
        ("<answer>[f(a=1".to_owned(), -1.0),
        ("No tool serves this.".to_owned(), -1.0),
    ] {
        assert_eq!(rate(&rule, &two, &text), Some(want), "{text}");
    }
    let ordered = AstMatch { order: CallOrder::Same, ..AstMatch::of(PYTHON) };
    let turned = says(&json!([{"name": "g"}, {"name": "f", "arguments": {"a": 1}}]));
    assert_eq!(rate(&ordered, &two, &turned), Some(0.0));
    let typed = AstMatch::of(PYTHON).with_values(Equality::Python);
    let text = says(&json!([{"name": "f", "arguments": {"a": "1"}}, {"name": "g"}]));
    assert_eq!(rate(&typed, &two, &text), Some(0.0));
}

#[test]
fn declining_is_an_answer_where_there_is_one() {
    let none = task(&json!([]));
    let rule = AstMatch::of(PYTHON);
    let block = AstMatch { block: Some("answer".to_owned()), ..rule.clone() };
    for (text, plain, in_block) in [
        ("<answer>None of the tools can do this.</answer>", 1.0, 1.0),
        ("<answer></answer>", 1.0, 1.0),
        ("None of the tools can do this.", 1.0, 0.0),
        ("<answer>[f(a=1)]</answer>", 0.0, 0.0),
    ] {
        assert_eq!(
            [rate(&rule, &none, text), rate(&block, &none, text)],
            [Some(plain), Some(in_block)],
            "{text}"
        );
    }
}

/// Tool-Zero, Fig. 3: -1.3 for the wrong tool, -1.0 for the right tools with wrong values, +1.3 for the reference
/// of several calls. It is consistent with a failure value of -1 and a cap of 1.
#[test]
fn totals_of_figure_3() {
    let reference =
        json!([{"name": "f", "arguments": {"a": 1, "b": 2}}, {"name": "g", "arguments": {"c": 3}}]);
    let two = task(&reference);
    let total = |cap: Option<usize>, text: &str| {
        let (ast, bonus) = (AstMatch::of(PYTHON).with_fail(-1.0), MultiCallBonus::of(PYTHON));
        let penalty = ValuePenalty::of(PYTHON).with_cap(cap);
        let parts = [rate(&ast, &two, text), rate(&bonus, &two, text), rate(&penalty, &two, text)];
        parts.into_iter().flatten().sum::<f32>()
    };
    let wrong_tool = says(&json!([{"name": "h", "arguments": {"a": 1}}]));
    let values =
        says(&json!([{"name": "f", "arguments": {"a": 9, "b": 9}}, {"name": "g", "arguments": {"c": 9}}]));
    let close = |a: f32, b: f32| assert!((a - b).abs() < 1e-6, "{a}, expected {b}");
    close(total(Some(1), &wrong_tool), -1.3);
    close(total(Some(1), &values), -1.0);
    close(total(Some(1), &says(&reference)), 1.3);
    close(total(None, &values), -1.0 + 0.3 - 0.9);
}

#[test]
fn the_bonus_is_for_several_calls_and_their_names() {
    let two = task(&json!([{"name": "f"}, {"name": "g"}]));
    let turned = says(&json!([{"name": "g"}, {"name": "f"}]));
    let bonus = MultiCallBonus::of(PYTHON);
    assert_eq!(rate(&bonus, &two, &turned), Some(0.0));
    assert_eq!(rate(&bonus.clone().with_names(NameOrder::Multiset), &two, &turned), Some(0.3));
    assert_eq!(rate(&bonus, &two, "<answer>[f(a=1"), Some(0.0));
    assert_eq!(rate(&bonus, &task(&json!([{"name": "f"}])), &turned), None);
    let names = SameNames { format: PYTHON.into(), names: NameOrder::Multiset, block: None };
    assert_eq!([rate(&names, &two, &turned), rate(&names, &two, "hm")], [Some(1.0), Some(0.0)]);
}

#[test]
fn invalid_values_by_hand() {
    let reference =
        calls(&json!([{"name": "f", "arguments": {"a": 1}}, {"name": "f", "arguments": {"a": 2}}]));
    let count =
        |found: &Value| invalid_values(&reference, &calls(found), &Equality::Robust, Assignment::Optimal);
    let f = |a: i64| json!({"name": "f", "arguments": {"a": a}});
    assert_eq!(count(&json!([f(2), f(1)])), 0);
    assert_eq!(count(&json!([f(2), f(3)])), 1);
    assert_eq!(count(&json!([f(1), f(2), f(2), {"name": "g"}])), 2);
    assert_eq!(count(&json!([{"name": "f"}])), 0);
    let unreadable = ValuePenalty { unreadable: 1, ..ValuePenalty::of(PYTHON) };
    let one = task(&json!([f(1)]));
    assert_eq!(rate(&unreadable, &one, "<answer>[f(a=1"), Some(-0.3));
    assert_eq!(rate(&ValuePenalty::of(PYTHON), &one, "<answer>[f(a=1"), Some(0.0));
}

/// Tokens of the reference `[f(a=1, b='x y')]`: f, a, 1, b, x, y.
#[test]
fn overlap_by_hand() {
    let one = task(&json!([{"name": "f", "arguments": {"a": 1, "b": "x y"}}]));
    let recall = TokenOverlap::of(PYTHON);
    let f1 = recall.clone().with_measure(Overlap::F1);
    let jaccard = recall.clone().with_measure(Overlap::Jaccard);
    let whole = recall.clone().with_scope(Scope::Response);
    for (text, want) in [
        ("<answer>[f(a=1, b='x y')]</answer>", [1.0, 1.0, 1.0, 1.0]),
        ("f a <answer>[f(a=1)]</answer> b", [0.5, 2.0 / 3.0, 0.5, 4.0 / 6.0]),
        ("<answer> f a 1 b x y and many more</answer>", [1.0, 0.8, 6.0 / 9.0, 1.0]),
        ("f a 1 b x y", [0.0, 0.0, 0.0, 1.0]),
    ] {
        let got = [&recall, &f1, &jaccard, &whole].map(|rule| rate(rule, &one, text).unwrap());
        for (got, want) in got.into_iter().zip(want) {
            assert!((f64::from(got) - (want - 0.5)).abs() < 1e-6, "{text}: {got}, expected {want} - 0.5");
        }
    }
    let none = task(&json!([]));
    let skip = TokenOverlap { no_calls: NoCalls::Skip, ..recall.clone() };
    assert_eq!(rate(&recall, &none, "<answer>No tool serves.</answer>"), Some(0.5));
    assert_eq!(rate(&recall, &none, "<answer>[f(a=1)]</answer>"), Some(-0.5));
    assert_eq!(rate(&skip, &none, "<answer>[]</answer>"), None);
}

#[test]
fn a_rule_reads_by_any_parser() {
    let one = task(&json!([{"name": "f", "arguments": {"a": 1}}]));
    let rule = AstMatch::default();
    let text = says(&json!([{"name": "f", "arguments": {"a": 1}}]));
    assert_eq!(rate(&rule, &one, &text), Some(0.0));
    assert_eq!(rate(&rule.with_parser(PYTHON.parser()), &one, &text), Some(1.0));
}

/// ToolRL, on the range of -3 to 3: the released function's values, for a reference of one call f(a=1, b=2), and of
/// the two calls f(a=1), g(b=2).
#[test]
fn similarity_reference_values() {
    let f = |arguments: Value| json!({"name": "f", "arguments": arguments});
    let g = |arguments: Value| json!({"name": "g", "arguments": arguments});
    let one = json!([f(json!({"a": 1, "b": 2}))]);
    let two = json!([f(json!({"a": 1})), g(json!({"b": 2}))]);
    let share = CallSimilarity::default();
    for (what, reference, found, want) in [
        ("exact", &one, one.clone(), 3.0),
        ("a wrong value", &one, json!([f(json!({"a": 1, "b": 3}))]), 1.5),
        ("a missing argument", &one, json!([f(json!({"a": 1}))]), 0.75),
        ("the wrong tool", &one, json!([g(json!({"a": 1, "b": 2}))]), -3.0),
        ("an extra call", &one, json!([f(json!({"a": 1, "b": 2})), g(json!({}))]), 2.25),
        ("a duplicate", &one, json!([f(json!({"a": 1, "b": 2})), f(json!({"a": 1, "b": 2}))]), 2.25),
        ("a permutation", &two, json!([g(json!({"b": 2})), f(json!({"a": 1}))]), 3.0),
        ("one of two calls", &two, json!([f(json!({"a": 1}))]), 0.0),
        ("no call", &one, json!([]), -3.0),
        ("keys permuted", &one, json!([f(json!({"b": 2, "a": 1}))]), 3.0),
        ("a float for an integer", &one, json!([f(json!({"a": 1.0, "b": 2}))]), 3.0),
        ("a text for an integer", &one, json!([f(json!({"a": "1", "b": 2}))]), 1.5),
    ] {
        let got = 6.0 * share.share(&calls(reference), &calls(&found)) - 3.0;
        assert!((got - want).abs() < 1e-12, "{what}: {got}, expected {want}");
    }
}

/// The variants, computed by hand from the released code: the same predictions under finegrained, intermediate and
/// coarse.
#[test]
fn variants_of_similarity_by_hand() {
    let f = |arguments: Value| json!({"name": "f", "arguments": arguments});
    let g = |arguments: Value| json!({"name": "g", "arguments": arguments});
    let one = json!([f(json!({"a": 1, "b": 2}))]);
    let two = json!([f(json!({"a": 1})), g(json!({"b": 2}))]);
    let original = CallSimilarity::default();
    let fine = original.clone().with_similarity(Similarity::Exact, Similarity::Exact);
    let intermediate = original.clone().with_detail(Detail::Calls);
    let coarse = original.clone().with_detail(Detail::List);
    for (what, reference, found, want) in [
        ("exact", &one, one.clone(), [1.0, 1.0, 1.0, 1.0]),
        // Names 1, keys 1, one of two values.
        ("a wrong value", &one, json!([f(json!({"a": 1, "b": 3}))]), [0.75, 0.75, 0.5, 0.0]),
        // Keys 1/2 or 0, one value.
        ("a missing argument", &one, json!([f(json!({"a": 1}))]), [0.625, 0.5, 0.5, 0.0]),
        // Names 1/2 or 0.
        ("an extra call", &one, json!([f(json!({"a": 1, "b": 2})), g(json!({}))]), [0.875, 0.75, 0.75, 0.0]),
        ("a permutation", &two, json!([g(json!({"b": 2})), f(json!({"a": 1}))]), [1.0, 0.8, 1.0, 0.0]),
        ("one of two calls", &two, json!([f(json!({"a": 1}))]), [0.5, 0.4, 0.5, 0.0]),
        ("no call", &two, json!([]), [0.0, 0.0, 0.0, 0.0]),
    ] {
        for (rule, want) in [&original, &fine, &intermediate, &coarse].into_iter().zip(want) {
            let got = rule.share(&calls(reference), &calls(&found));
            assert!((got - want).abs() < 1e-12, "{what}, {:?}: {got}, expected {want}", rule.detail);
        }
    }
}

#[test]
fn an_unreadable_completion_and_an_empty_reference() {
    let one = task(&json!([{"name": "f", "arguments": {"a": 1}}]));
    let rule = CallSimilarity::default();
    let lines = "<think>x</think>\n<tool_call>\n{\"name\": \"f\", \"parameters\": {\"a\": 1}}\n{\"name\": \"g\", \
                 \"parameters\": {}}\n</tool_call>";
    assert_eq!(rate(&rule, &one, lines), Some(2.5 / 3.0));
    assert_eq!(rate(&rule, &one, "<tool_call>\noops\n</tool_call>"), Some(0.0));
    assert_eq!(rate(&rule, &one, "nothing"), Some(0.0));
    assert_eq!(rate(&rule, &task(&json!([])), lines), None);
    let declining = CallSimilarity { no_calls: NoCalls::Declined, ..rule };
    assert_eq!(rate(&declining, &task(&json!([])), lines), Some(0.0));
    assert_eq!(rate(&declining, &task(&json!([])), "nothing"), Some(1.0));
    let readable = Readable { block: Some("tool_call".to_owned()), ..Readable::default() };
    let texts = [lines, "<tool_call>oops</tool_call>", "nothing", "<tool_call>[]</tool_call>"];
    assert_eq!(texts.map(|text| rate(&readable, &one, text)), [1.0, 0.0, 0.0, 1.0].map(Some));
}

fn some_calls() -> impl Strategy<Value = Vec<ToolCall>> {
    let arguments = prop::collection::btree_map("[abc]", (0..3_i64).prop_map(Value::from), 0..4);
    let call = ("[fgh]", arguments).prop_map(|(name, arguments)| ToolCall::new(name, arguments));
    prop::collection::vec(call, 0..4)
}

proptest! {
    #[test]
    fn ranges_and_the_perfect_answer(reference in some_calls(), found in some_calls()) {
        let task = ToolTask { question: String::new(), tools: vec![], calls: reference.clone(), domain: String::new() };
        let text = |calls: &[ToolCall]| format!("<think>x</think>{}", PYTHON.parser().render(calls));
        let (perfect, other) = (text(&reference), text(&found));
        let ast = AstMatch::of(PYTHON).with_fail(-1.0);
        prop_assert_eq!(rate(&ast, &task, &perfect), Some(1.0));
        prop_assert!([Some(-1.0), Some(1.0)].contains(&rate(&ast, &task, &other)));
        let penalty = ValuePenalty::of(PYTHON);
        prop_assert_eq!(rate(&penalty, &task, &perfect), Some(0.0));
        prop_assert!(rate(&penalty, &task, &other).unwrap() <= 0.0);
        prop_assert!(rate(&penalty.clone().with_cap(1), &task, &other).unwrap() >= -0.3);
        if rate(&ast, &task, &other) == Some(1.0) {
            prop_assert_eq!(rate(&penalty, &task, &other), Some(0.0));
        }
        for measure in [Overlap::Recall, Overlap::F1, Overlap::Jaccard] {
            let rule = TokenOverlap::of(PYTHON).with_measure(measure);
            prop_assert_eq!(rate(&rule, &task, &perfect), Some(0.5));
            prop_assert!((-0.5..=0.5).contains(&rate(&rule, &task, &other).unwrap()));
        }
        let bonus = rate(&MultiCallBonus::of(PYTHON), &task, &perfect);
        prop_assert_eq!(bonus, (reference.len() >= 2).then_some(0.3));
    }

    #[test]
    fn the_order_of_calls_matters_only_where_it_should(reference in some_calls(), by in 0_usize..4) {
        let mut turned = reference.clone();
        turned.rotate_left(by % reference.len().max(1));
        prop_assert!(same_calls(&reference, &turned, &Equality::Robust, CallOrder::Any));
        prop_assert!(same_names(&reference, &turned, NameOrder::Multiset));
        prop_assert_eq!(invalid_values(&reference, &turned, &Equality::Robust, Assignment::Optimal), 0);
        prop_assert_eq!(
            same_calls(&reference, &turned, &Equality::Strict, CallOrder::Same),
            reference == turned
        );
    }

    #[test]
    fn similarity_is_a_share(reference in some_calls(), found in some_calls(), by in 0_usize..4) {
        let mut turned = reference.clone();
        turned.rotate_left(by % reference.len().max(1));
        let rule = CallSimilarity::default();
        prop_assert_eq!(rule.share(&reference, &turned), 1.0);
        let optimal = rule.clone().with_assignment(Assignment::Optimal);
        prop_assert!(optimal.share(&reference, &found) >= rule.share(&reference, &found) - 1e-12);
        prop_assert!((optimal.share(&reference, &found) - optimal.share(&turned, &found)).abs() < 1e-12);
        for similarity in [Similarity::Jaccard, Similarity::F1, Similarity::Exact] {
            for detail in [Detail::Parts, Detail::Calls, Detail::List] {
                let rule = rule.clone().with_similarity(similarity, similarity).with_detail(detail);
                let share = rule.share(&reference, &found);
                prop_assert!((0.0..=1.0).contains(&share));
                prop_assert_eq!(rule.share(&reference, &reference), 1.0);
                if share >= 1.0 {
                    prop_assert!(same_calls(&reference, &found, &Equality::Python, CallOrder::Any));
                }
            }
        }
    }

    #[test]
    fn no_text_breaks_a_rule(text in ".{0,60}", reference in some_calls()) {
        let task = ToolTask { question: String::new(), tools: vec![], calls: reference, domain: String::new() };
        let rules: [&dyn Reward<ToolTask>; 8] = [
            &CallSimilarity::default(), &ExtraCalls::default(), &Readable::default(),
            &AstMatch::of(PYTHON), &MultiCallBonus::of(PYTHON), &SameNames::default(),
            &TokenOverlap::of(PYTHON), &ValuePenalty::of(PYTHON),
        ];
        for rule in rules {
            prop_assert!(rate(rule, &task, &text).is_none_or(f32::is_finite));
        }
    }
}
