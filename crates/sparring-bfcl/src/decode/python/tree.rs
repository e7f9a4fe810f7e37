//! Expressions of Python, as `ast.parse` sees them: one flat list of nodes, so that a text costs one
//! allocation and nothing is dropped recursively.

use super::Fault;
use crate::decode::Raised;

/// Index of a node; [`NIL`] if there is none.
pub(super) type Id = u32;
pub(super) const NIL: Id = u32::MAX;

/// Height limit of trees. CPython fails on such trees too (RecursionError), at heights that depend on their nodes.
pub(super) const MAX_HEIGHT: u16 = 900;

/// A part of the text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unary {
    Not,
    Invert,
    Plus,
    Minus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    BitOr,
    BitXor,
    BitAnd,
    ShiftLeft,
    ShiftRight,
    Add,
    Sub,
    Mul,
    MatMul,
    Div,
    FloorDiv,
    Mod,
    Pow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Is,
    IsNot,
    In,
    NotIn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Constant {
    None,
    True,
    False,
    Ellipsis,
}

/// The kind of a lambda's parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Param {
    Plain,
    Slash,
    Star,
    DoubleStar,
}

/// The result type of a comprehension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Makes {
    List,
    Set,
    Dict,
    Generator,
}

/// A node. Lists of nodes (elements, arguments, clauses) are given by their first and linked by `next`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Expr {
    Name(Span),
    Constant(Constant),
    Number(Span),
    /// The inside of one string literal that has no escapes.
    Plain(Span),
    /// String literals side by side, with prefixes and quotes.
    Text(Span),
    Bytes(Span),
    /// String literals side by side, one of them an f-string; its [`Expr::Piece`]s and [`Expr::Formatted`].
    Joined(Id),
    /// Literal text in an f-string.
    Piece {
        span: Span,
        raw: bool,
    },
    Formatted {
        value: Id,
        conversion: u8,
        spec: Id,
    },
    List(Id),
    Tuple(Id),
    Set(Id),
    /// Of [`Expr::Pair`] and [`Expr::Unpack`].
    Dict(Id),
    Pair(Id, Id),
    Unary(Unary, Id),
    Binary(Binary, Id, Id),
    And(Id),
    Or(Id),
    /// The left side, and the first [`Expr::Comparison`].
    Compare(Id, Id),
    Comparison(Test, Id),
    Conditional {
        body: Id,
        test: Id,
        otherwise: Id,
    },
    Lambda(Id, Id),
    Param(Param, Span, Id),
    /// Of plain expressions, [`Expr::Starred`], [`Expr::Keyword`] and [`Expr::Unpack`].
    Call(Id, Id),
    Keyword(Span, Id),
    /// `**x` in a call or a dict.
    Unpack(Id),
    Starred(Id),
    Attribute(Id, Span),
    Subscript(Id, Id),
    Slice(Id, Id, Id),
    Named(Id, Id),
    Await(Id),
    Yield(Id),
    YieldFrom(Id),
    Comprehension(Makes, Id, Id),
    Clause {
        is_async: bool,
        target: Id,
        iter: Id,
        ifs: Id,
    },
}

#[derive(Debug, Clone, Copy)]
struct Node {
    expr: Expr,
    next: Id,
    height: u16,
}

/// The nodes of one text.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
}

/// A list of nodes while it grows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Items {
    pub(super) first: Id,
    last: Id,
    height: u16,
    pub(super) len: u32,
}

impl Items {
    pub(super) const NONE: Self = Self { first: NIL, last: NIL, height: 0, len: 0 };
}

impl Tree {
    pub(super) fn with_capacity(nodes: usize) -> Self {
        Self { nodes: Vec::with_capacity(nodes) }
    }

    pub(super) fn expr(&self, id: Id) -> Expr {
        self.nodes[id as usize].expr
    }

    pub(super) fn height(&self, id: Id) -> u16 {
        self.nodes.get(id as usize).map_or(0, |node| node.height)
    }

    pub(super) fn leaf(&mut self, expr: Expr) -> Id {
        self.nodes.push(Node { expr, next: NIL, height: 0 });
        self.nodes.len() as Id - 1
    }

    /// A node over nodes of which the highest has `height`.
    pub(super) fn over(&mut self, expr: Expr, height: u16, at: u32) -> Result<Id, Fault> {
        if height >= MAX_HEIGHT {
            return Err(Fault::new(Raised::Recursion, at, "nested too deeply"));
        }
        self.nodes.push(Node { expr, next: NIL, height: height + 1 });
        Ok(self.nodes.len() as Id - 1)
    }

    /// A node over one other and a list.
    pub(super) fn over_items(&mut self, expr: Expr, with: Id, items: &Items, at: u32) -> Result<Id, Fault> {
        self.over(expr, self.height(with).max(items.height), at)
    }

    /// A node over one, two or three others.
    pub(super) fn above(&mut self, expr: Expr, of: [Id; 3], at: u32) -> Result<Id, Fault> {
        let height = of.iter().map(|&id| self.height(id)).max().unwrap_or(0);
        self.over(expr, height, at)
    }

    /// Raises the height of `items` to that of the node `id`.
    pub(super) fn beside(&self, items: &mut Items, id: Id) {
        items.height = items.height.max(self.height(id));
    }

    pub(super) fn push(&mut self, items: &mut Items, id: Id) {
        match self.nodes.get_mut(items.last as usize) {
            Some(last) => last.next = id,
            None => items.first = id,
        }
        items.last = id;
        items.height = items.height.max(self.height(id));
        items.len += 1;
    }

    /// The nodes of a list, with the ids that they have.
    pub(super) fn items(&self, first: Id) -> impl Iterator<Item = (Id, Expr)> + '_ {
        let mut at = first;
        std::iter::from_fn(move || {
            let node = self.nodes.get(at as usize)?;
            let id = std::mem::replace(&mut at, node.next);
            Some((id, node.expr))
        })
    }

    /// Whether a list has exactly one node.
    pub(super) fn single(&self, first: Id) -> bool {
        self.nodes.get(first as usize).is_some_and(|node| node.next == NIL)
    }
}
