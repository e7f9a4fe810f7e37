//! The download of one file: resumed, checked, and entered in the cache when it is whole.

use super::client::{Client, Failure, Metadata};
use super::snapshot::Snapshot;
use super::{OnProgress, Progress};
use crate::model::files::{create_folder, rename_durably};
use sha2::{Digest, Sha256};
use sparring_core::PolicyError;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use ureq::Body;
use ureq::http::Response;

/// Bytes that are read at a time.
const BLOCK: usize = 1 << 16;

/// Fetches a file of a snapshot, unless it is there.
pub(super) fn fetch(
    client: &Client<'_>,
    snapshot: &Snapshot,
    name: &str,
    on: &mut OnProgress<'_>,
) -> Result<(), PolicyError> {
    if snapshot.has(name) {
        return Ok(());
    }
    let metadata = client.metadata(snapshot, name)?;
    let blob = snapshot.blob(&metadata.etag);
    if let Some(folder) = blob.parent() {
        create_folder(folder)?;
    }
    let _lock = snapshot.lock(&metadata.etag)?;
    if !blob.exists() {
        let mut partial = blob.clone().into_os_string();
        partial.push(".incomplete");
        let partial = Path::new(&partial);
        Download { client, snapshot, name, metadata: &metadata, partial, on }.run()?;
        rename_durably(partial, &blob)?;
    }
    snapshot.link(&metadata.etag, name)
}

/// A download that is under way.
struct Download<'a, 'p> {
    client: &'a Client<'a>,
    snapshot: &'a Snapshot,
    name: &'a str,
    metadata: &'a Metadata,
    partial: &'a Path,
    on: &'a mut OnProgress<'p>,
}

impl Download<'_, '_> {
    /// Makes attempts until the file is whole, or several in a row brought nothing.
    fn run(&mut self) -> Result<(), PolicyError> {
        let (mut failed, mut most) = (0, 0);
        loop {
            let why = match self.attempt() {
                Ok(()) => return Ok(()),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Again(why)) => why,
            };
            let kept = fs::metadata(self.partial).map_or(0, |file| file.len());
            failed = if kept > most { 1 } else { failed + 1 };
            most = most.max(kept);
            if !self.client.wait(failed) {
                let (id, name, bytes) = (self.snapshot.id(), self.name, self.metadata.bytes);
                let what = format!(
                    "{id}: downloading {name} ({why}): try again; {kept} of {bytes} bytes are kept and will be \
                     continued"
                );
                return Err(PolicyError::transient(what, why));
            }
        }
    }

    fn attempt(&mut self) -> Result<(), Failure> {
        let partial = self.partial;
        let io = |error| Failure::Final(PolicyError::io(partial, error));
        let mut file = File::options().create(true).read(true).append(true).open(partial).map_err(io)?;
        let mut have = file.metadata().map_err(io)?.len();
        if have > self.metadata.bytes {
            file.set_len(0).map_err(io)?;
            have = 0;
        }
        if have < self.metadata.bytes {
            let answer = self.client.content(self.snapshot, self.name, self.metadata, have)?;
            let from = self.begins(&answer, have)?;
            if from < have {
                file.set_len(from).map_err(io)?;
            }
            self.copy(answer, &mut file, from)?;
        }
        file.sync_all().map_err(io)?;
        let (found, bytes) = (file.metadata().map_err(io)?.len(), self.metadata.bytes);
        if found != bytes {
            // Some network file systems have locks that lock nothing.
            return Err(Failure::Again(format!(
                "it has {found} of {bytes} bytes: another program writes it"
            )));
        }
        self.check()
    }

    /// The byte at which an answer begins: `have`, or 0 where the hub sends the whole file. Pages of proxies, which are
    /// not the file, have another length.
    fn begins(&self, answer: &Response<Body>, have: u64) -> Result<u64, Failure> {
        let range = answer.headers().get("content-range").and_then(|range| range.to_str().ok());
        let (bytes, length) = (self.metadata.bytes, answer.body().content_length());
        match answer.status().as_u16() {
            206 if range.is_some_and(|range| range == format!("bytes {have}-{}/{bytes}", bytes - 1)) => {
                Ok(have)
            }
            200 if length == Some(bytes) => Ok(0),
            status => Err(Failure::Again(format!(
                "the hub says that the file has {bytes} bytes, and answers with status {status}, length {} and range \
                 {} from byte {have} on",
                length.map_or_else(|| "unknown".to_owned(), |length| length.to_string()),
                range.unwrap_or("none"),
            ))),
        }
    }

    /// Appends what comes to the file, but no byte beyond its length.
    fn copy(&mut self, answer: Response<Body>, file: &mut File, mut done: u64) -> Result<(), Failure> {
        let (bytes, file_name) = (self.metadata.bytes, self.name);
        let mut body = answer.into_body().into_reader();
        let mut block = vec![0; BLOCK];
        loop {
            (self.on)(Progress { file: file_name, done, bytes });
            let ended = |why: String| {
                Failure::Again(format!("the connection ended after {done} of {bytes} bytes{why}"))
            };
            let n = body.read(&mut block).map_err(|error| ended(format!(": {error}")))?;
            if n == 0 {
                return if done == bytes { Ok(()) } else { Err(ended(String::new())) };
            }
            done += n as u64;
            if done > bytes {
                return Err(Failure::Again(format!(
                    "the hub sent more than the {bytes} bytes that it announced"
                )));
            }
            file.write_all(&block[..n])
                .map_err(|error| Failure::Final(PolicyError::io(self.partial, error)))?;
        }
    }

    /// Compares the file's checksum with the hub's, and discards a file that differs.
    fn check(&self) -> Result<(), Failure> {
        let Some(expected) = self.metadata.sha256() else { return Ok(()) };
        let found = sha256(self.partial).map_err(|error| PolicyError::io(self.partial, error))?;
        if found.eq_ignore_ascii_case(expected) {
            return Ok(());
        }
        fs::remove_file(self.partial).map_err(|error| PolicyError::io(self.partial, error))?;
        Err(Failure::Again(format!(
            "its SHA-256 is {found}, where the hub says {expected}; it was discarded"
        )))
    }
}

fn sha256(path: &Path) -> std::io::Result<String> {
    let (mut file, mut digest, mut block) = (File::open(path)?, Sha256::new(), vec![0; BLOCK]);
    loop {
        match file.read(&mut block)? {
            0 => return Ok(format!("{:x}", digest.finalize())),
            n => digest.update(&block[..n]),
        }
    }
}
