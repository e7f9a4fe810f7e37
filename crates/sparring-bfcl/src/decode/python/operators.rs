use super::lexer::Kind;
use super::parser::{Parser, level};
use super::tree::{Binary, Test, Unary};
use super::{Fault, INVALID};

impl Parser<'_> {
    /// The comparison operator that stands here, of one word or two.
    pub(super) fn test(&mut self) -> Result<Option<Test>, Fault> {
        let first = self.token.kind;
        if let Some(test) = comparison(first) {
            self.advance()?;
            return Ok(Some(test));
        }
        match first {
            Kind::In => {
                self.advance()?;
                Ok(Some(Test::In))
            }
            Kind::Is => {
                self.advance()?;
                Ok(Some(if self.eat(Kind::Not)? { Test::IsNot } else { Test::Is }))
            }
            Kind::Not => {
                self.advance()?;
                self.expect(Kind::In, INVALID)?;
                Ok(Some(Test::NotIn))
            }
            _ => Ok(None),
        }
    }
}

/// A prefix operator and how tightly its operand must bind.
pub(super) fn prefix(kind: Kind) -> Option<(Unary, u8)> {
    Some(match kind {
        Kind::Not => (Unary::Not, level::INVERSION),
        Kind::Plus => (Unary::Plus, level::FACTOR),
        Kind::Minus => (Unary::Minus, level::FACTOR),
        Kind::Tilde => (Unary::Invert, level::FACTOR),
        _ => return None,
    })
}

/// An operator between two operands: how tightly it binds, and how tightly its right side must.
pub(super) fn infix(kind: Kind) -> Option<(Binary, u8, u8)> {
    let (operator, binds) = match kind {
        Kind::Bar => (Binary::BitOr, level::BITWISE_OR),
        Kind::Caret => (Binary::BitXor, 6),
        Kind::Ampersand => (Binary::BitAnd, 7),
        Kind::ShiftLeft => (Binary::ShiftLeft, 8),
        Kind::ShiftRight => (Binary::ShiftRight, 8),
        Kind::Plus => (Binary::Add, 9),
        Kind::Minus => (Binary::Sub, 9),
        Kind::Star => (Binary::Mul, 10),
        Kind::Slash => (Binary::Div, 10),
        Kind::DoubleSlash => (Binary::FloorDiv, 10),
        Kind::Percent => (Binary::Mod, 10),
        Kind::At => (Binary::MatMul, 10),
        // To the right of `**` a sign may stand, and another power: 2 ** -1 ** 2.
        Kind::DoubleStar => return Some((Binary::Pow, 12, level::FACTOR)),
        _ => return None,
    };
    Some((operator, binds, binds + 1))
}

pub(super) fn comparison(kind: Kind) -> Option<Test> {
    Some(match kind {
        Kind::DoubleEqual => Test::Equal,
        Kind::NotEqual => Test::NotEqual,
        Kind::Less => Test::Less,
        Kind::LessEqual => Test::LessEqual,
        Kind::Greater => Test::Greater,
        Kind::GreaterEqual => Test::GreaterEqual,
        _ => return None,
    })
}

impl Binary {
    /// The operator as written.
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::BitOr => "|",
            Self::BitXor => "^",
            Self::BitAnd => "&",
            Self::ShiftLeft => "<<",
            Self::ShiftRight => ">>",
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::MatMul => "@",
            Self::Div => "/",
            Self::FloorDiv => "//",
            Self::Mod => "%",
            Self::Pow => "**",
        }
    }
}

impl Test {
    /// The operator as written.
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Is => "is",
            Self::IsNot => "is not",
            Self::In => "in",
            Self::NotIn => "not in",
        }
    }
}
