//! What of a run's settings differs from those that it began with.

use super::RunInfo;
use crate::TrainError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;
use toml::{Table, Value};

/// What resuming a run does with settings that differ from those that the run began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Changes {
    /// It refuses them: a run has one set of settings.
    #[default]
    Refuse,
    /// It continues with the new ones and records what changed (kind `settings_changed`). The inputs of a run
    /// ([`RunInfo::inputs`]) never change.
    Take,
}

/// A setting that differs from what the run began with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// The file of the run folder that says it.
    pub file: &'static str,
    /// The setting, by its place: `solver.lr`.
    pub field: String,
    /// Its value so far, as TOML; `None` where there was none.
    pub before: Option<String>,
    /// Its value from now on.
    pub now: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (field, before, now) = (&self.field, self.before.as_deref(), self.now.as_deref());
        match (before, now) {
            (Some(before), Some(now)) => {
                let from = common_start(before, now);
                write!(
                    f,
                    "{field} = {}, but the run began with {}",
                    excerpt(now, from),
                    excerpt(before, from)
                )
            }
            (None, now) => {
                write!(f, "{field} = {}, but the run began without it", excerpt(now.unwrap_or_default(), 0))
            }
            (Some(before), None) => {
                write!(f, "{field} is missing, but the run began with {}", excerpt(before, 0))
            }
        }
    }
}

/// How many characters two values have in common at their beginning.
fn common_start(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count()
}

/// One line of a value around character `from`; a short value is shown whole.
fn excerpt(value: &str, from: usize) -> String {
    const MOST: usize = 60;
    const BEFORE: usize = 20;
    let characters: Vec<char> = value.chars().collect();
    let start = if characters.len() > MOST { from.saturating_sub(BEFORE) } else { 0 };
    let shown: String = characters.iter().skip(start).take(MOST).collect();
    let open = if start > 0 { "..." } else { "" };
    let close = if start + MOST < characters.len() { "..." } else { "" };
    format!("{open}{}{close}", shown.replace('\r', "\\r").replace('\n', "\\n"))
}

/// The run as it began, or as it was when changes were last taken: part of every checkpoint, whose checksums guard it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Began {
    info: RunInfo,
    config: String,
}

impl Began {
    pub(super) fn new(info: &RunInfo) -> Self {
        Self { info: info.clone(), config: info.config.clone() }
    }

    fn into_info(self) -> RunInfo {
        RunInfo { config: self.config, ..self.info }
    }
}

/// What differs between two texts of settings, by meaning: comments, order and notation do not matter.
///
/// ```
/// use sparring_train::store::changed_settings;
/// assert!(changed_settings("lr = 0.1", "lr = 1e-1 # a tenth").is_empty());
/// let [change] = &changed_settings("lr = 0.1", "lr = 0.2")[..] else { panic!("one change") };
/// assert_eq!(change.to_string(), "lr = 0.2, but the run began with 0.1");
/// ```
pub fn changed_settings(before: &str, now: &str) -> Vec<Change> {
    of_settings(before, now, Side::Both)
}

/// How the run as it would continue differs from what is written about it.
#[derive(Debug, Default)]
pub(super) struct Compared {
    /// From the run as it began.
    pub(super) changes: Vec<Change>,
    /// From what the folder's files say.
    pub(super) stale: Vec<Change>,
}

impl Compared {
    /// Compares the run as it would continue (`now`) with a checkpoint's record of it and with what the files of the
    /// folder say (`found`). Settings are compared by meaning: comments, order and notation do not matter.
    pub(super) fn of(
        root: &Path,
        began: Option<Began>,
        found: &RunInfo,
        now: &RunInfo,
    ) -> Result<Self, TrainError> {
        let began = began.map_or_else(|| found.clone(), Began::into_info);
        began.check_inputs(root, &found.inputs)?;
        found.check_inputs(root, &now.inputs)?;
        let mut changes: Vec<Change> = of_run("seed", &began.seed, &now.seed).into_iter().collect();
        changes.extend(of_run("preset", &quoted(&began.preset), &quoted(&found.preset)));
        changes.extend(of_settings(&began.config, &now.config, Side::Both));
        let mut stale: Vec<Change> = of_run("seed", &now.seed, &found.seed).into_iter().collect();
        stale.extend(of_settings(&now.config, &found.config, Side::New));
        Ok(Self { changes, stale })
    }

    /// The error about them, if there are any.
    pub(super) fn refuse(&self, root: &Path) -> Result<(), TrainError> {
        let known = |stale: &&Change| self.changes.iter().any(|change| change.field == stale.field);
        let told: Vec<&Change> =
            self.changes.iter().chain(self.stale.iter().filter(|stale| !known(stale))).collect();
        if told.is_empty() { Ok(()) } else { Err(refusal(root, &told)) }
    }
}

/// What differs in a field of `run.json`.
fn of_run(field: &str, before: &dyn ToString, now: &dyn ToString) -> Option<Change> {
    let (before, now) = (before.to_string(), now.to_string());
    let change = || Change {
        file: RUN,
        field: field.to_owned(),
        before: Some(before.clone()),
        now: Some(now.clone()),
    };
    (before != now).then(change)
}

const RUN: &str = "run.json";
const CONFIG: &str = "config.toml";
/// The key by which a file of settings names what it extends: no setting.
const EXTENDS: &str = "extends";

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// Which settings are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Side {
    /// Those of either text.
    Both,
    /// Those of the new text: what a file leaves out has its default.
    New,
}

/// What differs between two texts of `config.toml`; texts that are no TOML are compared as they are.
fn of_settings(before: &str, now: &str, side: Side) -> Vec<Change> {
    let mut changes = Vec::new();
    match (before.parse::<Table>(), now.parse::<Table>()) {
        (Ok(before), Ok(mut now)) => {
            if side == Side::New && !before.contains_key(EXTENDS) {
                now.remove(EXTENDS);
            }
            tables("", &before, &now, side, &mut changes);
        }
        _ if before == now => {}
        _ => changes.push(change("the text", Some(quoted(before)), Some(quoted(now)))),
    }
    changes
}

fn change(field: &str, before: Option<String>, now: Option<String>) -> Change {
    Change { file: CONFIG, field: field.to_owned(), before, now }
}

fn tables(path: &str, before: &Table, now: &Table, side: Side, changes: &mut Vec<Change>) {
    let place = |key: &String| if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
    for (key, value) in now {
        match before.get(key) {
            Some(old) => values(&place(key), old, value, side, changes),
            None => changes.push(change(&place(key), None, Some(value.to_string()))),
        }
    }
    for (key, old) in before.iter().filter(|(key, _)| side == Side::Both && !now.contains_key(*key)) {
        changes.push(change(&place(key), Some(old.to_string()), None));
    }
}

fn values(path: &str, before: &Value, now: &Value, side: Side, changes: &mut Vec<Change>) {
    match (before, now) {
        (Value::Table(before), Value::Table(now)) => tables(path, before, now, side, changes),
        (Value::Array(before), Value::Array(now)) if before.len() == now.len() => {
            for (i, (before, now)) in before.iter().zip(now).enumerate() {
                values(&format!("{path}[{i}]"), before, now, side, changes);
            }
        }
        (before, now) if same(before, now) => {}
        (before, now) => changes.push(change(path, Some(before.to_string()), Some(now.to_string()))),
    }
}

/// Whether two values mean the same: `1` is `1.0` where a setting is a real number.
fn same(before: &Value, now: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::Integer(whole) => Some(*whole as f64),
        Value::Float(real) => Some(*real),
        _ => None,
    };
    match (before, now) {
        (Value::Integer(before), Value::Integer(now)) => before == now,
        _ => match (number(before), number(now)) {
            (Some(before), Some(now)) => before.total_cmp(&now).is_eq() || (before == 0.0 && now == 0.0),
            _ => before == now,
        },
    }
}

/// The error about settings that changed, and what to do.
fn refusal(root: &Path, changes: &[&Change]) -> TrainError {
    /// So many are told.
    const MOST: usize = 6;
    let told = |(i, change): (usize, &&Change)| {
        let new_file = i == 0 || changes[i - 1].file != change.file;
        if new_file { format!("{}: {change}", root.join(change.file).display()) } else { change.to_string() }
    };
    let listed: Vec<String> = changes.iter().enumerate().take(MOST).map(told).collect();
    let more = match changes.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    TrainError::invalid(format!(
        "{}{more}: restore what it began with, start a new run in another folder, or continue with the change on \
         purpose (--take-changes; in Rust, Changes::Take)",
        listed.join("; ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(before: &str, now: &str) -> Vec<String> {
        of_settings(before, now, Side::Both).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn settings_are_compared_by_meaning() {
        let text = "lr = 0.1\nn = 3\n[a]\nb = [1, 2]\nc = { d = \"x\" }\nz = 0.0\n";
        let same = "# a comment\nn = 3 # more\na.c.d = 'x'\na.b = [\n 1,\n 2 ]\na.z = -0.0\nlr = 1e-1\n";
        assert!(changed(text, same).is_empty(), "{:?}", changed(text, same));
        assert!(changed("t = 1", "t = 1.0").is_empty() && changed("t = nan", "t = nan").is_empty());
    }

    #[test]
    fn every_kind_of_change_is_named_with_both_values() {
        let cases = [
            ("lr = 0.1", "lr = 0.2", "lr = 0.2, but the run began with 0.1"),
            ("a.b = [1, 2]", "a.b = [1, 3]", "a.b[1] = 3, but the run began with 2"),
            ("a.b = [1, 2]", "a.b = [1]", "a.b = [1], but the run began with [1, 2]"),
            ("a.b = [{ c = 1 }]", "a.b = [{ c = true }]", "a.b[0].c = true, but the run began with 1"),
            ("", "x = 1", "x = 1, but the run began without it"),
            ("x = 1", "", "x is missing, but the run began with 1"),
            ("x = 'a'", "x = 'b'", "x = \"b\", but the run began with \"a\""),
            ("x = true", "x = 'true'", "x = \"true\", but the run began with true"),
            ("x = 9007199254740992", "x = 9007199254740993", "x = 9007199254740993"),
        ];
        for (before, now, wanted) in cases {
            let found = changed(before, now);
            assert!(found.len() == 1 && found[0].starts_with(wanted), "{before} to {now}: {found:?}");
        }
        let long = changed("x = ''", &format!("x = '{}'", "é".repeat(500)));
        assert!(long[0].len() < 250, "{long:?}");
        let line = "a line\\n".repeat(100);
        let texts = ["x", "y"].map(|end| format!("x = \"{line}{end}\""));
        let long = changed(&texts[0], &texts[1]);
        let wanted = "line\\na line\\na line\\ny";
        assert!(long[0].contains(wanted) && !long[0].contains('\n') && long[0].len() < 250, "{long:?}");
    }

    #[test]
    fn what_a_file_leaves_out_or_extends_is_no_change() {
        let now = "lr = 0.1\n[a]\nb = 2\n";
        assert!(of_settings(now, "extends = \"quick\"\nlr = 0.1\n", Side::New).is_empty());
        assert_eq!(of_settings(now, "lr = 0.1\na.c = 1", Side::New)[0].field, "a.c");
    }

    #[test]
    fn a_refusal_names_files_fields_and_remedies() {
        let changes: Vec<Change> =
            (0..8).map(|i| change(&format!("x{i}"), Some("1".to_owned()), Some("2".to_owned()))).collect();
        let error = refusal(Path::new("run"), &changes.iter().collect::<Vec<_>>()).to_string();
        assert!(error.starts_with("run/config.toml: x0 = 2, but the run began with 1; x1 = 2, "), "{error}");
        assert!(error.contains("; and 2 more: restore") && error.contains("--take-changes"), "{error}");
    }
}
