//! A server as a child process that speaks over its standard input and output.
//!
//! rmcp's own child process cannot be used: it keeps the child to itself, so that nobody learns why it ended, and where
//! `initialize` fails it is killed without having been asked to end.

use super::session::{self, Deadline, Failure, GRACE};
use super::short;
use serde_json::Value;
use std::io::ErrorKind;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Bytes of a stream that are kept for messages, and that are on their way to the client.
const KEPT: usize = 4096;

/// The definitions of the tools of the server that this command starts.
pub(super) async fn list(words: &[String], deadline: Deadline) -> Result<Vec<Value>, String> {
    let mut child = start(words)?;
    let (Some(input), Some(output), Some(errors)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err("its streams cannot be opened".to_owned());
    };
    let (client, copy) = tokio::io::duplex(KEPT);
    let (output, errors) = (Tail::of(output, copy), Tail::of(errors, tokio::io::sink()));
    let listed = session::list((client, input), deadline).await;
    let status = end(child).await;
    let failure = match listed {
        Ok(definitions) => return Ok(definitions),
        Err(failure) => failure,
    };
    // Messages of MCP are of no use to a reader.
    let said = match errors.last_line(|_| true).await {
        None => output.last_line(|line| !line.starts_with('{')).await,
        line => line,
    };
    let said = said.map_or_else(String::new, |line| format!(", and wrote last `{line}`"));
    let status = status.map_or_else(String::new, |status| format!(" ({status})"));
    Err(match failure {
        Failure::Late(request) => format!(
            "it did not answer `{request}` within {:?}{said}; check that it is an MCP server that speaks over its \
             standard input and output, and try again if it was being installed",
            deadline.limit
        ),
        Failure::Closed(request) => {
            format!(
                "it ended{status} before it answered `{request}`{said}; run the command by hand to see why"
            )
        }
        Failure::Other(what) => what,
    })
}

fn start(words: &[String]) -> Result<Child, String> {
    let (program, arguments) = words.split_first().ok_or("there is no command")?;
    let piped = Stdio::piped;
    let started = Command::new(program)
        .args(arguments)
        .stdin(piped())
        .stdout(piped())
        .stderr(piped())
        .kill_on_drop(true)
        .spawn();
    started.map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("there is no command `{program}`; install it, or give its path"),
        ErrorKind::PermissionDenied => {
            format!("`{program}` is not executable; give the command that runs it")
        }
        _ => format!("`{program}` cannot be started: {error}"),
    })
}

/// Waits for a child whose input is closed, asks it to end, then kills it. Its status, if it ended by itself.
async fn end(mut child: Child) -> Option<ExitStatus> {
    if let Ok(status) = timeout(GRACE, child.wait()).await {
        return status.ok();
    }
    #[cfg(unix)]
    if let Some(id) = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
        // It may have ended meanwhile.
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        if timeout(GRACE, child.wait()).await.is_ok() {
            return None;
        }
    }
    let _ = child.kill().await;
    None
}

/// The end of what a process wrote.
struct Tail {
    kept: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Tail {
    /// Copies the stream, to its end.
    fn of(
        from: impl AsyncRead + Unpin + Send + 'static,
        to: impl AsyncWrite + Unpin + Send + 'static,
    ) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let reader = tokio::spawn(copy(from, to, Arc::clone(&kept)));
        Self { kept, reader }
    }

    /// The last line of this kind. A process of the server may still hold the stream.
    async fn last_line(self, kind: impl Fn(&str) -> bool) -> Option<String> {
        let _ = timeout(GRACE, self.reader).await;
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&kept);
        let mut lines = text.lines().rev().map(short);
        lines.find(|line| !line.is_empty() && kind(line))
    }
}

async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, kept: Arc<Mutex<Vec<u8>>>) {
    let (mut buffer, mut open) = (vec![0; KEPT], true);
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend_from_slice(&buffer[..read]);
            let old = kept.len().saturating_sub(KEPT);
            kept.drain(..old);
        }
        // What the client no longer reads is still read, so that the process can end.
        open = open && to.write_all(&buffer[..read]).await.is_ok();
    }
}
