//! The miniature's prompt templates. They are short because every token costs time on a laptop.
//!
//! Fields in double braces are those of Tool-R0's game: `domain`, `context`, `tools`, `calls`, `arguments` for the
//! Generator; `tools` and `question` for the Solver.

/// The Generator's prompt.
pub const GENERATOR_PROMPT: &str = "Invent: {{ domain }}, {{ context }}, tools {{ tools }}, calls {{ calls }}{% if arguments %}, arguments {{ arguments }}{% endif %}";

/// The Solver's prompt.
pub const SOLVER_PROMPT: &str = "{{ tools }}\n{{ question }}";
