//! Atomic writes: a file is either whole or absent.

use sparring_core::PolicyError;
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Writes `dir/name` under a temporary name and renames it, so a crash leaves the old file or the new one.
///
/// # Errors
/// [`PolicyError::Io`] names the file.
pub(crate) fn write_atomically(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), PolicyError> {
    create_atomically(dir, name, |temporary| fs::write(temporary, bytes))
}

/// Calls `write` with a file under a temporary name, then renames it to `dir/name`.
///
/// # Errors
/// [`PolicyError::Io`] names the file.
pub(crate) fn create_atomically(
    dir: &Path,
    name: &str,
    write: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<(), PolicyError> {
    let temporary = dir.join(format!(".{name}.partial"));
    let path = dir.join(name);
    // What a killed run left there may be a link by now, which writing would follow.
    let _ = fs::remove_file(&temporary);
    let finish = || File::open(&temporary)?.sync_all();
    let written = write(&temporary).and_then(|()| finish()).map_err(|error| PolicyError::io(&path, error));
    written.and_then(|()| rename_durably(&temporary, &path)).inspect_err(|_| {
        // The error that matters is the first one.
        let _ = fs::remove_file(&temporary);
    })
}

/// Renames a file within its folder, durably. Its content must be durable already.
///
/// # Errors
/// [`PolicyError::Io`] names the file.
pub(crate) fn rename_durably(temporary: &Path, path: &Path) -> Result<(), PolicyError> {
    fs::rename(temporary, path).map_err(|error| PolicyError::io(path, error))?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Makes renames within a folder durable.
#[cfg(unix)]
fn sync_folder(dir: &Path) -> Result<(), PolicyError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(|error| PolicyError::io(dir, error))
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> Result<(), PolicyError> {
    Ok(())
}

/// Creates a folder and its parents.
///
/// # Errors
/// [`PolicyError::Io`] names the folder.
pub(crate) fn create_folder(dir: &Path) -> Result<(), PolicyError> {
    fs::create_dir_all(dir).map_err(|error| PolicyError::io(dir, error))
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_link_under_the_temporary_name_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("precious");
        fs::write(&target, "kept").unwrap();
        std::os::unix::fs::symlink(&target, dir.path().join(".new.partial")).unwrap();
        write_atomically(dir.path(), "new", b"text").unwrap();
        assert_eq!(fs::read(dir.path().join("new")).unwrap(), b"text");
        assert_eq!(fs::read(&target).unwrap(), b"kept");
    }
}
