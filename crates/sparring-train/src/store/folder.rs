use super::disk;
use crate::TrainError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
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
        let mut info: Self = serde_json::from_slice(&disk::read(&path)?)
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
        info.config = String::from_utf8(disk::read(&path)?)
            .map_err(|_| TrainError::damaged(&path, "it is not UTF-8 text"))?;
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
            Some(name) if self.inputs.contains_key(name) && inputs.contains_key(name) => {
                Err(differs(dir, "run.json", name))
            }
            Some(name) => Err(TrainError::invalid(format!(
                "{}: only one of the two runs has the input `{name}`; resume with the program and options that began it",
                dir.join("run.json").display()
            ))),
        }
    }
}

fn differs(root: &Path, file: &str, what: &str) -> TrainError {
    TrainError::invalid(format!(
        "{}: its {what} differs from this run's; resume with the same {what}, or start a new run",
        root.join(file).display()
    ))
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
        for folder in folders.iter().chain(&["checkpoints"]) {
            disk::create_folder(&root.join(folder))?;
        }
        disk::write_atomic(&root.join("config.toml"), info.config.as_bytes())?;
        // Last: a folder with this file is a run.
        disk::write_atomic(&root.join("run.json"), &json(info)?)?;
        Ok(folder)
    }

    /// Opens and locks the folder of a run to continue, which must be the run of `info`.
    pub(crate) fn open(root: &Path, info: &RunInfo) -> Result<Self, TrainError> {
        let found = RunInfo::read(root)?;
        if found.seed != info.seed {
            return Err(differs(root, "run.json", "seed"));
        }
        if found.config != info.config {
            return Err(differs(root, "config.toml", "configuration"));
        }
        found.check_inputs(root, &info.inputs)?;
        Ok(Self { root: root.to_owned(), _lock: lock(root)? })
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
    let file = File::create(&path).map_err(|e| TrainError::io(&path, e))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(TrainError::invalid(format!(
            "{}: another process runs in this folder; wait for it, or choose another folder",
            root.display()
        ))),
        // A file system without locks: continue without one.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
    }
}
