use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use sparring_core::{Reward, RewardContext, Rollout};
use sparring_tools::ToolCall;

fn read(value: Value) -> RewardConfig {
    serde_json::from_value(value).unwrap()
}

fn refused(value: Value) -> String {
    read(value).build().err().map(|error| error.to_string()).unwrap_or_default()
}

/// One of every kind.
fn kinds() -> Vec<Value> {
    let x = || json!({"kind": "constant", "value": 0.5});
    vec![
        json!({"kind": "sum", "parts": [x()]}),
        json!({"kind": "weighted", "weight": 2, "reward": x()}),
        json!({"kind": "mix", "sigma": 0.5, "late": x(), "early": x()}),
        json!({"kind": "product", "parts": [x(), x()]}),
        json!({"kind": "gate", "gate": x(), "reward": x()}),
        json!({"kind": "clamp", "min": 0.0, "reward": x()}),
        json!({"kind": "range", "min": -1, "max": {"kind": "ramp", "from": 2.0, "to": 3.0, "steps": 9}, "reward": x()}),
        json!({"kind": "tiers", "rows": [{"when": [x()], "value": 1}, {"reward": x()}], "otherwise": 0}),
        x(),
        json!({"kind": "tags"}),
        json!({"kind": "length"}),
        json!({"kind": "tool_use"}),
        json!({"kind": "ngram_repetition", "size": 4, "unit": "words"}),
        json!({"kind": "majority", "answer": {"kind": "calls"}}),
        json!({"kind": "repetition", "question": {"kind": "tag", "tag": "question"}}),
        json!({"kind": "band"}),
        json!({"kind": "solve_rate", "shape": "tent"}),
        json!({"kind": "present", "part": {"kind": "boxed"}}),
        json!({"kind": "solver_format"}),
        json!({"kind": "ast"}),
        json!({"kind": "overlap"}),
        json!({"kind": "multi_call"}),
        json!({"kind": "names"}),
        json!({"kind": "value_penalty"}),
        json!({"kind": "similarity"}),
        json!({"kind": "extra_calls"}),
        json!({"kind": "readable"}),
        json!({"kind": "reference_format"}),
        json!({"kind": "accuracy"}),
        json!({"kind": "validity"}),
    ]
}

/// Those that compare a completion with a task's calls.
const OF_CALLS: usize = 11;

#[test]
fn every_kind_reads_builds_and_survives_a_round_trip() {
    let kinds = kinds();
    for (i, kind) in kinds.iter().enumerate() {
        let config = read(kind.clone());
        let again: RewardConfig = serde_json::from_str(&serde_json::to_string(&config).unwrap()).unwrap();
        assert_eq!(again, config);
        config.build().map(|_| ()).unwrap();
        assert_eq!(config.build_any::<str>().is_ok(), i < kinds.len() - OF_CALLS, "{kind}");
        let mut unknown = kind.clone();
        unknown["wrong"] = json!(1);
        assert!(serde_json::from_value::<RewardConfig>(unknown).is_err(), "{kind} takes unknown fields");
    }
}

#[test]
fn errors_name_the_path() {
    for (config, want) in [
        (json!({"kind": "sum", "parts": []}), "parts: must have at least one part"),
        (
            json!({"kind": "sum", "parts": [{"kind": "tags"}, {"kind": "value_penalty", "each": -1}]}),
            "parts[1].each: must be a finite number, at least 0",
        ),
        (
            json!({"kind": "mix", "sigma": 2, "late": {"kind": "ast"}, "early": {"kind": "ast"}}),
            "sigma: must stay in [0, 1]",
        ),
        (
            json!({"kind": "mix", "sigma": 0, "late": {"kind": "band", "sigma": 0.0}, "early": {"kind": "ast"}}),
            "late.sigma: must be a finite number above 0",
        ),
        (
            json!({"kind": "tiers", "rows": [{"when": [{"kind": "tags", "tags": []}], "value": 1}]}),
            "rows[0].when[0].tags: must have at least one tag, none of them empty",
        ),
        (json!({"kind": "tiers", "rows": [{}]}), "rows[0]: must have one of `value` and `reward`"),
        (json!({"kind": "length", "target": 0}), "target: must stay above 0"),
        (
            json!({"kind": "clamp", "min": 2.0, "max": 1.0, "reward": {"kind": "ast"}}),
            "min: must be a number, and at most `max`",
        ),
        (
            json!({"kind": "repetition", "rules": {"weight": -1}}),
            "rules.weight: must be finite and at least 0",
        ),
        (json!({"kind": "tool_use", "mark": ""}), "mark: must not be empty"),
        (
            json!({"kind": "ngram_repetition", "max_penalty": -1}),
            "max_penalty: must be finite and at least 0",
        ),
    ] {
        assert_eq!(refused(config), want);
    }
    let unknown = serde_json::from_value::<RewardConfig>(json!({"kind": "ast", "format": "morse"}));
    assert!(unknown.unwrap_err().to_string().contains("there is no call format `morse`"));
}

/// A part that does not apply never counts as 0, and compositions other than sums have one component.
#[test]
fn compositions_keep_the_contract() {
    let none = || json!({"kind": "solve_rate", "shape": "tent"});
    let x = |value: f64| json!({"kind": "constant", "value": value});
    for (config, want) in [
        (json!({"kind": "product", "parts": [none(), x(2.0), x(3.0)]}), Some(6.0)),
        (json!({"kind": "product", "parts": [none()]}), None),
        (json!({"kind": "clamp", "min": 0.0, "reward": none()}), None),
        (json!({"kind": "clamp", "min": 0.0, "reward": x(-1.0)}), Some(0.0)),
        (json!({"kind": "range", "min": 1, "max": 2, "reward": none()}), None),
        (json!({"kind": "mix", "sigma": 0.25, "late": x(4.0), "early": none()}), Some(1.0)),
        (json!({"kind": "mix", "sigma": 0.25, "late": x(4.0), "early": x(8.0)}), Some(7.0)),
        (json!({"kind": "tiers", "rows": [{"when": [none()], "value": 1}]}), None),
        (json!({"kind": "tiers", "rows": [{"when": [x(0.0)], "value": 1}], "otherwise": -1}), Some(-1.0)),
        (
            json!({"kind": "tiers", "rows": [{"when": [x(0.1)], "reward": x(5.0)}], "otherwise": -1}),
            Some(5.0),
        ),
    ] {
        let reward = read(config.clone()).build_any::<str>().unwrap();
        let (group, ctx) = ([Rollout::from_text("x")], RewardContext::default());
        assert_eq!(reward.score("", &group, &ctx).unwrap(), [want], "{config}");
        let components = reward.components("", &group, &ctx).unwrap();
        assert!(config["kind"] == "mix" || components.len() == 1);
    }
    let wide =
        read(json!({"kind": "range", "min": 0, "max": 1, "reward": x(2.0)})).build_any::<str>().unwrap();
    let error = wide.score("", &[Rollout::from_text("x")], &RewardContext::default()).unwrap_err();
    assert!(error.to_string().starts_with("the reward \"constant\" scored 2"), "{error}");
}

proptest! {
    #[test]
    fn any_reward_of_any_kind_scores_any_text(texts in prop::collection::vec(".{0,40}", 0..4), step in 0_usize..200) {
        let task = ToolTask {
            question: "x".into(), tools: vec![], domain: String::new(),
            calls: vec![ToolCall::new("f", [("a", 1.into())])],
        };
        let group: Vec<Rollout> = texts.iter().map(|text| Rollout::from_text(text.as_str())).collect();
        let ctx = RewardContext::at(step, 100);
        for kind in kinds() {
            let reward = read(kind).build().unwrap();
            let scores = reward.score(&task, &group, &ctx).unwrap();
            prop_assert!(sparring_core::check_scores(reward.name(), &scores, group.len()).is_ok());
            let parts = reward.components(&task, &group, &ctx).unwrap();
            let sum = sparring_core::sum_components("sum", &parts, group.len()).unwrap();
            prop_assert_eq!(sum, scores);
        }
    }
}
