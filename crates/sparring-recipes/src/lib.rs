//! The papers as compositions: Tool-R0's game, rewards and presets.
#![forbid(unsafe_code)]

mod error;
mod layers;
pub mod tool_r0;

pub use error::RecipeError;
