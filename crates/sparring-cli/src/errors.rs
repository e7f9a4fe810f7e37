//! A wrong command line as one line that says what, where, and what to do.

use clap::error::ErrorKind;
use sparring::core::BoxError;

/// The error; `--help` and `--version` print and end the program.
pub(crate) fn usage(error: &clap::Error) -> BoxError {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        error.exit();
    }
    let text = error.render().to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    let first = first.trim().trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{first} (--help lists the options)").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Args;
    use clap::Parser;

    #[test]
    fn a_wrong_command_line_is_one_line() {
        for arguments in [
            &["sparring", "--nope"][..],
            &["sparring", "play", "--seed", "x"],
            &["sparring", "play", "--resume"],
        ] {
            let error = usage(&Args::try_parse_from(arguments).unwrap_err()).to_string();
            assert!(!error.contains('\n') && !error.starts_with("error"), "{error}");
        }
    }
}
