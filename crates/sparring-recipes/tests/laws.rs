//! Rendering reads back, nothing panics, and the contracts of the traits hold.

// Helpers of tests may fail loudly.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Map, Value};
use sparring_core::{Game, Rollout};
use sparring_recipes::tool_r0::{
    Context, GameOptions, GeneratorReward, GeneratorRewardConfig, Prompts, Proposal, SolverReward,
    SolverRewardConfig, SpecDistribution, TaskSpec, ToolR0Game, render_answer, render_proposal,
};
use sparring_testkit::conformance::{self, Options};
use sparring_tools::{CallParser, ToolCall, ToolR0Tags, ToolSpec, ToolTask};

/// A game that accepts every readable task.
fn lenient() -> ToolR0Game {
    let mut options = GameOptions::default();
    options.enforce_spec = false;
    options.structure.min_question_chars = 1;
    options.structure.echoes.clear();
    options.structure.trivial.clear();
    options.structure.min_tool_name_chars = 1;
    options.structure.generic_tool_names.clear();
    options.structure.min_description_chars = 0;
    options.structure.known_arguments = false;
    options.structure.check_values = false;
    options.structure.distinct_calls = false;
    options.structure.grounding = None;
    ToolR0Game::new(SpecDistribution::default(), &Prompts::tool_r0(), options).unwrap()
}

fn spec() -> TaskSpec {
    TaskSpec { domain: "travel".into(), context: Context::SingleTurn, tools: 2, calls: 1, arguments: None }
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i32>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        // Values may contain anything, including tags.
        "\\PC{0,12}".prop_map(Value::from),
        Just(Value::from("</available_tools> <think>")),
        Just(Value::from("東京 \"quoted\" \\ and a\nline")),
    ]
}

fn arguments() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec(("[a-z]{1,6}", value()), 0..4).prop_map(|pairs| pairs.into_iter().collect())
}

fn calls() -> impl Strategy<Value = Vec<ToolCall>> {
    let call = ("[ab]_tool", arguments()).prop_map(|(name, arguments)| ToolCall::new(name, arguments));
    prop::collection::vec(call, 0..3)
}

/// Tasks over two fixed tool names; a question without angle brackets or white space at its ends.
fn task() -> impl Strategy<Value = ToolTask> {
    let parameter = ("[a-z]{1,6}", prop_oneof![Just("string"), Just("integer"), Just("</question>")]);
    let tools = prop::collection::vec(prop::collection::vec(parameter, 0..3), 2);
    ("[^<>\\s]([^<>]{0,60}[^<>\\s])?", tools, calls()).prop_map(|(question, tools, calls)| ToolTask {
        question,
        tools: ["a_tool", "b_tool"].into_iter().zip(tools).map(tool).collect(),
        calls,
        domain: "travel".into(),
    })
}

fn tool((name, parameters): (&str, Vec<(String, &str)>)) -> ToolSpec {
    let parameters = parameters
        .into_iter()
        .map(|(name, about)| (name, serde_json::json!({"type": "string", "description": about})));
    ToolSpec::new(name, "Does it.", parameters.collect(), Vec::new())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_rendered_task_is_read_back(task in task(), think in "[a-z]([a-z ]{0,20}[a-z])?") {
        let text = render_proposal(&task, &think);
        let proposal = Proposal::parse(&text);
        prop_assert!(proposal.has_all_blocks());
        prop_assert_eq!(proposal.think.as_deref(), Some(think.as_str()));
        prop_assert_eq!(proposal.question.as_deref(), Some(task.question.as_str()));
        prop_assert_eq!(proposal.tools.as_ref(), Ok(&task.tools));
        prop_assert_eq!(proposal.calls.as_ref(), Ok(&task.calls));
        prop_assert_eq!(lenient().read_text(&spec(), &text), Ok(task));
    }

    #[test]
    fn the_gold_answer_solves_its_task(task in task(), think in "[a-z]{1,9}") {
        let text = render_answer(&task.calls, &think);
        prop_assert_eq!(ToolR0Tags::default().parse(&text).unwrap(), task.calls.clone());
        prop_assert!(lenient().solved(&task, &Rollout::from_text(text)));
    }

    #[test]
    fn a_derived_task_offers_none_of_the_called_tools(task in task(), seed in any::<u64>()) {
        for derived in lenient().derive(&task, None, sparring_core::Seed::new(seed)) {
            prop_assert!(derived.calls.is_empty() && !derived.tools.is_empty());
            prop_assert!(derived.tools.iter().all(|t| task.calls.iter().all(|c| c.name != t.name)));
            prop_assert_eq!(derived.tools.len() + called(&task), task.tools.len());
        }
    }

    #[test]
    fn tools_of_another_task_fill_a_tool_list_up_to_its_length(
        task in task(), other in task(), names in prop::collection::vec("[a-d]_tool", 3), seed in any::<u64>(),
    ) {
        let mut other = ToolTask { domain: "food".into(), ..other };
        other.tools.extend(names.iter().map(|name| tool((name, Vec::new()))));
        // They differ by their descriptions; some share a name.
        for (i, tool) in other.tools.iter_mut().enumerate() {
            tool.description = format!("Does {i}.");
        }
        let mut task = task;
        task.tools[0].description = "Does one thing.".into();
        for derived in lenient().derive(&task, Some(&other), sparring_core::Seed::new(seed)) {
            prop_assert!(derived.calls.is_empty() && derived.tools.len() <= task.tools.len());
            prop_assert!(derived.tools.iter().all(|t| task.calls.iter().all(|c| c.name != t.name)));
            let distinct: std::collections::HashSet<&str> =
                derived.tools.iter().map(|t| t.name.as_str()).collect();
            prop_assert_eq!(distinct.len(), derived.tools.len());
        }
    }

    #[test]
    fn no_text_makes_anything_panic(
        parts in prop::collection::vec(prop_oneof![
            Just("<think>"), Just("</think>"), Just("<question>"), Just("</question>"), Just("<available_tools>"),
            Just("</available_tools>"), Just("<tool_call_answer>"), Just("</tool_call_answer>"), Just("["), Just("]"),
            Just("{\"name\":\"a\"}"), Just("'"), Just("\u{0}"), Just("é"), Just("1e999"),
        ], 0..24),
        task in task(),
    ) {
        let text = parts.concat();
        let out = Rollout::from_text(text.as_str());
        let game = lenient();
        if let Ok(read) = game.read(&spec(), &out) {
            let again = game.read(&spec(), &Rollout::from_text(render_proposal(&read, "t"))).unwrap();
            prop_assert_eq!(read, again);
        }
        let _ = game.solved(&task, &out);
        let _ = game.answer(&task, &out);
    }
}

fn called(task: &ToolTask) -> usize {
    task.tools.iter().filter(|tool| task.calls.iter().any(|call| call.name == tool.name)).count()
}

fn proposals(spec: &TaskSpec) -> Vec<Rollout> {
    let tools = (0..spec.tools)
        .map(|i| {
            ToolSpec::new(format!("book_{i}"), format!("Books thing {i}."), Map::new(), Vec::new())
                .with_parameter("city", serde_json::json!({"type": "string"}), true)
        })
        .collect();
    let calls = (0..spec.calls)
        .map(|i| ToolCall::new(format!("book_{i}"), [("city", Value::from("Paris"))]))
        .collect();
    let task = ToolTask {
        question: "Please book all of it in Paris for me!".into(),
        tools,
        calls,
        domain: String::new(),
    };
    let text = render_proposal(&task, "plan");
    [text.clone(), text.replace("Paris", "Rome"), text.replace("think", "thought")]
        .map(Rollout::from_text)
        .to_vec()
}

fn answers(task: &ToolTask) -> Vec<Rollout> {
    [render_answer(&task.calls, "why"), render_answer(&[], "none"), "?".into()]
        .map(Rollout::from_text)
        .to_vec()
}

#[test]
fn the_game_keeps_its_contract() {
    for options in [GameOptions::default(), GameOptions::released()] {
        let game = ToolR0Game::new(SpecDistribution::default(), &Prompts::tool_r0(), options).unwrap();
        conformance::game(&game, proposals, answers, &Options::default()).unwrap();
    }
}

#[test]
fn the_rewards_keep_their_contract() {
    let specs: Vec<_> = (1..4).map(|tools| TaskSpec { tools, ..spec() }).collect();
    let cases: Vec<_> = specs.into_iter().map(|spec| (spec.clone(), proposals(&spec))).collect();
    for config in [GeneratorRewardConfig::default(), GeneratorRewardConfig::released()] {
        conformance::reward(&GeneratorReward::new(config).unwrap(), &cases).unwrap();
    }
    let tasks = cases.iter().filter_map(|(spec, group)| lenient().read(spec, &group[0]).ok());
    let cases: Vec<_> = tasks.map(|task| (task.clone(), answers(&task))).collect();
    assert_eq!(cases.len(), 3);
    for config in [SolverRewardConfig::default(), SolverRewardConfig::released()] {
        conformance::reward(&SolverReward::new(config).unwrap(), &cases).unwrap();
    }
}
