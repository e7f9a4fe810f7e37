//! The examples are the files beside this one; each says on top how it is run.
#![forbid(unsafe_code)]

use sparring::core::{BoxError, one_line};
use std::process::ExitCode;

/// The exit code of a program; an error is printed as one line.
pub fn exit_code(outcome: Result<(), BoxError>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", one_line(&*error));
            ExitCode::FAILURE
        }
    }
}
