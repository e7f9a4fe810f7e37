//! Texts to calls to verdicts.
use crate::conform::rows;
use crate::conform::tally::{Ours, Tally};
use serde_json::Value;
use sparring::bfcl::{Checker, DecodeError, PyValue, Relevance, decode};
use sparring::core::BoxError;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::{fmt, fs};

/// An entry of the benchmark: its functions and its possible answer.
struct Entry {
    functions: Vec<Value>,
    gold: Vec<Value>,
}

/// Agreement of all rows, and how many of each return format agree.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    rows: Tally,
    formats: BTreeMap<String, (usize, usize)>,
}

impl Compared {
    /// Whether every verdict agrees, and there is one.
    pub(crate) fn agrees(&self) -> bool {
        self.rows.agrees()
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (format, (agree, rows)) in &self.formats {
            writeln!(f, "{format}: decoded values and verdicts agree {agree} of {rows}")?;
        }
        write!(f, "{}", self.rows)
    }
}

/// Compares the rows of a file: what is decoded, and the verdict on it. Their functions and golds are in the
/// benchmark's folder.
pub(crate) fn compare(file: &Path, benchmark: &Path) -> Result<Compared, BoxError> {
    let entries = entries(benchmark)?;
    let mut compared = Compared::default();
    for row in rows::read(file)? {
        let row = row?;
        let id = rows::text(&row, "entry_id");
        let entry = entries.get(id).ok_or_else(|| format!("{}: no entry {id}", benchmark.display()))?;
        let decoded = decoded(&row)?;
        let (same_decoding, explanation) = same_decoding(&row, &decoded);
        let ours = verdict(&row, entry, &decoded);
        let same_valid = row["valid"].as_bool().unwrap_or(false) == ours.valid;
        let same = same_decoding && same_valid && row["error_type"].as_str() == ours.error_type.as_deref();
        let explain = || format!("{explanation}; recorded {}, ours {ours:?}", row["error_type"]);
        compared.rows.count(&row, same_valid, same, explain);
        let format = compared.formats.entry(rows::text(&row, "return_format").to_owned()).or_default();
        *format = (format.0 + usize::from(same), format.1 + 1);
    }
    Ok(compared)
}

fn verdict(row: &Value, entry: &Entry, decoded: &Result<PyValue, DecodeError>) -> Ours {
    match decoded {
        Ok(output) => {
            let verdict =
                Checker::of(rows::text(row, "category")).judge(&entry.functions, &entry.gold, output);
            let error_type = verdict.error_type().map(str::to_owned);
            Ours { valid: verdict.is_valid(), error_type, explanation: verdict.to_string() }
        }
        Err(error) => {
            let error_type = Some("ast_decoder:decoder_failed".to_owned());
            Ours { valid: false, error_type, explanation: error.to_string() }
        }
    }
}

/// A corner case of decoding, and what the relevance categories make of it.
pub(crate) fn edge(row: &Value, tally: &mut Tally) -> Result<(), BoxError> {
    let decoded = decoded(row)?;
    let (same, explanation) = same_decoding(row, &decoded);
    let judged = [("irrelevance_valid", Relevance::Irrelevant), ("relevance_valid", Relevance::Relevant)];
    let relevant = judged
        .iter()
        .all(|(key, category)| row[*key].as_bool() == Some(category.judge(decoded.as_ref().ok()).is_ok()));
    tally.count(row, same && relevant, same && relevant, || explanation);
    Ok(())
}

fn decoded(row: &Value) -> Result<Result<PyValue, DecodeError>, BoxError> {
    let format = rows::text(row, "return_format").parse()?;
    Ok(decode(rows::text(row, "raw"), format, row["has_tool_call_tag"] == true))
}

/// Whether we decode as recorded, to the value or to the kind of exception; and both, for people.
fn same_decoding(row: &Value, ours: &Result<PyValue, DecodeError>) -> (bool, String) {
    let recorded = row["decode_error"].as_str();
    let same = match (ours, recorded) {
        (Ok(ours), None) => same_value(ours, &row["decoded"]),
        // Some rows have the message after the name.
        (Err(error), Some(recorded)) => recorded.split(':').next() == Some(error.exception().name()),
        _ => false,
    };
    let ours = ours.as_ref().map_or_else(ToString::to_string, ToString::to_string);
    (same, format!("recorded {}, ours {ours}", recorded.unwrap_or(&row["decoded"].to_string())))
}

/// Equal in value, type and order, but for what a record cannot say: a key that is no text, and values that it
/// gives by their `repr`.
fn same_value(ours: &PyValue, recorded: &Value) -> bool {
    match (ours, recorded) {
        (PyValue::List(ours), Value::Array(recorded)) => same_items(ours, recorded),
        (PyValue::Dict(ours), Value::Object(recorded)) => {
            ours.len() == recorded.len()
                && ours.iter().zip(recorded).all(|((our_key, ours), (key, recorded))| {
                    let same_key = match our_key {
                        PyValue::Str(text) => text == key,
                        other => other.to_string() == *key,
                    };
                    same_key && same_value(ours, recorded)
                })
        }
        (PyValue::Tuple(ours), Value::Object(tag)) => {
            tag.get("__tuple__").and_then(Value::as_array).is_some_and(|recorded| same_items(ours, recorded))
        }
        (PyValue::Float(_), Value::Object(tag)) => {
            tag.get("__float__").and_then(Value::as_str) == Some(ours.to_string().as_str())
        }
        (PyValue::Other { repr, .. }, Value::Object(tag)) => {
            tag.get("__repr__").and_then(Value::as_str) == Some(repr)
        }
        // Integers beyond 64 bits are floats to the reader of the record.
        (PyValue::BigInt(ours), Value::Number(recorded)) => {
            ours.to_string().parse().ok() == recorded.as_f64()
        }
        (ours, recorded) => *ours == PyValue::from_json(recorded),
    }
}

fn same_items(ours: &[PyValue], recorded: &[Value]) -> bool {
    ours.len() == recorded.len()
        && ours.iter().zip(recorded).all(|(ours, recorded)| same_value(ours, recorded))
}

/// The entries of the benchmark's question files that have a possible answer.
fn entries(benchmark: &Path) -> Result<HashMap<String, Entry>, BoxError> {
    let mut entries = HashMap::new();
    let folder = benchmark.join("possible_answer");
    let files = fs::read_dir(&folder)
        .map_err(|error| format!("{}: {error}; name the benchmark's folder with --data", folder.display()))?;
    for answers in files {
        let answers = answers?.path();
        let questions = benchmark.join(answers.file_name().unwrap_or_default());
        let mut golds = HashMap::new();
        for answer in rows::read(&answers)? {
            let answer = answer?;
            if let Some(gold) = answer["ground_truth"].as_array() {
                golds.insert(rows::text(&answer, "id").to_owned(), gold.clone());
            }
        }
        for question in rows::read(&questions)? {
            let question = question?;
            let id = rows::text(&question, "id");
            if let (Some(functions), Some(gold)) = (question["function"].as_array(), golds.remove(id)) {
                entries.insert(id.to_owned(), Entry { functions: functions.clone(), gold });
            }
        }
    }
    Ok(entries)
}
