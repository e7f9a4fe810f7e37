//! The Berkeley Function Calling Leaderboard's reading and checking of calls (`bfcl-eval` 2026.3.23).

mod value;

pub use value::PyValue;
