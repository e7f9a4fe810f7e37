//! Errors as one line that says what is wrong, where, and what to do.

use clap::error::ErrorKind;
use sparring::core::BoxError;
use sparring::core::files::{FileError, read_text as read_limited};
use std::fs::File;
use std::path::Path;

/// A wrong command line; `--help`, `--version` and a missing command print and end the program.
pub(crate) fn usage(error: &clap::Error) -> BoxError {
    let help = ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if [ErrorKind::DisplayHelp, ErrorKind::DisplayVersion, help].contains(&error.kind()) {
        error.exit();
    }
    let text = error.render().to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    let first = first.trim().trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ");
    if error.kind() == ErrorKind::ArgumentConflict && first.contains("--resume") {
        let remedy = "a resumed run continues as it began: leave the other option out, or start a new run without \
                      --resume";
        return format!("{first}; {remedy}").into();
    }
    format!("{first} (--help lists the options)").into()
}

/// What went wrong with a file or folder, with its path in front.
pub(crate) fn at<E: std::fmt::Display>(path: &Path) -> impl Fn(E) -> BoxError {
    move |error| format!("{}: {error}", path.display()).into()
}

/// The text of a file that `option` names.
pub(crate) fn read_text(path: &Path, option: &str) -> Result<String, BoxError> {
    let text = File::open(path).map_err(FileError::from).and_then(read_limited);
    text.map_err(|error| at(path)(format!("{error} (option {option})")))
}

/// The name that a file of settings gives to its run.
pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(|| "custom".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_command_line_is_one_line() {
        for arguments in [
            &["sparring", "--nope"][..],
            &["sparring", "play", "--seed", "x"],
            &["sparring", "play", "--resume"],
            &["sparring", "play", "--device", "gpu"],
            &["sparring", "train", "--player", "goalkeeper"],
        ] {
            let error = usage(&crate::read(arguments).unwrap_err()).to_string();
            assert!(!error.contains('\n') && !error.starts_with("error"), "{error}");
        }
    }

    #[test]
    fn a_wrong_number_says_what_is_meant() {
        for (words, wanted) in [
            ("play --seed -1", "a seed is a whole number from 0 to"),
            ("play --model m --lora 1000000000", "must be a rank from 1 to 16384"),
            ("train --preset x --tasks t --steps -5", "must be a whole number from 0"),
            ("train --preset x --tasks t --lr 1e400", "must be a finite number"),
            ("eval --threads 0", "must be a number of threads from 1"),
            ("pretrain --out x --seed 1.5", "a seed is a whole number"),
            ("play --resume r --lora 4", "leave the other option out, or start a new run"),
        ] {
            let words = ["sparring"].into_iter().chain(words.split(' '));
            let error = usage(&crate::read(words).unwrap_err()).to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }

    #[test]
    fn a_file_is_named() {
        let error = read_text(Path::new("none.toml"), "--config").unwrap_err().to_string();
        assert!(error.starts_with("none.toml: ") && error.ends_with("(option --config)"), "{error}");
    }
}
