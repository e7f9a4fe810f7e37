use super::tags;
use sparring_core::Rejection;
use sparring_tools::blocks::{Case, blocks_in_order, last_block};
use sparring_tools::{ToolCall, ToolSpec, calls_from_value, json};

/// The parts of a Generator's completion, each read independently, because rewards give credit for parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// The reasoning; `None` if the block is missing or empty.
    pub think: Option<String>,
    /// The request; `None` if the block is missing or empty.
    pub question: Option<String>,
    /// The tools, a non-empty list, or what is wrong with it.
    pub tools: Result<Vec<ToolSpec>, Rejection>,
    /// The gold calls, possibly none, or what is wrong with them.
    pub calls: Result<Vec<ToolCall>, Rejection>,
}

/// How blocks are found if a tag occurs more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockOrder {
    /// The last block, at any position (Tool-R0's released code).
    Any,
    /// The first block after the previous one: the four must be in order.
    Strict,
}

impl Proposal {
    /// Reads a completion; the last block of each tag counts.
    pub fn parse(text: &str) -> Self {
        Self::parse_in(text, BlockOrder::Any)
    }

    pub(crate) fn parse_in(text: &str, order: BlockOrder) -> Self {
        let [think, question, tools, calls] = blocks(text, order);
        Self {
            think: think.map(|t| t.trim().to_owned()),
            question: question.map(|t| t.trim().to_owned()),
            tools: tools.ok_or_else(|| missing(tags::TOOLS)).and_then(read_tools),
            calls: calls.ok_or_else(|| missing(tags::ANSWER)).and_then(read_calls),
        }
    }

    /// Returns whether all four blocks are present and not empty: the first term of equation 1.
    pub fn has_all_blocks(&self) -> bool {
        let found = |part: Result<(), &Rejection>| part.err().is_none_or(|r| r.rule != MISSING);
        self.think.is_some()
            && self.question.is_some()
            && found(self.tools.as_ref().map(|_| ()))
            && found(self.calls.as_ref().map(|_| ()))
    }
}

/// The rule for a missing or empty block.
pub(crate) const MISSING: &str = "missing_block";

pub(crate) fn missing(tag: &str) -> Rejection {
    Rejection::new(MISSING, format!("no <{tag}> block, or an empty one"))
}

fn blocks(text: &str, order: BlockOrder) -> [Option<&str>; 4] {
    match order {
        BlockOrder::Any => {
            tags::PROPOSAL.map(|tag| last_block(text, tag, Case::Sensitive).ok().map(|block| block.content))
        }
        BlockOrder::Strict => {
            // The longest prefix of the four that is present, so that each missing block is named.
            let found = (1..=4)
                .rev()
                .find_map(|n| blocks_in_order(text, &tags::PROPOSAL[..n], Case::Sensitive).ok())
                .unwrap_or_default();
            std::array::from_fn(|i| found.get(i).map(|block| block.content))
        }
    }
}

fn read_tools(text: &str) -> Result<Vec<ToolSpec>, Rejection> {
    let bad = |detail: String| Rejection::new("tools_json", detail);
    let value = json::relaxed(text).map_err(|error| bad(error.to_string()))?;
    let list = value.as_array().ok_or_else(|| bad("the tools are not a list".to_owned()))?;
    if list.is_empty() {
        return Err(bad("no tools are offered".to_owned()));
    }
    list.iter().map(|tool| ToolSpec::from_json(tool).map_err(|error| bad(error.to_string()))).collect()
}

fn read_calls(text: &str) -> Result<Vec<ToolCall>, Rejection> {
    let bad = |detail: String| Rejection::new("calls_json", detail);
    let value = json::relaxed(text).map_err(|error| bad(error.to_string()))?;
    calls_from_value(&value).map_err(bad)
}
