//! Files made by hand: what each loader reads, and what it says of a file that is wrong.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // A failed step is a failed test.

use serde_json::{Value, json};
use sparring_core::Role;
use sparring_eval::{Defect, Expected, Item, Suite};
use sparring_tools::ToolCall;
use std::path::Path;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn load(&self, suite: Suite) -> Vec<Item> {
        suite.load(self.path(), &[]).unwrap().items
    }

    fn error(&self, suite: Suite) -> String {
        suite.load(self.path(), &[]).unwrap_err().to_string()
    }
}

fn gold(item: &Item) -> Value {
    match &item.expected {
        Expected::Calls(calls) => calls.iter().map(ToolCall::to_json).collect(),
        other => panic!("{other:?}"),
    }
}

const QUESTION: &str = r#"{"id": "java_0", "question": [[{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]],
 "function": [{"name": "A.f", "description": "d", "parameters": {"type": "dict", "properties": {"x": {"type": "Array", "items": {"type": "int"}, "description": "Numbers"}}, "required": ["x"]}}]}"#;
const GOLD: &str = r#"{"id": "java_0", "ground_truth": [{"A.f": {"x": [[1]]}}]}"#;

#[test]
fn bfcl_of_either_version_zipped_or_not() {
    use std::io::Write;
    let line = QUESTION.replace('\n', "");
    let folder = Folder::new(&[("possible_answer/BFCL_v3_java.json", GOLD)]);
    let file = std::fs::File::create(folder.path().join("BFCL_v3_java.json.gz")).unwrap();
    let mut gz = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    gz.write_all(line.as_bytes()).unwrap();
    gz.finish().unwrap();
    // The answers of a zipped file of questions are looked for under its name, zipped or not.
    let items = folder.load(Suite::Bfcl);
    assert_eq!((items[0].category.as_str(), items[0].messages.len()), ("simple_java", 2));
    assert_eq!(items[0].messages[0].role, Role::System);
    let schema = &items[0].tools[0].parameters["x"];
    assert_eq!(schema["type"], "string");
    let about = schema["description"].as_str().unwrap();
    assert!(about.contains("Numbers") && about.contains("Java") && about.contains("Array of int"), "{about}");
    let unknown = Suite::Bfcl.load(folder.path(), &["exec".to_owned()]).unwrap_err().to_string();
    assert!(unknown.contains("unknown BFCL category `exec`"), "{unknown}");
    let absent = Suite::Bfcl.load(folder.path(), &["multiple".to_owned()]).unwrap_err().to_string();
    assert!(absent.contains("has no BFCL_v4_multiple.json"), "{absent}");
}

#[test]
fn bfcl_says_what_is_wrong_and_where() {
    let line = QUESTION.replace('\n', "");
    let name = "BFCL_v4_simple_java.json";
    let answers = "possible_answer/BFCL_v4_simple_java.json";
    let cases: [(String, &str, &str); 6] = [
        (format!("{line}\n{{\"id\""), GOLD, "simple_java.json:2: not valid JSON at column"),
        (
            format!("\n{}", line.replace("java_0", "java_9")),
            GOLD,
            ":2: field \"id\" has no line in possible_answer/",
        ),
        (
            line.replace("[[{\"role\"", "[{\"role\"").replace("}]],", "}],"),
            GOLD,
            ":1: field \"question\" must hold one list",
        ),
        (line.replace("\"user\"", "\"uncle\""), GOLD, "field \"question[1].role\" is \"uncle\""),
        (line.replace("\"A.f\"", "\"\""), GOLD, "field \"function[0]\" is malformed"),
        (
            line.clone(),
            "{\"id\": 3}",
            "possible_answer/BFCL_v4_simple_java.json:1: field \"id\" must be a string",
        ),
    ];
    for (questions, golds, want) in cases {
        let error = Folder::new(&[(name, &questions), (answers, golds)]).error(Suite::Bfcl);
        assert!(error.contains(want), "{error}\nwanted {want}");
    }
    let error = Folder::new(&[(name, &line)]).error(Suite::Bfcl);
    assert!(error.contains("possible_answer") && error.ends_with("not found"), "{error}");
    let twice = Folder::new(&[(name, &format!("{line}\n{line}")), (answers, &format!("{GOLD}\n"))])
        .error(Suite::Bfcl);
    assert!(twice.contains(":2: field \"id\" is \"java_0\" as in a line before"), "{twice}");
    let more = GOLD.replace("java_0", "java_7");
    for (golds, want) in [
        (
            format!("{GOLD}\n{GOLD}"),
            "possible_answer/BFCL_v4_simple_java.json:2: field \"id\" is \"java_0\" as",
        ),
        (format!("{GOLD}\n{more}"), "has no question for 1 lines of possible_answer/: java_7"),
    ] {
        let error = Folder::new(&[(name, &line), (answers, &golds)]).error(Suite::Bfcl);
        assert!(error.contains(want), "{error}\nwanted {want}");
    }
    assert!(Folder::new(&[]).error(Suite::Bfcl).contains("has no items of bfcl"));
}

const ALPACA: &str = r#"[{"Function_Description": {"get": "Gets it.\nParameters: {\"id\": \"Required. integer. The id.\", \"tags\": \"Array[string]. Some.\"}\nOutput: x", "components": "types"},
 "Instructions": ["one", "two", "three"],
 "Golden_Answers": [[{"Action": "get", "Action_Input": "{\"id\": 1}"}], [{"Action": "find", "Action_Input": "{\"id\": ${id from get}}"}], [{"Action": "get", "Action_Input": "{\"id\": \"id\": 1}"}]]}]"#;

#[test]
fn toolalpaca() {
    let items = Folder::new(&[("eval_real.json", ALPACA)]).load(Suite::ToolAlpaca);
    assert_eq!(gold(&items[0]), json!([{"name": "get", "arguments": {"id": 1}}]));
    let tool = &items[0].tools[0];
    assert_eq!((tool.description.as_str(), tool.required.as_slice()), ("Gets it.", &["id".to_owned()][..]));
    assert_eq!(tool.parameters["tags"], json!({"type": "Array", "description": "Some."}));
    assert_eq!(items[1].defects, [Defect::Placeholder, Defect::NotOffered]);
    assert_eq!(items[2].defects, [Defect::UnreadableGold]);
    assert!(matches!(&items[2].expected, Expected::Unreadable { why } if why.contains("get")));
    for (from, to, want) in [
        ("\"one\", ", "", "entry 0: field \"Golden_Answers\" has 3 entries for 2 instructions"),
        ("Parameters: {", "Parameters: ", "field \"Function_Description.get\" has no JSON object"),
        ("\"Action\": \"find\"", "\"Action\": 3", "field \"Golden_Answers[1].Action\" must be a string"),
    ] {
        let error = Folder::new(&[("eval_real.json", &ALPACA.replace(from, to))]).error(Suite::ToolAlpaca);
        assert!(error.contains(want), "{error}");
    }
    assert!(Folder::new(&[]).error(Suite::ToolAlpaca).contains("has none of eval_real.json"));
}

#[test]
fn seal_tools() {
    let tool = |name: &str, field: &str| {
        json!({"api_name": name, "api_description": "d", "field": field, "parameters": {"n": {"type": "int"}}, "required": ["n"]})
            .to_string()
    };
    let tools: Vec<_> = ["z", "a", "b", "c", "d", "e"]
        .iter()
        .map(|name| tool(name, if *name == "e" { "F" } else { "G" }))
        .collect();
    let test =
        json!({"id": "t", "query": "q", "calling": [{"api": "b", "parameters": {"n": 2}, "responses": []}]})
            .to_string();
    let files = [("test_out_domain.jsonl", test.as_str()), ("tool.jsonl", &tools.join("\n"))];
    let items = Folder::new(&files).load(Suite::SealTools);
    assert_eq!(items[0].category, "out_domain_single");
    // Those that follow in the same field, from the gold's place around.
    let tool_list: Vec<_> = items[0].tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(tool_list, ["a", "b", "c", "d", "z"]);
    assert_eq!(items[0].tools[0].parameters_schema()["properties"]["n"]["type"], "integer");
    assert!(Folder::new(&files[..1]).error(Suite::SealTools).contains("tool.jsonl: not found"));
    let bad = test.replace("\"api\":\"b\",", "");
    let error = Folder::new(&[("dev.jsonl", &bad), files[1]]).error(Suite::SealTools);
    assert!(error.contains("dev.jsonl:1: field \"calling[0].api\" is missing"), "{error}");
}

#[test]
fn api_bank() {
    let user = r#"{"role": "User", "text": "Hi"}"#;
    let ai = r#"{"role": "AI", "text": "Let me see."}"#;
    let search = r#"{"role": "API", "api_name": "ToolSearcher", "param_dict": {"keywords": "k"}, "result": {"output": {"name": "Get", "description": "Gets.", "input_parameters": {"n": {"type": "int"}}}, "exception": null}}"#;
    let get = r#"{"role": "API", "api_name": "Get", "param_dict": {"n": 1}, "result": {"output": null, "exception": "none there"}}"#;
    let two = [user, ai, search, get, ai].join("\n");
    let one = [user, get].join("\n");
    let folder = Folder::new(&[("level-1-given-desc/a.jsonl", &one), ("level-2-toolsearcher/b.jsonl", &two)]);
    let items = folder.load(Suite::ApiBank);
    assert_eq!(
        items.iter().map(|i| i.id.as_str()).collect::<Vec<_>>(),
        ["apibank_l1_a_0", "apibank_l2_b_0", "apibank_l2_b_1"]
    );
    let tool_list = |item: &Item| item.tools.iter().map(|tool| tool.name.clone()).collect::<Vec<_>>();
    assert_eq!(
        (tool_list(&items[0]), tool_list(&items[1]), tool_list(&items[2])),
        (vec!["Get".into()], vec!["ToolSearcher".into()], vec!["ToolSearcher".into(), "Get".into()])
    );
    // What the search says of a tool holds in every dialogue.
    assert_eq!(items[0].tools[0].description, "Gets.");
    let roles: Vec<_> = items[2].messages.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::Assistant, Role::Tool]);
    assert_eq!(items[2].messages[2].tool_calls[0].name, "ToolSearcher");
    let error = Folder::new(&[("level-1-given-desc/a.jsonl", r#"{"role": "Cat"}"#)]).error(Suite::ApiBank);
    assert!(error.contains("a.jsonl:1: field \"role\" is \"Cat\""), "{error}");
    assert!(Folder::new(&[]).error(Suite::ApiBank).contains("contains neither level-1-given-desc nor"));
}

#[test]
fn api_bank_tool_lists_do_not_depend_on_the_order_of_files() {
    let found = |about: &str, parameters: &str| {
        format!(
            r#"{{"role": "API", "api_name": "ToolSearcher", "param_dict": {{}}, "result": {{"output": {{"name": "Get", "description": "{about}", "input_parameters": {parameters}}}}}}}"#
        )
    };
    let call =
        |arguments: &str| format!(r#"{{"role": "API", "api_name": "Get", "param_dict": {arguments}}}"#);
    let dialogues = [
        call(r#"{"z": 1, "n": 2}"#),
        call(r#"{"b": 1}"#),
        found("Short.", r#"{"n": {"type": "int"}}"#),
        found("Long.", r#"{"n": {"type": "int"}, "m": {"type": "str"}}"#),
    ];
    let tool_lists = |order: [usize; 4]| {
        let names = ["1", "2", "3", "4"].map(|n| format!("level-1-given-desc/{n}.jsonl"));
        let files: Vec<_> =
            names.iter().map(String::as_str).zip(order.map(|i| dialogues[i].as_str())).collect();
        let items = Folder::new(&files).load(Suite::ApiBank);
        let mut tool_lists: Vec<_> = items.iter().map(|item| format!("{:?}", item.tools)).collect();
        tool_lists.sort();
        (tool_lists, items)
    };
    let (one, items) = tool_lists([0, 1, 2, 3]);
    let get = items.iter().flat_map(|item| &item.tools).find(|tool| tool.name == "Get").unwrap();
    assert_eq!(get.description, "Long.");
    assert_eq!(get.parameters.keys().collect::<Vec<_>>(), ["n", "m", "b", "z"]);
    assert_eq!(get.parameters["n"]["type"], "int");
    for order in [[3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
        assert_eq!(tool_lists(order).0, one);
    }
}

#[test]
fn nexus_raven() {
    let api = json!({"dataset": "d", "name": "f", "description": "Does.", "args_dicts": [
        {"name": "a", "type": "str", "required": true, "description": "x", "default": "None"},
        {"name": "b", "type": "None", "required": false, "description": "", "default": "None"},
        {"name": "c", "type": "int", "required": false, "description": "", "default": 3}]});
    let query = json!({"dataset": "d", "prompt": "p", "python_function_name": "f", "context_functions": ["f"],
        "python_args_dict": "{\"a\": \"x\", \"c\": 3}"});
    let files = |query: &Value| {
        Folder::new(&[
            ("standardized_api_list.jsonl", &api.to_string()),
            ("standardized_queries.jsonl", &query.to_string()),
        ])
    };
    let benchmark = Suite::NexusRaven.load(files(&query).path(), &[]).unwrap();
    let item = &benchmark.items[0];
    assert_eq!(item.tools[0].required, ["a"]);
    assert_eq!(item.tools[0].parameters["b"], json!({"description": "", "default": null}));
    // Leaving out what is the default, or giving it, is the same.
    let judge = |arguments: Value| {
        let call = ToolCall::new("f", arguments.as_object().unwrap().clone());
        benchmark.grader.grade(item, &sparring_eval::Reading::Calls(vec![call])).valid
    };
    assert!(judge(json!({"a": "x"})) && judge(json!({"a": "x", "b": null, "c": 3})));
    assert!(!judge(json!({"a": "x", "c": 4})) && !judge(json!({"c": 3})));
    let mut bad = query.clone();
    bad["context_functions"] = json!(["g"]);
    assert!(
        files(&bad)
            .error(Suite::NexusRaven)
            .contains("names `g`, which is not in standardized_api_list.jsonl")
    );
    bad = query;
    bad["python_args_dict"] = json!("a=1");
    assert!(
        files(&bad).error(Suite::NexusRaven).contains(":1: field \"python_args_dict\" is not a JSON object")
    );
}

#[test]
fn hammer_both_ways_to_write_a_call_and_what_was_called_before() {
    let text = json!([{"query": "q", "tools": [{"name": "f", "description": "d", "parameters": {"n": {"type": "list(str)", "required": true}}}],
        "answers": [{"tool": "f", "parameters": {"n": ["x"]}}]}]);
    let dialogue = json!([{"query": [{"role": "user", "content": "u"}, {"role": "agent", "content": "a"},
        {"role": "assistant", "content": "```[{\"name\": \"f\", \"arguments\": {}}]```"}, {"role": "tool", "content": "r"}],
        "tools": [], "answers": [{"name": "f", "arguments": {}}]}]);
    let folder =
        Folder::new(&[("sealtool.json", &text.to_string()), ("apibank_l1.json", &dialogue.to_string())]);
    let items = folder.load(Suite::Hammer);
    assert_eq!(gold(&items[0]), json!([{"name": "f", "arguments": {"n": ["x"]}}]));
    assert_eq!(
        (items[0].tools[0].required.as_slice(), &items[0].tools[0].parameters["n"]["type"]),
        (&["n".to_owned()][..], &json!("list"))
    );
    assert_eq!(items[1].messages[2].tool_calls.len(), 1);
    assert_eq!(items[1].defects, [Defect::NotOffered]);
    let only = Suite::Hammer.load(folder.path(), &["sealtool".to_owned()]).unwrap();
    assert_eq!(only.items.len(), 1);
    let error = Suite::Hammer.load(folder.path(), &["snips".to_owned()]).unwrap_err().to_string();
    assert!(error.contains("there is no category `snips`; there are sealtool, apibank_l1"), "{error}");
    let bad = Folder::new(&[("sealtool.json", "[{\"query\": \"q\", \"tools\": [], \"answers\": [3]}]")]);
    assert!(bad.error(Suite::Hammer).contains("entry 0: field \"answers\" is not a list of calls"));
}

#[test]
fn unified_takes_calls_that_were_made_from_their_field_only() {
    let call = json!({"name": "f", "arguments": {"n": 1}});
    let wrapped = json!({"type": "function", "function": {"name": "f", "arguments": "{\"n\": 1}"}});
    let fenced = format!("```{}```", json!([call]));
    let item = json!({"id": "a", "benchmark": "b", "tools": [], "answers": [], "messages": [
        {"role": "user", "content": "u"},
        {"role": "assistant", "content": fenced},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "assistant", "content": "So:", "tool_calls": [wrapped]}]});
    let items = Folder::new(&[("x.jsonl", &item.to_string())]).load(Suite::Unified);
    let turns: Vec<_> =
        items[0].messages[1..].iter().map(|turn| (turn.content.as_str(), turn.tool_calls.len())).collect();
    assert_eq!(turns, [(fenced.as_str(), 0), ("", 1), ("So:", 1)]);
    assert_eq!(items[0].messages[2].tool_calls, items[0].messages[3].tool_calls);
    let bad = item.to_string().replace("\"content\":\"u\"", "\"content\":null");
    let error = Folder::new(&[("x.jsonl", &bad)]).error(Suite::Unified);
    assert!(error.contains("field \"messages[0].content\" must be a string"), "{error}");
}

#[test]
fn categories_of_other_benchmarks_are_python() {
    let line = json!({"id": "a", "benchmark": "simple_java", "tools": [{"name": "f", "description": "", "parameters": {}}],
        "answers": [{"name": "f", "arguments": {"n": true}}], "messages": [{"role": "user", "content": "u"}]});
    let items = Folder::new(&[("x.jsonl", &line.to_string())]).load(Suite::Unified);
    let reading = sparring_eval::AnswerReader::Bfcl.read(&items[0], "[f(n=True)]");
    assert_eq!(reading.calls().unwrap(), [ToolCall::new("f", [("n", true.into())])]);
}

#[test]
fn snips_spans_are_arguments() {
    let text =
        r#"{"Play": [{"data": [{"text": "play "}, {"text": "Abba", "entity": "artist"}, {"text": " "}]}]}"#;
    let other = r#"{"Rate": [{"data": [{"text": "rate"}]}]}"#;
    let items =
        Folder::new(&[("validate_Play.json", text), ("validate_Rate.json", other)]).load(Suite::Snips);
    assert_eq!((items[0].id.as_str(), items[0].messages[0].content.as_str()), ("snips_Play_0", "play Abba"));
    assert_eq!(gold(&items[0]), json!([{"name": "Play", "arguments": {"artist": "Abba"}}]));
    assert_eq!(items[1].tools.len(), 2);
    let bad = Folder::new(&[("validate_Play.json", r#"{"Play": [{"data": [{"txt": ""}]}]}"#)]);
    assert!(
        bad.error(Suite::Snips).contains("field \"Play[0].data[0].text\" is missing"),
        "{}",
        bad.error(Suite::Snips)
    );
}

#[test]
fn a_file_that_is_not_text_is_an_error() {
    let folder = Folder::new(&[]);
    std::fs::write(folder.path().join("x.jsonl"), [0xff, 0xfe]).unwrap();
    assert!(folder.error(Suite::Unified).contains("x.jsonl: line 1: byte 0 of the file is not UTF-8"));
    std::fs::write(folder.path().join("x.jsonl"), "3\n").unwrap();
    assert!(folder.error(Suite::Unified).contains("x.jsonl:1: expected a JSON object"));
}
