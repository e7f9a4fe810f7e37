use super::{Arguments, MAX_DEPTH, children, parse};
use crate::PyValue;
use crate::decode::{DecodeError, Raised};
use tree_sitter::Node;

/// The first call in Java source, or an empty dict.
pub(in super::super) fn java(source: &str) -> Result<PyValue, DecodeError> {
    let tree = parse(source, &tree_sitter_java::language())?;
    let reader = JavaReader { text: Text::new(source) };
    Ok(reader.first_call(tree.root_node(), 0)?.unwrap_or(PyValue::Dict(Vec::new())))
}

/// The source as the official code slices it: it takes the parser's byte offsets for character offsets.
struct Text<'a> {
    source: &'a str,
    /// Where each character starts; empty for ASCII, where the two kinds of offsets are one.
    starts: Vec<usize>,
}

impl<'a> Text<'a> {
    fn new(source: &'a str) -> Self {
        let starts =
            if source.is_ascii() { Vec::new() } else { source.char_indices().map(|(i, _)| i).collect() };
        Self { source, starts }
    }

    fn of(&self, node: Node<'_>) -> &'a str {
        let range = node.byte_range();
        if self.starts.is_empty() {
            return &self.source[range];
        }
        let at = |offset: usize| self.starts.get(offset).copied().unwrap_or(self.source.len());
        &self.source[at(range.start)..at(range.end)]
    }
}

/// `text[1:-1]` of Python.
fn inside(text: &str) -> &str {
    let mut chars = text.chars();
    chars.next();
    chars.next_back();
    chars.as_str()
}

fn deeper(depth: usize) -> Result<usize, DecodeError> {
    if depth >= MAX_DEPTH {
        return Err(DecodeError::new(Raised::Recursion, 0, "source nested too deeply"));
    }
    Ok(depth + 1)
}

struct JavaReader<'a> {
    text: Text<'a>,
}

impl JavaReader<'_> {
    fn first_call(&self, node: Node<'_>, depth: usize) -> Result<Option<PyValue>, DecodeError> {
        if node.kind() == "method_invocation" {
            return self.call(node);
        }
        let depth = deeper(depth)?;
        for child in children(node) {
            if let Some(call) = self.first_call(child, depth)? {
                return Ok(Some(call));
            }
        }
        Ok(None)
    }

    fn call(&self, node: Node<'_>) -> Result<Option<PyValue>, DecodeError> {
        let absent = || DecodeError::new(Raised::Attribute, 0, "a call without a name");
        let method = self.text.of(node.child_by_field_name("name").ok_or_else(absent)?);
        let name = match node.child_by_field_name("object") {
            Some(object) => format!("{}.{method}", self.text.of(object)),
            None => method.into(),
        };
        let Some(list) = node.child_by_field_name("arguments") else { return Ok(None) };
        let mut arguments = Arguments::default();
        for child in children(list) {
            match child.kind() {
                "assignment_expression" => {
                    let part = |index| {
                        child
                            .child(index)
                            .ok_or_else(|| DecodeError::new(Raised::Index, 0, "half an assignment"))
                    };
                    let value = self.value(part(2)?, false, 0)?;
                    arguments.push(Some(self.text.of(part(0)?).into()), value);
                }
                "identifier" | "class_literal" | "set" => arguments.push(None, self.value(child, false, 0)?),
                _ => {}
            }
        }
        arguments.of_call(name).map(Some)
    }

    /// The text of a value. Quotes go from a literal that is the whole value; spaces between the parts of a
    /// larger one are lost, and so is the body of a class.
    fn value(&self, node: Node<'_>, nested: bool, depth: usize) -> Result<String, DecodeError> {
        let depth = deeper(depth)?;
        let text = self.text.of(node);
        let part = |node: Option<Node<'_>>| match node {
            Some(node) => self.value(node, true, depth),
            None => Err(DecodeError::new(Raised::Attribute, 0, "a part of an expression is absent")),
        };
        let field = |name| node.child_by_field_name(name);
        Ok(match node.kind() {
            "string_literal" | "character_literal" => if nested { text } else { inside(text) }.into(),
            "identifier" | "class_literal" | "type_identifier" | "method_invocation" => text.into(),
            "array_creation_expression" => format!("new {}[]{}", part(field("type"))?, part(field("value"))?),
            "object_creation_expression" => {
                let kind = part(field("type"))?;
                let list = field("arguments").map(children).unwrap_or_default();
                let values = list.into_iter().filter(|child| !matches!(child.kind(), "," | "(" | ")"));
                let values: Vec<_> =
                    values.map(|child| self.value(child, true, depth)).collect::<Result<_, _>>()?;
                format!("new {kind}({})", values.join(", "))
            }
            _ if node.child_count() > 0 => children(node)
                .into_iter()
                .map(|child| self.value(child, true, depth))
                .collect::<Result<_, _>>()?,
            _ => text.into(),
        })
    }
}
