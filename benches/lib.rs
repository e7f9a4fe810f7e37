//! Benchmarks of the workspace: `cargo bench -p sparring-benches`.
