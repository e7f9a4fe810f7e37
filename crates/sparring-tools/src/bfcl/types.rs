//! Python's types, and which of them a type name in a function document stands for.
use super::Language;

/// A Python type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PyType {
    None,
    Bool,
    Int,
    Float,
    Str,
    List,
    Tuple,
    Dict,
    Set,
    Other(&'static str),
}

impl PyType {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::None => "NoneType",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float",
            Self::Str => "str",
            Self::List => "list",
            Self::Tuple => "tuple",
            Self::Dict => "dict",
            Self::Set => "set",
            Self::Other(name) => name,
        }
    }

    /// The type that a declared type name stands for; `None` for a name that the language's table lacks.
    #[inline]
    pub(super) fn declared(language: Language, name: &str) -> Option<Self> {
        match language {
            Language::Python => Some(match name {
                "string" | "any" => Self::Str,
                "integer" => Self::Int,
                "float" => Self::Float,
                "boolean" => Self::Bool,
                "array" | "tuple" => Self::List,
                "dict" => Self::Dict,
                _ => return None,
            }),
            Language::Java => Some(match name {
                "byte" | "short" | "integer" | "long" => Self::Int,
                "float" | "double" => Self::Float,
                "boolean" => Self::Bool,
                "char" | "String" | "any" => Self::Str,
                "Array" | "ArrayList" | "Queue" | "Stack" => Self::List,
                "Set" => Self::Set,
                "HashMap" | "Hashtable" => Self::Dict,
                _ => return None,
            }),
            Language::JavaScript => Some(match name {
                "String" | "any" => Self::Str,
                "integer" | "Bigint" => Self::Int,
                "float" => Self::Float,
                "Boolean" => Self::Bool,
                "dict" => Self::Dict,
                "array" => Self::List,
                _ => return None,
            }),
        }
    }

    /// Whether the type of the elements is looked at.
    #[inline]
    pub(super) fn has_elements(language: Language, name: &str) -> bool {
        match language {
            Language::Python => matches!(name, "array" | "tuple"),
            Language::Java => matches!(name, "Array" | "ArrayList"),
            Language::JavaScript => name == "array",
        }
    }
}
