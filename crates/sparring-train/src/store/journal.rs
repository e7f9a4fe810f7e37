use super::disk;
use crate::{Demands, Forecast, TrainError};
use serde::Serialize;
use serde_json::{Map, Value};
use sparring_core::{Event, Observer, Phase, Stage};
use std::fs::File;
use std::path::PathBuf;

/// Passes events to observers, and writes records to `events.jsonl`.
///
/// Records depend on the seed and the settings only, except the kinds `timing`, `estimate`, `resumed` and
/// `settings_changed`: without those, an interrupted and resumed run writes the same lines as an uninterrupted one.
pub struct Journal<'o, 'a> {
    path: PathBuf,
    file: File,
    bytes: u64,
    observers: &'o mut [Box<dyn Observer + 'a>],
    estimates: Option<Estimates>,
}

/// Two estimates are recorded: before the run does anything, and once it has measured its own speed.
struct Estimates {
    forecast: Forecast,
    memory: Option<u64>,
    corrected: bool,
}

impl std::fmt::Debug for Journal<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal")
            .field("path", &self.path)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl<'o, 'a> Journal<'o, 'a> {
    /// Opens `path`, cut to `length` bytes.
    pub(crate) fn open(
        path: PathBuf,
        length: u64,
        observers: &'o mut [Box<dyn Observer + 'a>],
    ) -> Result<Self, TrainError> {
        let file = disk::open_append(&path, length)?;
        Ok(Self { path, file, bytes: length, observers, estimates: None })
    }

    /// Writes one record: a line of JSON with the field `kind` and the fields of `fields`, which serialises as an
    /// object.
    ///
    /// Your own records need kinds that the run does not use; a prefix of your project makes them so.
    ///
    /// # Errors
    /// [`TrainError::Io`] names the file; [`TrainError::Invalid`] where `fields` is not an object, or has a field
    /// `kind`.
    pub fn record<T: Serialize>(&mut self, kind: &str, fields: &T) -> Result<(), TrainError> {
        let value = serde_json::to_value(fields).map_err(|e| TrainError::unserialisable(&e))?;
        let Value::Object(fields) = value else {
            return Err(TrainError::invalid(format!("record `{kind}`: it must be an object with fields")));
        };
        if fields.contains_key("kind") {
            return Err(TrainError::invalid(format!(
                "record `{kind}`: the field `kind` is taken; rename it"
            )));
        }
        let mut object = Map::from_iter([("kind".to_owned(), Value::from(kind))]);
        object.extend(fields);
        let mut line = Value::Object(object).to_string();
        self.send(Event::Record { kind, json: &line });
        line.push('\n');
        disk::append(&self.path, &mut self.file, line.as_bytes())?;
        self.bytes += line.len() as u64;
        Ok(())
    }

    /// The run starts or continues with these stages. With `demands`, the time that it takes is estimated and recorded.
    ///
    /// # Errors
    /// As [`Journal::record`].
    pub fn planned(&mut self, stages: &[Stage], demands: Option<Demands>) -> Result<(), TrainError> {
        self.estimates = demands.map(|Demands { speed, memory }| Estimates {
            forecast: Forecast::new(Some(speed)),
            memory,
            corrected: stages.is_empty(),
        });
        self.send(Event::Planned { stages });
        self.record_estimate(false)
    }

    /// Records the estimate again once the run has measured its own speed: called after an update or a phase.
    ///
    /// # Errors
    /// As [`Journal::record`].
    pub fn correct_estimate(&mut self) -> Result<(), TrainError> {
        self.record_estimate(true)
    }

    fn record_estimate(&mut self, measured: bool) -> Result<(), TrainError> {
        let Some(estimates) = self.estimates.as_mut().filter(|estimates| !estimates.corrected) else {
            return Ok(());
        };
        match estimates.forecast.estimate(estimates.memory).filter(|found| found.measured == measured) {
            Some(found) => {
                estimates.corrected = measured;
                self.record("estimate", &found)
            }
            None => Ok(()),
        }
    }

    /// The length of the file.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Cuts the file back to an earlier length: what was recorded since does not count.
    pub(crate) fn rewind(&mut self, bytes: u64) -> Result<(), TrainError> {
        self.file = disk::open_append(&self.path, bytes)?;
        self.bytes = bytes;
        Ok(())
    }

    /// A phase begins; it has `steps` units of work.
    pub fn started(&mut self, iteration: usize, phase: Phase, steps: usize) {
        self.send(Event::PhaseStarted { iteration, phase, steps });
    }

    /// `done` units of work are done; `note` is one line about them.
    pub fn progress(&mut self, done: usize, note: &str) {
        self.send(Event::Progress { done, note });
    }

    /// The phase ended.
    pub fn ended(&mut self, iteration: usize, phase: Phase, seconds: f64) {
        self.send(Event::PhaseEnded { iteration, phase, seconds });
    }

    fn send(&mut self, event: Event<'_>) {
        if let Some(estimates) = &mut self.estimates {
            estimates.forecast.on(&event);
        }
        for observer in self.observers.iter_mut() {
            observer.on(event);
        }
    }

    /// Flushes to the disk and returns the length of the file.
    pub(crate) fn sync(&mut self) -> Result<u64, TrainError> {
        disk::sync(&self.path, &self.file)?;
        Ok(self.bytes)
    }
}
