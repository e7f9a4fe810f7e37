//! The target of a check: one gold call and the document of its function.
use super::problem::Exception;
use super::types::PyType;
use super::view::lookup;
use super::{Kind, Language};
use serde_json::{Map, Value};

/// A gold call with its function, resolved once for all calls that are tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    /// The function's name in its document.
    pub(super) name: &'a str,
    pub(super) required: &'a [Value],
    /// Accepted values by parameter, used only for a call that has all required parameters.
    pub(super) accepted: Result<&'a Map<String, Value>, Exception>,
    properties: &'a Map<String, Value>,
}

/// A parameter in both the function's document and the gold call. A missing type is an exception, but only for a call
/// whose check reaches it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameter<'a> {
    pub(super) name: &'a str,
    pub(super) accepted: &'a Value,
    pub(super) declared: Result<(&'a str, PyType), Exception>,
    /// Type of the elements, if they are checked.
    pub(super) element: Result<Option<(&'a str, PyType)>, Exception>,
}

/// The value of a key that the official checker requires.
#[inline]
fn field<'a>(value: &'a Value, key: &str) -> Result<&'a Value, Exception> {
    lookup(object(value)?, key).ok_or(Exception::Key)
}

#[inline]
fn object(value: &Value) -> Result<&Map<String, Value>, Exception> {
    value.as_object().ok_or(Exception::Type)
}

/// The first entry of a gold call, which has one: the function's name, and the accepted values.
#[inline]
fn gold_entry(gold: &Value) -> Result<(&str, &Value), Exception> {
    let object = gold.as_object().ok_or(Exception::Attribute)?;
    object.iter().next().map(|(name, arguments)| (name.as_str(), arguments)).ok_or(Exception::Index)
}

/// Whether this is the document of the function with this name. The value is compared before its key: tool lists are
/// long, most names differ in length, and reading the key costs one more memory access.
#[inline]
fn is_named(function: &Value, name: &str) -> bool {
    let entry =
        |(key, value): (&String, &Value)| matches!(value, Value::String(n) if n == name) && key == "name";
    function.as_object().is_some_and(|function| function.iter().any(entry))
}

impl<'a> Target<'a> {
    /// Gold call `index` with the function that it names, or with the only function if there is one.
    #[inline]
    pub(super) fn find(
        kind: Kind,
        functions: &'a [Value],
        gold: &'a [Value],
        index: usize,
    ) -> Result<Self, Exception> {
        let gold = gold.get(index).ok_or(Exception::Index);
        let (function, accepted) = if kind == Kind::Simple {
            // Its name is ignored.
            (functions.first().ok_or(Exception::Index)?, gold_entry(gold?)?.1)
        } else {
            let (name, accepted) = gold_entry(gold?)?;
            (functions.iter().find(|function| is_named(function, name)).ok_or(Exception::Type)?, accepted)
        };
        let name = field(function, "name")?.as_str().ok_or(Exception::Type)?;
        let parameters = field(function, "parameters")?;
        let properties = object(field(parameters, "properties")?)?;
        let required = field(parameters, "required")?.as_array().ok_or(Exception::Type)?;
        Ok(Self { name, required, accepted: object(accepted), properties })
    }

    /// The parameter with this name.
    #[inline]
    pub(super) fn parameter(&self, language: Language, name: &'a str) -> Option<Parameter<'a>> {
        let details = lookup(self.properties, name)?;
        Some(Parameter::of(language, name, details, lookup(self.accepted.ok()?, name)?))
    }
}

impl<'a> Parameter<'a> {
    #[inline]
    fn of(language: Language, name: &'a str, details: &'a Value, accepted: &'a Value) -> Self {
        let typed = |details: &'a Value| {
            let declared = field(details, "type")?.as_str().ok_or(Exception::Type)?;
            Ok((declared, PyType::declared(language, declared).ok_or(Exception::Key)?))
        };
        let declared = typed(details);
        let element = match declared {
            Ok((declared, _)) if PyType::has_elements(language, declared) => {
                field(details, "items").and_then(typed).map(Some)
            }
            _ => Ok(None),
        };
        Self { name, accepted, declared, element }
    }
}
