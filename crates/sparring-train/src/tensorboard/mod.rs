//! Event files for TensorBoard: `tensorboard --logdir RUN`.

mod record;

use crate::report::Records;
use crate::{Meter, Reading};
use record::{Event as Entry, What, record};
use serde_json::Value;
use sparring_core::files::check_own_folder;
use sparring_core::{Event, Observer};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What names of event files begin with; TensorBoard reads them in the order of their names.
const PREFIX: &str = "events.out.tfevents.";

/// Writes the numbers of a run into `tensorboard/` of its folder: of every update (`generator/`, `solver/` or `train/`:
/// reward, its components, shares, learning rate, loss, gradient norm, KL, entropy, tokens a second), of every
/// evaluation (`evaluation/`) and pool (`pool/`).
///
/// The global step is the number of updates of all players before: that of an update is its number, from 0, and an
/// evaluation has that of the update after it. A resumed run begins a new file at the step of its checkpoint, with the
/// event by which TensorBoard drops what came after that. A file that cannot be written is a warning, not an error.
#[derive(Debug)]
pub struct TensorBoard {
    /// The run's folder.
    dir: PathBuf,
    meter: Meter,
    /// The meter at the newest update.
    before: Reading,
    file: Option<File>,
    updates: u64,
}

impl TensorBoard {
    /// An observer of the run in the folder `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        let (meter, before) = Default::default();
        Self { dir: dir.into(), meter, before, file: None, updates: 0 }
    }

    /// Writes tokens a second, of what this meter counts: the run's.
    #[must_use]
    pub fn with_meter(mut self, meter: Meter) -> Self {
        self.meter = meter;
        self
    }

    fn record(&mut self, kind: &str, json: &str) -> io::Result<()> {
        match kind {
            "run_started" => self.open(),
            "resumed" => self.resume(),
            _ => match serde_json::from_str(json) {
                Ok(value) => self.scalars(kind, &value),
                Err(_) => Ok(()),
            },
        }
    }

    /// A new file, after those that are there.
    fn open(&mut self) -> io::Result<()> {
        let folder = self.dir.join("tensorboard");
        check_own_folder(&folder).map_err(io::Error::other)?;
        fs::create_dir_all(&folder)?;
        let mut number = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        for entry in fs::read_dir(&folder)? {
            let known = number_of(&entry?.path()).unwrap_or_default();
            number = number.max(known + 1);
        }
        let path = folder.join(format!("{PREFIX}{number:010}.sparring"));
        self.file = Some(OpenOptions::new().create_new(true).append(true).open(path)?);
        self.write(0, What::Version)
    }

    /// The records that were kept say where the run continues.
    fn resume(&mut self) -> io::Result<()> {
        let kept = Records::read(&self.dir).map_err(io::Error::other)?;
        let kept: Vec<&Value> = kept.iter().collect();
        let is_update = |record: &&Value| player(kind_of(record)).is_some();
        let newest = kept.iter().rposition(is_update).map_or(0, |newest| newest + 1);
        self.updates = kept.iter().copied().filter(is_update).count() as u64;
        self.open()?;
        self.write(self.updates, What::Start)?;
        // Evaluations and pools since the newest update have the step from which on nothing counts.
        for record in &kept[newest..] {
            self.scalars(kind_of(record), record)?;
        }
        Ok(())
    }

    fn scalars(&mut self, kind: &str, record: &Value) -> io::Result<()> {
        let mut values = Vec::new();
        let step = self.updates;
        match (player(kind), kind) {
            (Some(player), _) => {
                flatten(player, record, &mut values);
                let now = self.meter.read();
                let speed = now.speed_since(&self.before).map(|speed| speed as f32);
                values.extend(speed.map(|speed| (format!("{player}/tokens_per_second"), speed)));
                self.before = now;
                self.updates += 1;
            }
            (None, "evaluation") => {
                let name = record["name"].as_str().unwrap_or_default();
                let fields = ["accuracy", "standard_error"].map(|field| (field, record[field].as_f64()));
                let named = |(field, value): (&str, Option<f64>)| {
                    value.map(|value| (format!("evaluation/{name}_{field}"), value as f32))
                };
                values.extend(fields.into_iter().filter_map(named));
            }
            (None, "pool") => flatten("pool", record, &mut values),
            _ => {}
        }
        if values.is_empty() { Ok(()) } else { self.write(step, What::Scalars(&values)) }
    }

    fn write(&mut self, step: u64, what: What<'_>) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let wall_time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        file.write_all(&record(&Entry { wall_time, step, what }))
    }
}

impl Observer for TensorBoard {
    fn on(&mut self, event: Event<'_>) {
        if let Event::Record { kind, json } = event
            && let Err(error) = self.record(kind, json)
        {
            tracing::warn!(%error, "the event file for TensorBoard ends here");
            self.file = None;
        }
    }
}

fn number_of(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix(PREFIX)?.split('.').next()?.parse().ok()
}

fn kind_of(record: &Value) -> &str {
    record["kind"].as_str().unwrap_or_default()
}

/// Who was updated, by the kind of a record.
fn player(kind: &str) -> Option<&'static str> {
    match kind {
        "generator_step" => Some("generator"),
        "solver_step" => Some("solver"),
        "step" => Some("train"),
        _ => None,
    }
}

/// The numbers of a record by their path. The report of an update is not a level of its own.
fn flatten(path: &str, value: &Value, values: &mut Vec<(String, f32)>) {
    match value {
        Value::Number(number) => {
            values.extend(number.as_f64().map(|number| (path.to_owned(), number as f32)));
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                match name.as_str() {
                    "iteration" | "step" => {}
                    "update" => flatten(path, value, values),
                    _ => flatten(&format!("{path}/{name}"), value, values),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
