//! The phases of an iteration.

mod evaluate;
mod generator;
mod pool;
mod solver;
