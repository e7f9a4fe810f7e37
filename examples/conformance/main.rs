//! Our verdicts beside recorded ones of the official code.
//!
//! ```sh
//! cargo run --release --example conformance -- ast bfcl_differential.jsonl.gz     # BFCL's AST checker
//! cargo run --release --example conformance -- edge bfcl_edge_cases.jsonl.gz      # its corner cases
//! cargo run --release --example conformance --features tree-sitter -- \
//!     decode bfcl_decode_differential.jsonl.gz bfcl                               # texts, with the data's folder
//! ```
//!
//! A row is one check, with the verdict that the official code gave. The program says how many agree, lists
//! those that do not, and fails if a verdict differs.

mod ast;
mod decode;
mod edge;
mod rows;
mod tally;

use clap::{Parser, Subcommand};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Compares our verdicts with recorded ones.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Calls against possible answers: functions, gold, predicted, valid, error_type.
    Ast {
        /// JSON lines, gzipped or not.
        file: PathBuf,
    },
    /// Texts: raw, return_format, decoded or decode_error, and the verdict on what is decoded.
    Decode {
        /// JSON lines, gzipped or not.
        file: PathBuf,
        /// The folder with the benchmark's questions (`BFCL_v4_*.json`) and `possible_answer/`.
        benchmark: PathBuf,
    },
    /// Corner cases of several stages.
    Edge {
        /// JSON lines, gzipped or not.
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    let compared = match &Args::parse().what {
        What::Ast { file } => ast::compare(file).map(|tally| (tally.to_string(), tally.agrees())),
        What::Decode { file, benchmark } => {
            decode::compare(file, benchmark).map(|compared| (compared.to_string(), compared.agrees()))
        }
        What::Edge { file } => edge::compare(file).map(|tally| (tally.to_string(), tally.agrees())),
    };
    let mut out = std::io::stdout().lock();
    match compared.and_then(|(text, agrees)| write!(out, "{text}").map(|()| agrees).map_err(Into::into)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ast, edge};
    use serde_json::{Value, json};
    use std::path::PathBuf;

    fn row(found: i64, valid: bool) -> Value {
        let properties = json!({"x": {"type": "integer"}});
        let parameters = json!({"type": "dict", "required": ["x"], "properties": properties});
        json!({"id": "made", "stage": "ast_checker", "category": "simple_python", "language": "python",
            "model": "plain", "functions": [{"name": "f", "parameters": parameters}], "gold": [{"f": {"x": [1]}}],
            "predicted": [{"f": {"x": found}}], "valid": valid, "error_type": null})
    }

    fn file(folder: &tempfile::TempDir, rows: &[Value]) -> PathBuf {
        let path = folder.path().join("rows.jsonl");
        std::fs::write(&path, rows.iter().map(|row| format!("{row}\n")).collect::<String>()).unwrap();
        path
    }

    #[test]
    fn a_verdict_that_differs_is_listed_and_fails() {
        let folder = tempfile::tempdir().unwrap();
        let tally = ast::compare(&file(&folder, &[row(1, true), row(2, true)])).unwrap();
        assert!(!tally.agrees());
        let text = tally.to_string();
        assert!(text.contains("ours value_error:others: x: expected one of [1], found 2"), "{text}");
        assert!(text.ends_with("valid: agree 1 of 2\nerror_type: agree 1 of 2\n"), "{text}");
    }

    #[test]
    fn stages_without_a_counterpart_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let other = json!({"id": "other", "stage": "state_checker"});
        let tally = edge::compare(&file(&folder, &[row(1, true), other])).unwrap();
        assert!(tally.agrees() && tally.to_string().starts_with("not covered: 1 rows of state_checker\n"));
    }
}
