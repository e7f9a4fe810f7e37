//! Templates are checked before they are used.

use sparring_core::Message;
use sparring_recipes::tool_r0::{Context, Prompts, TaskSpec, ToolListStyle};
use sparring_tools::{ToolSpec, ToolTask};

fn prompts(generator: &str, solver: &str) -> Prompts {
    Prompts::new(vec![Message::user(generator)], vec![Message::user(solver)], ToolListStyle::Compact)
}

#[test]
fn templates_render_their_variables() {
    let generator =
        "{{ domain }}/{{ context }}/{{ tools }}/{{ calls }}{% if arguments %}/{{ arguments }}{% endif %}";
    let prompts = prompts(generator, "{{ tools }}\n{{ question }}");
    let checked = prompts.build().unwrap();
    let spec =
        TaskSpec { domain: "news".into(), context: Context::MultiTurn, tools: 3, calls: 1, arguments: None };
    assert_eq!(checked.generator_prompt(&spec), [Message::user("news/multi_turn/3/1")]);
    let sized = TaskSpec { arguments: Some(2), ..spec };
    assert_eq!(checked.generator_prompt(&sized), [Message::user("news/multi_turn/3/1/2")]);
    let task = ToolTask {
        question: "Why {{ tools }} & <b>?".into(),
        tools: vec![ToolSpec::new("read_news", "Reads.", serde_json::Map::new(), Vec::new())],
        calls: Vec::new(),
        domain: String::new(),
    };
    // A question is never treated as a template, nor escaped as HTML.
    let expected = "[{\"name\":\"read_news\",\"description\":\"Reads.\",\"parameters\":{},\"required\":[]}]\n\
        Why {{ tools }} & <b>?";
    assert_eq!(checked.solver_prompt(&task), [Message::user(expected)]);
}

#[test]
fn wrong_templates_are_named() {
    let cases = [
        (prompts("{{ domain }", "ok"), "prompts.generator[0]"),
        (prompts("{{ question }}", "ok"), "prompts.generator[0]: no variable `question`"),
        (prompts("ok", "{{ domains }}"), "prompts.solver[0]: no variable `domains`"),
        (prompts("ok", "{{ question | nothing }}"), "prompts.solver[0]"),
    ];
    for (prompts, expected) in cases {
        let error = prompts.build().unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let empty = Prompts::new(Vec::new(), vec![Message::user("x")], ToolListStyle::Compact);
    assert!(empty.build().unwrap_err().to_string().starts_with("prompts.generator"));
}
