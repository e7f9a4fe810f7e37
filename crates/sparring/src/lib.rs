//! Facade of Sparring: re-exports and a prelude.
