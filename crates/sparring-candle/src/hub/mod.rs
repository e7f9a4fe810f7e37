//! Models of the Hugging Face Hub: downloaded once, into the cache that Python's `huggingface_hub` uses too.
//!
//! ```no_run
//! use sparring_candle::hub::{Hub, ModelId};
//! use sparring_candle::{CandlePolicy, PolicyOptions};
//!
//! let id: ModelId = "Qwen/Qwen2.5-0.5B-Instruct".parse()?;
//! let folder = Hub::from_env()?.fetch(&id, &mut |p| eprintln!("{}: {} of {} bytes", p.file, p.done, p.bytes))?;
//! let policy = CandlePolicy::load(folder, PolicyOptions::default())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Only the files that a model is read from are fetched. A file enters the cache when it is whole: it has the length
//! that the hub gives, and the SHA-256 where the hub gives one. What an interrupted download left is continued by the
//! next one. A model that is in the cache is used without asking the hub, also where the branch has moved since.

mod choose;
mod client;
mod id;
mod settings;
mod snapshot;
mod transfer;

pub use id::ModelId;

use client::Client;
use hf_hub::Cache;
use snapshot::Snapshot;
use sparring_core::{Backoff, PolicyError};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How far the download of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// Name of the file in the repository.
    pub file: &'a str,
    /// Bytes that are on disk; begins above 0 where an earlier download is continued.
    pub done: u64,
    /// Bytes of the whole file.
    pub bytes: u64,
}

/// A function that is called as a download advances: at the beginning of a file, for every few kilobytes, and at its
/// end.
pub type OnProgress<'a> = dyn FnMut(Progress<'_>) + 'a;

/// A hub and the local cache of what it holds.
///
/// | variable | what [`Hub::from_env`] takes from it |
/// |---|---|
/// | `HF_ENDPOINT` | the hub's address, `https://huggingface.co` by default |
/// | `HF_HUB_CACHE` | the cache's folder |
/// | `HF_HOME` | the folder of the cache (`hub`) and of the saved token (`token`), `~/.cache/huggingface` by default |
/// | `HF_TOKEN` | the access token; without it, the one that `hf auth login` saved |
/// | `HF_HUB_OFFLINE` | `1`: use the cache only |
///
/// A proxy is taken from `HTTPS_PROXY`, `HTTP_PROXY` or `ALL_PROXY`, except for a hub on this machine.
#[derive(Clone)]
pub struct Hub {
    endpoint: String,
    cache: Cache,
    token: Option<String>,
    offline: bool,
    timeout: Duration,
    backoff: Backoff,
}

impl Hub {
    /// The public hub, with this folder as its cache and without a token.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self {
            endpoint: "https://huggingface.co".to_owned(),
            cache: Cache::new(cache.into()),
            token: None,
            offline: false,
            timeout: Duration::from_secs(30),
            backoff: Backoff::default().with_attempts(5).with_initial(Duration::from_millis(500)),
        }
    }

    /// The hub that the environment describes.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] if no variable names a folder for the cache and there is no home directory.
    pub fn from_env() -> Result<Self, PolicyError> {
        settings::read(|name| std::env::var(name).ok(), std::env::home_dir())
    }

    /// Sets the address of the hub, such as a mirror's.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: impl AsRef<str>) -> Self {
        endpoint.as_ref().trim_end_matches('/').clone_into(&mut self.endpoint);
        self
    }

    /// Sets the access token.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Uses the cache only, if `offline`.
    #[must_use]
    pub fn with_offline(mut self, offline: bool) -> Self {
        self.offline = offline;
        self
    }

    /// Sets how long the hub may be silent before a connection is given up (30 seconds).
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how often a request is made before it counts as failed, and the waits between (five attempts). Attempts
    /// that bring a download forward are not counted.
    #[must_use]
    pub fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Returns the folder of a model, or its GGUF file, and downloads what the cache lacks of it.
    ///
    /// # Errors
    /// * [`PolicyError::Invalid`] where the hub has no such model, revision or file, where it refuses access, and where
    ///   the repository holds nothing that can be read.
    /// * [`PolicyError::Transient`] where the hub cannot be reached or fails. What was downloaded is kept, and the next
    ///   call continues it.
    /// * [`PolicyError::Io`] where the cache cannot be written.
    pub fn fetch(&self, id: &ModelId, on: &mut OnProgress<'_>) -> Result<PathBuf, PolicyError> {
        if let Some(path) = self.cached(id)? {
            return Ok(path);
        }
        if self.offline {
            return Err(PolicyError::invalid(format!(
                "{id}: not complete in the cache {}, and HF_HUB_OFFLINE forbids downloads: unset it, or fetch the \
                 model where there is a network",
                self.cache.path().display()
            )));
        }
        let client = Client::new(self);
        let listing = client.listing(id)?;
        let snapshot = Snapshot::new(&self.cache, id, &listing.sha)?;
        let plan = choose::plan(id, &listing)?;
        for name in &plan.files {
            transfer::fetch(&client, &snapshot, name, on)?;
        }
        for name in choose::shards(&snapshot, &plan)? {
            transfer::fetch(&client, &snapshot, &name, on)?;
        }
        snapshot.record(id, &plan.absent)?;
        Ok(snapshot.file(plan.gguf.as_deref().unwrap_or_default()))
    }

    /// The folder of a model, or its GGUF file, if the cache has all of it.
    ///
    /// # Errors
    /// [`PolicyError`] if a file of the cache cannot be read.
    pub fn cached(&self, id: &ModelId) -> Result<Option<PathBuf>, PolicyError> {
        let Some(snapshot) = Snapshot::cached(&self.cache, id)? else { return Ok(None) };
        choose::complete(&snapshot, id)
    }
}

/// Without the token.
impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Hub");
        debug.field("endpoint", &self.endpoint).field("cache", &self.cache).field("offline", &self.offline);
        debug.finish_non_exhaustive()
    }
}
