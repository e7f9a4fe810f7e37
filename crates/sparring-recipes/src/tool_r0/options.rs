use serde::{Deserialize, Serialize};
use sparring_tools::SignatureRule;
use sparring_tools::structure::StructureRules;

/// When an answer solves a task, and when two answers agree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verifier {
    /// As many calls as the gold, each matching exactly under the comparator that the Solver is trained
    /// with. Answers agree where all their calls do.
    #[default]
    EveryCall,
    /// Tool-R0's released code: the first call equals the first gold call as strict JSON, the rest is not
    /// looked at. Answers agree where their lists of tool names do.
    FirstCall,
}

/// Settings of [`ToolR0Game`](super::ToolR0Game). The default is the corrected reading of the paper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
// Each is an independent yes or no of a settings file.
#[allow(clippy::struct_excessive_bools)]
pub struct GameOptions {
    /// Whether a proposal, and an answer that is to count as solving, need a think block.
    pub require_think: bool,
    /// Whether the four blocks of a proposal must come in order.
    pub strict_order: bool,
    /// Whether a proposal must have the numbers of tools, of calls and, where asked, of arguments.
    pub enforce_spec: bool,
    /// When an answer solves a task.
    pub verifier: Verifier,
    /// Which tasks are duplicates.
    pub signature: SignatureRule,
    /// Whether a proposal's tool list is shuffled when it is read. A Generator puts the tool that a task is about
    /// first more often than not; a Solver that always calls the first tool would be right, and never learn to choose.
    pub shuffle_tools: bool,
    /// Whether a balanced pool is balanced by domain and by number of arguments, or by domain alone. A call with
    /// one argument is the easiest to get right, for Generator and Solver; where such tasks fill the pool, the
    /// Solver unlearns to give the others.
    pub stratify_arguments: bool,
    /// Whether verified tasks give no-call tasks ([`without_called_tools`](super::without_called_tools)).
    pub derive_no_call: bool,
    /// The structural checks of a proposal.
    pub structure: StructureRules,
}

impl Default for GameOptions {
    fn default() -> Self {
        Self {
            require_think: true,
            strict_order: false,
            enforce_spec: true,
            verifier: Verifier::EveryCall,
            signature: SignatureRule::default(),
            shuffle_tools: true,
            stratify_arguments: true,
            derive_no_call: true,
            structure: StructureRules::corrected(),
        }
    }
}

impl GameOptions {
    /// What Tool-R0's released code does (commit fd222c7).
    pub fn released() -> Self {
        Self {
            enforce_spec: false,
            verifier: Verifier::FirstCall,
            shuffle_tools: false,
            stratify_arguments: false,
            derive_no_call: false,
            signature: SignatureRule::Released,
            structure: StructureRules::released(),
            ..Self::default()
        }
    }
}
