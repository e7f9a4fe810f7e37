//! One revision of a model in the cache, in the layout of `huggingface_hub`.
//!
//! ```text
//!   .locks/models--OWNER--NAME/ETAG.lock
//!   models--OWNER--NAME/refs/REVISION              a text: the commit
//!   models--OWNER--NAME/snapshots/COMMIT/FILE      a link to
//!   models--OWNER--NAME/blobs/ETAG                 the whole file,
//!   models--OWNER--NAME/blobs/ETAG.incomplete      or what there is of it
//!   models--OWNER--NAME/.no_exist/COMMIT/FILE      empty: the repository has no such file
//! ```

use super::ModelId;
use super::id::is_plain;
use crate::model::files::{create_folder, write_atomically};
use hf_hub::Cache;
use sparring_core::PolicyError;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The files of one commit.
#[derive(Debug)]
pub(super) struct Snapshot {
    cache: Cache,
    id: ModelId,
    commit: String,
}

impl Snapshot {
    /// The files of this commit.
    pub(super) fn new(cache: &Cache, id: &ModelId, commit: &str) -> Result<Self, PolicyError> {
        if !is_name(commit) {
            return Err(PolicyError::invalid(format!(
                "{id}: the hub names the commit \"{commit}\", which is none: check HF_ENDPOINT"
            )));
        }
        Ok(Self { cache: cache.clone(), id: id.clone(), commit: commit.to_owned() })
    }

    /// The files of the commit that the cache knows under this revision.
    pub(super) fn cached(cache: &Cache, id: &ModelId) -> Result<Option<Self>, PolicyError> {
        let revision = id.revision();
        if is_commit(revision) {
            return Self::new(cache, id, revision).map(Some);
        }
        let file = cache.path().join(id.hf().folder_name()).join("refs").join(revision);
        match fs::read_to_string(&file) {
            Ok(commit) => Ok(Self::new(cache, id, commit.trim()).ok()),
            // A revision may also be the folder of others, as `refs/pr` is.
            Err(_) => Ok(None),
        }
    }

    pub(super) fn id(&self) -> &ModelId {
        &self.id
    }

    pub(super) fn commit(&self) -> &str {
        &self.commit
    }

    fn root(&self) -> PathBuf {
        self.cache.path().join(self.id.hf().folder_name())
    }

    /// Where a file of the repository is; the folder, for the empty name.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        let folder = self.cache.repo(self.id.hf()).pointer_path(&self.commit);
        if name.is_empty() { folder } else { folder.join(name) }
    }

    /// Whether a file is here, whole.
    pub(super) fn has(&self, name: &str) -> bool {
        self.file(name).is_file()
    }

    /// Whether the repository is known not to have a file.
    pub(super) fn is_absent(&self, name: &str) -> bool {
        self.absent().join(name).exists()
    }

    fn absent(&self) -> PathBuf {
        self.root().join(".no_exist").join(&self.commit)
    }

    /// Names of the files that are here, without those in subfolders.
    pub(super) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.file("")).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    /// Where the content with this tag is.
    pub(super) fn blob(&self, etag: &str) -> PathBuf {
        self.cache.repo(self.id.hf()).blob_path(etag)
    }

    /// Waits until no other program writes what this names, such as the content with a tag; until the file is dropped,
    /// none does.
    pub(super) fn lock(&self, what: &str) -> Result<File, PolicyError> {
        let dir = self.cache.path().join(".locks").join(self.id.hf().folder_name());
        create_folder(&dir)?;
        let path = dir.join(format!("{what}.lock"));
        let lock = || {
            let file = File::options().create(true).append(true).open(&path)?;
            match file.lock() {
                // A file system without locks: the rename is atomic all the same.
                Err(error) if error.kind() != ErrorKind::Unsupported => Err(error),
                _ => Ok(file),
            }
        };
        lock().map_err(|error| PolicyError::io(&path, error))
    }

    /// Enters the content with this tag under the name of a file.
    pub(super) fn link(&self, etag: &str, name: &str) -> Result<(), PolicyError> {
        let (blob, file) = (self.blob(etag), self.file(name));
        if let Some(folder) = file.parent() {
            create_folder(folder)?;
        }
        // A link whose target is gone.
        if fs::symlink_metadata(&file).is_ok() && !file.exists() {
            fs::remove_file(&file).map_err(|error| PolicyError::io(&file, error))?;
        }
        match link(&blob, &file, name) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(PolicyError::io(&file, error)),
            _ => Ok(()),
        }
    }

    /// Notes what the revision is and which files it lacks, so that the next look-up needs no hub.
    pub(super) fn record(&self, id: &ModelId, absent: &[&str]) -> Result<(), PolicyError> {
        // Others may write the same files, under the same temporary names.
        let _lock = self.lock("refs")?;
        let folder = self.absent();
        for name in absent {
            create_folder(&folder)?;
            write_atomically(&folder, name, b"")?;
        }
        let revision = id.revision();
        if revision == self.commit {
            return Ok(());
        }
        let refs = self.root().join("refs");
        let (folder, name) = revision.rsplit_once('/').unwrap_or(("", revision));
        let folder = refs.join(folder);
        create_folder(&folder)?;
        write_atomically(&folder, name, self.commit.as_bytes())
    }
}

/// Links relatively, so that the cache can be moved.
#[cfg(unix)]
fn link(blob: &Path, file: &Path, name: &str) -> std::io::Result<()> {
    let up = "../".repeat(name.split('/').count() + 1);
    let target = Path::new(&up).join("blobs").join(blob.file_name().unwrap_or_default());
    std::os::unix::fs::symlink(target, file)
}

/// Symbolic links need a privilege elsewhere.
#[cfg(not(unix))]
fn link(blob: &Path, file: &Path, _: &str) -> std::io::Result<()> {
    fs::hard_link(blob, file)
}

/// A name of one part: a tag or a commit, which become names of files.
pub(super) fn is_name(name: &str) -> bool {
    is_plain(name) && !name.contains('/')
}

/// A full commit names itself.
fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit())
}
