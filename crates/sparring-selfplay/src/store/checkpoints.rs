use super::disk;
use super::folder::unserialisable;
use crate::{Players, SelfPlayError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Whole checkpoints that are kept beside those in use.
const KEPT: usize = 2;

/// Length and checksum of every file of a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    files: BTreeMap<String, Entry>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    bytes: usize,
    /// [`checksum`], in hexadecimal.
    checksum: String,
}

/// The folder `checkpoints/`: one sub-folder a checkpoint, named by a growing number.
///
/// A checkpoint is written under a temporary name, flushed file by file, and renamed: a folder with a number is
/// whole, unless the disk damaged it later, which its manifest shows.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    dir: PathBuf,
}

impl Checkpoints {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The folder of a checkpoint.
    pub(crate) fn folder(&self, serial: u64) -> PathBuf {
        self.dir.join(format!("{serial:06}"))
    }

    /// Numbers of the checkpoints that are there, newest first.
    pub(crate) fn list(&self) -> Result<Vec<u64>, SelfPlayError> {
        let mut found = Vec::new();
        if self.dir.exists() {
            for entry in fs::read_dir(&self.dir).map_err(|e| SelfPlayError::io(&self.dir, e))? {
                let entry = entry.map_err(|e| SelfPlayError::io(&self.dir, e))?;
                found.extend(entry.file_name().to_str().and_then(|name| name.parse::<u64>().ok()));
            }
        }
        found.sort_unstable_by(|a, b| b.cmp(a));
        Ok(found)
    }

    /// Writes checkpoint `serial`, then removes all but the newest ones and `in_use`.
    pub(crate) fn save(
        &self,
        serial: u64,
        state: &[u8],
        players: &Players,
        in_use: [Option<u64>; 2],
    ) -> Result<(), SelfPlayError> {
        let temporary = self.dir.join(".writing");
        disk::remove_folder(&temporary)?;
        let written = write(&temporary, state, players).and_then(|()| {
            // Left by a damaged checkpoint that the run fell back from.
            disk::remove_folder(&self.folder(serial))?;
            disk::rename(&temporary, &self.folder(serial))
        });
        if written.is_err() {
            // Gives the space back; the error that counts is the first.
            let _ = fs::remove_dir_all(&temporary);
        }
        written?;
        self.prune(in_use)
    }

    fn prune(&self, in_use: [Option<u64>; 2]) -> Result<(), SelfPlayError> {
        for serial in self.list()?.into_iter().skip(KEPT).filter(|serial| !in_use.contains(&Some(*serial))) {
            disk::remove_folder(&self.folder(serial))?;
        }
        Ok(())
    }

    /// The state of checkpoint `serial`, after every file has been compared with the manifest.
    pub(crate) fn verified_state(&self, serial: u64) -> Result<Vec<u8>, SelfPlayError> {
        let folder = self.folder(serial);
        let path = folder.join("manifest.json");
        let manifest: Manifest = serde_json::from_slice(&disk::read(&path)?)
            .map_err(|e| SelfPlayError::damaged(&path, e.to_string()))?;
        for (name, wanted) in &manifest.files {
            let path = folder.join(name);
            let found = entry(&path)?;
            if found.bytes != wanted.bytes {
                let what = format!("it has {} bytes instead of {}", found.bytes, wanted.bytes);
                return Err(SelfPlayError::damaged(&path, what));
            }
            if found != *wanted {
                return Err(SelfPlayError::damaged(&path, "its checksum is wrong"));
            }
        }
        disk::read(&folder.join("state.json"))
    }

    /// Reads the weights and optimisers of checkpoint `serial`.
    pub(crate) fn restore(&self, serial: u64, players: &mut Players) -> Result<(), SelfPlayError> {
        let folder = self.folder(serial);
        for (name, player, policy) in players.named_mut() {
            policy.restore(&folder.join(name)).map_err(SelfPlayError::policy(player))?;
        }
        Ok(())
    }
}

/// Writes a whole checkpoint into `folder`, flushed to the disk.
fn write(folder: &Path, state: &[u8], players: &Players) -> Result<(), SelfPlayError> {
    for (name, player, policy) in players.named() {
        let place = folder.join(name);
        disk::create_folder(&place)?;
        policy.save(&place).map_err(SelfPlayError::policy(player))?;
    }
    disk::write_synced(&folder.join("state.json"), state)?;
    let mut files = BTreeMap::new();
    for relative in disk::files_below(folder)? {
        let path = folder.join(&relative);
        disk::sync_file(&path)?;
        files.insert(relative.to_string_lossy().into_owned(), entry(&path)?);
    }
    for (name, ..) in players.named() {
        disk::sync_folder(&folder.join(name))?;
    }
    let manifest = serde_json::to_vec_pretty(&Manifest { files }).map_err(|e| unserialisable(&e))?;
    disk::write_synced(&folder.join("manifest.json"), &manifest)?;
    disk::sync_folder(folder)
}

/// Bytes read at a time: a multiple of 8.
const BLOCK: usize = 1 << 20;

/// Length and checksum of a file, read block by block.
fn entry(path: &Path) -> Result<Entry, SelfPlayError> {
    let read = || {
        let mut file = fs::File::open(path)?;
        let mut block = Vec::with_capacity(BLOCK);
        let (mut bytes, mut hash) = (0, START);
        loop {
            block.clear();
            let found = file.by_ref().take(BLOCK as u64).read_to_end(&mut block)?;
            if found == 0 {
                return Ok(Entry { bytes, checksum: format!("{hash:016x}") });
            }
            bytes += found;
            hash = checksum(hash, &block);
        }
    };
    read().map_err(|e| SelfPlayError::io(path, e))
}

/// The offset basis of FNV-1a.
const START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a over little-endian words of 8 bytes, the last padded with zeros, with a shift so that high bits
/// reach low ones: finds accidental damage, not forgery.
fn checksum(hash: u64, bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(hash, |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        let mixed = (hash ^ u64::from_le_bytes(word)).wrapping_mul(0x0100_0000_01b3);
        mixed ^ (mixed >> 29)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_and_lost_byte_shows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let bytes: Vec<u8> = (0..BLOCK + 21).map(|i| (i * 31) as u8).collect();
        let of = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            entry(&path).unwrap()
        };
        let whole = of(&bytes);
        assert_eq!(whole.bytes, bytes.len());
        for (place, bit) in [(0, 0), (7, 7), (4096, 3), (BLOCK - 1, 5), (BLOCK, 0), (BLOCK + 20, 7)] {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1 << bit;
            assert_ne!(of(&damaged).checksum, whole.checksum, "byte {place}, bit {bit}");
        }
        assert_ne!(of(&bytes[..bytes.len() - 1]), whole);
    }
}
