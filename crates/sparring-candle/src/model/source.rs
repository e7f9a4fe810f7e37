//! Opening the files of a model: regular ones only.

use sparring_core::PolicyError;
use std::fs::{self, File, FileType, Metadata};
use std::io::{ErrorKind, Read};
use std::path::Path;

/// Longest `tokenizer.json` that is read; published ones have up to 40 MB.
pub(crate) const LONGEST_TOKENIZER: u64 = 256 << 20;
/// Longest text of any other kind that is read. An index has some 100 bytes for each tensor.
pub(crate) const LONGEST_TEXT: u64 = 64 << 20;

/// Opens a file, and returns its length; `why` is said where it does not exist. Symbolic links are followed, as the
/// cache of the Hugging Face Hub needs. Pipes and devices are refused before they are opened, since opening a pipe
/// waits for a writer, and a device may have no end.
pub(crate) fn open(path: &Path, why: &str) -> Result<(File, u64), PolicyError> {
    check_kind(path, &fs::metadata(path).map_err(|error| unread(path, why, error))?)?;
    let file = File::open(path).map_err(|error| unread(path, why, error))?;
    let found = file.metadata().map_err(|error| PolicyError::io(path, error))?;
    check_kind(path, &found)?;
    Ok((file, found.len()))
}

/// Reads a file of at most `longest` bytes as text; `why` is said where it does not exist.
pub(crate) fn read_text(path: &Path, why: &str, longest: u64) -> Result<String, PolicyError> {
    let (file, len) = open(path, why)?;
    let mut bytes = Vec::new();
    // The length may be wrong or change.
    if len <= longest {
        file.take(longest + 1).read_to_end(&mut bytes).map_err(|error| PolicyError::io(path, error))?;
    }
    if len > longest || bytes.len() as u64 > longest {
        return Err(PolicyError::invalid(format!(
            "{}: longer than {} MiB, and so not a file of this name from a model; copy it again",
            path.display(),
            longest >> 20
        )));
    }
    String::from_utf8(bytes).map_err(|_| {
        PolicyError::invalid(format!(
            "{}: not UTF-8 text; the file is damaged: copy it again",
            path.display()
        ))
    })
}

fn check_kind(path: &Path, found: &Metadata) -> Result<(), PolicyError> {
    if found.is_file() {
        return Ok(());
    }
    Err(PolicyError::invalid(format!(
        "{}: {}, and not a regular file; put the model's own file there",
        path.display(),
        kind(found.file_type())
    )))
}

#[cfg(unix)]
fn kind(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match kind {
        _ if kind.is_dir() => "a folder",
        _ if kind.is_fifo() => "a pipe",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

#[cfg(not(unix))]
fn kind(kind: FileType) -> &'static str {
    if kind.is_dir() { "a folder" } else { "a device" }
}

/// An error with this text, in which names and values of a file stand as they are in it: without its control
/// characters, and without the middle of what is very long.
pub(crate) fn invalid(text: &str) -> PolicyError {
    const LONGEST: usize = 2000;
    let mut shown = String::with_capacity(text.len().min(LONGEST));
    let count = text.chars().count();
    for (i, c) in text.chars().enumerate() {
        match c {
            _ if count > LONGEST && i == LONGEST / 2 => shown.push_str(" … "),
            _ if count > LONGEST && (LONGEST / 2..count - LONGEST / 2).contains(&i) => {}
            c if c.is_control() => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    PolicyError::invalid(shown)
}

/// What to say of a file that could not be read; `why` where it does not exist.
fn unread(path: &Path, why: &str, error: std::io::Error) -> PolicyError {
    match error.kind() {
        ErrorKind::NotFound => PolicyError::invalid(format!("{}: not found; {why}", path.display())),
        _ => PolicyError::io(path, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_of_bounded_length() {
        assert_eq!(invalid("x: \"é\\n\n\0\u{85}\"").to_string(), "x: \"é\\n\\n\\u{0}\\u{85}\"");
        let long = invalid(&format!("a{}z", "é".repeat(5000))).to_string();
        // 1000, the mark, and 1000.
        assert_eq!(long.chars().count(), 1000 + 3 + 1000);
        assert!(long.starts_with("aé") && long.contains("é … é") && long.ends_with("éz"));
    }
}
