//! Calls in Java and JavaScript, read with the grammars of the official code, since their error recovery decides which
//! texts contain a call.

mod java;
mod javascript;

pub(super) use java::java;
pub(super) use javascript::javascript;

use super::dict::Dict;
use super::{DecodeError, Raised};
use crate::PyValue;
use tree_sitter::{Language, Node, Parser, Tree};

/// Depth limit of the recursive walk; Python's overflows its stack at about this depth.
const MAX_DEPTH: usize = 300;

/// The syntax tree of `source`, which must be free of errors.
fn parse(source: &str, language: &Language) -> Result<Tree, DecodeError> {
    let bad = |reason| DecodeError::new(Raised::Syntax, 0, reason);
    let mut parser = Parser::new();
    parser.set_language(language).map_err(|_| bad("the grammar does not fit the parser"))?;
    let tree = parser.parse(source, None).ok_or_else(|| bad("the parser gave up"))?;
    if let Some(offset) = first_error(&tree) {
        return Err(DecodeError::new(Raised::Syntax, offset, "the grammar's parser finds an error"));
    }
    Ok(tree)
}

/// Where the first ERROR node starts. Nodes that recovery only inserted (a missing `;`) are none.
fn first_error(tree: &Tree) -> Option<usize> {
    let mut cursor = tree.walk();
    loop {
        let node = cursor.node();
        if node.is_error() {
            return Some(node.start_byte());
        }
        if node.has_error() && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return None;
            }
        }
    }
}

/// Named arguments, and at most one without a name under the key `None`, as the official code gathers them.
#[derive(Default)]
struct Arguments {
    values: Dict,
    keys: std::collections::HashSet<Option<String>>,
    repeated: bool,
}

impl Arguments {
    fn push(&mut self, name: Option<String>, value: String) {
        self.repeated |= !self.keys.insert(name.clone());
        // Strings and None can be keys.
        let _ = self
            .values
            .insert(name.map_or(PyValue::None, |name| PyValue::Str(name.into())), PyValue::Str(value.into()));
    }

    /// `[{name: arguments}]`.
    fn of_call(self, name: String) -> Result<PyValue, DecodeError> {
        if self.repeated {
            let reason = "multiple arguments with the same name";
            return Err(DecodeError::new(Raised::Plain, 0, reason));
        }
        Ok(PyValue::List(vec![PyValue::Dict(vec![(PyValue::Str(name.into()), self.values.finish())])]))
    }
}

/// All children of a node, with the anonymous ones (signs, keywords).
fn children(node: Node<'_>) -> Vec<Node<'_>> {
    node.children(&mut node.walk()).collect()
}
