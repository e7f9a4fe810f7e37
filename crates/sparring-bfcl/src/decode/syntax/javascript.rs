use super::{Arguments, children, parse};
use crate::PyValue;
use crate::decode::{DecodeError, Raised};
use tree_sitter::Node;

/// The first statement of JavaScript source that is a call, or `None`.
pub(in super::super) fn javascript(source: &str) -> Result<PyValue, DecodeError> {
    let tree = parse(source, &tree_sitter_javascript::language())?;
    let statements =
        children(tree.root_node()).into_iter().filter(|node| node.kind() == "expression_statement");
    let call = statements.flat_map(children).find(|node| node.kind() == "call_expression");
    call.map_or(Ok(PyValue::None), |call| read_call(call, source))
}

fn text(node: Option<Node<'_>>, source: &str) -> Result<String, DecodeError> {
    let node = node.ok_or_else(|| DecodeError::new(Raised::Index, 0, "half an expression"))?;
    let text = node.utf8_text(source.as_bytes());
    text.map(str::to_string).map_err(|_| DecodeError::new(Raised::UnicodeDecode, 0, "half a character"))
}

fn read_call(call: Node<'_>, source: &str) -> Result<PyValue, DecodeError> {
    let name = text(call.child(0), source)?;
    let list = call.child(1).ok_or_else(|| DecodeError::new(Raised::Index, 0, "a call without arguments"))?;
    let mut arguments = Arguments::default();
    for child in children(list) {
        match child.kind() {
            "assignment_expression" => {
                let value = text(child.child(2), source)?;
                arguments.push(Some(text(child.child(0), source)?), without_quotes(&value).into());
            }
            "identifier" | "true" => arguments.push(None, text(Some(child), source)?),
            _ => {}
        }
    }
    arguments.of_call(name)
}

/// The text without the equal quotes at its ends.
fn without_quotes(text: &str) -> &str {
    let quoted = ['"', '\''].iter().any(|&quote| text.starts_with(quote) && text.ends_with(quote));
    // A lone quote is both ends of itself.
    if quoted { text.get(1..text.len().max(2) - 1).unwrap_or_default() } else { text }
}
