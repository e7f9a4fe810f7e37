//! The miniature's prompt templates: short, because every token costs a laptop time.
//!
//! Fields in double braces are those of Tool-R0's game: `domain`, `context`, `tools`, `calls`, `arguments` for the
//! Generator; `tools`, `question` for the Solver.

/// What the Generator is asked.
pub const GENERATOR_PROMPT: &str = "Invent: {{ domain }}, {{ context }}, tools {{ tools }}, calls {{ calls }}{% if arguments %}, arguments {{ arguments }}{% endif %}";

/// What the Solver is posed.
pub const SOLVER_PROMPT: &str = "{{ tools }}\n{{ question }}";
