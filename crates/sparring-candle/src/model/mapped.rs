//! Files mapped into memory.
#![allow(unsafe_code)]

use super::json::unread;
use memmap2::Mmap;
use sparring_core::PolicyError;
use std::fs::File;
use std::ops::Deref;
use std::path::Path;

/// The bytes of a file. Nobody may shorten the file while it is open: reading beyond its new end would end the
/// process. Our own writers replace files by renaming, which leaves a mapped one alone.
#[derive(Debug)]
pub(crate) struct MappedFile(Option<Mmap>);

impl MappedFile {
    /// Maps a file; `why` is said where it does not exist.
    pub(crate) fn open(path: &Path, why: &str) -> Result<Self, PolicyError> {
        let map = || {
            let file = File::open(path)?;
            if file.metadata()?.len() == 0 {
                return Ok(Self(None));
            }
            // SAFETY: the map is only read. Bytes that another process changes while it is open may be read old or
            // new; they are numbers that are checked after they were read.
            unsafe { Mmap::map(&file) }.map(|map| Self(Some(map)))
        };
        map().map_err(|error| unread(path, why, error))
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}
