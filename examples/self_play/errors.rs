//! Errors as one line that says what, where, and what to do.

use clap::error::ErrorKind;
use sparring::core::BoxError;
use std::error::Error;

/// The message and those of its causes that it does not hold already.
pub(crate) fn one_line(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A wrong command line as an error; `--help` and `--version` print and end the program.
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
    use crate::settings::Args;
    use clap::Parser;

    #[test]
    fn causes_are_told_once() {
        let inner = std::io::Error::other("disk gone");
        let outer = sparring::core::PolicyError::backend("saving", inner);
        assert_eq!(one_line(&outer), "model backend: saving: disk gone");
    }

    #[test]
    fn a_wrong_command_line_is_one_line() {
        for arguments in
            [&["self_play", "--nope"][..], &["self_play", "--seed", "x"], &["self_play", "--resume"]]
        {
            let error = usage(&Args::try_parse_from(arguments).unwrap_err()).to_string();
            assert!(!error.contains('\n') && !error.starts_with("error"), "{error}");
        }
    }
}
