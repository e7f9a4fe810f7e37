//! The run folder: its files, its lock, its events, its checkpoints.

mod changes;
mod checkpoints;
pub mod disk;
mod folder;
mod journal;
mod options;

pub use changes::{Change, Changes, changed_settings};
pub use folder::RunInfo;
pub use journal::Journal;
pub use options::RunOptions;

use crate::report::Records;
use crate::{Evaluation, TrainError};
use changes::{Began, Compared};
use checkpoints::Checkpoints;
use folder::RunFolder;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sparring_core::{Observer, Policy, Scorer, one_line};
use std::fmt;
use std::path::{Path, PathBuf};

/// The folder of a run in progress: locked, with its events and its checkpoints.
///
/// A checkpoint holds the models (each in a folder of its name), a state `S` of the caller's, the length of
/// `events.jsonl`, and which earlier checkpoint holds the reference model of the KL term. It is renamed into place only
/// when it is whole. So [`Store::resume`] finds a state, models and events that belong
/// together, at whatever moment the process died.
#[derive(Debug)]
pub struct Store<'o, 'a> {
    /// Observers and `events.jsonl`.
    pub journal: Journal<'o, 'a>,
    info: RunInfo,
    folder: RunFolder,
    checkpoints: Checkpoints,
    /// Number of the newest checkpoint; 0 for none.
    serial: u64,
    reference: Option<ReferenceAt>,
}

/// Where the weights of the reference model are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct ReferenceAt {
    checkpoint: u64,
    model: String,
}

/// `state.json` of a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
struct Saved<S> {
    serial: u64,
    events_bytes: u64,
    reference: Option<ReferenceAt>,
    /// What the run was when this was written.
    #[serde(default)]
    run: Option<Began>,
    state: S,
}

#[derive(Serialize)]
struct RunStarted<'a, C> {
    seed: u64,
    preset: &'a str,
    config: &'a C,
    evaluations: Vec<&'a str>,
}

#[derive(Serialize)]
struct SettingsChanged<'a> {
    changes: &'a [Change],
}

/// What a run continues from.
pub struct Resumed<S> {
    /// The state of the newest whole checkpoint; `None` where no checkpoint was written yet.
    pub state: Option<S>,
    /// Its number.
    pub checkpoint: Option<u64>,
    /// The reference model that was in use.
    pub reference: Option<Box<dyn Scorer>>,
    /// What was wrong with the newer checkpoints that were passed over.
    pub damaged: Vec<String>,
    /// The settings that differ from those that the run began with.
    pub changes: Vec<Change>,
}

impl<S: fmt::Debug> fmt::Debug for Resumed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, checkpoint, damaged, changes, .. } = self;
        f.debug_struct("Resumed")
            .field("state", state)
            .field("checkpoint", checkpoint)
            .field("damaged", damaged)
            .field("changes", changes)
            .finish_non_exhaustive()
    }
}

impl<'o, 'a> Store<'o, 'a> {
    /// Makes and locks the folder of a new run. `folders` are made in it, `kept` checkpoints stay (at least 1).
    ///
    /// # Errors
    /// [`TrainError::Invalid`] if `dir` holds a run already; [`TrainError::Io`] names the file.
    pub fn create(
        dir: &Path,
        info: &RunInfo,
        folders: &[&str],
        kept: usize,
        observers: &'o mut [Box<dyn Observer + 'a>],
    ) -> Result<Self, TrainError> {
        let folder = RunFolder::create(dir, info, folders)?;
        let checkpoints = Checkpoints::new(folder.path("checkpoints"), kept);
        let journal = Journal::open(folder.path("events.jsonl"), 0, observers)?;
        Ok(Self { journal, info: info.clone(), folder, checkpoints, serial: 0, reference: None })
    }

    /// Opens and locks the folder of a run to continue, and restores `models` from its newest whole checkpoint.
    ///
    /// Only two sets of weights are read: the reference model's, of which a frozen copy is made, and then the current
    /// ones.
    ///
    /// The seed and the settings of `info`, and those that the folder's files have, are compared by meaning with those
    /// that the run began with, which each checkpoint holds. `changes` says what happens if they differ.
    ///
    /// # Errors
    /// [`TrainError::Invalid`] if `dir` holds no run, or another than `info` says; [`TrainError::Damaged`] if no
    /// checkpoint is whole; [`TrainError::Io`] and [`TrainError::Policy`] if a checkpoint cannot be read now, though it
    /// may be whole.
    pub fn resume<S: DeserializeOwned>(
        dir: &Path,
        info: &RunInfo,
        changes: Changes,
        kept: usize,
        observers: &'o mut [Box<dyn Observer + 'a>],
        models: &mut [(&'static str, &mut (dyn Policy + '_))],
    ) -> Result<(Self, Resumed<S>), TrainError> {
        let (folder, said) = RunFolder::open(dir)?;
        let checkpoints = Checkpoints::new(folder.path("checkpoints"), kept);
        let opened = Opened { folder: &folder, checkpoints: &checkpoints, said: &said, info, changes };
        let Newest { found, damaged } = opened.newest(models)?;
        let (found, compared) = match found {
            Some(Loaded { saved, reference, compared }) => (Some((saved, reference)), compared),
            None => (None, opened.compare(None)?),
        };
        if !compared.stale.is_empty() {
            folder.describe(info)?;
        }
        let (saved, scorer) = found.unzip();
        let bytes = saved.as_ref().map_or(0, |saved| saved.events_bytes);
        let journal = Journal::open(folder.path("events.jsonl"), bytes, observers)?;
        let checkpoint = saved.as_ref().map(|saved| saved.serial);
        let (state, reference) = saved.map(|saved| (saved.state, saved.reference)).unzip();
        let (serial, reference) = (checkpoint.unwrap_or(0), reference.flatten());
        let store = Self { journal, info: info.clone(), folder, checkpoints, serial, reference };
        let reference = scorer.flatten();
        Ok((store, Resumed { state, checkpoint, reference, damaged, changes: compared.changes }))
    }

    /// The run: its seed, preset and settings.
    pub fn info(&self) -> &RunInfo {
        &self.info
    }

    /// A folder within the run's, which is made if it is missing.
    ///
    /// # Errors
    /// [`TrainError::Io`].
    pub fn subfolder(&self, name: &str) -> Result<PathBuf, TrainError> {
        let path = self.folder.path(name);
        disk::create_own_folder(&path)?;
        Ok(path)
    }

    /// Records the start of a run, with its settings.
    ///
    /// # Errors
    /// As [`Journal::record`].
    pub fn record_start<C: Serialize, T>(
        &mut self,
        config: &C,
        evaluations: &[Evaluation<T>],
    ) -> Result<(), TrainError> {
        let evaluations = evaluations.iter().map(|evaluation| evaluation.name.as_str()).collect();
        let RunInfo { seed, preset, .. } = &self.info;
        self.journal.record("run_started", &RunStarted { seed: *seed, preset, config, evaluations })
    }

    /// Records that the run was resumed at this place: `&[("iteration", 2), ("step", 5)]`, say; and which settings
    /// changed (kind `settings_changed`), if any did.
    ///
    /// # Errors
    /// As [`Journal::record`].
    pub fn record_resumed<S>(
        &mut self,
        resumed: &Resumed<S>,
        place: &[(&str, usize)],
    ) -> Result<(), TrainError> {
        let mut fields: Map<String, Value> =
            place.iter().map(|&(name, at)| (name.to_owned(), at.into())).collect();
        fields.insert("checkpoint".to_owned(), resumed.checkpoint.into());
        fields.insert("damaged".to_owned(), resumed.damaged.clone().into());
        self.journal.record("resumed", &fields)?;
        if resumed.changes.is_empty() {
            return Ok(());
        }
        self.journal.record("settings_changed", &SettingsChanged { changes: &resumed.changes })
    }

    /// Whether no checkpoint was written yet.
    pub fn is_new(&self) -> bool {
        self.serial == 0
    }

    /// Makes the model `name`, as the newest checkpoint has it, the reference model from now on. That checkpoint is
    /// kept as long as a checkpoint refers to it.
    pub fn set_reference(&mut self, name: &str) {
        self.reference = Some(ReferenceAt { checkpoint: self.serial, model: name.to_owned() });
    }

    /// Drops the reference model.
    pub fn clear_reference(&mut self) {
        self.reference = None;
    }

    /// Writes a checkpoint of `state` and `models`.
    ///
    /// # Errors
    /// [`TrainError::Io`] names the file, [`TrainError::Policy`] the model that could not be saved.
    pub fn save<S: Serialize>(
        &mut self,
        state: &S,
        models: &[(&'static str, &dyn Policy)],
    ) -> Result<(), TrainError> {
        let events_bytes = self.journal.sync()?;
        self.serial += 1;
        let reference = self.reference.clone();
        let at = reference.as_ref().map(|reference| reference.checkpoint);
        let run = Some(Began::new(&self.info));
        let saved = Saved { serial: self.serial, events_bytes, reference, run, state };
        let text = serde_json::to_vec(&saved).map_err(|e| TrainError::unserialisable(&e))?;
        self.checkpoints.save(self.serial, &text, models, at)
    }

    /// Writes `value` as JSON into the file `name` of the folder, at once or not at all.
    ///
    /// # Errors
    /// [`TrainError::Io`] names the file; [`TrainError::Invalid`] where `value` cannot be written as JSON.
    pub fn write_json<T: Serialize>(&self, name: &str, value: &T) -> Result<(), TrainError> {
        self.folder.write_json(name, value)
    }

    /// Reads such a file; `None` where there is none, or none of this form.
    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_slice(&disk::read(&self.folder.path(name)).ok()?).ok()
    }

    /// Writes one JSON object a line into the file `name`, as [`Store::write_json`].
    ///
    /// # Errors
    /// As [`Store::write_json`].
    pub fn write_lines<T: Serialize>(&self, name: &str, rows: &[T]) -> Result<(), TrainError> {
        self.folder.write_lines(name, rows)
    }
}

/// The newest checkpoint of the run in `dir`: a folder with a sub-folder for each model that learns.
///
/// # Errors
/// [`TrainError::Invalid`] if there is none; [`TrainError::Io`] names the folder.
pub fn newest_checkpoint(dir: &Path) -> Result<PathBuf, TrainError> {
    let checkpoints = Checkpoints::new(dir.join("checkpoints"), 1);
    match checkpoints.list()?.first() {
        Some(&newest) => Ok(checkpoints.folder(newest)),
        None => Err(TrainError::invalid(format!("{}: holds no checkpoint", dir.display()))),
    }
}

/// Checks that a run would continue with the settings that it began with, as [`Store::resume`] does, but before any
/// model is loaded. Damage is not looked for.
///
/// # Errors
/// [`TrainError::Invalid`] if `dir` holds no run, or names what differs.
pub fn check_settings(dir: &Path, info: &RunInfo) -> Result<(), TrainError> {
    #[derive(Deserialize)]
    struct Record {
        #[serde(default)]
        run: Option<Began>,
    }
    let checkpoints = Checkpoints::new(dir.join("checkpoints"), 1);
    let newest = checkpoints.list()?.into_iter().find_map(|serial| checkpoints.whole_state(serial));
    let began = newest.and_then(|text| serde_json::from_slice::<Record>(&text).ok()?.run);
    Compared::of(dir, began, &RunInfo::read(dir)?, info)?.refuse(dir)
}

/// The folder of a run to continue.
struct Opened<'r> {
    folder: &'r RunFolder,
    checkpoints: &'r Checkpoints,
    /// What the folder's files say about the run.
    said: &'r RunInfo,
    /// What the run is now.
    info: &'r RunInfo,
    changes: Changes,
}

/// A checkpoint that a run can continue from: checked, its models restored.
struct Loaded<S> {
    saved: Saved<S>,
    reference: Option<Box<dyn Scorer>>,
    compared: Compared,
}

/// The newest whole checkpoint, and what was wrong with newer ones.
struct Newest<S> {
    found: Option<Loaded<S>>,
    damaged: Vec<String>,
}

impl Opened<'_> {
    /// Damaged checkpoints are set aside if there is an older one that is whole; if not, they are an error.
    fn newest<S: DeserializeOwned>(
        &self,
        models: &mut [(&'static str, &mut (dyn Policy + '_))],
    ) -> Result<Newest<S>, TrainError> {
        let (mut damaged, mut skipped) = (Vec::new(), Vec::new());
        let mut found = None;
        for serial in self.checkpoints.list()? {
            match self.load(serial, models) {
                Ok(whole) => {
                    found = Some(whole);
                    break;
                }
                Err(error) if !error.is_damage() => return Err(error),
                Err(error) => {
                    // Observers learn of it by the record `resumed`, so this is for programs without any.
                    tracing::info!(serial, error = one_line(&error), "passing over a damaged checkpoint");
                    damaged.push(error);
                    skipped.push(serial);
                }
            }
        }
        if found.is_none() && !damaged.is_empty() {
            return Err(damaged.swap_remove(0));
        }
        // A skipped checkpoint is newer than those that the run will write: rotation must not prefer it.
        skipped.into_iter().try_for_each(|serial| self.checkpoints.set_aside(serial))?;
        Ok(Newest { found, damaged: damaged.iter().map(|error| one_line(error)).collect() })
    }

    fn load<S: DeserializeOwned>(
        &self,
        serial: u64,
        models: &mut [(&'static str, &mut (dyn Policy + '_))],
    ) -> Result<Loaded<S>, TrainError> {
        let text = self.checkpoints.verified_state(serial)?;
        let path = self.checkpoints.folder(serial).join("state.json");
        let mut saved: Saved<S> =
            serde_json::from_slice(&text).map_err(|e| TrainError::damaged(&path, e.to_string()))?;
        let compared = self.compare(saved.run.take())?;
        if let Some(reference) = &saved.reference {
            self.checkpoints.verified_state(reference.checkpoint)?;
        }
        self.check_events(saved.events_bytes)?;
        let mut frozen = None;
        for (name, model) in models {
            if let Some(reference) = saved.reference.as_ref().filter(|reference| reference.model == *name) {
                self.checkpoints.restore(reference.checkpoint, name, *model)?;
                frozen = Some(model.freeze().map_err(TrainError::policy(name))?);
            }
            self.checkpoints.restore(serial, name, *model)?;
        }
        Ok(Loaded { saved, reference: frozen, compared })
    }

    /// Fails where the events are shorter than the checkpoint says, or damaged; changes nothing otherwise.
    fn check_events(&self, length: u64) -> Result<(), TrainError> {
        let path = self.folder.path("events.jsonl");
        disk::at_least(&path, length)?;
        let bytes = disk::read(&path)?;
        let kept = bytes.get(..length as usize).unwrap_or(&bytes);
        // An older checkpoint would not help: the weights are whole, and the line can be corrected.
        Records::check(kept).map_err(|what| {
            TrainError::invalid(format!(
                "{}: {what}: restore the file from a copy, or correct the line without changing its length, then \
                 resume the run",
                path.display()
            ))
        })
    }

    /// What differs from what is written about the run; an error unless changes are taken.
    fn compare(&self, began: Option<Began>) -> Result<Compared, TrainError> {
        let compared = Compared::of(self.folder.root(), began, self.said, self.info)?;
        if self.changes == Changes::Refuse {
            compared.refuse(self.folder.root())?;
        }
        Ok(compared)
    }
}
