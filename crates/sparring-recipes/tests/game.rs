//! The game: reading, prompting, verifying and deriving.

// Helpers of tests may fail loudly.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::json;
use sparring_core::{Game, Prompt, Role, Rollout, Seed};
use sparring_recipes::tool_r0::{
    Context, GameOptions, Prompts, SpecDistribution, TaskSpec, ToolR0Game, render_answer, render_proposal,
    without_called_tools,
};
use sparring_tools::{ToolCall, ToolSpec, ToolTask};

fn tool(name: &str, about: &str, parameter: &str) -> ToolSpec {
    ToolSpec::new(name, about, serde_json::Map::new(), Vec::new()).with_parameter(
        parameter,
        json!({"type": "string"}),
        true,
    )
}

fn task() -> ToolTask {
    ToolTask {
        question: "Book a table in Paris for Ana, please.".into(),
        tools: vec![
            tool("book_table", "Books a table in a city.", "city").with_parameter(
                "person",
                json!({"type": "string"}),
                false,
            ),
            tool("play_song", "Plays a song by its title.", "title"),
        ],
        calls: vec![ToolCall::new("book_table", [("city", json!("Paris")), ("person", json!("Ana"))])],
        domain: "food".into(),
    }
}

fn spec(tools: usize, calls: usize) -> TaskSpec {
    TaskSpec { domain: "food".into(), context: Context::SingleTurn, tools, calls, arguments: None }
}

fn game_with(options: GameOptions) -> ToolR0Game {
    ToolR0Game::new(SpecDistribution::default(), &Prompts::tool_r0(), options).unwrap()
}

fn game() -> ToolR0Game {
    game_with(GameOptions::default())
}

fn options(change: impl FnOnce(&mut GameOptions)) -> GameOptions {
    let mut options = GameOptions::default();
    change(&mut options);
    options
}

#[test]
fn a_rendered_proposal_is_read_as_the_same_task() {
    let out = Rollout::from_text(render_proposal(&task(), "a table"));
    assert_eq!(game().read_text(&spec(2, 1), &out.text), Ok(task()));
    let strict = game_with(options(|o| o.strict_order = true));
    assert_eq!(strict.read_text(&spec(2, 1), &out.text), Ok(task()));
}

#[test]
fn each_broken_rule_is_named() {
    let good = render_proposal(&task(), "plan");
    let cases: Vec<(String, TaskSpec, &str)> = vec![
        (good.replace("plan", " "), spec(2, 1), "missing_block"),
        (good.replace("</question>", ""), spec(2, 1), "missing_block"),
        (good.replace("available_tools", "tools"), spec(2, 1), "missing_block"),
        (good.replace("<available_tools>[", "<available_tools>"), spec(2, 1), "tools_json"),
        (
            good.replace("[{\"name\":\"book_table\",\"arguments\"", "[{\"arguments\""),
            spec(2, 1),
            "calls_json",
        ),
        (good.clone(), spec(3, 1), "spec_tools"),
        (good.clone(), spec(2, 2), "spec_calls"),
        (good.clone(), TaskSpec { arguments: Some(3), ..spec(2, 1) }, "spec_arguments"),
        (
            good.replace("\"name\":\"book_table\",\"arg", "\"name\":\"other\",\"arg"),
            spec(2, 1),
            "unknown_tool",
        ),
    ];
    for (text, spec, rule) in cases {
        let rejection = game().read(&spec, &Rollout::from_text(text.as_str())).unwrap_err();
        assert_eq!(rejection.rule, rule, "{} in {text}", rejection.detail);
    }
}

#[test]
fn the_last_block_counts_unless_order_is_strict() {
    let good = render_proposal(&task(), "plan");
    let twice = format!("<question>Something else entirely?</question>\n{good}");
    assert_eq!(game().read_text(&spec(2, 1), &twice).unwrap().question, task().question);
    let (think, rest) = good.split_once('\n').unwrap();
    let moved = format!("{rest}\n{think}");
    assert!(game().read_text(&spec(2, 1), &moved).is_ok());
    let strict = game_with(options(|o| o.strict_order = true));
    assert_eq!(strict.read_text(&spec(2, 1), &moved).unwrap_err().rule, "missing_block");
}

#[test]
fn solving_needs_every_call_and_reasoning() {
    let call = task().calls.remove(0);
    let solved = |game: &ToolR0Game, text: &str| game.solved(&task(), &Rollout::from_text(text));
    let exact = render_answer(std::slice::from_ref(&call), "table");
    assert!(solved(&game(), &exact));
    assert!(!solved(&game(), &exact.replace("Ana", "Eva")));
    assert!(!solved(&game(), &exact.replace("<think>table</think>", "")));
    assert!(!solved(&game(), &render_answer(&[call.clone(), call.clone()], "twice")));
    assert!(!solved(&game(), &render_answer(&[], "none")));
    assert!(!solved(&game(), &exact.replace("}]", "")));
    // The comparator is that of training: white space inside text does not matter.
    assert!(solved(&game(), &exact.replace("Paris", " Paris ")));
    let lenient = game_with(options(|o| o.require_think = false));
    assert!(solved(&lenient, &exact.replace("<think>table</think>", "")));
}

#[test]
fn an_empty_answer_solves_a_no_call_task_and_no_other() {
    let none = without_called_tools(&task(), None, Seed::new(1)).unwrap();
    let answer = Rollout::from_text(render_answer(&[], "none"));
    assert!(game().solved(&none, &answer));
    assert!(!game().solved(&none, &Rollout::from_text(render_answer(&task().calls, "x"))));
    assert!(!game().solved(&none, &Rollout::from_text("<think>none</think> I cannot help.")));
}

#[test]
fn the_released_verifier_looks_at_the_first_call_as_strict_json() {
    let released = game_with(GameOptions::released());
    let call = task().calls.remove(0);
    let solved = |text: &str| released.solved(&task(), &Rollout::from_text(text));
    let exact = render_answer(std::slice::from_ref(&call), "table");
    assert!(solved(&exact));
    assert!(
        solved(&render_answer(&[call.clone(), call.clone()], "twice")),
        "further calls are not looked at"
    );
    assert!(!solved(&exact.replace("Paris", " Paris ")), "white space within a text matters");
    assert!(!solved(&exact.replace('"', "'")), "a Python literal is no JSON");
    let five = ToolTask { calls: vec![ToolCall::new("book_table", [("city", json!(5))])], ..task() };
    let text = render_answer(&[ToolCall::new("book_table", [("city", json!("5"))])], "x");
    assert!(!released.solved(&five, &Rollout::from_text(text.as_str())), "5 is not \"5\"");
    assert!(game().solved(&five, &Rollout::from_text(text)), "the training comparator takes \"5\" for 5");
}

#[test]
fn equal_answers_agree_in_any_order_of_calls_and_arguments() {
    let calls = |a: &str, b: &str| {
        Rollout::from_text(format!("<think>t</think><tool_call_answer>[{a},{b}]</tool_call_answer>"))
    };
    let (x, y) = (r#"{"name":"x","arguments":{"a":1,"b":2}}"#, r#"{"name":"y","arguments":{}}"#);
    let swapped = r#"{"name":"x","arguments":{"b":2,"a":1}}"#;
    let game = game();
    let answer = |out: &Rollout| game.answer(&task(), out);
    assert_eq!(answer(&calls(x, y)), answer(&calls(y, swapped)));
    assert_ne!(answer(&calls(x, y)), answer(&calls(x, x)));
    assert_eq!(answer(&Rollout::from_text("no block")), None);
    assert_eq!(answer(&Rollout::from_text("<tool_call_answer>[]</tool_call_answer>")).as_deref(), Some("[]"));
}

#[test]
fn derived_tasks_have_a_sound_label() {
    let game = game();
    let derived = game.derive(&task(), None, Seed::new(1));
    assert_eq!(derived.len(), 1);
    assert_eq!(derived[0].question, task().question);
    assert!(derived[0].calls.is_empty());
    assert_eq!(derived[0].tools.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["play_song"]);
    assert!(
        game.derive(&derived[0], None, Seed::new(1)).is_empty(),
        "a no-call task has nothing to take off"
    );

    let mut alone = task();
    alone.tools.truncate(1);
    assert!(game.derive(&alone, None, Seed::new(1)).is_empty(), "no other tool remains");
    let mut twin = task();
    twin.tools.push(tool("reserve", "books a table in a city", "town"));
    assert!(game.derive(&twin, None, Seed::new(1)).is_empty(), "a twin might serve the request");
    let off = game_with(options(|o| o.derive_no_call = false));
    assert!(off.derive(&task(), None, Seed::new(1)).is_empty());
}

fn ride() -> ToolTask {
    ToolTask {
        question: "Call a taxi to Elm 4!".into(),
        tools: ["call_taxi", "find_train", "rent_bike"].map(|name| tool(name, name, "address")).into(),
        calls: vec![ToolCall::new("call_taxi", [("address", json!("Elm 4"))])],
        domain: "travel".into(),
    }
}

fn names(task: &ToolTask) -> Vec<&str> {
    let mut names: Vec<&str> = task.tools.iter().map(|t| t.name.as_str()).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_derived_tool_list_keeps_its_length() {
    let derived = without_called_tools(&task(), Some(&ride()), Seed::new(1)).unwrap();
    assert_eq!(derived.tools.len(), 2);
    assert!(names(&derived).contains(&"play_song") && !names(&derived).contains(&"book_table"));
    // A tool of the same domain might serve the request; so might one of the same name.
    let mut near = ride();
    near.domain = task().domain;
    assert_eq!(names(&without_called_tools(&task(), Some(&near), Seed::new(1)).unwrap()), ["play_song"]);
    let mut namesake = ride();
    namesake.tools = vec![tool("bookTable", "For a party.", "party")];
    assert_eq!(names(&without_called_tools(&task(), Some(&namesake), Seed::new(1)).unwrap()), ["play_song"]);
}

#[test]
fn derivation_removes_the_tools_of_every_call() {
    let mut two = task();
    two.tools.push(tool("call_taxi", "Calls a taxi to an address.", "address"));
    two.calls.push(ToolCall::new("call_taxi", [("address", json!("Elm 4"))]));
    let derived = without_called_tools(&two, None, Seed::new(9)).unwrap();
    assert_eq!(derived.tools.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["play_song"]);
}

#[test]
fn duplicates_share_a_signature() {
    let mut other = task();
    other.question = "A table in Paris, for Ana!".into();
    assert_eq!(game().signature(&task()), game().signature(&other));
    other.calls[0].arguments["city"] = json!("Rome");
    assert_ne!(game().signature(&task()), game().signature(&other));
}

#[test]
fn prompts_contain_specification_question_and_tools() {
    let ask = |spec| match game().generator_prompt(&spec) {
        Prompt::Conversation(asked) => asked.messages,
        other => panic!("{other:?} is no conversation"),
    };
    let two_calls = ask(spec(3, 2));
    let ask = ask(spec(4, 0));
    assert_eq!(ask[0].role, Role::System);
    for part in ["food", "single_turn", "exactly 4 tools", "[]", "<available_tools>", "<tool_call_answer>"] {
        assert!(ask[0].content.contains(part), "{part}");
    }
    assert!(two_calls[0].content.contains("exactly 2 calls"));
    let prompt = game().solver_prompt(&task());
    assert!(prompt[0].content.contains("[]"), "the prompt says that the Solver may abstain");
    assert!(
        prompt[1].content.contains(&task().question) && prompt[1].content.contains("\"name\": \"play_song\"")
    );
}

#[test]
fn the_order_of_tools_does_not_reveal_the_called_one() {
    let off = game_with(options(|o| o.shuffle_tools = false));
    let mut first = 0;
    for i in 0..400 {
        let mut proposed = task();
        proposed.tools.push(tool("rate_song", "Rates a song by its title.", "title"));
        proposed.tools.push(tool("send_song", "Sends a song by its title.", "title"));
        proposed.question = format!("Book a table in Paris for Ana, for {i} guests.");
        let out = Rollout::from_text(render_proposal(&proposed, "a table"));
        let read = game().read(&spec(4, 1), &out).unwrap();
        first += usize::from(read.tools[0].name == "book_table");
        // The same tools, calls and signature, and the same order on every read and write.
        assert_eq!(game().read(&spec(4, 1), &out).unwrap(), read);
        let again = Rollout::from_text(render_proposal(&read, "a table"));
        assert_eq!(game().read(&spec(4, 1), &again).unwrap(), read);
        assert_eq!(game().signature(&read), game().signature(&proposed));
        assert_eq!(off.read(&spec(4, 1), &out).unwrap(), proposed);
        let sorted = |task: &ToolTask| {
            let mut tools = task.tools.clone();
            tools.sort_by(|a, b| a.name.cmp(&b.name));
            (tools, task.calls.clone())
        };
        assert_eq!(sorted(&read), sorted(&proposed));
    }
    // A quarter, within four standard errors.
    assert!((66..=134).contains(&first), "{first} of 400");
}

#[test]
fn strata_are_domains_and_optionally_sizes() {
    let mut two = task();
    two.calls.push(ToolCall::new("play_song", [("title", json!("Blue"))]));
    assert_eq!(game().stratum(&task()), "food, arguments: 2");
    assert_eq!(game().stratum(&two), "food, arguments: 3");
    assert_eq!(game_with(options(|o| o.stratify_arguments = false)).stratum(&two), "food");
}
