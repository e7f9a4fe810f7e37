//! Our verdicts beside recorded ones of the official code.
//!
//! ```sh
//! cargo run --release --example conformance -- ast bfcl_differential.jsonl.gz            # BFCL's AST checker
//! cargo run --release --example conformance -- decode bfcl_decode_differential.jsonl.gz  # from the text on
//! cargo run --release --example conformance -- edge bfcl_edge_cases.jsonl.gz             # corner cases of both
//! cargo run --release --example conformance -- parse toolparse_edge_cases.jsonl.gz       # texts of eight families
//! ```
//!
//! A row is one check, with the verdict that the official code gave. The program says how many agree, lists
//! those that do not, and fails if a verdict differs. For `parse` the rows hold what a server's parsers read:
//! there it fails if a text reads differently in pieces than whole, and lists where our reading is another one.

mod ast;
mod decode;
mod edge;
mod parse;
mod rows;
mod tally;

use clap::{Parser, Subcommand};
use rows::BoxError;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tally::Tally;

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
    /// Texts against possible answers: entry_id, return_format, raw, decoded, valid, error_type.
    Decode {
        /// JSON lines, gzipped or not.
        file: PathBuf,
        /// Folder of the benchmark's questions, with `possible_answer` in it
        /// [default: ../benchmarks/bfcl beside the file's folder].
        #[arg(long)]
        data: Option<PathBuf>,
    },
    /// Texts against what a server's parsers read: format, raw, sglang_oneshot.
    Parse {
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
    match run(&Args::parse().what, &mut std::io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Compares, reports, and says whether all agrees.
fn run(what: &What, out: &mut dyn Write) -> Result<bool, BoxError> {
    match what {
        What::Ast { file } => {
            let tally = ast::compare(file)?;
            write!(out, "{tally}")?;
            Ok(tally.agrees())
        }
        What::Edge { file } => {
            let tally = edge::compare(file)?;
            write!(out, "{tally}")?;
            Ok(tally.agrees())
        }
        What::Parse { file } => {
            let parses = parse::compare(file)?;
            write!(out, "{parses}")?;
            Ok(parses.agrees())
        }
        What::Decode { file, data } => {
            let beside = || file.parent().unwrap_or(Path::new("")).join("../benchmarks/bfcl");
            let tallies = decode::compare(file, &data.clone().unwrap_or_else(beside))?;
            for (format, tally) in &tallies {
                writeln!(out, "== {format}")?;
                write!(out, "{tally}")?;
            }
            let total = tallies.values().fold(Tally::default(), Tally::and);
            writeln!(out, "== all return formats")?;
            write!(out, "{total}")?;
            Ok(total.agrees())
        }
    }
}
