//! Any bytes as the files of a benchmark: no panic, and errors that name a file.
#![no_main]

#[path = "../../crates/sparring-eval/tests/support/fuzzed.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let dir = std::env::temp_dir().join(format!("sparring-fuzz-{}", std::process::id()));
    fuzzed::check(data, &dir);
});
