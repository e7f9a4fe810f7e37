//! The tools of MCP servers: what is read, and what is said of servers that do not behave.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "support/mcp_server.rs"]
mod server;

use server::{Fault, McpServer};
use sparring_recipes::own_tools::Catalogue;
use sparring_recipes::own_tools::mcp::Server;
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// The command of the server over standard input and output, with this fault.
fn stdio(fault: &str) -> String {
    format!("sh '{}/tests/support/mcp_server.sh' {fault}", env!("CARGO_MANIFEST_DIR"))
}

fn names(catalogue: &Catalogue) -> Vec<&str> {
    catalogue.tools().iter().map(|tool| tool.name.as_str()).collect()
}

/// The error of a server, which names it and is one line; `limit` is short where it is reached.
fn error(server: &str, limit: Duration) -> String {
    let error = Server::new(server).unwrap().with_time_limit(limit).catalogue().unwrap_err().to_string();
    assert!(error.starts_with(&format!("MCP server `{server}`: ")), "{error}");
    assert!(!error.contains('\n') && error.len() < 500, "{error}");
    error
}

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_secs(2);

#[test]
fn all_pages_are_read_over_standard_input_and_output() {
    let catalogue = Server::new(&stdio("pages")).unwrap().catalogue().unwrap();
    assert_eq!(names(&catalogue), ["one", "two", "three"]);
    let one = catalogue.get("one").unwrap();
    assert_eq!((one.description.as_str(), one.required.len()), ("Tool one.", 1));
    assert_eq!(one.parameters["x"]["type"], "string");
    // Lines that are not MCP, and messages that nobody asked for.
    assert_eq!(names(&Server::new(&stdio("chatty")).unwrap().catalogue().unwrap()), ["one", "two"]);
}

#[test]
fn definitions_can_be_kept_and_read_again() {
    let server = Server::new(&stdio("none")).unwrap().with_time_limit(Duration::MAX);
    let kept = serde_json::to_string(&server.definitions().unwrap()).unwrap();
    let read = Catalogue::from_text(&kept, "tools.json").unwrap();
    assert_eq!(read.tools(), server.catalogue().unwrap().tools());
}

#[test]
fn all_pages_are_read_over_http() {
    for fault in [Fault::None, Fault::Events, Fault::Moved(307), Fault::Moved(308)] {
        let server = McpServer::start(fault);
        let catalogue = Server::new(&server.url).unwrap().with_token("secret").catalogue().unwrap();
        assert_eq!(names(&catalogue), ["one", "two"], "{fault:?}");
        let log = server.log();
        assert!(log.iter().all(|line| line.contains("Bearer secret")), "{log:?}");
        // The session is used, and ended.
        let path = if matches!(fault, Fault::Moved(_)) { "/moved" } else { "/mcp" };
        assert!(log.contains(&format!("POST {path} tools/list Bearer secret s1")), "{log:?}");
        assert!(log.contains(&format!("DELETE {path}  Bearer secret s1")), "{log:?}");
    }
}

#[test]
fn a_runtime_of_the_caller_does_not_matter() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let catalogue = runtime.block_on(async { Server::new(&stdio("none")).unwrap().catalogue() });
    assert_eq!(names(&catalogue.unwrap()), ["one", "two"]);
}

#[test]
fn what_is_wrong_with_a_command_is_said() {
    for (server, what) in [
        ("no-such-command --stdio".to_owned(), "there is no command `no-such-command`; install it"),
        ("/etc/passwd".to_owned(), "`/etc/passwd` is not executable"),
        (
            stdio("dies"),
            "it ended (exit status: 3) before it answered `initialize`, and wrote last \
                         `ModuleNotFoundError: no module named mcp`; run the command by hand",
        ),
        (stdio("mute"), "it ended (exit status: 0) before it answered `initialize`; run"),
        ("echo 'I am no server'".to_owned(), "and wrote last `I am no server`"),
        (
            stdio("dies-later"),
            "it ended (exit status: 1) before it answered `tools/list`, and wrote last \
                               `out of memory`",
        ),
        (stdio("foreign"), "its answer to `initialize` is not that of MCP"),
        (stdio("method"), "it answered `tools/list` with error -32601: Method not found"),
    ] {
        let error = error(&server, LONG);
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn what_is_wrong_with_a_list_is_said() {
    for (fault, what) in [
        ("empty", "it has no tools; "),
        ("twice", "two tools have the name `one`"),
        ("nameless", "tool 2 (`bad`): "),
        ("endless", "its list of tools has no end: the cursor `again` comes twice"),
        ("growing", "its list of tools has no end within 200 pages"),
        ("many", "it lists more than 1000 tools"),
    ] {
        let error = error(&stdio(fault), LONG);
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn a_server_that_does_not_answer_is_left() {
    for (fault, what) in [
        (
            "silent",
            "it did not answer `initialize` within 2s, and wrote last `Serving on http://127.0.0.1:8000`",
        ),
        ("late", "it did not answer `tools/list` within 2s, and wrote last `waiting for a database`"),
    ] {
        let began = Instant::now();
        let error = error(&stdio(fault), SHORT);
        assert!(error.contains(what), "{error}");
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    }
    let server = McpServer::start(Fault::Silent);
    let error = error(&server.url, SHORT);
    assert!(error.contains("it did not answer `initialize` within 2s; check the address"), "{error}");
}

#[test]
fn a_process_that_does_not_end_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let server = format!("{} '{}'", stdio("stubborn"), file.display());
    assert_eq!(names(&Server::new(&server).unwrap().catalogue().unwrap()), ["one", "two"]);
    let process = std::fs::read_to_string(file).unwrap();
    let process: i32 = process.trim().parse().unwrap();
    let alive = rustix::process::test_kill_process(rustix::process::Pid::from_raw(process).unwrap());
    assert_eq!(alive, Err(rustix::io::Errno::SRCH));
}

#[test]
fn what_is_wrong_with_an_address_is_said() {
    for (fault, what) in [
        (
            Fault::Status(401),
            "it answered HTTP 401 Unauthorized; give a token that it accepts (SPARRING_MCP_TOKEN)",
        ),
        (Fault::Status(403), "it answered HTTP 403 Forbidden; give a token"),
        (Fault::Status(404), "it answered HTTP 404 Not Found; check the path of the address, often /mcp"),
        (Fault::Status(500), "it answered HTTP 500 Internal Server Error; see the server's log"),
        (Fault::LaterStatus(503), "it answered HTTP 503 Service Unavailable; "),
        (Fault::Moved(302), "it answered HTTP 302 Found; give the address that it redirects to"),
        (Fault::Html, "it answered with text/html, which is not MCP"),
        (Fault::Json, "its answer is not that of MCP"),
        (Fault::Closes, "no connection ("),
    ] {
        let server = McpServer::start(fault);
        let error = error(&server.url, LONG);
        assert!(error.contains(what), "{error}");
    }
    // Nobody listens here any more.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = error(&format!("http://{closed}/mcp"), LONG);
    assert!(error.contains("no connection (Connection refused"), "{error}");
}

#[test]
fn a_server_without_tls_is_no_server_at_https() {
    let server = McpServer::start(Fault::None);
    let error = error(&server.url.replace("http://", "https://"), LONG);
    // A machine without certificates has no TLS.
    assert!(
        error.contains("no connection (") || error.contains("install the system's CA certificates"),
        "{error}"
    );
}

#[test]
fn secrets_are_not_shown() {
    let server = McpServer::start(Fault::Status(401));
    let address = server.url.replace("http://", "http://me:password@") + "?key=abc";
    let server = Server::new(&address).unwrap().with_token("secret");
    let error = server.catalogue().unwrap_err();
    for shown in [error.to_string(), format!("{error:?}"), format!("{server:?}")] {
        for secret in ["password", "abc", "secret"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[test]
fn what_is_no_server_is_refused_at_once() {
    for (server, what) in [
        ("", "there is no command"),
        ("  ", "there is no command"),
        ("sh 'x", "missing closing quote"),
        ("http://", "not a URL"),
        ("https://[::1", "not a URL"),
    ] {
        let error = Server::new(server).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}
