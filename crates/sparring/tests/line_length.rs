//! Comments and pages have lines of at most 120 columns: what rustfmt does not check.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

const MOST: usize = 120;

/// The files with these extensions below a folder.
fn files(folder: &Path, extensions: &[&str], found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            files(&path, extensions, found);
        } else if extensions.iter().any(|extension| path.extension().is_some_and(|e| e == *extension)) {
            found.push(path);
        }
    }
}

#[test]
fn prose_is_at_most_120_columns_wide() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let mut found = Vec::new();
    files(&root, &["md", "rs"], &mut found);
    let mut long = Vec::new();
    for path in found {
        let text = std::fs::read_to_string(&path).unwrap();
        let code = path.extension().is_some_and(|extension| extension == "rs");
        for (i, line) in text.lines().enumerate() {
            let words = line.trim_start().trim_start_matches(['/', '!']).trim_start();
            // A row of a table, a figure or a link cannot be broken.
            let prose = (!code || line.trim_start().starts_with("//")) && !words.starts_with(['|', '<']);
            if prose && line.chars().count() > MOST && !line.contains("─") && !line.contains("](") {
                long.push(format!("{}:{}", path.strip_prefix(&root).unwrap().display(), i + 1));
            }
        }
    }
    assert!(long.is_empty(), "lines of more than {MOST} columns: {long:#?}");
}
