//! An MCP server over HTTP on this machine, with planted faults.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What the server does instead of answering.
#[allow(dead_code)] // Not every test plants every fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Answers well.
    None,
    /// Answers well, as a stream of events.
    Events,
    /// Sends to `/moved` with this status; a good answer is there.
    Moved(u16),
    /// Answers every request with this status.
    Status(u16),
    /// Answers `tools/list` with this status.
    LaterStatus(u16),
    /// Answers with a page for people.
    Html,
    /// Answers with JSON that is not JSON-RPC.
    Json,
    /// Does not answer.
    Silent,
    /// Closes the connection without an answer.
    Closes,
}

/// A server on 127.0.0.1, which ends with the process.
#[derive(Debug)]
pub(crate) struct McpServer {
    /// The URL of its endpoint.
    pub(crate) url: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl McpServer {
    /// Starts a server.
    pub(crate) fn start(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let log = Arc::new(Mutex::new(Vec::new()));
        let server = Self { url, log: Arc::clone(&log) };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let log = Arc::clone(&log);
                thread::spawn(move || serve(stream, fault, &log));
            }
        });
        server
    }

    /// The requests so far: the method of HTTP and of MCP, the token, the session.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, fault: Fault, log: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut first, mut length, mut token, mut session) = (String::new(), 0, String::new(), String::new());
    if reader.read_line(&mut first).is_err() {
        // Not text: TLS.
        return;
    }
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) <= 2 {
            break;
        }
        let (name, value) = line.trim().split_once(": ").unwrap_or_default();
        match &*name.to_ascii_lowercase() {
            "content-length" => length = value.parse().unwrap(),
            "authorization" => value.clone_into(&mut token),
            "mcp-session-id" => value.clone_into(&mut session),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    let method = message["method"].as_str().unwrap_or_default();
    let (verb, path) = first.split_once(' ').unwrap_or_default();
    let path = path.split(' ').next().unwrap_or_default();
    log.lock().unwrap().push(format!("{verb} {path} {method} {token} {session}"));
    let text = answer(fault, (verb, path), method, &message);
    let _ = text.map(|text| stream.write_all(text.as_bytes()));
}

/// The response, or `None` for none.
fn answer(fault: Fault, (verb, path): (&str, &str), method: &str, message: &Value) -> Option<String> {
    let plain = |status: u16, headers: &str, body: &str| {
        let length = body.len();
        Some(format!(
            "HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        ))
    };
    match fault {
        Fault::Silent => thread::park(),
        Fault::Closes => return None,
        Fault::Status(status) => return plain(status, "content-type: text/plain\r\n", "no"),
        Fault::Moved(status) if path != "/moved" => return plain(status, "location: /moved\r\n", ""),
        Fault::LaterStatus(status) if method == "tools/list" => return plain(status, "", ""),
        Fault::Html => return plain(200, "content-type: text/html\r\n", "<html></html>"),
        Fault::Json => return plain(200, "content-type: application/json\r\n", "{\"ok\": true}"),
        _ => {}
    }
    let result = match (verb, method) {
        ("POST", "initialize") => json!({
            "protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
            "serverInfo": {"name": "test", "version": "1"},
        }),
        ("POST", "tools/list") => match message["params"]["cursor"].as_str() {
            None => json!({"tools": [tool("one")], "nextCursor": "2"}),
            _ => json!({"tools": [tool("two")]}),
        },
        ("POST", _) => return plain(202, "", ""),
        // No stream of the server's own.
        ("GET", _) => return plain(405, "", ""),
        _ => return plain(200, "", ""),
    };
    let result = json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
    let session = "mcp-session-id: s1\r\n";
    if fault == Fault::Events {
        plain(200, &format!("content-type: text/event-stream\r\n{session}"), &format!("data: {result}\n\n"))
    } else {
        plain(200, &format!("content-type: application/json\r\n{session}"), &result.to_string())
    }
}

fn tool(name: &str) -> Value {
    json!({"name": name, "description": "A tool.", "inputSchema": {
        "type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"],
    }})
}
