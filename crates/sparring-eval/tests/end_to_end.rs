//! A run from files to a report, with a scripted model: what is asked, saved, resumed and counted.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // A failed step is a failed test.

use serde_json::json;
use sparring_core::{
    Backoff, Conversation, Encoder, PolicyError, Prompt, Retry, Rollout, SampleRequest, Sampler,
};
use sparring_eval::bfcl::{with_underscores, write_results};
use sparring_eval::{
    AnswerReader, Benchmark, EvalError, ExactGrader, InWords, Item, Journal, Prompter, Report, RunConfig,
    Suite, Templated, run, score, write_report,
};
use sparring_testkit::ScriptedSampler;
use sparring_tools::{Format, ToolCall};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A little BFCL: two simple questions, one irrelevant.
fn benchmark(dir: &Path) -> Benchmark {
    let function = json!({"name": "math.add", "description": "Adds.", "parameters": {"type": "dict",
        "required": ["a", "b"], "properties": {"a": {"type": "integer"}, "b": {"type": "float"}}}});
    let entry = |id: &str, question: &str| {
        json!({"id": id, "question": [[{"role": "user", "content": question}]], "function": [function]})
            .to_string()
    };
    let write =
        |name: &str, lines: &[String]| std::fs::write(dir.join(name), lines.join("\n") + "\n").unwrap();
    std::fs::create_dir(dir.join("possible_answer")).unwrap();
    write(
        "BFCL_v4_simple_python.json",
        &[entry("simple_python_0", "Add 1 and 2."), entry("simple_python_1", "Add 3 and 4.")],
    );
    let gold =
        |id: &str, a: i64, b: f64| json!({"id": id, "ground_truth": [{"math.add": {"a": [a], "b": [b]}}]});
    write(
        "possible_answer/BFCL_v4_simple_python.json",
        &[gold("simple_python_0", 1, 2.0).to_string(), gold("simple_python_1", 3, 4.0).to_string()],
    );
    write("BFCL_v4_irrelevance.json", &[entry("irrelevance_0", "Sing.")]);
    Suite::Bfcl.load(dir, &[]).unwrap()
}

/// Knows the first sum, gets the second wrong, and calls a tool where it should not.
fn model() -> ScriptedSampler {
    let call = |b: &str| {
        let call = json!({"name": "math.add", "arguments": {"a": 1, "b": serde_json::from_str::<f64>(b).unwrap() as i64}});
        format!("<tool_call>\n{call}\n</tool_call>")
    };
    ScriptedSampler::table([
        ("Add 1 and 2.", vec![call("2")]),
        ("Add 3", vec![call("4")]),
        ("Sing", vec![call("0")]),
    ])
}

/// Fails at the given call, and counts calls and prompts.
struct Failing<'a> {
    inner: &'a ScriptedSampler,
    fail_at: usize,
    calls: AtomicUsize,
    prompts: AtomicUsize,
}

impl<'a> Failing<'a> {
    fn at(fail_at: usize, inner: &'a ScriptedSampler) -> Self {
        Self { inner, fail_at, calls: AtomicUsize::new(0), prompts: AtomicUsize::new(0) }
    }
}

impl Sampler for Failing<'_> {
    fn sample(&self, requests: &[SampleRequest]) -> Vec<Result<Vec<Rollout>, PolicyError>> {
        if self.calls.fetch_add(1, Ordering::Relaxed) == self.fail_at {
            return vec![Err(PolicyError::transient("asking", "unplugged")); requests.len()];
        }
        self.prompts.fetch_add(requests.len(), Ordering::Relaxed);
        self.inner.sample(requests)
    }
}

const HERMES: AnswerReader = AnswerReader::Format(Format::Hermes);

fn journal(dir: &Path) -> Journal {
    Journal::open(&dir.join("answers.jsonl"), &json!({"model": "scripted"})).unwrap()
}

#[test]
fn a_run_that_fails_is_resumed_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let benchmark = benchmark(dir.path());
    let (model, prompter) = (model(), InWords::new(&HERMES));
    let config = RunConfig::default().with_batch(1);
    // The second batch fails: the first answer stays.
    let failing = Failing::at(1, &model);
    let mut seen = Vec::new();
    let error =
        run(&benchmark, &failing, &prompter, &config, &mut journal(dir.path()), |done| seen.push(done))
            .unwrap_err();
    assert!(matches!(error, EvalError::Policy(PolicyError::Transient { .. })), "{error}");
    assert_eq!(seen, [0, 1]);
    // A crash cut the next line off: the file is repaired, and only missing answers are requested.
    let path = dir.path().join("answers.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{whole}{{\"id\": \"simple_py")).unwrap();
    let counting = Failing::at(usize::MAX, &model);
    let mut again = journal(dir.path());
    run(&benchmark, &counting, &prompter, &config.with_batch(2), &mut again, |_| ()).unwrap();
    assert_eq!(counting.prompts.load(Ordering::Relaxed), 2);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with(&whole) && text.lines().count() == 4, "{text}");
    check_report(dir.path(), &benchmark, &again);
}

fn check_report(dir: &Path, benchmark: &Benchmark, journal: &Journal) {
    let (report, failures) = score(benchmark, &HERMES, journal.answers());
    assert_eq!((report.total.tally.valid, report.total.tally.total, report.unanswered), (1, 3, 0));
    let kinds: Vec<_> = report.errors.iter().map(|(kind, n)| (kind.as_str(), *n)).collect();
    assert_eq!(kinds, [("irrelevance_error:decoder_success", 1), ("value_error:others", 1)]);
    let of = |category: &str| report.categories.iter().find(|share| share.category == category).unwrap();
    assert_eq!(of("simple_python").errors.keys().collect::<Vec<_>>(), ["value_error:others"]);
    assert_eq!(of("irrelevance").errors.values().sum::<usize>(), 1);
    let report = report.with_run(json!({"model": "scripted", "seed": 0}));
    assert!(failures[0].why.contains('a') && failures[0].id == "simple_python_1", "{failures:?}");
    let board = report.leaderboard.as_ref().unwrap();
    assert!((board.v4_non_live.value - 0.5 / 12.0).abs() < 1e-12, "{board:?}");
    // What is written is what is read back.
    write_report(dir, &report, &failures).unwrap();
    let json = std::fs::read_to_string(dir.join("report.json")).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    let table = std::fs::read_to_string(dir.join("report.txt")).unwrap();
    assert!(table.contains("model: scripted\nseed: 0\n"), "{table}");
    assert!(table.contains("simple_python") && table.contains("not run, counted 0: simple_java"), "{table}");
    assert_eq!(std::fs::read_to_string(dir.join("failures.jsonl")).unwrap().lines().count(), 2);
    // Bfcl-eval's layout.
    let files = write_results(dir, "Org/Model", benchmark, journal.answers()).unwrap();
    let file = dir.join("result/Org_Model/non_live/BFCL_v4_simple_python_result.json");
    assert!(files.contains(&file) && files.len() == 2, "{files:?}");
    let text = std::fs::read_to_string(file).unwrap();
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(first["id"], "simple_python_0");
    assert!(first["result"].as_str().unwrap().starts_with("<tool_call>"));
}

#[test]
fn answers_to_another_question_are_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let benchmark = benchmark(dir.path());
    let config = RunConfig::default();
    run(&benchmark, &model(), &InWords::new(&HERMES), &config, &mut journal(dir.path()), |_| ()).unwrap();
    let other = AnswerReader::Bfcl;
    let error = run(&benchmark, &model(), &InWords::new(&other), &config, &mut journal(dir.path()), |_| ());
    assert!(error.unwrap_err().to_string().contains("simple_python_0 was answered to another prompt"));
    let error = Journal::open(&dir.path().join("answers.jsonl"), &json!({"model": "another"})).unwrap_err();
    assert!(error.to_string().contains("model \"another\""), "{error}");
    std::fs::write(dir.path().join("bad.jsonl"), "{\"run\":{}}\n{}\n").unwrap();
    let error = Journal::open(&dir.path().join("bad.jsonl"), &json!({})).unwrap_err().to_string();
    assert!(error.contains("bad.jsonl:2: not an answer"), "{error}");
}

#[test]
fn a_refused_prompt_is_a_wrong_answer() {
    let dir = tempfile::tempdir().unwrap();
    let benchmark = benchmark(dir.path());
    let mut journal = journal(dir.path());
    let short = Moody(|prompt| if prompt.contains("Add 3") { Act::Refuse } else { Act::Answer });
    run(&benchmark, &short, &InWords::new(&HERMES), &RunConfig::default(), &mut journal, |_| ()).unwrap();
    let (report, failures) = score(&benchmark, &HERMES, journal.answers());
    assert_eq!((report.refused, report.total.tally.valid, report.total.tally.total), (1, 1, 3));
    assert!(failures.iter().any(|failure| failure.error == "refused" && failure.why.contains("too long")));
}

#[test]
fn prompts_hold_the_tools_and_the_format() {
    let dir = tempfile::tempdir().unwrap();
    let benchmark = benchmark(dir.path());
    for (reader, example) in [
        (HERMES, "<tool_call>\n{\"name\": \"first_tool\""),
        (AnswerReader::Bfcl, "[first_tool(parameter='value', other=1), second_tool("),
    ] {
        let Prompt::Conversation(asked) = InWords::new(&reader).prompt(&benchmark.items[0]).unwrap() else {
            panic!("expected messages")
        };
        let messages = asked.messages;
        assert_eq!(messages.len(), 2);
        assert!(messages[0].content.contains(example), "{}", messages[0].content);
        assert!(
            messages[0].content.contains("\"name\":\"math.add\"") && messages[1].content == "Add 1 and 2."
        );
    }
    let counts = prompts(|asked| {
        Ok([asked.messages.len(), asked.tools.len(), asked.variables.len()].map(|n| n as u32).to_vec())
    });
    let templated = Templated::new(&counts).with_variable("enable_thinking", false);
    assert_eq!(templated.prompt(&benchmark.items[0]).unwrap(), Prompt::Tokens([1, 1, 1].into()));
}

#[test]
fn result_files_are_of_the_version_of_the_data() {
    let dir = tempfile::tempdir().unwrap();
    for (name, id) in [("simple", "simple_0"), ("java", "java_0"), ("live_simple", "live_simple_0-0-0")] {
        let question = json!({"id": id, "question": [[{"role": "user", "content": "q"}]],
            "function": [{"name": "f", "description": "", "parameters": {"type": "dict", "properties": {}}}]});
        let gold = json!({"id": id, "ground_truth": [{"f": {}}]});
        std::fs::create_dir_all(dir.path().join("possible_answer")).unwrap();
        for (folder, line) in [("", question), ("possible_answer/", gold)] {
            let path = dir.path().join(format!("{folder}BFCL_v3_{name}.json"));
            std::fs::write(path, line.to_string()).unwrap();
        }
    }
    let benchmark = Suite::Bfcl.load(dir.path(), &[]).unwrap();
    let answers = sparring_eval::gold_answers(&benchmark, &HERMES);
    let files = write_results(dir.path(), "Org/Model", &benchmark, &answers).unwrap();
    let root = dir.path().join("result/Org_Model");
    let want = ["java", "live_simple", "simple"].map(|name| root.join(format!("BFCL_v3_{name}_result.json")));
    assert_eq!(files, want);
    let line: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&want[2]).unwrap()).unwrap();
    assert_eq!(line["id"], "simple_0");
    for name in ["", ".", ".."] {
        let error = write_results(dir.path(), name, &benchmark, &answers).unwrap_err().to_string();
        assert!(error.contains("cannot have a folder"), "{error}");
    }
}

#[test]
fn models_without_dots_are_offered_underscores() {
    let dir = tempfile::tempdir().unwrap();
    let dotted = benchmark(dir.path());
    let right = |benchmark: &Benchmark, answers| score(benchmark, &HERMES, &answers).0.total.tally.valid;
    let dots = sparring_eval::gold_answers(&dotted, &HERMES);
    assert_eq!(right(&dotted, dots.clone()), 3);
    let benchmark = with_underscores(dotted);
    assert!(benchmark.items.iter().all(|item| item.tools[0].name == "math_add"));
    let underscores = sparring_eval::gold_answers(&benchmark, &HERMES);
    assert!(underscores["simple_python_0"].text.contains("math_add"));
    // The irrelevant one is right in either.
    assert_eq!((right(&benchmark, underscores), right(&benchmark, dots)), (3, 1));
    let given = InWords::new(&HERMES).with_system("{functions}").unwrap();
    assert!(format!("{:?}", given.prompt(&benchmark.items[0]).unwrap()).contains("math_add"));
}

#[test]
fn a_system_prompt_may_be_given() {
    let dir = tempfile::tempdir().unwrap();
    let benchmark = benchmark(dir.path());
    let reader = AnswerReader::Bfcl;
    let given = InWords::new(&reader).with_system("Tools:\n{functions}\nGo.").unwrap();
    let Prompt::Conversation(asked) = given.prompt(&benchmark.items[0]).unwrap() else {
        panic!("expected messages")
    };
    let json = asked.messages[0].content.strip_prefix("Tools:\n").unwrap().strip_suffix("\nGo.").unwrap();
    assert!(json.starts_with("[\n    {\n        \"name\": \"math.add\""), "{json}");
    // As the benchmark's file has it.
    let functions: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(functions[0]["parameters"]["type"], "dict");
    let error = InWords::new(&reader).with_system("Go.").unwrap_err().to_string();
    assert!(error.contains("{functions}"), "{error}");
}

/// How a sampler behaves on a prompt.
enum Act {
    Answer,
    Refuse,
    Break,
}

/// Behaves by the text of each prompt.
struct Moody(fn(&str) -> Act);

impl Sampler for Moody {
    fn sample(&self, requests: &[SampleRequest]) -> Vec<Result<Vec<Rollout>, PolicyError>> {
        let answer = |request: &SampleRequest| match (self.0)(&format!("{:?}", request.prompt)) {
            Act::Answer => Ok(vec![Rollout::from_text("No.")]),
            Act::Refuse => Err(PolicyError::invalid("the prompt is too long")),
            Act::Break => Err(PolicyError::transient("asking", "unplugged")),
        };
        requests.iter().map(answer).collect()
    }
}

#[test]
fn an_item_without_a_prompt_is_refused_and_not_asked_again() {
    let dir = tempfile::tempdir().unwrap();
    let benchmark = benchmark(dir.path());
    let encoder = prompts(|asked| match &asked.messages[0].content {
        text if text.contains("Add 3") => Err(PolicyError::invalid("no sums beyond 2")),
        text => Ok(vec![text.len() as u32]),
    });
    let picky = Templated::new(&encoder);
    let ask = |fail_at: usize| {
        let model = ScriptedSampler::new(|_, _| "No.".to_owned());
        let counting = Failing::at(fail_at, &model);
        let mut journal = journal(dir.path());
        run(&benchmark, &counting, &picky, &RunConfig::default(), &mut journal, |_| ()).unwrap();
        (journal, counting.prompts.into_inner())
    };
    let (journal, asked) = ask(usize::MAX);
    assert_eq!((journal.answers().len(), asked), (3, 2));
    let refused = journal.get("simple_python_1").unwrap().refused.as_deref();
    assert_eq!(refused, Some("no sums beyond 2"));
    // The same refusal is the same prompt.
    assert_eq!(ask(0).1, 0);
}

#[test]
fn a_failure_keeps_every_other_answer_of_its_batch() {
    let dir = tempfile::tempdir().unwrap();
    let benchmark = benchmark(dir.path());
    let (prompter, config) = (InWords::new(&HERMES), RunConfig::default());
    let sampler = Moody(|prompt| match prompt {
        p if p.contains("Add 1 and 2") => Act::Break,
        p if p.contains("Add 3") => Act::Refuse,
        _ => Act::Answer,
    });
    let error = run(&benchmark, &sampler, &prompter, &config, &mut journal(dir.path()), |_| ()).unwrap_err();
    assert!(matches!(error, EvalError::Policy(PolicyError::Transient { .. })), "{error}");
    let kept = journal(dir.path());
    assert_eq!(kept.answers().keys().collect::<Vec<_>>(), ["irrelevance_0", "simple_python_1"]);
    drop(kept);
    // The first prompt is all that is asked again; it is unavailable once, and then served.
    let model = model();
    let failing = Failing::at(0, &model);
    let patient = Retry::new(&failing, Backoff::default()).with_sleep(|_| ());
    run(&benchmark, &patient, &prompter, &config, &mut journal(dir.path()), |_| ()).unwrap();
    assert_eq!((failing.calls.into_inner(), failing.prompts.into_inner()), (2, 1));
    assert_eq!(journal(dir.path()).answers().len(), 3);
}

#[test]
fn a_sampler_that_refuses_everything_ends_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let benchmark = benchmark(dir.path());
    let words = InWords::new(&HERMES);
    let encoder = prompts(|_| Err(PolicyError::invalid("no tools")));
    let untold = Templated::new(&encoder);
    for (prompter, why) in [(&words as &dyn Prompter, "the prompt is too long"), (&untold, "no tools")] {
        for batch in [1, 2, 16] {
            let config = RunConfig::default().with_batch(batch);
            let sampler = Moody(|_| Act::Refuse);
            let error = run(&benchmark, &sampler, prompter, &config, &mut journal(dir.path()), |_| ());
            let want = format!("all of the first 3 prompts were refused: {why}");
            assert_eq!(error.unwrap_err().to_string(), want);
            assert!(journal(dir.path()).answers().is_empty());
        }
    }
}

#[test]
fn answers_of_another_shape_are_not_taken() {
    struct Shape(Vec<usize>);
    impl Sampler for Shape {
        fn sample(&self, _requests: &[SampleRequest]) -> Vec<Result<Vec<Rollout>, PolicyError>> {
            self.0.iter().map(|n| Ok(vec![Rollout::from_text("No."); *n])).collect()
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let benchmark = benchmark(dir.path());
    let (prompter, config) = (InWords::new(&HERMES), RunConfig::default());
    for shape in [vec![1, 1], vec![1, 1, 1, 1], vec![1, 0, 1], vec![1, 2, 1]] {
        let mut journal = journal(dir.path());
        let error = run(&benchmark, &Shape(shape), &prompter, &config, &mut journal, |_| ()).unwrap_err();
        assert!(sparring_core::one_line(&error).contains("the sampler gave"), "{error}");
        assert!(journal.answers().is_empty());
    }
}

#[test]
fn another_batch_is_the_same_run() {
    let config = RunConfig::default();
    assert_eq!(config.identity(), config.clone().with_batch(1).identity());
    assert_ne!(config.identity(), config.with_max_tokens(3).identity());
}

#[test]
fn a_refused_prompt_costs_recall() {
    let gold = vec![ToolCall::new("f", [("a", 1.into())])];
    let item = |id: &str| Item::calls(id, "c", vec![], vec![], gold.clone());
    let items = vec![item("a"), item("b")];
    let benchmark = Benchmark { name: "b".to_owned(), items, grader: Arc::new(ExactGrader::new()) };
    let mut answers = sparring_eval::gold_answers(&benchmark, &HERMES);
    let refused = answers.get_mut("b").unwrap();
    refused.text.clear();
    refused.refused = Some("too long".to_owned());
    let (report, _) = score(&benchmark, &HERMES, &answers);
    for share in &report.overlap {
        assert_eq!((share.overlap.calls.recall(), share.overlap.calls.precision()), (0.5, 1.0), "{share:?}");
    }
    assert_eq!(report.overlap.len(), 2);
}

/// An encoder that only knows prompts.
struct Prompts<F>(F);

fn prompts<F: Fn(&Conversation) -> Result<Vec<u32>, PolicyError>>(encode: F) -> Prompts<F> {
    Prompts(encode)
}

impl<F: Fn(&Conversation) -> Result<Vec<u32>, PolicyError> + Send + Sync> Encoder for Prompts<F> {
    fn prompt(&self, prompt: &Prompt) -> Result<Arc<[u32]>, PolicyError> {
        let Prompt::Conversation(asked) = prompt else { panic!("expected a conversation") };
        Ok((self.0)(asked)?.into())
    }

    fn completion(&self, _: &str) -> Result<Vec<u32>, PolicyError> {
        Err(PolicyError::Unsupported { what: "completions" })
    }
}
