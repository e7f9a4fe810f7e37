//! A small hub on this machine, with faults on demand. It needs the standard library only.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The commit of everything.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A file of the repository.
#[derive(Clone)]
pub(crate) struct Hosted {
    pub(crate) bytes: Vec<u8>,
    pub(crate) etag: String,
    /// Kept on another host, as large files are.
    pub(crate) large: bool,
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// This status, and the hub's code of the error.
    Status(u16, &'static str),
    /// The connection ends at this byte of the file.
    StopAt(usize),
    /// The same, only the next time.
    StopOnceAt(usize),
    /// Ranges are ignored.
    NoRanges,
    /// As many bytes more or less than the file has.
    Longer(isize),
    /// The first byte is another one.
    Corrupt,
    /// No answer.
    Silent,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Hosted>,
    commit: String,
    /// The requests whose first line has this text fail so.
    fault: Option<(String, Fault)>,
    /// First lines, each with its range and the word `token` if it had one.
    log: Vec<String>,
}

/// A hub with the one repository `tiny/model`, of the revisions `main` and `v1`.
pub(crate) struct HubServer {
    pub(crate) endpoint: String,
    state: Arc<Mutex<State>>,
}

impl HubServer {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State { commit: COMMIT.to_owned(), ..State::default() }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                // A client that hangs up is no failure of the hub.
                std::thread::spawn(move || drop(answer(stream, port, &state)));
            }
        });
        Self { endpoint: format!("http://127.0.0.1:{port}"), state }
    }

    pub(crate) fn host(&self, name: &str, bytes: &[u8], etag: &str, large: bool) {
        let file = Hosted { bytes: bytes.to_vec(), etag: etag.to_owned(), large };
        self.state.lock().unwrap().files.insert(name.to_owned(), file);
    }

    /// Every file of a folder, none of them large.
    pub(crate) fn host_folder(&self, folder: &std::path::Path) {
        for (i, entry) in std::fs::read_dir(folder).unwrap().enumerate() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            self.host(name, &std::fs::read(&path).unwrap(), &format!("{i:040x}"), false);
        }
    }

    pub(crate) fn remove(&self, name: &str) {
        self.state.lock().unwrap().files.remove(name);
    }

    pub(crate) fn set_commit(&self, commit: &str) {
        commit.clone_into(&mut self.state.lock().unwrap().commit);
    }

    pub(crate) fn fail(&self, requests: &str, fault: Fault) {
        self.state.lock().unwrap().fault = Some((requests.to_owned(), fault));
    }

    pub(crate) fn heal(&self) {
        self.state.lock().unwrap().fault = None;
    }

    /// The requests since the last call.
    pub(crate) fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().log)
    }
}

/// The first line of a request and what matters of its headers.
struct Request {
    method: String,
    path: String,
    from: Option<usize>,
    token: bool,
}

fn read(stream: &TcpStream) -> std::io::Result<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut request = Request { method, path, from: None, token: false };
    for line in lines {
        let line = line?.to_lowercase();
        if line.is_empty() {
            break;
        }
        request.token |= line == "authorization: bearer hf_secret";
        if let Some(range) = line.strip_prefix("range: bytes=") {
            request.from = range.trim_end_matches('-').parse().ok();
        }
    }
    Ok(request)
}

fn answer(mut stream: TcpStream, port: u16, state: &Mutex<State>) -> std::io::Result<()> {
    let request = read(&stream)?;
    let mut line = format!("{} {}", request.method, request.path);
    let mut state = state.lock().unwrap();
    let fault = state.fault.clone().filter(|(part, _)| line.contains(part.as_str())).map(|(_, fault)| fault);
    if let Some(from) = request.from {
        write!(line, " from {from}").unwrap();
    }
    line.push_str(if request.token { " token" } else { "" });
    state.log.push(line);
    match fault {
        Some(Fault::Silent) => {
            drop(state);
            std::thread::sleep(Duration::from_secs(20));
            return Ok(());
        }
        Some(Fault::Status(code, name)) => {
            return status(&mut stream, code, &format!("X-Error-Code: {name}\r\n"));
        }
        Some(Fault::StopOnceAt(_)) => state.fault = None,
        _ => {}
    }
    let commit = state.commit.clone();
    let path = request.path.as_str();
    if let Some(revision) = path.strip_prefix("/api/models/tiny/model/revision/") {
        if !["main", "v1", "refs%2Fpr%2F1", commit.as_str()].contains(&revision) {
            return status(&mut stream, 404, "X-Error-Code: RevisionNotFound\r\n");
        }
        let names: Vec<_> = state.files.keys().map(|name| format!("{{\"rfilename\": \"{name}\"}}")).collect();
        let body = format!("{{\"sha\": \"{commit}\", \"siblings\": [{}]}}", names.join(", "));
        return write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
    }
    let (name, stored) =
        match (path.strip_prefix(&format!("/tiny/model/resolve/{commit}/")), path.strip_prefix("/store/")) {
            (Some(name), _) => (name, false),
            (None, Some(name)) => (name, true),
            _ => return status(&mut stream, 404, "X-Error-Code: RepoNotFound\r\n"),
        };
    let Some(file) = state.files.get(name).cloned() else {
        return status(&mut stream, 404, "X-Error-Code: EntryNotFound\r\n");
    };
    drop(state);
    if file.large && !stored {
        let headers = format!(
            "X-Linked-Etag: \"{}\"\r\nX-Linked-Size: {}\r\nLocation: http://localhost:{port}/store/{name}\r\n",
            file.etag,
            file.bytes.len()
        );
        return status(&mut stream, 302, &headers);
    }
    send(&mut stream, &request, &file, fault.as_ref())
}

fn status(stream: &mut TcpStream, code: u16, headers: &str) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {code} x\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n")
}

fn send(
    stream: &mut TcpStream,
    request: &Request,
    file: &Hosted,
    fault: Option<&Fault>,
) -> std::io::Result<()> {
    let mut bytes = file.bytes.clone();
    let (mut from, mut end) = (request.from, None);
    match fault {
        Some(Fault::StopAt(at) | Fault::StopOnceAt(at)) => end = Some(*at),
        Some(Fault::NoRanges) => from = None,
        Some(Fault::Longer(n)) => bytes.resize(bytes.len().saturating_add_signed(*n), b' '),
        Some(Fault::Corrupt) => bytes[0] ^= 1,
        _ => {}
    }
    let (all, start) = (bytes.len(), from.unwrap_or(0));
    if start > 0 && start >= all {
        return status(stream, 416, &format!("Content-Range: bytes */{all}\r\n"));
    }
    let (code, range) = match from {
        Some(from) => (206, format!("Content-Range: bytes {from}-{}/{all}\r\n", all - 1)),
        None => (200, String::new()),
    };
    write!(
        stream,
        "HTTP/1.1 {code} x\r\n{range}Content-Length: {}\r\nETag: W/\"{}\"\r\nConnection: close\r\n\r\n",
        all - start,
        file.etag
    )?;
    if request.method != "HEAD" {
        stream.write_all(&bytes[start..end.unwrap_or(all).max(start)])?;
    }
    Ok(())
}
