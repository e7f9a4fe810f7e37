//! The corpus of the fuzz target `settings`, as a plain test: as it is, of every kind, cut, and with large numbers.

#![allow(clippy::unwrap_used, clippy::panic)] // A failed step is a failed test.

#[path = "support/fuzzed.rs"]
mod fuzzed;

use sparring_recipes::tool_r0::ToolR0Config;
use std::fs;
use std::path::Path;

#[test]
fn any_text_is_settings_or_an_error() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/settings");
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 10, "{}", files.len());
    for file in files {
        let seed = fs::read(&file).unwrap();
        for kind in 0..5 {
            fuzzed::check(&[&[kind], &seed[1..]].concat());
        }
        for end in (1..seed.len()).step_by(37) {
            fuzzed::check(&seed[..end]);
        }
    }
}

/// Every number of a whole file of settings, made absurd: an error that names its place, or settings that are valid.
#[test]
fn no_number_is_too_large_for_an_error() {
    let whole = ToolR0Config::from_toml("extends = \"paper\"", "x.toml").unwrap().to_toml().unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let mut refused = 0;
    for (i, line) in lines.iter().enumerate() {
        let Some((key, value)) = line.split_once(" = ") else { continue };
        let Ok(number) = value.parse::<f64>() else { continue };
        let absurd: &[&str] =
            if value.contains('.') { &["nan", "inf", "-inf", "1e300"] } else { &["4000000000000", "-1"] };
        for value in absurd {
            let mut changed = lines.clone();
            let line = format!("{key} = {value}");
            changed[i] = &line;
            match ToolR0Config::from_toml(&changed.join("\n"), "x.toml") {
                Err(error) => {
                    let error = error.to_string();
                    // Settings with a `kind` are read as a whole, so that a number of the wrong type has their name.
                    let named = error.contains(key) || error.contains("_schedule");
                    assert!(error.starts_with("x.toml:") && named, "{line}: {error}");
                    refused += 1;
                }
                Ok(_) => assert!(*value == "1e300" || number < 0.0, "{line} is accepted"),
            }
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_settings() {
    ToolR0Config::from_toml("\u{feff}extends = \"paper\"\n", "x.toml").unwrap();
}
