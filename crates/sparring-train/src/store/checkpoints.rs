use super::disk;
use crate::TrainError;
use serde::{Deserialize, Serialize};
use sparring_core::Policy;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Length and checksum of every file of a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    files: BTreeMap<String, Entry>,
    /// The checkpoint with the reference model of this one.
    #[serde(default)]
    reference: Option<u64>,
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
    /// How many are kept, beside those that hold the reference model of a kept one.
    kept: usize,
}

impl Checkpoints {
    pub(crate) fn new(dir: PathBuf, kept: usize) -> Self {
        Self { dir, kept: kept.max(1) }
    }

    /// The folder of a checkpoint.
    pub(crate) fn folder(&self, serial: u64) -> PathBuf {
        self.dir.join(format!("{serial:06}"))
    }

    /// Numbers of the checkpoints that are there, newest first.
    pub(crate) fn list(&self) -> Result<Vec<u64>, TrainError> {
        let mut found = Vec::new();
        if self.dir.exists() {
            for entry in fs::read_dir(&self.dir).map_err(|e| TrainError::io(&self.dir, e))? {
                let entry = entry.map_err(|e| TrainError::io(&self.dir, e))?;
                found.extend(entry.file_name().to_str().and_then(|name| name.parse::<u64>().ok()));
            }
        }
        found.sort_unstable_by(|a, b| b.cmp(a));
        Ok(found)
    }

    /// Writes checkpoint `serial`, whose reference model is in checkpoint `reference`, then removes those that are
    /// not needed any more.
    pub(crate) fn save(
        &self,
        serial: u64,
        state: &[u8],
        models: &[(&'static str, &dyn Policy)],
        reference: Option<u64>,
    ) -> Result<(), TrainError> {
        let temporary = self.dir.join(".writing");
        disk::remove_folder(&temporary)?;
        let written = write(&temporary, state, models, reference)
            .and_then(|()| disk::rename(&temporary, &self.folder(serial)));
        if written.is_err() {
            // Frees the space; the first error is the one to report.
            let _ = fs::remove_dir_all(&temporary);
        }
        written?;
        self.prune()
    }

    /// Renames a damaged checkpoint, so that it is kept for its owner but no longer counts as one.
    pub(crate) fn set_aside(&self, serial: u64) -> Result<(), TrainError> {
        let aside = self.dir.join(format!(".damaged-{serial:06}"));
        disk::remove_folder(&aside)?;
        disk::rename(&self.folder(serial), &aside)
    }

    fn prune(&self) -> Result<(), TrainError> {
        let all = self.list()?;
        let (kept, old) = all.split_at(self.kept.min(all.len()));
        // An older checkpoint with the reference model of one that is kept is needed to resume from that one.
        let needed: Vec<u64> =
            kept.iter().filter_map(|&serial| self.manifest(serial).ok()?.reference).collect();
        old.iter()
            .filter(|serial| !needed.contains(serial))
            .try_for_each(|&s| disk::remove_folder(&self.folder(s)))
    }

    fn manifest(&self, serial: u64) -> Result<Manifest, TrainError> {
        let path = self.folder(serial).join("manifest.json");
        serde_json::from_slice(&disk::read(&path)?).map_err(|e| TrainError::damaged(&path, e.to_string()))
    }

    /// The state of checkpoint `serial`, where it is what was written; the models are not looked at.
    pub(crate) fn whole_state(&self, serial: u64) -> Option<Vec<u8>> {
        const NAME: &str = "state.json";
        let path = self.folder(serial).join(NAME);
        let wanted = self.manifest(serial).ok()?.files.remove(NAME)?;
        let whole = entry(&path).ok()? == wanted;
        whole.then(|| disk::read(&path).ok()).flatten()
    }

    /// The state of checkpoint `serial`, after every file has been compared with the manifest.
    pub(crate) fn verified_state(&self, serial: u64) -> Result<Vec<u8>, TrainError> {
        let folder = self.folder(serial);
        for (name, wanted) in &self.manifest(serial)?.files {
            let path = folder.join(name);
            let found = entry(&path)?;
            if found.bytes != wanted.bytes {
                let what = format!("it has {} bytes instead of {}", found.bytes, wanted.bytes);
                return Err(TrainError::damaged(&path, what));
            }
            if found != *wanted {
                return Err(TrainError::damaged(&path, "its checksum is wrong"));
            }
        }
        disk::read(&folder.join("state.json"))
    }

    /// Reads the weights and optimiser of one model of checkpoint `serial`.
    pub(crate) fn restore(
        &self,
        serial: u64,
        name: &'static str,
        model: &mut (dyn Policy + '_),
    ) -> Result<(), TrainError> {
        model.restore(&self.folder(serial).join(name)).map_err(TrainError::policy(name))
    }
}

/// Writes a whole checkpoint into `folder`, flushed to the disk.
fn write(
    folder: &Path,
    state: &[u8],
    models: &[(&'static str, &dyn Policy)],
    reference: Option<u64>,
) -> Result<(), TrainError> {
    for (name, model) in models {
        let place = folder.join(name);
        disk::create_folder(&place)?;
        model.save(&place).map_err(TrainError::policy(name))?;
    }
    disk::write_synced(&folder.join("state.json"), state)?;
    let mut files = BTreeMap::new();
    for relative in disk::files_below(folder)? {
        let path = folder.join(&relative);
        disk::sync_file(&path)?;
        files.insert(relative.to_string_lossy().into_owned(), entry(&path)?);
    }
    for (name, _) in models {
        disk::sync_folder(&folder.join(name))?;
    }
    let manifest = serde_json::to_vec_pretty(&Manifest { files, reference })
        .map_err(|e| TrainError::unserialisable(&e))?;
    disk::write_synced(&folder.join("manifest.json"), &manifest)?;
    disk::sync_folder(folder)
}

/// Bytes read at a time: a multiple of 8.
const BLOCK: usize = 1 << 20;

/// Length and checksum of a file, read block by block.
fn entry(path: &Path) -> Result<Entry, TrainError> {
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
    read().map_err(|e| TrainError::io(path, e))
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
