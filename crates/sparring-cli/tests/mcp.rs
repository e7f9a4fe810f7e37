//! The program with the tools of MCP servers on this machine.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "../../sparring-recipes/tests/support/mcp_server.rs"]
mod server;

use server::{Fault, McpServer};
use std::path::Path;
use std::process::Command;

/// Runs the program in `dir`; whether it succeeded, and what it wrote to standard error.
fn program(dir: &Path, words: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_sparring"))
        .args(words)
        .current_dir(dir)
        .env("SPARRING_MCP_TOKEN", "secret")
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

/// The command of the server over standard input and output, with this fault.
fn stdio(fault: &str) -> String {
    format!("sh '{}/../sparring-recipes/tests/support/mcp_server.sh' {fault}", env!("CARGO_MANIFEST_DIR"))
}

const SETTINGS: &str = r#"
extends = "own-tools-quick"
[game]
gap = 1
value_chars = 6
answer_chars = 6
[self_play]
iterations = 1
[self_play.generator]
steps = 1
prompts_per_step = 1
group_size = 2
max_tokens = 220
[self_play.pool]
candidates = 12
[self_play.solver]
steps = 1
prompts_per_step = 1
group_size = 2
max_tokens = 8
[self_play.solver.imitation]
steps = 1
tasks_per_step = 1
"#;

/// A folder with a small model and settings for a short run.
fn place() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    sparring::miniature::write_base(&dir.path().join("base")).unwrap();
    std::fs::write(dir.path().join("short.toml"), SETTINGS).unwrap();
    dir
}

#[test]
fn a_run_keeps_the_tools_and_is_resumed_without_the_server() {
    let dir = place();
    let play = ["play", "--model", "base", "--config", "short.toml", "--out", "run", "--mcp"];
    let (ok, shown) = program(dir.path(), &[&play[..], &[&stdio("pages")]].concat());
    assert!(ok, "{shown}");
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    let kept: serde_json::Value = serde_json::from_str(&read("run/tools.json")).unwrap();
    let names: Vec<_> = kept["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["one", "two", "three"]);
    let card = read("run/model/README.md");
    assert!(card.contains("--tools run/tools.json") && !card.contains("--mcp"), "{card}");
    let resume = ["play", "--model", "base", "--resume", "run", "--tools", "run/tools.json"];
    let (ok, shown) = program(dir.path(), &resume);
    assert!(ok, "{shown}");
    // A second run does not touch the first one's.
    let (ok, shown) = program(dir.path(), &[&play[..], &[&stdio("none")]].concat());
    assert!(!ok && shown.contains("holds a run already"), "{shown}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&read("run/tools.json")).unwrap(), kept);
}

#[test]
fn a_server_is_asked_by_chat_with_the_token_of_the_environment() {
    let (dir, server) = (place(), McpServer::start(Fault::None));
    let words = ["chat", "--model", "base", "--mcp", &server.url, "--request", "Hello", "--max-tokens", "4"];
    let (ok, shown) = program(dir.path(), &words);
    assert!(ok && shown.is_empty(), "{shown}");
    let log = server.log();
    assert!(log.contains(&"POST /mcp tools/list Bearer secret s1".to_owned()), "{log:?}");
}

#[test]
fn what_fails_is_one_line_and_leaves_no_folder() {
    let dir = place();
    let refusing = McpServer::start(Fault::Status(401));
    let (dies, twice) = (stdio("dies"), stdio("twice"));
    let play = ["play", "--model", "base", "--config", "short.toml", "--out", "run", "--mcp"];
    let chat = ["chat", "--model", "base", "--request", "Hello", "--mcp"];
    for words in [&play[..], &chat] {
        for (server, what) in [
            (&*dies, "and wrote last `ModuleNotFoundError: no module named mcp`"),
            (&twice, "two tools have the name `one`"),
            (&refusing.url, "HTTP 401 Unauthorized; give a token that it accepts (SPARRING_MCP_TOKEN)"),
            ("no-such-command", "there is no command `no-such-command`"),
        ] {
            let (ok, shown) = program(dir.path(), &[words, &[server]].concat());
            assert!(!ok && shown.starts_with(&format!("error: MCP server `{server}`: ")), "{shown}");
            assert!(shown.contains(what) && !shown.contains("secret"), "{shown}");
            assert_eq!(shown.trim_end().lines().count(), 1, "{shown}");
        }
    }
    for (words, what) in [
        (&["play", "--mcp", "x"][..], "--model"),
        (&["play", "--model", "base", "--mcp", "x", "--tools", "y"], "cannot be used with"),
        (&["play", "--model", "base", "--mcp", "x", "--resume", "run"], "cannot be used with"),
        (&["chat", "--model", "base", "--mcp", "x", "--tools", "y"], "cannot be used with"),
        (&["chat", "--model", "base"], "--tools <FILE>|--mcp <SERVER>"),
    ] {
        let (ok, shown) = program(dir.path(), words);
        assert!(!ok && shown.contains(what) && shown.trim_end().lines().count() == 1, "{shown}");
    }
    assert!(!dir.path().join("run").exists());
}
