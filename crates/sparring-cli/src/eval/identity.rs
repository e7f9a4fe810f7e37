//! The identity of a run: digests of its files, and their names.

use crate::errors::at;
use sparring::core::{BoxError, Seed};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes that are read at a time: whole words, except at the end of a file.
const BLOCK: usize = 1 << 20;

/// The folder of a model's further chat templates.
const TEMPLATES: &str = "additional_chat_templates";

/// A digest of a model's folder, wherever it lies: of every byte of its `config.json`, `generation_config.json`,
/// `tokenizer*.json`, `chat_template.*`, `additional_chat_templates/*` and `*.safetensors`, with names and
/// lengths. It tells models apart by accident, not against malice (64 bits, `SplitMix64` chained). An adapter's folder
/// is such a folder too; of a GGUF file, it is the digest of the file.
pub(crate) fn model_digest(dir: &Path) -> Result<String, BoxError> {
    if dir.is_file() {
        return file_digest(dir);
    }
    let mut digest = Seed::new(0);
    let templates = dir.join(TEMPLATES);
    let named = if templates.is_dir() { files(&templates)? } else { Vec::new() };
    for path in files(dir)?.into_iter().filter(|path| is_model(&name(path))).chain(named) {
        digest = add(digest.child(&name(&path)), &path).map_err(at(&path))?;
    }
    Ok(format!("{:016x}", digest.value()))
}

/// A digest of one file's bytes, as of [`model_digest`].
pub(crate) fn file_digest(path: &Path) -> Result<String, BoxError> {
    let digest = add(Seed::new(0), path).map_err(at(path))?;
    Ok(format!("{:016x}", digest.value()))
}

fn is_model(name: &str) -> bool {
    let is = |extension: &str| Path::new(name).extension().is_some_and(|found| found == extension);
    ["adapter_config.json", "config.json", "generation_config.json"].contains(&name)
        || name.starts_with("chat_template.")
        || name.starts_with("tokenizer") && is("json")
        || is("safetensors")
}

fn add(mut digest: Seed, path: &Path) -> std::io::Result<Seed> {
    let (mut file, mut block, mut length) = (File::open(path)?, Vec::with_capacity(BLOCK), 0_u64);
    loop {
        block.clear();
        file.by_ref().take(BLOCK as u64).read_to_end(&mut block)?;
        if block.is_empty() {
            return Ok(digest.index(length));
        }
        length += block.len() as u64;
        for bytes in block.chunks(8) {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            digest = digest.index(u64::from_le_bytes(word));
        }
    }
}

/// The model's name: its folder's, also for `.`.
pub(crate) fn model_name(dir: &Path) -> Result<String, BoxError> {
    let folder = dir.canonicalize().map_err(at(dir))?;
    Ok(name(&folder))
}

/// The names of the files of the data, those of a folder in it behind its name; no paths of this machine.
pub(crate) fn data_files(data: &Path) -> Result<Vec<String>, BoxError> {
    if data.is_file() {
        return Ok(vec![name(data)]);
    }
    let mut names: Vec<_> = files(data)?.iter().map(|path| name(path)).collect();
    for folder in entries(data)?.iter().filter(|path| path.is_dir()) {
        names.extend(files(folder)?.iter().map(|path| format!("{}/{}", name(folder), name(path))));
    }
    Ok(names)
}

/// The files in a folder, sorted.
fn files(dir: &Path) -> Result<Vec<PathBuf>, BoxError> {
    let mut paths = entries(dir)?;
    paths.retain(|path| path.is_file());
    Ok(paths)
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, BoxError> {
    let entries = std::fs::read_dir(dir).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()
    });
    let mut paths = entries.map_err(at(dir))?;
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
