//! The game over own tools: its contract, and that whatever is written under its grammars is a task or an answer.
#![allow(clippy::unwrap_used)]

use rand::Rng;
use serde_json::Value;
use sparring_core::{
    Finish, Game, Hook, LogitHook, Prompt, Rejection, Reward, RewardContext, Rollout, Seed, TokenMask,
};
use sparring_guided::{Guide, Vocabulary};
use sparring_recipes::own_tools::{CallPlan, Catalogue, OwnTools, OwnToolsConfig, Request};
use sparring_testkit::conformance;
use sparring_tools::{CallParser, Format};

const TOOLS: &str = r#"[
  {"type": "function", "function": {"name": "add_alarm", "description": "Sets an alarm.", "parameters": {"type": "object",
    "properties": {"time": {"type": "string"}, "label": {"type": "string"}, "daily": {"type": "boolean"}},
    "required": ["time"]}}},
  {"type": "function", "function": {"name": "delete_alarm", "description": "Removes an alarm.", "parameters": {"type": "object",
    "properties": {"time": {"type": "string"}}, "required": ["time"]}}},
  {"type": "function", "function": {"name": "convert", "description": "Converts money.", "parameters": {"type": "object",
    "properties": {"amount": {"type": "number"}, "to": {"type": "string", "enum": ["USD", "EUR"]},
      "tags": {"type": "array", "items": {"type": "string"}}}, "required": ["amount", "to"]}}},
  {"type": "function", "function": {"name": "now", "description": "Tells the time.", "parameters": {"type": "object", "properties": {}}}}
]"#;

fn recipe(settings: &str, guide: bool) -> OwnTools {
    let config =
        OwnToolsConfig::from_toml(&format!("extends = \"own-tools\"\n{settings}"), "test.toml").unwrap();
    let guide = guide.then(|| Guide::new(&Vocabulary::bytes()).unwrap());
    config.build(Catalogue::from_text(TOOLS, "tools.json").unwrap(), guide).unwrap()
}

/// A request that says every value of the plan.
fn proposal(plan: &CallPlan) -> Rollout {
    let arguments = plan.arguments.iter().flatten();
    let said: Vec<String> = arguments.map(|(name, value)| said(name, value)).collect();
    Rollout::from_text(format!(" Please do it with {}.\n", said.join(" and "))).with_finish(Finish::Stop)
}

fn said(name: &str, value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(|item| said(name, item)).collect::<Vec<_>>().join(" and "),
        Value::Bool(true) => name.to_owned(),
        other => other.to_string(),
    }
}

#[test]
fn the_game_keeps_its_contract() {
    let recipe = recipe("", false);
    let solve = |task: &Request| {
        vec![Rollout::from_text(recipe.game.gold_answer(task).unwrap()).with_finish(Finish::Stop)]
    };
    conformance::game(&recipe.game, |plan| vec![proposal(plan)], solve, &conformance::Options::default())
        .unwrap();
}

#[test]
fn gold_answers_are_right_and_others_are_not() {
    let recipe = recipe("[plan]\nno_call = 0.25", false);
    let (game, ctx) = (&recipe.game, RewardContext::default());
    let plans: Vec<CallPlan> = (0..40).map(|i| game.draw(Seed::new(7).index(i))).collect();
    let pool: Vec<Request> = plans.iter().map(|plan| game.read(plan, &proposal(plan)).unwrap()).collect();
    let all: Vec<&Request> = pool.iter().collect();
    let shown = |update| game.choose(&all, 20, update, Seed::new(update)).unwrap();
    let shown: Vec<Request> = (0..4).flat_map(shown).map(|(_, request)| request).collect();
    let declined = shown.iter().filter(|request| request.task.calls.is_empty()).count();
    for task in pool.iter().chain(&shown) {
        let gold = Rollout::from_text(game.gold_answer(task).unwrap()).with_finish(Finish::Stop);
        let other = Rollout::from_text("<tool_call>\n{\"name\": \"later\", \"arguments\": {}}\n</tool_call>");
        assert!(game.solved(task, &gold) && !game.solved(task, &other));
        let rewards = recipe.solver_reward.score(task, &[gold, other], &ctx).unwrap();
        assert_eq!(rewards, [Some(1.0), Some(0.0)]);
    }
    assert!(declined > 10);
}

#[test]
fn the_solver_names_the_tools_that_a_request_needs() {
    for name_first in [true, false] {
        let recipe = recipe(&format!("game.name_first = {name_first}\n[plan]\nno_call = 0.25"), true);
        let game = &recipe.game;
        let plans: Vec<CallPlan> = (0..40).map(|i| game.draw(Seed::new(7).index(i))).collect();
        let pool: Vec<Request> = plans.iter().map(|plan| game.read(plan, &proposal(plan)).unwrap()).collect();
        let all: Vec<&Request> = pool.iter().collect();
        for (place, request) in game.choose(&all, 20, 0, Seed::new(1)).unwrap() {
            let Request { task, missing, .. } = &request;
            let gold = game.gold_answer(&request).unwrap();
            let named = || pool[place].task.calls.first().map(|call| &call.name);
            let name = pool[place].missing.first().or_else(named).unwrap();
            assert_eq!(gold.starts_with(&format!("<think>{name}")), name_first, "{gold}");
            assert_eq!(missing.is_empty(), !task.calls.is_empty());
            assert!(missing.iter().all(|name| task.tools.iter().all(|tool| tool.name != *name)));
            assert_eq!(game.solver_prompt(&request)[0].content.contains("<think>"), name_first);
            let tokens: Vec<u32> = gold.bytes().map(u32::from).chain([256]).collect();
            TokenMask::replay(&game.solver_hook(&request).unwrap(), &[], &tokens, 257).unwrap();
        }
    }
}

#[test]
fn a_request_that_no_tool_serves_is_declined() {
    let recipe = recipe("[plan]\noutside = 0.99", true);
    let (game, all) = (&recipe.game, recipe.game.catalogue().tools());
    let plans: Vec<CallPlan> = (0..40).map(|i| game.draw(Seed::new(5).index(i))).collect();
    let outside = |plan: &&CallPlan| all.iter().all(|tool| tool.name != plan.calls[0].tool);
    assert!(plans.iter().filter(outside).count() > 30);
    for plan in plans.iter().filter(outside) {
        assert!(!plan.menu.is_empty() && !plan.arguments.is_empty(), "{plan:?}");
        assert!(game.generator_hook(plan).is_some());
        let request = game.read(plan, &proposal(plan)).unwrap();
        assert!(request.task.calls.is_empty() && !request.task.tools.is_empty());
        assert_eq!(request.missing, [plan.calls[0].tool.as_str()]);
        let gold = format!("<think>{}</think>\n{}", request.missing[0], game.settings().decline);
        assert_eq!(game.gold_answer(&request), Some(gold));
    }
}

#[test]
fn the_grammar_of_the_solver_has_the_gold_answers() {
    let recipe = recipe("", true);
    for i in 0..40 {
        let plan = recipe.game.draw(Seed::new(3).index(i));
        let mut request = recipe.game.read(&plan, &proposal(&plan)).unwrap();
        // The order of a person's own tasks, say, need not be that of the parameters.
        for call in &mut request.task.calls {
            call.arguments = std::mem::take(&mut call.arguments).into_iter().rev().collect();
        }
        let gold = recipe.game.gold_answer(&request).unwrap();
        let tokens: Vec<u32> = gold.bytes().map(u32::from).chain([256]).collect();
        TokenMask::replay(&recipe.game.solver_hook(&request).unwrap(), &[], &tokens, 257).unwrap();
    }
}

#[test]
fn what_is_wrong_with_a_proposal_is_named() {
    let invents = recipe("[plan]\ngiven_values = 0.0", false);
    let plan: CallPlan = serde_json::from_value(serde_json::json!({
        "calls": [{"tool": "delete_alarm", "parameters": ["time"]}],
        "menu": ["now", "delete_alarm"],
        "style": "wish",
    }))
    .unwrap();
    for (text, rule) in [
        (r#" [{"time": "noon"}]\nRequest: Cancel the one at noon."#, ""),
        (r#" [{"time": "noon"}]\nCancel the one at noon."#, "form"),
        (r#" [{"time": "noon"]\nRequest: Cancel the one at noon."#, "values"),
        (r" []\nRequest: Cancel the one at noon.", "plan_calls"),
        (r#" [{"label": "noon"}]\nRequest: Cancel the one at noon."#, "plan_parameters"),
        (r#" [{"time": 7}]\nRequest: Cancel the one at 7."#, "schema"),
        (r#" [{"time": "noon"}]\nRequest: Cancel the one at six."#, "ungrounded"),
        (r#" [{"time": "noon"}]\nRequest: Cancel noon."#, "request_length"),
        (r#" [{"time": "half past seven"}]\nRequest: Cancel it at half past seven."#, "copied"),
    ] {
        let text = text.replace("\\n", "\n");
        let read = invents.game.read(&plan, &Rollout::from_text(text.clone()).with_finish(Finish::Stop));
        assert_eq!(read.err().map_or(String::new(), |rejection| rejection.rule), rule, "{text}");
    }
    let cut = Rollout::from_text(" [{").with_finish(Finish::Length);
    assert_eq!(invents.game.read(&plan, &cut).unwrap_err().rule, "cut_off");
}

/// Writes allowed bytes at random; stops where the text may end. `None` if it does not end within the limit.
fn walk(hook: &Hook, seed: Seed) -> Option<String> {
    let (mut rng, mut state, mut text) = (seed.rng(), hook.start(&[]), Vec::new());
    for _ in 0..1500 {
        let mut logits = vec![0.0_f32; 257];
        state.apply(&mut logits).unwrap();
        let allowed: Vec<u32> = (0..257).filter(|&token| logits[token as usize] == 0.0).collect();
        let likely: Vec<u32> = allowed.iter().copied().filter(|&token| token < 128 || token == 256).collect();
        let allowed = if likely.is_empty() { allowed } else { likely };
        let token = if allowed.contains(&256) { 256 } else { allowed[rng.random_range(0..allowed.len())] };
        state.accept(token).unwrap();
        if token == 256 {
            return String::from_utf8(text).ok();
        }
        text.push(token as u8);
    }
    None
}

#[test]
fn what_is_written_under_the_grammar_is_a_task() {
    let first = "[plan]\ngiven_values = 0.0\n[game]\norder = \"request_first\"";
    for settings in ["[plan]\ngiven_values = 1.0", "[plan]\ngiven_values = 0.0", first] {
        let recipe = recipe(settings, true);
        let (mut read, mut ended) = (0, 0);
        for i in 0..40 {
            let plan = recipe.game.draw(Seed::new(11).index(i));
            let hook = recipe.game.generator_hook(&plan).unwrap();
            let Some(text) = walk(&hook, Seed::new(i)) else { continue };
            ended += 1;
            match recipe.game.read(&plan, &Rollout::from_text(text.clone()).with_finish(Finish::Stop)) {
                Ok(_) => read += 1,
                // A random request may be two words long; one that comes first does not know the values.
                Err(rejection) => {
                    let Rejection { rule, detail, .. } = rejection;
                    let known = rule == "request_length" || settings == first && rule == "ungrounded";
                    assert!(known, "{settings}: {text}: {rule}: {detail}");
                }
            }
        }
        assert!(
            ended > 30 && (settings == first || read * 4 > ended * 3),
            "{settings}: {read} of {ended} texts"
        );
    }
}

#[test]
fn what_the_solver_writes_under_the_grammar_are_calls() {
    let recipe = recipe("", true);
    let plan = recipe.game.draw(Seed::new(2));
    let task = recipe.game.read(&plan, &proposal(&plan)).unwrap();
    let hook = recipe.game.solver_hook(&task).unwrap();
    let texts: Vec<String> = (0..60).filter_map(|i| walk(&hook, Seed::new(i))).collect();
    assert!(texts.len() > 20);
    for text in texts {
        let calls = Format::Hermes.parser_for(task.task.tools.clone()).parse(&text).unwrap();
        for call in &calls {
            let tool = task.task.tools.iter().find(|tool| tool.name == call.name).unwrap();
            tool.validate(call).unwrap();
        }
        assert!(!calls.is_empty() || text.ends_with(&recipe.game.settings().decline), "{text}");
    }
}

#[test]
fn the_request_may_come_first() {
    let recipe = recipe("[plan]\ngiven_values = 0.0\n[game]\norder = \"request_first\"\n", true);
    let plan = recipe.game.draw(Seed::new(3));
    let text = walk(&recipe.game.generator_hook(&plan).unwrap(), Seed::new(1)).unwrap();
    let values = text.find("Values: [").unwrap();
    assert!(values > 5, "{text}");
}

#[test]
fn a_proposal_is_asked_for_in_the_style_of_the_plan() {
    let recipe = recipe("", false);
    let plan = recipe.game.draw(Seed::new(1));
    let text = |prompt| match prompt {
        Prompt::Text(text) => text,
        other => panic!("{other:?} is no text"),
    };
    let asked = text(recipe.game.generator_prompt(&plan));
    let contrast = text(recipe.game.contrast_prompt(&plan).unwrap());
    let last = |text: &str| text.rsplit("Action: ").next().unwrap().to_owned();
    assert_eq!(last(&contrast).lines().next(), Some("do something"));
    assert_eq!(last(&contrast).lines().nth(1), last(&asked).lines().nth(1), "the values are the same");
    assert!(asked.ends_with("\nRequest:"), "{asked}");
    let styles: std::collections::BTreeSet<String> = (0..20)
        .map(|i| text(recipe.game.generator_prompt(&recipe.game.draw(Seed::new(i)))))
        .map(|text| text.lines().find(|line| line.starts_with("Request: ")).unwrap().to_owned())
        .collect();
    assert_eq!(styles.len(), 4, "{styles:?}");
}

#[test]
fn settings_are_checked() {
    for (settings, what) in [
        ("[game]\nmost_calls = 0", "game.most_calls"),
        ("[plan]\nmenu_from = 0", "plan.menu_to"),
        ("[plan]\ngiven_values = 2.0", "plan.given_values"),
        ("[plan]\nno_call = 1.0", "plan.no_call"),
        ("[plan]\noutside = 1.0", "plan.outside"),
        ("[plan]\nredraw = -0.1", "plan.redraw"),
        ("[plan]\nwordings = [0.0, 0.0, 0.0, 0.0]", "plan.wordings"),
        ("[game]\norder = \"request_first\"", "plan.given_values"),
        ("[game]\nformat = \"morse\"", "morse"),
        ("[self_play.generator]\nprobe_samples = 0", "probe_samples"),
    ] {
        let config = OwnToolsConfig::from_toml(&format!("extends = \"own-tools\"\n{settings}"), "test.toml");
        let catalogue = Catalogue::from_text(TOOLS, "tools.json").unwrap();
        let error = config.and_then(|config| config.build(catalogue, None).map(drop)).unwrap_err();
        assert!(error.to_string().contains(what), "{settings}: {error}");
    }
}

#[test]
fn names_that_cannot_come_first_are_refused() {
    let build = |settings: &str, name: &str| {
        let settings = format!("extends = \"own-tools\"\n[game]\n{settings}");
        let tools = serde_json::json!([{"name": name}]).to_string();
        let config = OwnToolsConfig::from_toml(&settings, "test.toml").unwrap();
        config
            .build(Catalogue::from_text(&tools, "tools.json").unwrap(), None)
            .map_err(|error| error.to_string())
    };
    for name in ["a<b", "a,b", &"long".repeat(40)] {
        let error = build("", name).unwrap_err();
        assert!(error.contains("game.name_first") && error.contains("rename"), "{error}");
        build("name_first = false", name).unwrap();
    }
    for format in Format::ALL {
        match build(&format!("format = \"{format}\""), "now") {
            // The answers of this format are read behind a thought in these tags.
            Ok(recipe) => {
                let parser = format.parser_for(recipe.game.catalogue().tools().to_vec());
                let decline = format!("<think>later</think>\n{}", recipe.game.settings().decline);
                assert!(parser.parse(&decline).map_or(true, |calls| calls.is_empty()), "{format}");
            }
            Err(error) => assert!(error.contains("no answer begins with a thought"), "{format}: {error}"),
        }
    }
    build("format = \"hermes\"", "now").unwrap();
}

#[test]
fn an_answer_that_is_cut_off_solves_nothing() {
    let recipe = recipe("[plan]\noutside = 0.99", false);
    let declined = (0..20).map(|i| recipe.game.draw(Seed::new(1).index(i))).find_map(|plan| {
        let request = recipe.game.read(&plan, &proposal(&plan)).unwrap();
        request.task.calls.is_empty().then_some(request)
    });
    let declined = declined.unwrap();
    let gold = Rollout::from_text(recipe.game.gold_answer(&declined).unwrap());
    for (text, finish, solved) in [
        (gold.text.as_str(), Finish::Stop, true),
        (gold.text.as_str(), Finish::Length, false),
        ("<think>order_piz", Finish::Length, false),
    ] {
        let out = Rollout::from_text(text).with_finish(finish);
        assert_eq!(recipe.game.solved(&declined, &out), solved, "{text}");
        assert_eq!(recipe.game.answer(&declined, &out).is_some(), solved, "{text}");
    }
}

const MUSIC: &str = r#"[
  {"name": "play", "description": "", "parameters": {"type": "object", "properties": {
    "album": {"type": "string"}, "track": {"type": "string"}, "genre": {"type": "string"}}}},
  {"name": "stop", "description": "", "parameters": {"type": "object", "properties": {}}}
]"#;

fn music() -> OwnTools {
    music_with("plan.lower_case = 0.0")
}

fn music_with(settings: &str) -> OwnTools {
    let text = format!("extends = \"own-tools\"\nplan.redraw = 1.0\n{settings}\n");
    let config = OwnToolsConfig::from_toml(&text, "test.toml").unwrap();
    config.build(Catalogue::from_text(MUSIC, "tools.json").unwrap(), None).unwrap()
}

fn plan_of_track() -> CallPlan {
    serde_json::from_value(serde_json::json!({
        "calls": [{"tool": "play", "parameters": ["track"]}], "menu": ["play"], "style": "wish",
        "arguments": [{"track": "Moonlight"}]}))
    .unwrap()
}

#[test]
fn a_call_gets_what_the_request_mentions_besides() {
    let said =
        |text: &str| music().game.read(&plan_of_track(), &Rollout::from_text(text).with_finish(Finish::Stop));
    let request = said("I want the jazz track Moonlight.").unwrap();
    let calls = serde_json::to_value(&request.task.calls[0].arguments).unwrap();
    assert_eq!(calls, serde_json::json!({"track": "Moonlight", "genre": "jazz"}));
    // An album might have this name as well.
    assert_eq!(said("I want to hear Moonlight.").unwrap_err().rule, "unclear");
}

#[test]
fn a_task_has_other_values_each_time() {
    let recipe = music();
    let text = Rollout::from_text("I want the track Moonlight.").with_finish(Finish::Stop);
    let task = recipe.game.read(&plan_of_track(), &text).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for update in 0..8 {
        let chosen = recipe.game.choose(&[&task], 2, update, Seed::new(update)).unwrap();
        assert_eq!(chosen, recipe.game.choose(&[&task], 2, update, Seed::new(update)).unwrap());
        for (_, request) in chosen.iter().filter(|(_, request)| !request.task.calls.is_empty()) {
            let track = request.task.calls[0].arguments["track"].as_str().unwrap();
            assert_eq!(request.task.question, format!("I want the track {track}."));
            seen.insert(track.to_owned());
        }
    }
    assert!(seen.len() > 4, "{seen:?}");
}

#[test]
fn a_task_may_be_typed_in_small_letters() {
    let recipe = music_with("plan.lower_case = 1.0");
    let text = Rollout::from_text("I want the track Moonlight.").with_finish(Finish::Stop);
    let task = recipe.game.read(&plan_of_track(), &text).unwrap();
    let chosen = recipe.game.choose(&[&task], 8, 0, Seed::new(1)).unwrap();
    for (_, request) in chosen.iter().filter(|(_, request)| !request.task.calls.is_empty()) {
        let track = request.task.calls[0].arguments["track"].as_str().unwrap();
        assert_eq!(request.task.question, format!("i want the track {track}."));
        assert_eq!(track, track.to_lowercase());
    }
}

#[test]
fn a_switch_that_is_on_must_be_mentioned() {
    let tools = r#"[{"name": "find", "parameters": {"type": "object", "properties": {
        "city": {"type": "string"}, "is_open_now": {"type": "boolean"}}}}]"#;
    let catalogue = Catalogue::from_text(tools, "tools.json").unwrap();
    let recipe = OwnToolsConfig::from_toml("extends = \"own-tools\"", "t.toml")
        .unwrap()
        .build(catalogue, None)
        .unwrap();
    let plan: CallPlan = serde_json::from_value(serde_json::json!({
        "calls": [{"tool": "find", "parameters": ["city", "is_open_now"]}], "menu": ["find"], "style": "wish",
        "arguments": [{"city": "Oslo", "is_open_now": true}]}))
    .unwrap();
    let read = |text: &str| recipe.game.read(&plan, &Rollout::from_text(text).with_finish(Finish::Stop));
    assert!(read("What is open now in Oslo?").is_ok());
    assert_eq!(read("What is in Oslo?").unwrap_err().rule, "ungrounded");
    // A plan turns an optional switch on, if it has it.
    let drawn = (0..50).flat_map(|seed| recipe.game.draw(Seed::new(seed)).arguments);
    let switches: Vec<_> = drawn.filter_map(|arguments| arguments.get("is_open_now").cloned()).collect();
    assert!(!switches.is_empty() && switches.iter().all(|on| *on == serde_json::json!(true)));
}
