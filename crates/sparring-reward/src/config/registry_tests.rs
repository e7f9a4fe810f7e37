use super::*;
use crate::settings;
use crate::{BoxReward, Sum, Weighted};
use proptest::prelude::*;
use serde_json::{Value, json};
use sparring_core::{Reward, RewardContext, Rollout, reward_fn};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Has {
    word: String,
    #[serde(default)]
    worth: Option<f64>,
}

/// A custom kind that contains library kinds and custom ones.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Halves {
    of: Vec<RewardConfig>,
    rest: Option<Box<RewardConfig>>,
}

fn has(has: Has, _: &Builder<'_, str>) -> Result<impl Reward<str> + use<>, RewardError> {
    if has.word.is_empty() {
        return Err(RewardError::invalid("word", "must not be empty"));
    }
    let worth = has.worth.unwrap_or(1.0) as f32;
    Ok(reward_fn("has", move |_: &str, out: &Rollout| {
        Some(if out.text.contains(&has.word) { worth } else { 0.0 })
    }))
}

fn halves(halves: Halves, build: &Builder<'_, str>) -> Result<Sum<str>, RewardError> {
    let mut sum = Sum::new("halves");
    for part in build.rewards("of", &halves.of)? {
        sum = sum.with(Weighted::new(0.5, part));
    }
    match halves.rest {
        Some(rest) => Ok(sum.with(build.reward("rest", &rest)?)),
        None => Ok(sum),
    }
}

fn registry() -> Registry<str> {
    Registry::new().with_kind("has", has).with_kind("halves", halves)
}

fn build(config: &Value) -> Result<BoxReward<str>, String> {
    let config: RewardConfig = serde_json::from_value(config.clone()).map_err(|e| e.to_string())?;
    config.build_with(&registry()).map_err(|e| e.to_string())
}

/// Trees of custom and library kinds, each with its score for a text with and one without `x`.
fn trees() -> impl Strategy<Value = (Value, [f64; 2])> {
    let constant = (-4..4_i32).prop_map(|v| (json!({"value": v, "kind": "constant"}), [f64::from(v); 2]));
    let has =
        (-4..4_i32).prop_map(|v| (json!({"kind": "has", "word": "x", "worth": v}), [f64::from(v), 0.0]));
    prop_oneof![constant, has].prop_recursive(4, 32, 3, |inner| {
        let parts = prop::collection::vec(inner.clone(), 1..4);
        let total = |parts: &[(Value, [f64; 2])]| {
            [0, 1].map(|i| parts.iter().map(|(_, scores)| scores[i]).sum::<f64>())
        };
        let values = |parts: &[(Value, [f64; 2])]| parts.iter().map(|(v, _)| v.clone()).collect::<Vec<_>>();
        prop_oneof![
            parts.clone().prop_map(move |p| (json!({"parts": values(&p), "kind": "sum"}), total(&p))),
            inner.clone().prop_map(|(v, s)| (
                json!({"kind": "weighted", "weight": 0.5, "reward": v}),
                s.map(|s| s * 0.5)
            )),
            inner.clone().prop_map(|(v, s)| (
                json!({"gate": {"kind": "has", "word": "x"}, "kind": "gate", "reward": v}),
                [s[0], 0.0]
            )),
            parts
                .prop_map(move |p| (json!({"kind": "halves", "of": values(&p)}), total(&p).map(|s| s * 0.5))),
            (inner.clone(), inner).prop_map(|((a, s), (b, t))| (
                json!({"of": [a], "rest": b, "kind": "halves"}),
                [0, 1].map(|i| s[i] * 0.5 + t[i])
            )),
        ]
    })
}

proptest! {
    #[test]
    fn custom_kinds_nest_survive_round_trips_and_build((tree, want) in trees()) {
        let config: RewardConfig = serde_json::from_value(tree.clone()).unwrap();
        let json = serde_json::to_string(&config).unwrap();
        prop_assert_eq!(&settings::from_json::<RewardConfig>(&json, "again.json").unwrap().value, &config);
        let toml = toml::to_string_pretty(&config).unwrap();
        let again = settings::from_toml::<RewardConfig>(&toml, "again.toml").unwrap().value;
        prop_assert_eq!(serde_json::to_value(&again).unwrap(), serde_json::to_value(&config).unwrap());
        // Plain TOML, without this crate's reader.
        prop_assert_eq!(&toml::from_str::<RewardConfig>(&toml).unwrap(), &again);
        for config in [config, again] {
            let reward = config.build_with(&registry()).unwrap();
            let group = ["x", "o"].map(Rollout::from_text);
            let scores = reward.score("", &group, &RewardContext::default()).unwrap();
            for (score, want) in scores.into_iter().zip(want) {
                prop_assert!((f64::from(score.unwrap()) - want).abs() < 1e-4);
            }
        }
    }
}

#[test]
fn mistakes_in_custom_kinds_have_their_path() {
    let inside = |part: Value| json!({"kind": "sum", "parts": [{"kind": "tags"}, part]});
    let halves = |part: Value| json!({"kind": "halves", "of": [{"kind": "constant", "value": 1}, part]});
    for (config, want) in [
        (json!({"kind": "has", "word": ""}), "word: must not be empty"),
        (inside(json!({"kind": "has"})), "parts[1]: missing field `word`"),
        (inside(json!({"kind": "has", "word": 1})), "parts[1].word: invalid type: integer `1`"),
        (
            inside(json!({"kind": "hat", "word": "x"})),
            "parts[1].kind: there is no kind `hat` (did you mean `has`?); the kinds are halves, has, sum, ",
        ),
        (halves(json!({"kind": "has", "word": ""})), "of[1].word: must not be empty"),
        (halves(json!({"kind": "weighted", "wieght": 1})), "of[1].wieght: unknown field `wieght`"),
        (
            halves(inside(json!({"kind": "band", "sigma": 0.0}))),
            "of[1].parts[1].sigma: must be a finite number above 0",
        ),
        (
            json!({"kind": "halves", "of": [], "rest": {"kind": "halves", "of": [{"kind": "Sum"}]}}),
            "rest.of[0].kind: there is no kind `Sum` (did you mean `sum`?)",
        ),
        (halves(json!({"kind": "ast"})), "of[1]: needs tool tasks"),
    ] {
        let error = build(&config).err().unwrap_or_default();
        assert!(error.starts_with(want), "{error}\n{want}");
    }
}

#[test]
fn a_custom_kind_cannot_have_the_name_of_a_library_kind() {
    let registry = registry().with_kind("sum", has);
    let config: RewardConfig = serde_json::from_value(json!({"kind": "tags"})).unwrap();
    let error = config.build_with(&registry).err().map(|error| error.to_string());
    assert_eq!(error.as_deref(), Some("the library has a kind `sum`; choose another name"));
}

#[test]
fn kinds_of_calls_are_known_to_every_registry_of_tool_tasks() {
    let config: RewardConfig =
        serde_json::from_value(json!({"kind": "gate", "gate": {"kind": "ast"}, "reward": {"kind": "own"}}))
            .unwrap();
    let make = |_: Value, _: &Builder<'_, ToolTask>| Ok(crate::Constant::new(1.0));
    assert!(config.build_with(&Registry::new().with_kind("own", make)).is_ok());
}
