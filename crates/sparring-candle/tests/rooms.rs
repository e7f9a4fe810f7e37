//! Which room (top-level module, or part of `cpu`) imports which.
//!
//! Imports across rooms are written `crate::room::…`, so that they can be read off the source.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Every room and what it imports, from the bottom up: a room imports only rooms above it in this list, so there are
/// no circles. What the backends (`cpu`, `device`, `causal`) share lies in none of them.
const ROOMS: [(&str, &[&str]); 19] = [
    ("error", &[]),
    ("kernels", &[]),
    ("model", &[]),
    ("threads", &[]),
    ("batch", &["model", "threads"]),
    ("draw", &["batch", "kernels", "model"]),
    ("lora", &["model"]),
    ("learn", &["batch", "lora", "model"]),
    ("cpu::options", &["learn"]),
    ("cpu::prefix", &["kernels"]),
    ("cpu::recall", &["model"]),
    ("cpu::engine", &["batch", "cpu::prefix", "cpu::recall", "kernels", "learn", "lora", "model"]),
    ("cpu::decode", &["cpu::prefix", "cpu::recall", "draw", "kernels", "lora", "model", "threads"]),
    (
        "cpu::policy",
        &[
            "batch",
            "cpu::decode",
            "cpu::engine",
            "cpu::options",
            "cpu::recall",
            "kernels",
            "learn",
            "lora",
            "model",
            "threads",
        ],
    ),
    ("cpu", &[]),
    // `DevicePolicy::new` copies a `CandlePolicy`.
    ("device", &["batch", "cpu", "draw", "error", "learn", "lora", "model"]),
    ("causal", &["batch", "draw", "error", "model"]),
    ("hub", &["model"]),
    ("oracle", &["cpu", "device", "error", "model"]),
];

/// The room of a path of modules: the longest one that is in the list.
fn room<'a>(path: &[&str]) -> Option<&'a str> {
    let known = |name: String| ROOMS.iter().map(|(room, _)| *room).find(|room| *room == name);
    (1..=path.len().min(2)).rev().find_map(|n| known(path[..n].join("::")))
}

/// All source files below `dir`.
fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The modules that a line names after each `crate::`.
fn imports(line: &str) -> impl Iterator<Item = Vec<&str>> {
    line.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
        rest[..end].split("::").filter(|name| !name.is_empty()).collect()
    })
}

#[test]
fn rooms_import_what_is_listed_and_only_rooms_below_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    files(&root, &mut sources);
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = ROOMS.map(|(room, _)| (room, BTreeSet::new())).into();
    for file in sources.iter().filter(|file| **file != root.join("lib.rs")) {
        let shown = file.strip_prefix(&root).unwrap().with_extension("");
        let path: Vec<&str> =
            shown.iter().map(|part| part.to_str().unwrap()).filter(|p| *p != "mod").collect();
        let from = room(&path).unwrap_or_else(|| panic!("{}: this room is not in the list", shown.display()));
        // `super` of the room's own module is outside of the room.
        let outside = if path.join("::") == from { "use super::" } else { "use super::super::" };
        for line in fs::read_to_string(file).unwrap().lines() {
            assert!(!line.starts_with(outside), "{}: write `crate::room` in \"{line}\"", shown.display());
            if line.trim_start().starts_with("//") {
                continue;
            }
            for names in imports(line) {
                let to = room(&names);
                let to = to.unwrap_or_else(|| panic!("{}: \"{line}\" names no room", shown.display()));
                if to != from {
                    edges.get_mut(from).unwrap().insert(to);
                }
            }
        }
    }
    for (i, (room, listed)) in ROOMS.iter().enumerate() {
        assert_eq!(
            edges[room],
            listed.iter().copied().collect(),
            "what `{room}` imports, and what is listed"
        );
        for to in *listed {
            let below = ROOMS[..i].iter().any(|(lower, _)| lower == to);
            assert!(below, "`{room}` imports `{to}`, which is not above it in the list");
        }
    }
}

#[test]
fn names_after_crate_are_found() {
    let found: Vec<_> =
        imports("use crate::cpu::{A, B}; let x = crate::model::json::read(crate::error)").collect();
    assert_eq!(found, [vec!["cpu"], vec!["model", "json", "read"], vec!["error"]]);
    assert_eq!(room(&["cpu", "engine", "plan"]), Some("cpu::engine"));
    assert_eq!(room(&["cpu", "CandlePolicy"]), Some("cpu"));
    assert_eq!(room(&["elsewhere"]), None);
}
