//! Tool-Zero's arms, with toy models.

// Helpers of tests may fail loudly.
#![allow(clippy::unwrap_used, clippy::float_cmp)]

use serde_json::json;
use sparring_core::{Game, Message, Prompt, Rejection, RewardContext, Rollout, Sampler, Seed};
use sparring_recipes::tool_zero::{
    Arm, GoldThought, Stage, StepRecord, ToolZeroConfig, Training, gold_answer, mask_names,
};
use sparring_testkit::ToyPolicy;
use sparring_tools::{CallParser, ToolCall, ToolR0Tags, ToolSpec, ToolTask};

/// The prompt is the question; solved if the gold calls are made.
struct Ask;

impl Game for Ask {
    type Spec = ();
    type Task = ToolTask;

    fn draw(&self, _: Seed) {}

    fn generator_prompt(&self, (): &()) -> Prompt {
        Vec::<Message>::new().into()
    }

    fn read(&self, (): &(), _: &Rollout) -> Result<ToolTask, Rejection> {
        Err(Rejection::new("unused", "nothing is read"))
    }

    fn solver_prompt(&self, task: &ToolTask) -> Vec<Message> {
        vec![Message::user(task.question.clone())]
    }

    fn solved(&self, task: &ToolTask, out: &Rollout) -> bool {
        ToolR0Tags::default().parse(&out.text).is_ok_and(|calls| calls == task.calls)
    }
}

fn tasks() -> Vec<ToolTask> {
    let tool = |name: &str| {
        let x = ("x".to_owned(), json!({"type": "string"}));
        ToolSpec::new(name, format!("Does {name}"), [x].into_iter().collect(), vec!["x".into()])
    };
    ["f", "g", "h"]
        .map(|name| ToolTask {
            question: name.to_owned(),
            tools: vec![tool("f"), tool("g"), tool("h")],
            calls: vec![ToolCall::new(name, [("x", "1".into())])],
            domain: String::new(),
        })
        .to_vec()
}

/// Every word is a whole answer: each call, with reasoning and without.
fn toy() -> ToyPolicy {
    let thoughts = ["", "<think>so</think>"];
    let answer =
        |thought: &str, task: &ToolTask| format!("{thought}{}", gold_answer(task, GoldThought::None));
    let words = tasks().into_iter().flat_map(|task| thoughts.map(|thought| answer(thought, &task)));
    ToyPolicy::from_words(words.chain(["?".to_owned()]), Seed::new(5))
}

fn config() -> ToolZeroConfig {
    let mut config = ToolZeroConfig::default();
    (config.updates, config.prompts_per_step, config.group_size, config.max_tokens) = (4, 2, 4, 1);
    config.supervised.examples_per_step = 3;
    config.lr.values_mut().for_each(|lr| *lr = 0.3);
    config
}

fn train(arm: Arm, seed: u64, config: ToolZeroConfig) -> (Vec<StepRecord>, Vec<f64>) {
    let (plan, encoder, mut policy, tasks) = (config.build().unwrap(), toy(), toy(), tasks());
    let training =
        Training { plan: &plan, game: &Ask, encoder: &encoder, tasks: &tasks, seed: Seed::new(seed) };
    let mut told = 0;
    let records = training.run(arm, &mut policy, &mut |_| told += 1).unwrap();
    assert_eq!(told, records.len());
    (records, policy.weights().to_vec())
}

#[test]
fn every_arm_learns_reproducibly_and_records_it() {
    for arm in Arm::ALL {
        let (records, weights) = train(arm, 1, config());
        assert_eq!((records.clone(), weights.clone()), train(arm, 1, config()), "{arm}");
        assert_ne!(weights, toy().weights(), "{arm}");
        let supervised = arm.supervised(4);
        for (i, record) in records.iter().enumerate() {
            let stage = if i < supervised { Stage::Supervised } else { Stage::Reinforced };
            assert_eq!((record.step, record.stage), (i, stage), "{arm}");
            assert_eq!(record.sigma.is_some(), stage == Stage::Reinforced);
            let read: StepRecord = serde_json::from_str(&serde_json::to_string(record).unwrap()).unwrap();
            assert_eq!(read, *record);
        }
        if stage_of(&records) == Stage::Reinforced {
            let measured: Vec<&str> = records[3].measured.keys().map(String::as_str).collect();
            // No task has two calls, so the bonus applies to none.
            assert_eq!(measured, ["ast", "format", "overlap", "value_penalty"], "{arm}");
        }
    }
    assert_ne!(train(Arm::Grpo, 1, config()).1, train(Arm::Grpo, 2, config()).1);
}

fn stage_of(records: &[StepRecord]) -> Stage {
    records[records.len() - 1].stage
}

#[test]
fn supervision_teaches_the_gold_answers() {
    let mut config = config();
    config.updates = 80;
    let (plan, encoder, mut policy, tasks) = (config.build().unwrap(), toy(), toy(), tasks());
    let training = Training { plan: &plan, game: &Ask, encoder: &encoder, tasks: &tasks, seed: Seed::new(1) };
    let records = training.run(Arm::Sft, &mut policy, &mut |_| {}).unwrap();
    assert!(records[79].loss < 0.1 * records[0].loss, "{} to {}", records[0].loss, records[79].loss);
    let params = sparring_core::SamplingParams::greedy().with_max_tokens(2);
    let prompt: Prompt = Ask.solver_prompt(&tasks[1]).into();
    let request = sparring_core::SampleRequest::new(prompt, 1, params, Seed::new(1));
    let said = policy.sample_one(&request).unwrap().remove(0);
    assert_eq!(said.text, gold_answer(&tasks[1], GoldThought::None));
}

#[test]
fn rewards_of_the_arms_by_hand() {
    let mut config = ToolZeroConfig::default();
    config.updates = 48;
    let plan = config.build().unwrap();
    let mut task = tasks().remove(0);
    let wrong = |task: &ToolTask| {
        let mut calls = task.calls.clone();
        calls[0].arguments.insert("x".into(), "2".into());
        let thought = sparring_recipes::tool_r0::render_answer(&calls, "so");
        Rollout::from_text(thought)
    };
    let right = |task: &ToolTask| Rollout::from_text(gold_answer(task, GoldThought::Plan));
    let score = |arm: Arm, task: &ToolTask, step: usize| {
        let ctx = RewardContext::at(step, 48);
        let group = [right(task), wrong(task), Rollout::from_text("no")];
        let scores = plan.reward(arm).score(task, &group, &ctx).unwrap();
        scores.into_iter().map(|score| (score.unwrap() * 100.0).round() / 100.0).collect::<Vec<f32>>()
    };
    // Format 1, calls 1; term by term.
    assert_eq!(score(Arm::Grpo, &task, 0), [2.0, 1.0, 0.0]);
    assert_eq!(score(Arm::ValuePenalty, &task, 0), [2.0, 0.7, 0.0]);
    assert_eq!(score(Arm::MultiCall, &task, 0), [2.0, 1.0, 0.0]);
    task.calls.push(ToolCall::new("g", [("x", "1".into())]));
    assert_eq!(score(Arm::MultiCall, &task, 0), [2.3, 1.3, 0.0]);
    // Halfway, at m = T/4: the mean of 1.3 and 0.5; of 0.3 - 0.3 and 0.5, since the wrong answer, whose second call has
    // the right value, contains every reference token; of 0 and -0.5.
    assert_eq!(score(Arm::Progressive, &task, 12), [1.9, 1.25, -0.25]);
    assert_eq!(plan.sigma(Arm::Progressive).at(12, 48), 0.5);
    assert_eq!(plan.sigma(Arm::Grpo).at(0, 48), 1.0);
}

#[test]
fn masking_affects_a_share_and_only_arms_that_mask() {
    let masked = mask_names(&tasks()[0], Seed::new(2));
    assert!(masked.tools.iter().all(|tool| tool.name.starts_with("func_")));
    let always = |arm, share| {
        let mut config = config();
        config.mask_share = share;
        train(arm, 1, config).1
    };
    assert_eq!(always(Arm::Masking, 0.0), always(Arm::Grpo, 1.0));
    assert_ne!(always(Arm::Masking, 1.0), always(Arm::Grpo, 1.0));
}

#[test]
fn wrong_settings_are_named() {
    let refused = |change: fn(&mut ToolZeroConfig)| {
        let mut config = ToolZeroConfig::default();
        change(&mut config);
        config.build().unwrap_err().to_string()
    };
    assert!(refused(|c| c.updates = 1).starts_with("updates: "));
    assert!(refused(|c| c.group_size = 1).starts_with("group_size: "));
    assert!(refused(|c| c.mask_share = 1.5).starts_with("mask_share: "));
    assert!(refused(|c| c.reward.ast_fail = 2.0).starts_with("reward.ast_fail: "));
    assert!(refused(|c| c.schedule.steepness = f64::NAN).starts_with("schedule.steepness: "));
    assert!(
        refused(|c| {
            c.lr.remove(&Arm::Grpo);
        })
        .starts_with("lr.grpo: ")
    );
    let error = refused(|c| c.temperature = 0.0);
    assert!(error.starts_with("temperature: 0: must be greater than 0"), "{error}");
    assert!("grpoo".parse::<Arm>().unwrap_err().to_string().contains("progressive"));
    let text = ToolZeroConfig::default().to_toml().unwrap();
    assert_eq!(toml::from_str::<ToolZeroConfig>(&text).unwrap(), ToolZeroConfig::default());
}
