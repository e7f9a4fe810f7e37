//! Our verdicts beside recorded ones of the official code.
//!
//! ```sh
//! cargo run --release --example conformance -- ast bfcl_differential.jsonl.gz     # BFCL's AST checker
//! cargo run --release --example conformance -- edge bfcl_edge_cases.jsonl.gz      # its corner cases
//! ```
//!
//! A row is one check, with the verdict that the official code gave. The program says how many agree, lists
//! those that do not, and fails if a verdict differs.

mod ast;
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
    /// Corner cases of several stages.
    Edge {
        /// JSON lines, gzipped or not.
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    let compared = match &Args::parse().what {
        What::Ast { file } => ast::compare(file),
        What::Edge { file } => edge::compare(file),
    };
    let mut out = std::io::stdout().lock();
    match compared.and_then(|tally| write!(out, "{tally}").map(|()| tally.agrees()).map_err(Into::into)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
