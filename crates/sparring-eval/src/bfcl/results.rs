//! Result files in the layout of `bfcl-eval`: `result/MODEL/GROUP/BFCL_v4_CATEGORY_result.json`, and without GROUP for
//! data of v3.

use super::Version;
use crate::files::write_atomically;
use crate::{Answer, Benchmark, EvalError, Expected};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Writes the raw answers to a BFCL benchmark under `dir/result/MODEL/`, one file per category, for the official
/// `bfcl evaluate --model MODEL --test-category ...`. Returns the files.
///
/// Layout, names and ids are those of the data's version, and need the official program of the same version. A line is
/// `{"id", "result", "input_token_count", "output_token_count", "latency"}`.
///
/// * `result` is the model's text. The official program decodes it with the handler of MODEL, so MODEL must be a name
///   that it knows, with a handler that reads the format of the answers (any prompting model's, for BFCL's own format).
/// * A slash in MODEL becomes `_`, as in the official program.
/// * Items without an answer are left out; the official program then needs `--partial-eval`.
/// * Input tokens and latency are not measured and written as 0. They do not affect accuracies.
///
/// # Errors
/// [`EvalError::Io`] names the file; [`EvalError::Invalid`] if MODEL cannot be a folder name.
pub fn write_results(
    dir: &Path,
    model: &str,
    benchmark: &Benchmark,
    answers: &BTreeMap<String, Answer>,
) -> Result<Vec<PathBuf>, EvalError> {
    let name = model.replace('/', "_");
    if ["", ".", ".."].contains(&name.trim()) {
        return Err(EvalError::invalid(format!(
            "a model named {model:?} cannot have a folder of result files"
        )));
    }
    let root = dir.join("result").join(name);
    let mut files: BTreeMap<PathBuf, String> = BTreeMap::new();
    for item in &benchmark.items {
        if let (Expected::Bfcl(entry), Some(answer)) = (&item.expected, answers.get(&item.id)) {
            let line = json!({
                "id": item.id,
                "result": answer.text,
                "input_token_count": 0,
                "output_token_count": answer.tokens,
                "latency": 0,
            });
            let folder = match entry.version {
                Version::V3 => root.clone(),
                Version::V4 => root.join(entry.category.group()),
            };
            let name = format!("{}_result.json", entry.category.stem(entry.version));
            let text = files.entry(folder.join(name)).or_default();
            text.push_str(&line.to_string());
            text.push('\n');
        }
    }
    for (path, text) in &files {
        write_atomically(path, text.as_bytes())?;
    }
    Ok(files.into_keys().collect())
}
