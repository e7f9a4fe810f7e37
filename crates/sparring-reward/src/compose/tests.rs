use super::*;
use proptest::prelude::*;
use sparring_core::{one_line, reward_fn};

/// A reward that reads its score from the text: "1.5", "none", or "nan"; anything else fails.
struct Read(&'static str, fn(&str) -> &str);

impl Reward<str> for Read {
    fn name(&self) -> &str {
        self.0
    }

    fn score(&self, _: &str, group: &[Rollout], _: &RewardContext<'_>) -> Result<Scores, BoxError> {
        let read = |rollout: &Rollout| match (self.1)(&rollout.text) {
            "none" => Ok(None),
            text => Ok(Some(text.parse()?)),
        };
        group.iter().map(read).collect()
    }
}

fn left(text: &str) -> &str {
    text.split('|').next().unwrap_or("")
}

fn right(text: &str) -> &str {
    text.split('|').nth(1).unwrap_or("")
}

fn sum() -> Sum<str> {
    Sum::new("total").with(Read("left", left)).with(Read("right", right))
}

fn scores_of(reward: &dyn Reward<str>, texts: &[&str]) -> Result<Scores, BoxError> {
    let group: Vec<_> = texts.iter().map(|t| Rollout::from_text(*t)).collect();
    reward.score("", &group, &RewardContext::default())
}

#[test]
fn none_is_left_out_and_zero_is_not() {
    let scores = scores_of(&sum(), &["1|2", "1|none", "0|none", "none|none"]).unwrap();
    assert_eq!(scores, [Some(3.0), Some(1.0), Some(0.0), None]);
    assert_eq!(scores_of(&Sum::new("empty"), &["1"]).unwrap(), [None]);
}

#[test]
fn a_failing_part_is_named_however_deep() {
    let nested = Sum::new("outer").with(sum()).with(reward_fn("fine", |_: &str, _: &Rollout| Some(0.0)));
    for reward in [&sum() as &dyn Reward<str>, &nested] {
        let error = scores_of(reward, &["1|oops"]).unwrap_err();
        assert_eq!(error.to_string(), "the reward \"right\" failed");
        assert!(error.source().is_some());
        let error = scores_of(reward, &["nan|1"]).unwrap_err();
        assert!(
            error.to_string().contains("\"left\" gave completion 0 a score that is not finite"),
            "{error}"
        );
    }
}

#[test]
fn a_wrong_number_of_scores_is_an_error() {
    struct Short;
    impl Reward<str> for Short {
        fn name(&self) -> &'static str {
            "short"
        }
        fn score(&self, _: &str, _: &[Rollout], _: &RewardContext<'_>) -> Result<Scores, BoxError> {
            Ok(vec![])
        }
    }
    let error = scores_of(&Sum::new("total").with(Short), &["a"]).unwrap_err();
    assert!(error.to_string().contains("gave 0 scores for 1 completions"));
    assert!(scores_of(&Gate::new(Short, Read("left", left)), &["1"]).is_err());
}

#[test]
fn gates_take_precedence() {
    let gate = Gate::new(Read("left", left), Read("right", right));
    let scores = scores_of(&gate, &["1|2", "0|2", "0|none", "none|2", "1|none", "-1|2"]).unwrap();
    assert_eq!(scores, [Some(2.0), Some(0.0), Some(0.0), Some(2.0), None, Some(0.0)]);
    // Even before a reward without any parts.
    let gate = Gate::new(Read("left", left), Sum::new("empty"));
    assert_eq!(scores_of(&gate, &["1", "0"]).unwrap(), [None, Some(0.0)]);
}

#[test]
fn a_closed_gate_does_not_hide_a_broken_scorer() {
    let gate = || Gate::new(Read("left", left), Read("right", right));
    let told = "\"right\" gave completion 1 a score that is not finite";
    for texts in [["1|2", "0|nan"], ["0|2", "0|inf"], ["1|2", "1|nan"]] {
        assert_eq!(scores_of(&gate(), &texts).unwrap_err().to_string(), told, "{texts:?}");
        let whole = Sum::new("total").with(gate());
        assert!(one_line(&*scores_of(&whole, &texts).unwrap_err()).contains(told), "{texts:?}");
    }
    // The broken part is the one that is named, and so is a broken gate.
    let whole = Gate::new(reward_fn("shut", |_: &str, _: &Rollout| Some(0.0)), sum());
    assert!(scores_of(&whole, &["1|nan"]).unwrap_err().to_string().starts_with("\"right\" gave"));
    assert!(scores_of(&gate(), &["nan|1"]).unwrap_err().to_string().starts_with("\"left\" gave"));
}

#[test]
fn the_schedule_follows_the_step() {
    let reward = Weighted::new(Schedule::Linear { from: 0.0, to: 1.0 }, Read("left", left));
    let group = [Rollout::from_text("4"), Rollout::from_text("none")];
    let at = |step| {
        let ctx = RewardContext::at(step, 5);
        reward.score("", &group, &ctx).unwrap()
    };
    assert_eq!(at(0), [Some(0.0), None]);
    assert_eq!(at(1), [Some(1.0), None]);
    assert_eq!(at(4), [Some(4.0), None]);
}

fn entry() -> impl Strategy<Value = String> {
    let one = || prop_oneof![Just("none".to_owned()), (-9..9_i32).prop_map(|x| x.to_string())];
    (one(), one()).prop_map(|(a, b)| format!("{a}|{b}"))
}

proptest! {
    #[test]
    fn components_add_up_to_the_score(texts in prop::collection::vec(entry(), 0..6), weight in -2.0..2.0_f64) {
        let reward = Sum::new("total")
            .with(Weighted::new(weight, sum()))
            .with(Gate::new(Read("left", left), Weighted::new(0.5, Read("right", right))));
        let group: Vec<_> = texts.iter().map(|t| Rollout::from_text(t.as_str())).collect();
        let ctx = RewardContext::default();
        let total = reward.score("", &group, &ctx).unwrap();
        let components = reward.components("", &group, &ctx).unwrap();
        let names: Vec<_> = components.iter().map(|(name, _)| name.as_str()).collect();
        prop_assert_eq!(names, ["left", "right", "right"]);
        for (i, total) in total.iter().enumerate() {
            let parts: Vec<f32> = components.iter().filter_map(|(_, scores)| scores[i]).collect();
            prop_assert_eq!(total.is_none(), parts.is_empty());
            prop_assert!((total.unwrap_or(0.0) - parts.iter().sum::<f32>()).abs() < 1e-4);
        }
    }
}
