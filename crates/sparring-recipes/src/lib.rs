//! The papers as compositions: Tool-R0's game, rewards and presets.
