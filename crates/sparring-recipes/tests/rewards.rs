//! The rewards have the values computed for the paper and for its released code.

// Helpers of tests may fail loudly.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::{Map, Value, json};
use sparring_core::{Player, Reward, RewardContext, Rollout};
use sparring_recipes::tool_r0::{
    Context, GeneratorReward, GeneratorRewardConfig, Preset, SolverReward, SolverRewardConfig, TaskSpec,
    render_answer, render_proposal,
};
use sparring_tools::{ToolCall, ToolSpec, ToolTask};

fn call(name: &str, arguments: &Value) -> ToolCall {
    ToolCall::new(name, arguments.as_object().cloned().unwrap())
}

fn task(calls: Vec<ToolCall>) -> ToolTask {
    let tool = |name: &str| {
        ToolSpec::new(name, "Does what it says.", Map::new(), Vec::new())
            .with_parameter("city", json!({"type": "string"}), true)
            .with_parameter("days", json!({"type": "integer"}), false)
    };
    ToolTask {
        question: "What will the weather be in Paris for the next 3 days?".into(),
        tools: vec![tool("get_forecast"), tool("get_history")],
        calls,
        domain: "weather".into(),
    }
}

fn gold() -> ToolCall {
    call("get_forecast", &json!({"city": "Paris", "days": 3}))
}

fn spec() -> TaskSpec {
    TaskSpec { domain: "weather".into(), context: Context::SingleTurn, tools: 2, calls: 1, arguments: None }
}

#[track_caller]
fn assert_close(found: Option<f32>, expected: f32) {
    assert!(found.is_some_and(|found| (found - expected).abs() < 1e-3), "{found:?} is not {expected}");
}

fn component(parts: &[(String, Vec<Option<f32>>)], name: &str) -> Option<f32> {
    parts.iter().find(|(n, _)| n == name).and_then(|(_, scores)| scores[0])
}

/// Format and accuracy of one answer.
fn solver(config: SolverRewardConfig, task: &ToolTask, text: &str) -> (Option<f32>, Option<f32>) {
    let reward = SolverReward::new(config).unwrap();
    let group = [Rollout::from_text(text)];
    let parts = reward.components(task, &group, &RewardContext::default()).unwrap();
    let (format, accuracy) = (component(&parts, "format"), component(&parts, "accuracy"));
    let total = reward.score(task, &group, &RewardContext::default()).unwrap()[0];
    assert_close(total, format.unwrap() + accuracy.unwrap());
    (format, accuracy)
}

#[test]
fn accuracy_of_the_released_code() {
    let g = gold();
    let other = call("get_forecast", &json!({"city": "Rome", "days": 9}));
    let zero = call("get_forecast", &json!({}));
    let zero_wrong = call("get_history", &json!({}));
    let wrong_name = call("get_history", &json!({"city": "Paris", "days": 3}));
    let one_key = call("get_forecast", &json!({"city": "Paris"}));
    let three = call("get_forecast", &json!({"city": "Paris", "days": 3, "unit": "C"}));
    // Spec of the paper, section 5.2 and 5.3: (gold, predicted, r_acc).
    let cases: Vec<(Vec<ToolCall>, Vec<ToolCall>, f32)> = vec![
        (vec![g.clone()], vec![g.clone()], 1.0),
        (vec![g.clone()], vec![g.clone(), other.clone()], 0.8),
        (vec![g.clone()], vec![g.clone(), other.clone(), other.clone()], 0.667),
        (vec![g.clone()], vec![zero.clone()], 0.2),
        // 0.2 + 0.3 · F1(1 of 2 keys) + 0.5 = 0.9
        (vec![g.clone()], vec![one_key.clone()], 0.9),
        (vec![one_key.clone()], vec![g.clone()], 0.9),
        // 0.2 + 0.3 · 4/5 + 0.5: two keys against three
        (vec![g.clone()], vec![three], 0.94),
        (vec![g.clone(), other.clone()], vec![g.clone()], 0.5),
        (vec![g.clone()], vec![wrong_name], 0.8),
        (vec![zero.clone()], vec![zero_wrong], 0.8),
    ];
    for (gold, predicted, expected) in cases {
        let text = render_answer(&predicted, "why");
        let (_, accuracy) = solver(SolverRewardConfig::released(), &task(gold), &text);
        assert_close(accuracy, expected);
    }
}

#[test]
fn the_corrected_accuracy_of_the_wrong_tool_is_zero() {
    let wrong = call("get_history", &json!({"city": "Paris", "days": 3}));
    let (format, accuracy) =
        solver(SolverRewardConfig::default(), &task(vec![gold()]), &render_answer(&[wrong], "why"));
    assert_close(format, 1.0);
    assert_close(accuracy, 0.0);
}

#[test]
fn format_of_the_released_code() {
    let task = task(vec![gold()]);
    let cases = [
        ("no block", 0.0),
        ("<tool_call_answer>garbage ][</tool_call_answer>", 0.3),
        ("<tool_call_answer>5</tool_call_answer>", 0.6),
        ("<tool_call_answer>[]</tool_call_answer>", 0.6),
        ("<tool_call_answer>[{\"name\": \"\", \"arguments\": {}}]</tool_call_answer>", 0.6),
        ("<tool_call_answer>[{'name': 'get_forecast', 'arguments': {'days': 3}}]</tool_call_answer>", 1.0),
    ];
    for (text, expected) in cases {
        assert_close(solver(SolverRewardConfig::released(), &task, text).0, expected);
    }
    let (format, _) = solver(SolverRewardConfig::default(), &task, "<tool_call_answer>[]</tool_call_answer>");
    assert_close(format, 1.0);
}

#[test]
fn accuracy_needs_reasoning_and_format_does_not() {
    let text = render_answer(&[gold()], "").replace("<think></think>", "");
    for config in [SolverRewardConfig::default(), SolverRewardConfig::released()] {
        let (format, accuracy) = solver(config, &task(vec![gold()]), &text);
        assert_close(format, 1.0);
        assert_close(accuracy, 0.0);
    }
}

#[test]
fn abstaining_is_right_exactly_on_no_call_tasks() {
    let none = render_answer(&[], "no tool");
    assert_close(solver(SolverRewardConfig::default(), &task(Vec::new()), &none).1, 1.0);
    assert_close(solver(SolverRewardConfig::default(), &task(vec![gold()]), &none).1, 0.0);
    let calls = render_answer(&[gold()], "try");
    assert_close(solver(SolverRewardConfig::default(), &task(Vec::new()), &calls).1, 0.0);
}

fn generator(
    config: GeneratorRewardConfig,
    text: &str,
    rates: &[Option<f32>],
) -> Vec<(String, Vec<Option<f32>>)> {
    let reward = GeneratorReward::new(config).unwrap();
    let group = [Rollout::from_text(text)];
    let ctx = RewardContext::at(0, 1).with_player(Player::Generator).with_solve_rates(rates);
    let parts = reward.components(&spec(), &group, &ctx).unwrap();
    let sum: f32 = parts.iter().filter_map(|(_, scores)| scores[0]).sum();
    assert_close(reward.score(&spec(), &group, &ctx).unwrap()[0], sum);
    parts
}

#[test]
fn a_perfect_proposal_has_the_full_score() {
    let text = render_proposal(&task(vec![gold()]), "plan");
    let parts = generator(GeneratorRewardConfig::default(), &text, &[Some(0.5)]);
    assert_close(component(&parts, "format"), 1.0);
    assert_close(component(&parts, "validity"), 1.0);
    // Without a judge, the difficulty has the weight of the whole curriculum.
    assert_close(component(&parts, "difficulty"), 1.0);
    assert_eq!(component(&parts, "semantic"), None);
}

#[test]
fn difficulty_follows_the_band_at_eight_probes() {
    let text = render_proposal(&task(vec![gold()]), "plan");
    let table = [0.0, 0.5813, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5813, 0.1142];
    for (solved, expected) in table.into_iter().enumerate() {
        let parts = generator(GeneratorRewardConfig::default(), &text, &[Some(solved as f32 / 8.0)]);
        assert_close(component(&parts, "difficulty"), expected);
    }
}

#[test]
fn an_unprobed_proposal_is_not_difficult_and_no_probe_is_no_term() {
    let text = render_proposal(&task(vec![gold()]), "plan");
    let parts = generator(GeneratorRewardConfig::default(), &text, &[None]);
    assert_close(component(&parts, "difficulty"), 0.0);
    let parts = generator(GeneratorRewardConfig::default(), &text, &[]);
    assert_eq!(component(&parts, "difficulty"), None);
}

#[test]
fn validity_weighs_tool_list_required_arguments_and_grounding() {
    let cases = [
        (call("nowhere", &json!({"city": "Paris"})), 0.2),
        (call("get_forecast", &json!({"days": 3})), 0.6),
        (call("get_forecast", &json!({"city": "Rome"})), 0.8),
        (gold(), 1.0),
    ];
    for (call, expected) in cases {
        let text = render_proposal(&task(vec![call]), "plan");
        let parts = generator(GeneratorRewardConfig::default(), &text, &[None]);
        assert_close(component(&parts, "validity"), expected);
    }
    // An invalid second call lowers the score; the released code ignored it.
    let text = render_proposal(&task(vec![gold(), call("nowhere", &json!({"city": "Paris"}))]), "plan");
    let corrected = generator(GeneratorRewardConfig::default(), &text, &[None]);
    assert_close(component(&corrected, "validity"), 0.6);
    let released = generator(GeneratorRewardConfig::released(), &text, &[None]);
    assert_close(component(&released, "validity"), 1.0);
}

#[test]
fn a_missing_block_or_an_echo_scores_zero() {
    let good = render_proposal(&task(vec![gold()]), "plan");
    let cases = [
        good.replace("<think>plan</think>", ""),
        good.replace("What will the weather be", "Mind the control spec"),
        good.replace("question>", "query>"),
    ];
    for text in cases {
        let parts = generator(GeneratorRewardConfig::default(), &text, &[Some(0.5)]);
        assert!(parts.iter().all(|(_, scores)| scores[0].is_none_or(|s| s == 0.0)), "{parts:?}");
    }
}

#[test]
fn a_third_of_the_format_is_lost_with_each_unreadable_part() {
    let good = render_proposal(&task(vec![gold()]), "plan");
    let parts = generator(GeneratorRewardConfig::default(), &good.replace("answer>[{", "answer>[["), &[None]);
    assert_close(component(&parts, "format"), 2.0 / 3.0);
    assert_close(component(&parts, "validity"), 0.0);
}

#[test]
fn weights_scale_their_terms_and_weight_zero_is_no_term() {
    let text = render_proposal(&task(vec![gold()]), "plan");
    let mut config = GeneratorRewardConfig::default();
    config.format = 3.0;
    config.difficulty = 0.0;
    let parts = generator(config, &text, &[Some(0.5)]);
    assert_close(component(&parts, "format"), 3.0);
    assert_eq!(component(&parts, "difficulty"), None);
}

#[test]
fn acceptance_is_scored_by_its_weight() {
    let text = render_proposal(&task(vec![gold()]), "plan");
    let mut config = GeneratorRewardConfig::default();
    assert_eq!(component(&generator(config.clone(), &text, &[Some(0.0)]), "accepted"), None);
    config.accepted = 0.5;
    // A task with solve rate 0; a rejected proposal; and no probe.
    for (rates, expected) in [(&[Some(0.0)][..], Some(0.5)), (&[None], Some(0.0)), (&[], None)] {
        assert_eq!(component(&generator(config.clone(), &text, rates), "accepted"), expected);
    }
    // Gated by the format, like every other term.
    let gated = text.replace("<question>", "<query>");
    assert_eq!(component(&generator(config, &gated, &[Some(0.5)]), "accepted"), Some(0.0));
    let mut blind = Preset::load("miniature").unwrap();
    blind.self_play.generator.probe_samples = 0;
    let error = blind.build().unwrap_err().to_string();
    assert!(error.contains("generator_reward.accepted") && error.contains("probe_samples"), "{error}");
}

#[test]
fn wrong_weights_are_named() {
    let mut config = GeneratorRewardConfig::default();
    config.validity = -1.0;
    let error = GeneratorReward::new(config).unwrap_err().to_string();
    assert!(error.starts_with("generator_reward.validity: -1"), "{error}");
    let mut config = SolverRewardConfig::default();
    config.format = f32::NAN;
    assert!(SolverReward::new(config).unwrap_err().to_string().starts_with("solver_reward.format"));
}
