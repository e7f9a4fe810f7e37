//! The tags of Tool-R0's interface (arXiv 2602.21320, figures 10 and 12).

/// Private reasoning, of both players.
pub const THINK: &str = "think";
/// The request that the Generator writes.
pub const QUESTION: &str = "question";
/// The tool list that the Generator writes.
pub const TOOLS: &str = "available_tools";
/// The calls: the Generator's gold, the Solver's answer.
pub const ANSWER: &str = "tool_call_answer";

/// The Generator's four blocks, in order.
pub const PROPOSAL: [&str; 4] = [THINK, QUESTION, TOOLS, ANSWER];
