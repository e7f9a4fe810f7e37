use serde::{Deserialize, Serialize};
use sparring_tools::ToolSpec;

/// How a list of tools is formatted as JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ToolListStyle {
    /// On one line without spaces: the fewest tokens.
    Compact,
    /// Indented by two spaces, as Tool-R0 trains its Solver.
    #[default]
    Indented,
}

impl ToolListStyle {
    /// Writes the tool list.
    pub fn write(self, tools: &[ToolSpec]) -> String {
        let json = match self {
            Self::Compact => serde_json::to_string(tools),
            Self::Indented => serde_json::to_string_pretty(tools),
        };
        // Maps with string keys always serialise.
        json.unwrap_or_default()
    }
}
