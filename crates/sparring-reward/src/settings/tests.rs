use super::*;
use crate::RewardConfig;
use serde::Deserialize;
use std::fmt::Debug;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inner {
    a: i64,
    #[serde(default)]
    b: Vec<i64>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Outer {
    x: f64,
    inner: Inner,
}

fn message<T: Debug>(result: Result<T, RewardError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn later_layers_win_and_tables_merge() {
    let base = Layer::new("base", "x = 1.0\n[inner]\na = 1\nb = [1, 2]\n");
    let over = Layer::new("over", "extends = \"base\"\n[inner]\nb = [3]\n");
    let settings = from_layers::<Outer>(&[base, over]).unwrap();
    assert_eq!(settings.value, Outer { x: 1.0, inner: Inner { a: 1, b: vec![3] } });
    assert_eq!(settings.origin("inner.a"), Some(("base".into(), 3)));
    assert_eq!(settings.origin("inner.b[0]"), Some(("over".into(), 3)));
}

#[test]
fn errors_name_file_line_and_field() {
    let base = Layer::new("base", "x = 1.0\n[inner]\na = 1\n");
    let cases = [
        ("\n[inner]\nnope = 3\n", "over:3: inner", "nope"),
        ("[inner]\na = \"text\"\n", "over:2: inner.a: ", "expected i64"),
        ("[inner]\nb = [\n1,\n2.5]\n", "over:4: inner.b[1]: ", "2.5"),
        ("x = [\n", "over:", "array"),
        ("x = true", "over:1: x: ", "bool"),
    ];
    for (text, place, what) in cases {
        let error = message(from_layers::<Outer>(&[base.clone(), Layer::new("over", text)]));
        assert!(error.starts_with(place) && error.contains(what), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn settings_are_located_by_their_longest_known_prefix() {
    let settings = from_layers::<Outer>(&[Layer::new("f", "x = 1.0\n[inner]\na = 1\n")]).unwrap();
    let error = settings.locate(RewardError::invalid("inner.a.deeper", "is wrong"));
    assert_eq!(error.to_string(), "f:3: inner.a.deeper: is wrong");
    let error = settings.locate(RewardError::invalid("elsewhere", "is wrong"));
    assert_eq!(error.to_string(), "elsewhere: is wrong");
}

#[test]
fn a_cycle_of_files_is_an_error() {
    let find = |name: &str| Ok::<_, RewardError>(Layer::new(name, "extends = 'a'\nx = 1.0"));
    let error = message(from_extending_toml::<Outer, _>("extends = 'a'", "mine", find));
    assert_eq!(error, "a:1: `extends` forms a cycle");
}

/// Reads a reward under `reward` and builds it, as a user's file would.
fn refused(settings: Result<Settings<BTreeMap<String, RewardConfig>>, RewardError>) -> String {
    let build = |settings: Settings<BTreeMap<String, RewardConfig>>| {
        let built = settings.value["reward"].build().map(drop);
        built.map_err(|error| settings.locate(error.within("reward")))
    };
    message(settings.and_then(build))
}

/// Wherever `kind` is in its table, and however deep the mistake is.
#[test]
fn mistakes_in_rewards_keep_their_line_and_path_in_toml() {
    let sum = "[reward]\nname = 'all'\nkind = 'sum'\n\n[[reward.parts]]\nkind = 'tags'\n\n[[reward.parts]]\n";
    for (part, want) in [
        (
            "kind = 'weighted'\nwieght = 1\n",
            "my.toml:10: reward.parts[1].wieght: unknown field `wieght`, expected `weight` or `reward`",
        ),
        ("reward.kind = 'tags'\nkind = 'weighted'\n", "my.toml:8: reward.parts[1]: missing field `weight`"),
        (
            "kind = 'weighted'\nweight = 'x'\n",
            "my.toml:10: reward.parts[1].weight: invalid type: string \"x\"",
        ),
        (
            "kind = 'gate'\ngate = { kind = 'tags', tag = 'x' }",
            "my.toml:10: reward.parts[1].gate.tag: unknown field `tag`",
        ),
        ("pass = true\nkind = 'ast'", "my.toml:9: reward.parts[1].pass: invalid type: boolean `true`"),
        (
            "kind = 'ast'\nformat = 'morse'",
            "my.toml:10: reward.parts[1].format: there is no call format `morse`",
        ),
        (
            "kind = 'ats'\n",
            "my.toml:9: reward.parts[1].kind: there is no kind `ats` (did you mean `ast`?); the kinds are sum, ",
        ),
        (
            "kind = 'telepathy'\n",
            "my.toml:9: reward.parts[1].kind: there is no kind `telepathy`; the kinds are sum, ",
        ),
        ("pass = 1\n", "my.toml:8: reward.parts[1]: missing field `kind`"),
        ("kind = 3\n", "my.toml:9: reward.parts[1].kind: invalid type: integer `3`"),
        (
            "kind = 'value_penalty'\n\neach = -1",
            "my.toml:11: reward.parts[1].each: must be a finite number, at least 0",
        ),
        (
            "kind = 'tiers'\nrows = [\n{ when = [{ kind = 'tags', tags = [] }], value = 1 }]",
            "my.toml:11: reward.parts[1].rows[0].when[0].tags: must have at least one tag",
        ),
        (
            "kind = 'repetition'\n[reward.parts.rules]\nmeasure = 'bleu'\nweight = -1",
            "my.toml:12: reward.parts[1].rules.weight: must be finite",
        ),
        ("kind = 'length'\ntarget = { kind = 'ramp', form = 1 }", "my.toml:10: reward.parts[1].target"),
    ] {
        let error = refused(from_toml(&format!("{sum}{part}"), "my.toml"));
        assert!(error.starts_with(want), "{error}\n{want}");
    }
}

#[test]
fn mistakes_in_rewards_keep_their_line_and_path_in_json() {
    for (part, want) in [
        (
            "{\"kind\": \"weighted\",\n\"wieght\": 1}",
            "my.json:4: reward.parts[1].wieght: unknown field `wieght`",
        ),
        (
            "{\n\"reward\": {\"kind\": \"tags\", \"pas\": 1}, \"kind\": \"weighted\"}",
            "my.json:4: reward.parts[1].reward.pas: unknown",
        ),
        (
            "{\"pass\": true, \"kind\": \"ast\"}",
            "my.json:3: reward.parts[1].pass: invalid type: boolean `true`",
        ),
        (
            "\n{\"kind\": \"ats\"}",
            "my.json:4: reward.parts[1].kind: there is no kind `ats` (did you mean `ast`?)",
        ),
        ("{\"kind\": \"value_penalty\",\n\n\"each\": -1}", "my.json:5: reward.parts[1].each: must be"),
        ("{\"kind\": \"weighted\", \"weight\": 1}", "my.json:3: reward.parts[1]: missing field `reward`"),
        ("{\"kind\": }", "my.json:3: expected value"),
    ] {
        let text =
            format!("{{\"reward\": {{\"parts\": [\n{{\"kind\": \"tags\"}},\n{part}], \"kind\": \"sum\"}}}}");
        let error = refused(from_json(&text, "my.json"));
        assert!(error.starts_with(want), "{error}\n{want}");
    }
}
