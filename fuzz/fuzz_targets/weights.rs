//! Any bytes as `config.json` and `model.safetensors`: no panic, no memory beyond the files', and errors that name a
//! file.
#![no_main]

#[path = "../../crates/sparring-candle/tests/support/fuzzed.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let dir = std::env::temp_dir().join(format!("sparring-fuzz-weights-{}", std::process::id()));
    fuzzed::check_weights(data, &dir);
});
