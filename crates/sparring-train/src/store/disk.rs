//! Every change to the run folder goes through here: each is atomic or harmless when cut short, and none follows a
//! symbolic link out of the folder.

use crate::TrainError;
use sparring_core::files::{self, FileError};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes a file under a temporary name beside it, flushes it to the disk, and renames it into place.
///
/// # Errors
/// [`TrainError::Io`] names the file.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let temporary = temporary_name(path);
    write_synced(&temporary, bytes)?;
    rename(&temporary, path)
}

/// Writes a file and flushes it to the disk.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let write = || {
        let mut file = files::create_own(path)?;
        if let Err(error) = fault::check() {
            // What a full disk leaves behind.
            file.write_all(&bytes[..bytes.len() / 2])?;
            return Err(error);
        }
        file.write_all(bytes)?;
        flush(&file)
    };
    write().map_err(|e| TrainError::io(path, e))
}

/// Renames a file or folder and makes the new name durable.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), TrainError> {
    fault::check().and_then(|()| fs::rename(from, to)).map_err(|e| TrainError::io(to, e))?;
    sync_folder(to.parent().unwrap_or(Path::new(".")))
}

/// Makes a folder and its parents.
pub(crate) fn create_folder(path: &Path) -> Result<(), TrainError> {
    fault::check().and_then(|()| fs::create_dir_all(path)).map_err(|e| TrainError::io(path, e))
}

/// Makes a folder of the run folder, which may not be a link to one elsewhere.
pub(crate) fn create_own_folder(path: &Path) -> Result<(), TrainError> {
    files::check_own_folder(path).map_err(|e| refused(path, e))?;
    create_folder(path)
}

/// Removes a folder and what is in it, if it is there.
pub(crate) fn remove_folder(path: &Path) -> Result<(), TrainError> {
    match fault::check().and_then(|()| fs::remove_dir_all(path)) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(|e| TrainError::io(path, e)),
    }
}

/// Reads a whole file; a pipe or a device is none.
///
/// # Errors
/// [`TrainError::Io`] and [`TrainError::Invalid`] name the file.
pub fn read(path: &Path) -> Result<Vec<u8>, TrainError> {
    let found = fs::metadata(path).map_err(|e| TrainError::io(path, e))?;
    if !(found.is_file() || found.is_dir()) {
        let what = "is a pipe, a socket or a device; put the run's file there";
        return Err(TrainError::invalid(format!("{}: {what}", path.display())));
    }
    fs::read(path).map_err(|e| TrainError::io(path, e))
}

/// Reads a text file of the run folder, without a byte order mark.
pub(crate) fn read_text(path: &Path) -> Result<String, TrainError> {
    files::text(read(path)?).map_err(|e| TrainError::damaged(path, e.to_string()))
}

/// Opens a file of the run folder, made where it is missing; a link is refused.
pub(crate) fn open_own(path: &Path, options: &OpenOptions) -> Result<File, TrainError> {
    files::open_own(path, options).map_err(|e| refused(path, e))
}

fn refused(path: &Path, error: FileError) -> TrainError {
    match error {
        FileError::Io(error) => TrainError::io(path, error),
        error => TrainError::invalid(format!("{}: {error}", path.display())),
    }
}

/// Opens a file to append to, made where it is missing, and cuts it to `length`, which it must reach.
pub(crate) fn open_append(path: &Path, length: u64) -> Result<File, TrainError> {
    fault::check().map_err(|e| TrainError::io(path, e))?;
    let file = open_own(path, OpenOptions::new().append(true))?;
    let cut = || {
        let found = file.metadata()?.len();
        if found > length {
            file.set_len(length)?;
            flush(&file)?;
        }
        Ok(found)
    };
    let found = cut().map_err(|e| TrainError::io(path, e))?;
    if found < length {
        return Err(short(path, found, length));
    }
    Ok(file)
}

/// Fails where a file is shorter than `length`.
pub(crate) fn at_least(path: &Path, length: u64) -> Result<(), TrainError> {
    match fs::metadata(path) {
        Ok(found) if found.len() >= length => Ok(()),
        Ok(found) => Err(short(path, found.len(), length)),
        Err(error) => Err(TrainError::io(path, error)),
    }
}

fn short(path: &Path, found: u64, length: u64) -> TrainError {
    TrainError::damaged(path, format!("it has {found} bytes where the checkpoint recorded {length}"))
}

/// Appends to an open file in one write.
pub(crate) fn append(path: &Path, file: &mut File, bytes: &[u8]) -> Result<(), TrainError> {
    fault::check().and_then(|()| file.write_all(bytes)).map_err(|e| TrainError::io(path, e))
}

/// Flushes an open file to the disk.
pub(crate) fn sync(path: &Path, file: &File) -> Result<(), TrainError> {
    fault::check().and_then(|()| flush(file)).map_err(|e| TrainError::io(path, e))
}

/// Flushes a file that something else wrote.
pub(crate) fn sync_file(path: &Path) -> Result<(), TrainError> {
    File::open(path).and_then(|f| flush(&f)).map_err(|e| TrainError::io(path, e))
}

/// Waits until the disk has it.
fn flush(file: &File) -> std::io::Result<()> {
    if fault::waits() { file.sync_all() } else { Ok(()) }
}

/// Every file below `folder`, by relative path, in sorted order.
pub(crate) fn files_below(folder: &Path) -> Result<Vec<PathBuf>, TrainError> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(relative) = open.pop() {
        let here = folder.join(&relative);
        for entry in fs::read_dir(&here).map_err(|e| TrainError::io(&here, e))? {
            let entry = entry.map_err(|e| TrainError::io(&here, e))?;
            let path = relative.join(entry.file_name());
            if entry.path().is_dir() {
                open.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Makes the names in a folder durable. Only Unix can.
pub(crate) fn sync_folder(path: &Path) -> Result<(), TrainError> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    if cfg!(unix) {
        File::open(path).and_then(|f| flush(&f)).map_err(|e| TrainError::io(path, e))?;
    }
    Ok(())
}

fn temporary_name(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    path.with_file_name(format!(".{name}.tmp"))
}

/// Tests make the n-th change of a run fail, as a full disk or a killed process would.
#[cfg(any(test, feature = "fault-injection"))]
pub mod fault {
    use std::cell::Cell;
    use std::io::{Error, ErrorKind, Result};

    thread_local! {
        static SIMULATED: Cell<bool> = const { Cell::new(false) };
        static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    }

    /// Lets `n` changes of this thread pass, then fails every further one; `None` lets all pass.
    pub fn fail_after(n: Option<usize>) {
        LEFT.set(n);
    }

    /// From now on, this thread does not wait for the disk: tests write thousands of checkpoints, and none can see
    /// the difference without cutting the power.
    pub fn never_wait() {
        SIMULATED.set(true);
    }

    pub(super) fn waits() -> bool {
        !SIMULATED.get()
    }

    pub(super) fn check() -> Result<()> {
        match LEFT.get() {
            None => Ok(()),
            Some(0) => Err(Error::new(ErrorKind::StorageFull, "no space left (injected)")),
            Some(n) => {
                LEFT.set(Some(n - 1));
                Ok(())
            }
        }
    }
}

#[cfg(not(any(test, feature = "fault-injection")))]
mod fault {
    pub(super) const fn waits() -> bool {
        true
    }

    #[allow(clippy::unnecessary_wraps)]
    pub(super) fn check() -> std::io::Result<()> {
        Ok(())
    }
}
