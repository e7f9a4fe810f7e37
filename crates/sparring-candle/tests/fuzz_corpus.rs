//! The corpora of the fuzz targets `gguf`, `weights` and `template`, as plain tests: whole files, and files that are
//! cut and changed in places.

#![allow(clippy::unwrap_used, clippy::panic)] // A failed step is a failed test.

#[path = "support/fuzzed.rs"]
mod fuzzed;

use std::fs;
use std::path::Path;

/// Calls `check` with each file of a corpus, and with about `changes` changed ones of each.
fn each(target: &str, least: usize, changes: usize, check: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= least, "{}", files.len());
    for file in files {
        let seed = fs::read(&file).unwrap();
        check(&seed);
        for at in (0..seed.len()).step_by((seed.len() / changes).max(1)) {
            check(&seed[..at]);
            for bit in [0, 3, 7] {
                let mut changed = seed.clone();
                changed[at] ^= 1 << bit;
                check(&changed);
            }
        }
    }
}

#[test]
fn any_bytes_are_a_gguf_file_or_an_error() {
    let dir = tempfile::tempdir().unwrap();
    each("gguf", 4, 150, |data| fuzzed::check_gguf(data, &dir.path().join("model.gguf")));
}

#[test]
fn any_bytes_are_configuration_and_weights_or_an_error() {
    let dir = tempfile::tempdir().unwrap();
    each("weights", 8, 300, |data| fuzzed::check_weights(data, dir.path()));
}

#[test]
fn any_text_is_a_template_or_an_error() {
    each("template", 8, 12, fuzzed::check_template);
}
