//! Atomic writes: a file is either whole or absent.

use crate::EvalError;
use sparring_core::files::create_own;
use std::fs;
use std::io::Write;
use std::path::Path;

/// Writes a file under a temporary name and renames it, so a crash leaves the old file or the new one. Creates folders;
/// follows no link of the file's own or of the temporary name.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), EvalError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".partial");
    let write = || {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        let mut file = create_own(Path::new(&temporary))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().map_err(|error| {
        // The error that matters is the first one.
        let _ = fs::remove_file(&temporary);
        EvalError::io(path, error)
    })
}
