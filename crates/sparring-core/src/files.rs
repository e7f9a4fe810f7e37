//! Files as programs should treat them: reading is bounded, and writing follows no links.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// The environment variable that raises the limit of [`read_text`], in MiB.
pub const LIMIT_VARIABLE: &str = "SPARRING_MAX_FILE_MIB";

/// The limit without that variable, in MiB.
pub const DEFAULT_LIMIT_MIB: u64 = 512;

/// Why a file cannot be used. The message does not name the file: its caller knows the path.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// There is more in it than is read.
    #[error(
        "holds more than {mib} MiB, once decompressed; if that is meant, set the environment variable \
         {LIMIT_VARIABLE} to a larger number of MiB"
    )]
    TooLarge {
        /// The limit.
        mib: u64,
    },
    /// The limit in the environment is not a number.
    #[error("{LIMIT_VARIABLE} = {value}: must be a whole number of MiB, at least 1")]
    Limit {
        /// The variable's value.
        value: String,
    },
    /// It is not text.
    #[error("line {line}: byte {byte} of the file is not UTF-8; the file must be UTF-8 text")]
    NotUtf8 {
        /// Line, from 1.
        line: usize,
        /// Offset of the first wrong byte, from 0.
        byte: usize,
    },
    /// What has its name is no file of its own.
    #[error("{what}, which is not written to: remove it, or choose another folder")]
    Foreign {
        /// What it is.
        what: &'static str,
    },
    /// It could not be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads text, without the byte order mark that some editors write in front. The caller decompresses, so that the limit
/// holds for what comes out.
///
/// # Errors
/// [`FileError::TooLarge`] beyond the limit, [`FileError::NotUtf8`] with the place, [`FileError::Io`].
pub fn read_text(source: impl Read) -> Result<String, FileError> {
    read_text_within(source, limit()?)
}

fn read_text_within(source: impl Read, mib: u64) -> Result<String, FileError> {
    let limit = mib.saturating_mul(1 << 20);
    let mut bytes = Vec::new();
    source.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(FileError::TooLarge { mib });
    }
    text(bytes)
}

/// The text of these bytes, without a byte order mark.
///
/// # Errors
/// [`FileError::NotUtf8`] with the place.
pub fn text(bytes: Vec<u8>) -> Result<String, FileError> {
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let byte = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..byte].split(|byte| *byte == b'\n').count();
        FileError::NotUtf8 { line, byte }
    })?;
    if text.starts_with(MARK) {
        text.drain(..MARK.len_utf8());
    }
    Ok(text)
}

/// The byte order mark.
const MARK: char = '\u{feff}';

/// `text` without the byte order mark that some editors write in front.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix(MARK).unwrap_or(text)
}

fn limit() -> Result<u64, FileError> {
    match std::env::var_os(LIMIT_VARIABLE) {
        None => Ok(DEFAULT_LIMIT_MIB),
        Some(value) => parse_limit(&value.to_string_lossy()),
    }
}

fn parse_limit(value: &str) -> Result<u64, FileError> {
    let parsed = value.trim().parse().ok().filter(|mib| *mib > 0);
    parsed.ok_or_else(|| FileError::Limit { value: value.to_owned() })
}

/// Opens a file that belongs to its folder with these options, and makes it where it is missing. A symbolic link, a
/// pipe or a device of that name is refused: whoever may write into the folder could otherwise direct the writes
/// anywhere. Options must not truncate, which would happen before the file is looked at.
///
/// # Errors
/// [`FileError::Foreign`], [`FileError::Io`].
pub fn open_own(path: &Path, options: &OpenOptions) -> Result<File, FileError> {
    let Some(found) = own(path)? else {
        // Exclusive: fails rather than follow a link that was made meanwhile.
        return Ok(options.clone().create_new(true).open(path)?);
    };
    let file = options.clone().create(false).open(path)?;
    if same(&found, &file.metadata()?) { Ok(file) } else { Err(FileError::Foreign { what: REPLACED }) }
}

/// Makes a file for writing; one of that name is removed, and a link is removed rather than followed.
///
/// # Errors
/// [`FileError::Io`].
pub fn create_own(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// Checks that `path`, if it exists, is a folder and no link to one.
///
/// # Errors
/// [`FileError::Foreign`], [`FileError::Io`].
pub fn check_own_folder(path: &Path) -> Result<(), FileError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => Err(FileError::Foreign { what: LINK }),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

const LINK: &str = "is a symbolic link";
const REPLACED: &str = "was replaced while it was opened";

/// The file of this name, which is no link, pipe, device or folder; `None` where there is none.
fn own(path: &Path) -> Result<Option<fs::Metadata>, FileError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
        Ok(found) if found.is_file() => Ok(Some(found)),
        Ok(found) => Err(FileError::Foreign {
            what: if found.is_symlink() {
                LINK
            } else if found.is_dir() {
                "is a folder"
            } else {
                "is a pipe, a socket or a device"
            },
        }),
    }
}

#[cfg(unix)]
fn same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn same(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_no_mark_and_wrong_bytes_have_a_place() {
        assert_eq!(read_text(&b"\xef\xbb\xbfa\n"[..]).unwrap(), "a\n");
        assert_eq!(without_mark("\u{feff}a"), "a");
        let error = read_text(&b"a\nb\xff"[..]).unwrap_err().to_string();
        assert!(error.starts_with("line 2: byte 3 of the file is not UTF-8; "), "{error}");
    }

    #[test]
    fn reading_ends_at_the_limit_and_says_how_to_raise_it() {
        assert_eq!(read_text_within(io::repeat(b'a').take(1 << 20), 1).unwrap().len(), 1 << 20);
        let error = read_text_within(io::repeat(b'a'), 1).unwrap_err().to_string();
        assert!(error.contains("more than 1 MiB") && error.contains(LIMIT_VARIABLE), "{error}");
        assert_eq!(parse_limit(" 7 ").unwrap(), 7);
        for wrong in ["0", "-1", "x", ""] {
            let error = parse_limit(wrong).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{LIMIT_VARIABLE} = {wrong}: must be")), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_written_through_a_link() {
        use std::io::Write;
        let dir = std::env::temp_dir().join(format!("sparring-links-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let (victim, link, dangling) = (dir.join("victim"), dir.join("link"), dir.join("dangling"));
        fs::write(&victim, "kept").unwrap();
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        std::os::unix::fs::symlink(dir.join("absent"), &dangling).unwrap();
        let append = OpenOptions::new().append(true).clone();
        for path in [&link, &dangling] {
            let error = open_own(path, &append).unwrap_err().to_string();
            assert!(error.starts_with("is a symbolic link, which is not written to"), "{error}");
            assert!(check_own_folder(path).is_err());
        }
        assert!(open_own(&dir, &append).unwrap_err().to_string().starts_with("is a folder"));
        check_own_folder(&dir).unwrap();
        create_own(&link).unwrap().write_all(b"own").unwrap();
        open_own(&link, &append).unwrap().write_all(b", longer").unwrap();
        assert_eq!(fs::read_to_string(&link).unwrap(), "own, longer");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "kept");
        assert!(!dir.join("absent").exists());
        fs::remove_dir_all(&dir).unwrap();
    }
}
