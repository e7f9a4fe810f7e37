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

/// A completion of Tool-Zero's form that makes these calls.
fn says(made: &Value) -> String {
    format!("<think>hm</think>{}", Format::R1Python.parser().render(&calls(made)))
}

/// The rule's score of a text, as a reward gives it.
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
/// of several calls. It agrees with a failure value of -1 and a cap of 1.
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
    assert_eq!(rate(&rule.read_by(PYTHON.parser()), &one, &text), Some(1.0));
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
    fn no_text_breaks_a_rule(text in ".{0,60}", reference in some_calls()) {
        let task = ToolTask { question: String::new(), tools: vec![], calls: reference, domain: String::new() };
        let rules: [&dyn Reward<ToolTask>; 5] = [
            &AstMatch::of(PYTHON), &MultiCallBonus::of(PYTHON), &SameNames::default(),
            &TokenOverlap::of(PYTHON), &ValuePenalty::of(PYTHON),
        ];
        for rule in rules {
            prop_assert!(rate(rule, &task, &text).is_none_or(f32::is_finite));
        }
    }
}
