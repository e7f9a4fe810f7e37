use serde::{Deserialize, Serialize};
use sparring_tools::SignatureRule;
use sparring_tools::structure::StructureRules;

/// When an answer solves a task, and when two answers agree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verifier {
    /// The number of calls equals the gold's, and each call matches exactly under the comparator that the Solver is
    /// trained with. Answers agree if all their calls do.
    #[default]
    EveryCall,
    /// Tool-R0's released code: the first call equals the first gold call as strict JSON, and the rest is ignored.
    /// Answers agree if their lists of tool names do.
    FirstCall,
}

/// Settings of [`ToolR0Game`](super::ToolR0Game). The default is the corrected version of the paper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
// Independent switches of a settings file.
#[allow(clippy::struct_excessive_bools)]
pub struct GameOptions {
    /// Whether both players write under grammars, where the game has a guide ([`with_guide`]). A small model writes
    /// prose or broken JSON otherwise. The Generator then writes its blocks in the order tools, answer, question, and
    /// nobody thinks aloud, so that the prompts must ask for that.
    ///
    /// [`with_guide`]: super::ToolR0Game::with_guide
    pub constrain: bool,
    /// Whether a proposal, and an answer that counts as solving, must have a think block.
    pub require_think: bool,
    /// Whether the four blocks of a proposal must be in order.
    pub strict_order: bool,
    /// Whether a proposal must have the requested numbers of tools, calls and, if requested, arguments.
    pub enforce_spec: bool,
    /// When an answer solves a task.
    pub verifier: Verifier,
    /// When two tasks are duplicates.
    pub signature: SignatureRule,
    /// Whether a proposal's tool list is shuffled when it is read. Generators usually put the relevant tool first; a
    /// Solver that always calls the first tool would then be right, and never learn to choose.
    pub shuffle_tools: bool,
    /// Whether a balanced pool is balanced by domain and by number of arguments, or by domain alone. Calls with one
    /// argument are the easiest, for Generator and Solver; if such tasks fill the pool, the Solver forgets to give
    /// the other arguments.
    pub stratify_arguments: bool,
    /// Whether no-call tasks are derived from verified tasks ([`without_called_tools`](super::without_called_tools)).
    pub derive_no_call: bool,
    /// The structural checks of a proposal.
    pub structure: StructureRules,
}

impl Default for GameOptions {
    fn default() -> Self {
        Self {
            constrain: false,
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
    /// Returns the behaviour of Tool-R0's released code (commit fd222c7).
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
