//! Python's types, and the type names of function documents.
use super::{Language, PyValue};
use serde_json::Value;

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
    Other,
}

impl PyType {
    #[inline]
    pub(super) fn of(value: &PyValue) -> Self {
        match value {
            PyValue::None => Self::None,
            PyValue::Bool(_) => Self::Bool,
            PyValue::Int(_) | PyValue::BigInt(_) => Self::Int,
            PyValue::Float(_) => Self::Float,
            PyValue::Str(_) => Self::Str,
            PyValue::List(_) => Self::List,
            PyValue::Tuple(_) => Self::Tuple,
            PyValue::Dict(_) => Self::Dict,
            PyValue::Other { .. } => Self::Other,
        }
    }

    #[inline]
    pub(super) fn of_json(value: &Value) -> Self {
        match value {
            Value::Null => Self::None,
            Value::Bool(_) => Self::Bool,
            Value::Number(n) if n.is_f64() => Self::Float,
            Value::Number(_) => Self::Int,
            Value::String(_) => Self::Str,
            Value::Array(_) => Self::List,
            Value::Object(_) => Self::Dict,
        }
    }

    /// The type of a declared type name; `None` for a name that is not in the language's table.
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

    /// Whether the type of the elements is checked.
    #[inline]
    pub(super) fn has_elements(language: Language, name: &str) -> bool {
        match language {
            Language::Python => matches!(name, "array" | "tuple"),
            Language::Java => matches!(name, "Array" | "ArrayList"),
            Language::JavaScript => name == "array",
        }
    }
}
