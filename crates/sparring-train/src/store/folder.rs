use super::disk;
use crate::TrainError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// Version of the run folder's layout.
const FORMAT: u32 = 1;

/// What a run folder says about its run: enough to build the same run again and resume it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunInfo {
    /// Version of the layout.
    pub format: u32,
    /// Root seed.
    pub seed: u64,
    /// Name of the preset; empty where none.
    pub preset: String,
    /// What else the run depends on, by name: a digest of its model or of its tasks, a device.
    #[serde(default)]
    pub inputs: BTreeMap<String, String>,
    /// The text of `config.toml`.
    #[serde(skip)]
    pub config: String,
}

impl RunInfo {
    /// A run of this seed and preset, with this text for its `config.toml`.
    pub fn new(seed: u64, preset: &str, config: String) -> Self {
        Self { format: FORMAT, seed, preset: preset.to_owned(), inputs: BTreeMap::new(), config }
    }

    /// Sets the text of `config.toml`.
    #[must_use]
    pub fn with_config(mut self, config: String) -> Self {
        self.config = config;
        self
    }

    /// Reads `run.json` and `config.toml` of a run folder.
    ///
    /// # Errors
    /// [`TrainError::Io`] names the file that is missing, [`TrainError::Damaged`] one that cannot be read,
    /// [`TrainError::Invalid`] a layout of another version.
    pub fn read(dir: impl AsRef<Path>) -> Result<Self, TrainError> {
        let path = dir.as_ref().join("run.json");
        if !path.exists() {
            return Err(TrainError::invalid(format!(
                "{}: no such file; this folder holds no run",
                path.display()
            )));
        }
        let mut info: Self = serde_json::from_str(&disk::read_text(&path)?)
            .map_err(|e| TrainError::damaged(&path, e.to_string()))?;
        if info.format != FORMAT {
            return Err(TrainError::invalid(format!(
                "{}: layout version {}, but this program writes version {FORMAT}: resume it with the program that \
                 began it",
                path.display(),
                info.format
            )));
        }
        let path = dir.as_ref().join("config.toml");
        info.config = disk::read_text(&path)?;
        Ok(info)
    }

    /// Checks that the run in `dir`, which this describes, has these inputs: resuming does so too, but only once the
    /// model is loaded.
    ///
    /// # Errors
    /// [`TrainError::Invalid`] names the first that differs.
    pub fn check_inputs(&self, dir: &Path, inputs: &BTreeMap<String, String>) -> Result<(), TrainError> {
        let other = |name: &&String| self.inputs.get(*name) != inputs.get(*name);
        match self.inputs.keys().chain(inputs.keys()).find(other) {
            None => Ok(()),
            Some(name) => Err(differs(&dir.join("run.json"), name, self.inputs.get(name), inputs.get(name))),
        }
    }
}

/// An input that is not what it was.
fn differs(file: &Path, name: &str, before: Option<&String>, now: Option<&String>) -> TrainError {
    let file = file.display();
    TrainError::invalid(match (before, now) {
        (Some(before), Some(now)) => format!(
            "{file}: its {name} differs from this run's: `{before}` there, `{now}` now; resume with the same {name}, \
             or start a new run"
        ),
        (Some(value), None) | (None, Some(value)) => format!(
            "{file}: only one of the two runs has the input `{name}` (`{value}`); resume with the program and options \
             that began it"
        ),
        (None, None) => format!("{file}: the input `{name}` is missing"),
    })
}

/// An open run folder, locked while it is open.
#[derive(Debug)]
pub(crate) struct RunFolder {
    root: PathBuf,
    _lock: File,
}

impl RunFolder {
    /// Makes and locks the folder of a new run, with these folders in it.
    pub(crate) fn create(root: &Path, info: &RunInfo, folders: &[&str]) -> Result<Self, TrainError> {
        disk::create_folder(root)?;
        let folder = Self { root: root.to_owned(), _lock: lock(root)? };
        if root.join("run.json").exists() {
            return Err(TrainError::invalid(format!(
                "{}: holds a run already; resume it, or choose another folder",
                root.display()
            )));
        }
        for name in folders.iter().chain(&["checkpoints"]) {
            disk::create_own_folder(&root.join(name))?;
        }
        // `run.json` is written last: a folder with this file is a run.
        folder.describe(info)?;
        Ok(folder)
    }

    /// Opens and locks the folder of a run to continue, and returns what its files say about it.
    pub(crate) fn open(root: &Path) -> Result<(Self, RunInfo), TrainError> {
        let found = RunInfo::read(root)?;
        let folder = Self { root: root.to_owned(), _lock: lock(root)? };
        disk::create_own_folder(&folder.path("checkpoints"))?;
        Ok((folder, found))
    }

    /// Says in `run.json` and `config.toml` what the run is now.
    pub(crate) fn describe(&self, info: &RunInfo) -> Result<(), TrainError> {
        disk::write_atomic(&self.path("config.toml"), info.config.as_bytes())?;
        disk::write_atomic(&self.path("run.json"), &json(info)?)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn write_json<T: Serialize>(&self, name: &str, value: &T) -> Result<(), TrainError> {
        disk::write_atomic(&self.path(name), &json(value)?)
    }

    /// Writes one JSON object a line.
    pub(crate) fn write_lines<T: Serialize>(&self, name: &str, rows: &[T]) -> Result<(), TrainError> {
        let mut text = Vec::new();
        for row in rows {
            serde_json::to_writer(&mut text, row).map_err(|e| TrainError::unserialisable(&e))?;
            text.push(b'\n');
        }
        disk::write_atomic(&self.path(name), &text)
    }
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, TrainError> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|e| TrainError::unserialisable(&e))?;
    text.push(b'\n');
    Ok(text)
}

/// The system releases the lock when the process ends, however it ends.
fn lock(root: &Path) -> Result<File, TrainError> {
    let path = root.join(".lock");
    let file = disk::open_own(&path, OpenOptions::new().write(true))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(TrainError::invalid(format!(
            "{}: another process runs in this folder; wait for it, or choose another folder",
            root.display()
        ))),
        // A file system without locks: continue without one.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
    }
}
