//! Models of the hub, from a hub on this machine.

#![allow(clippy::unwrap_used)]

#[path = "support/hub_server.rs"]
mod server;
mod support;

use server::{COMMIT, Fault, HubServer};
use sha2::{Digest, Sha256};
use sparring_candle::hub::{Hub, ModelId, Progress};
use sparring_candle::{CandlePolicy, ChatTokenizer};
use sparring_core::{Backoff, PolicyError, one_line};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const WEIGHTS: &str = "model.safetensors";

/// A hub with a model, and an empty cache.
struct Place {
    server: HubServer,
    dir: TempDir,
    /// The folder that the model was made in.
    made: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self::empty();
        support::tiny(1).save_pretrained(place.made.path()).unwrap();
        place.server.host_folder(place.made.path());
        place.server.host("README.md", b"x", "a1", false);
        place.host_large(WEIGHTS, &fs::read(place.made.path().join(WEIGHTS)).unwrap());
        place
    }

    fn empty() -> Self {
        let dir = || tempfile::tempdir().unwrap();
        Self { server: HubServer::start(), dir: dir(), made: dir() }
    }

    fn host_large(&self, name: &str, bytes: &[u8]) {
        self.server.host(name, bytes, &sha256(bytes), true);
    }

    fn hub(&self) -> Hub {
        let backoff = Backoff::default().with_attempts(3).with_initial(Duration::from_millis(1));
        Hub::new(self.dir.path()).with_endpoint(&self.server.endpoint).with_backoff(backoff)
    }

    fn fetch(&self, id: &str) -> Result<PathBuf, PolicyError> {
        self.hub().fetch(&id.parse().unwrap(), &mut |_| ())
    }

    /// The one line that a failure prints.
    fn failure(&self, id: &str) -> String {
        let line = one_line(&self.fetch(id).unwrap_err());
        assert!(!line.contains('\n') && line.contains(id), "{line}");
        line
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("models--tiny--model")
    }

    /// The path of a content in the cache.
    fn blob(&self, bytes: &[u8]) -> PathBuf {
        self.root().join("blobs").join(sha256(bytes))
    }

    fn weights(&self) -> Vec<u8> {
        fs::read(self.made.path().join(WEIGHTS)).unwrap()
    }

    /// Fetches, and compares the weights with those that the hub has.
    fn fetch_whole(&self) {
        let folder = self.fetch("tiny/model").unwrap();
        assert!(fs::read(folder.join(WEIGHTS)).unwrap() == self.weights(), "the weights differ");
        assert!(!self.partial().exists());
    }

    fn partial(&self) -> PathBuf {
        let mut path = self.blob(&self.weights()).into_os_string();
        path.push(".incomplete");
        path.into()
    }
}

fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

#[test]
fn a_model_is_downloaded_once_into_the_layout_of_the_hub() {
    let place = Place::new();
    let mut seen = Vec::new();
    let id: ModelId = "tiny/model".parse().unwrap();
    let folder = place.hub().fetch(&id, &mut |p| seen.push((p.file.to_owned(), p.done, p.bytes))).unwrap();
    let loaded = CandlePolicy::load(&folder, support::options()).unwrap();
    assert_eq!(support::bits(&loaded), support::bits(&support::tiny(1)));

    // As `huggingface_hub` would have left it.
    let root = place.root();
    assert_eq!(folder, root.join("snapshots").join(COMMIT));
    assert_eq!(fs::read_to_string(root.join("refs/main")).unwrap(), COMMIT);
    assert!(root.join(".no_exist").join(COMMIT).join("chat_template.jinja").exists());
    let weights = fs::canonicalize(folder.join(WEIGHTS)).unwrap();
    assert_eq!(weights, fs::canonicalize(place.blob(&place.weights())).unwrap());
    #[cfg(unix)]
    assert!(fs::read_link(folder.join(WEIGHTS)).unwrap().starts_with("../../blobs"));
    assert!(!folder.join("README.md").exists());

    // Progress rises to the length of each file.
    let of =
        |name: &str| seen.iter().filter(|(file, ..)| file == name).map(|s| (s.1, s.2)).collect::<Vec<_>>();
    let length = place.weights().len() as u64;
    assert_eq!((of(WEIGHTS)[0], *of(WEIGHTS).last().unwrap()), ((0, length), (length, length)));
    assert!(of(WEIGHTS).is_sorted() && of("config.json").len() > 1);

    // The next call asks nobody.
    assert!(!place.server.log().iter().any(|line| line.contains("README")));
    assert_eq!(place.fetch("tiny/model").unwrap(), folder);
    assert_eq!(place.hub().with_offline(true).cached(&id).unwrap(), Some(folder));
    assert_eq!(place.server.log(), [""; 0]);
}

#[test]
fn revisions_are_recorded_by_name() {
    let place = Place::new();
    assert!(place.failure("tiny/model@v2").contains("no revision v2"));
    for id in ["tiny/model@v1", "tiny/model@refs/pr/1", &format!("tiny/model@{COMMIT}")] {
        let folder = place.fetch(id).unwrap();
        place.server.log();
        assert_eq!(place.fetch(id).unwrap(), folder);
        assert_eq!(place.server.log(), [""; 0], "{id}");
    }
    assert_eq!(fs::read_to_string(place.root().join("refs/refs/pr/1")).unwrap(), COMMIT);
    // Files that another revision shares are there already; `main` is asked for, since it may be another commit.
    place.fetch("tiny/model").unwrap();
    assert_eq!(place.server.log(), ["GET /api/models/tiny/model/revision/main"]);
    // A branch that moves does not change what is used.
    place.server.set_commit(&"f".repeat(40));
    assert!(place.fetch("tiny/model").unwrap().ends_with(COMMIT));
}

#[test]
fn shards_are_those_of_the_index() {
    let place = Place::new();
    place.server.remove(WEIGHTS);
    let index = r#"{"weight_map": {"a": "x-2.safetensors", "b": "x-1.safetensors", "c": "x-2.safetensors"}}"#;
    place.server.host("model.safetensors.index.json", index.as_bytes(), "b1", false);
    place.host_large("x-1.safetensors", b"one");
    assert!(place.failure("tiny/model").contains("no file x-2.safetensors"));
    place.host_large("x-2.safetensors", b"two");
    place.host_large("x-3.safetensors", b"three");
    let folder = place.fetch("tiny/model").unwrap();
    assert_eq!(fs::read(folder.join("x-1.safetensors")).unwrap(), b"one");
    assert!(folder.join("x-2.safetensors").exists() && !folder.join("x-3.safetensors").exists());
    let log = place.server.log();
    assert_eq!(log.iter().filter(|line| line.contains("GET /store/x-1")).count(), 1, "{log:?}");
    assert_eq!(place.fetch("tiny/model").unwrap(), folder);
    assert_eq!(place.server.log(), [""; 0]);
}

#[test]
fn gguf_files_are_found_alone_or_by_name() {
    let place = Place::empty();
    place.host_large("q8.gguf", b"eight");
    let only = place.fetch("tiny/model").unwrap();
    assert_eq!(
        (fs::read(&only).unwrap(), only.file_name().unwrap()),
        (b"eight".to_vec(), "q8.gguf".as_ref())
    );
    place.server.log();
    assert_eq!(place.fetch("tiny/model").unwrap(), only);
    assert_eq!(place.server.log(), [""; 0]);

    let place = Place::empty();
    place.host_large("q8.gguf", b"eight");
    place.host_large("sub/q4.gguf", b"four");
    let named = place.fetch("tiny/model:sub/q4.gguf").unwrap();
    assert_eq!(fs::read(&named).unwrap(), b"four");
    assert!(
        place
            .failure("tiny/model")
            .contains("name one, as OWNER/NAME:FILE.gguf; it has q8.gguf, sub/q4.gguf")
    );
    assert!(place.failure("tiny/model:q2.gguf").contains("no such file; it has q8.gguf"));
}

#[test]
fn the_token_goes_to_the_hub_and_to_nobody_else() {
    let place = Place::new();
    place.hub().with_token("hf_secret").fetch(&"tiny/model".parse().unwrap(), &mut |_| ()).unwrap();
    let log = place.server.log();
    let (stores, hubs): (Vec<_>, Vec<_>) = log.iter().partition(|line| line.contains("/store/"));
    assert!(!stores.is_empty() && stores.iter().all(|line| !line.ends_with("token")), "{log:?}");
    assert!(hubs.iter().all(|line| line.ends_with("token")), "{log:?}");
}

#[test]
fn refusals_say_what_to_do() {
    let place = Place::new();
    for (requests, fault, expected) in [
        ("/api/", Fault::Status(401, "RepoNotFound"), &["status 401", "check the id", "HF_TOKEN"][..]),
        ("/api/", Fault::Status(401, "GatedRepo"), &["restricted", "HF_TOKEN", "/tiny/model"]),
        ("HEAD /", Fault::Status(403, "GatedRepo"), &["restricted (status 403)", "HF_TOKEN"]),
        ("/api/", Fault::Status(404, "RepoNotFound"), &["no such model", "check the id"]),
        ("config.json", Fault::Status(404, "EntryNotFound"), &["no file config.json"]),
        ("/api/", Fault::Status(500, ""), &["status 500", "try again", "kept"]),
        ("HEAD /", Fault::Status(503, ""), &["status 503", "try again", "config.json"]),
        ("/api/", Fault::Status(429, ""), &["status 429", "try again"]),
        ("/store/", Fault::Status(500, ""), &["status 500", "try again", WEIGHTS, "0 of"]),
        ("/api/", Fault::Status(418, ""), &["status 418", "HF_ENDPOINT"]),
    ] {
        place.server.fail(requests, fault.clone());
        let line = place.failure("tiny/model");
        assert!(expected.iter().all(|part| line.contains(part)), "{fault:?}: {line}");
        // What may go away is asked for again, and only that.
        let asked = place.server.log().iter().filter(|line| line.contains(requests)).count();
        let transient = matches!(fault, Fault::Status(429 | 500.., _));
        assert_eq!(asked, if transient { 3 } else { 1 }, "{fault:?}");
    }
    let token = place.hub().with_token("hf_old");
    place.server.fail("/api/", Fault::Status(401, ""));
    let error = token.fetch(&"tiny/model".parse().unwrap(), &mut |_| ()).unwrap_err().to_string();
    assert!(error.contains("the token of HF_TOKEN may not read it") && !error.contains("hf_old"), "{error}");
    place.server.heal();
    place.fetch_whole();
    // The small files were downloaded before the failures of the store, and not again.
    assert_eq!(place.server.log().iter().filter(|line| line.starts_with("GET /tiny")).count(), 1);
    assert!(place.failure("tiny/other").contains("no such model"));
}

#[test]
fn an_interrupted_download_is_continued() {
    let place = Place::new();
    let (half, all) = (place.weights().len() / 2, place.weights().len());
    place.server.fail("/store/", Fault::StopAt(half));
    let line = place.failure("tiny/model");
    for part in
        [&*format!("the connection ended after {half} of {all} bytes"), "try again", "will be continued"]
    {
        assert!(line.contains(part), "{line}");
    }
    assert!(matches!(place.fetch("tiny/model"), Err(PolicyError::Transient { .. })));
    assert_eq!(fs::read(place.partial()).unwrap(), place.weights()[..half]);
    assert!(!place.root().join("snapshots").join(COMMIT).join(WEIGHTS).exists());
    place.server.heal();
    place.server.log();
    let mut first = None;
    let mut on = |p: Progress<'_>| first = first.or(Some(p.done));
    place.hub().fetch(&"tiny/model".parse().unwrap(), &mut on).unwrap();
    assert_eq!(first, Some(half as u64));
    let log = place.server.log();
    assert!(log.contains(&format!("GET /store/{WEIGHTS} from {half}")), "{log:?}");
    place.fetch_whole();
}

#[test]
fn a_connection_that_ends_once_is_no_failure() {
    let place = Place::new();
    place.server.fail("/store/", Fault::StopOnceAt(100));
    place.fetch_whole();
    let log = place.server.log();
    assert!(log.contains(&format!("GET /store/{WEIGHTS} from 100")), "{log:?}");
}

#[test]
fn a_hub_without_ranges_sends_the_whole_file_again() {
    let place = Place::new();
    place.server.fail("/store/", Fault::StopAt(100));
    place.failure("tiny/model");
    place.server.fail("/store/", Fault::NoRanges);
    place.fetch_whole();
}

#[test]
fn a_file_of_another_length_or_content_is_never_taken_for_whole() {
    for (fault, expected) in [
        (Fault::Longer(3), "the hub says that the file has"),
        (Fault::Longer(-3), "the hub says that the file has"),
        (Fault::Corrupt, "SHA-256"),
    ] {
        let place = Place::new();
        place.server.fail("/store/", fault.clone());
        let line = place.failure("tiny/model");
        assert!(line.contains(expected) && line.contains("try again"), "{fault:?}: {line}");
        assert!(!place.blob(&place.weights()).exists());
        place.server.heal();
        place.fetch_whole();
    }
}

#[test]
fn what_another_program_left_is_continued_or_replaced() {
    let place = Place::new();
    let weights = place.weights();
    let mut other = weights.clone();
    other[7] ^= 1;
    for left in [&weights[..9], &weights, &other, &other[..9], &[&weights[..], b"more"].concat()] {
        let _ = fs::remove_dir_all(place.root());
        fs::create_dir_all(place.root().join("blobs")).unwrap();
        fs::write(place.partial(), left).unwrap();
        place.fetch_whole();
    }
    // A link whose target was removed.
    fs::remove_file(place.blob(&weights)).unwrap();
    place.fetch_whole();
    // A cache in which Python left some of the files.
    fs::remove_dir_all(place.root().join(".no_exist")).unwrap();
    fs::remove_file(place.root().join("snapshots").join(COMMIT).join("tokenizer.json")).unwrap();
    place.server.log();
    place.fetch_whole();
    let log = place.server.log();
    assert!(log.len() == 2 && log[1].starts_with("HEAD ") && log[1].contains("tokenizer.json"), "{log:?}");
    ChatTokenizer::from_folder(&place.fetch("tiny/model").unwrap()).unwrap();
}

#[test]
fn a_hub_that_is_not_there_or_silent_is_an_error() {
    let place = Place::new();
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let id: ModelId = "tiny/model".parse().unwrap();
    let nowhere = place.hub().with_endpoint(format!("http://127.0.0.1:{port}"));
    let line = one_line(&nowhere.fetch(&id, &mut |_| ()).unwrap_err());
    assert!(
        line.contains("refused") && line.contains("try again") && line.contains(&port.to_string()),
        "{line}"
    );

    place.server.fail("/store/", Fault::Silent);
    let (start, hub) = (Instant::now(), place.hub().with_timeout(Duration::from_millis(50)));
    let line = one_line(&hub.fetch(&id, &mut |_| ()).unwrap_err());
    assert!(line.contains("timeout") && line.contains(WEIGHTS), "{line}");
    assert!(start.elapsed() < Duration::from_secs(10));

    let line = one_line(&hub.with_offline(true).fetch(&id, &mut |_| ()).unwrap_err());
    assert!(line.contains("HF_HUB_OFFLINE") && line.starts_with("tiny/model"), "{line}");
}

#[test]
fn two_programs_at_once_download_once() {
    let place = Place::new();
    std::thread::scope(|scope| {
        let fetches: Vec<_> = (0..4).map(|_| scope.spawn(|| place.fetch("tiny/model").unwrap())).collect();
        for fetch in fetches {
            fetch.join().unwrap();
        }
    });
    place.fetch_whole();
    let log = place.server.log();
    assert_eq!(log.iter().filter(|line| line.starts_with("GET /store/")).count(), 1, "{log:?}");
}

#[test]
fn names_of_the_hub_do_not_leave_the_cache() {
    let place = Place::new();
    place.server.set_commit("../../out");
    assert!(place.failure("tiny/model").contains("commit"));
    let place = Place::new();
    place.server.host("config.json", b"{}", "../../out", false);
    assert!(place.failure("tiny/model").contains("usable ETag"));
    let place = Place::new();
    place.server.remove(WEIGHTS);
    let index = br#"{"weight_map": {"a": "../../../out"}}"#;
    place.server.host("model.safetensors.index.json", index, "b1", false);
    let line = one_line(&place.fetch("tiny/model").unwrap_err());
    assert!(line.contains("not the name of a file"), "{line}");
    assert!(!place.dir.path().join("out").exists() && !Path::new("../../out").exists());
}
