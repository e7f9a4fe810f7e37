//! One call against one gold call (`simple_function_checker` of the official checker).
use super::literal::{java, javascript};
use super::problem::{Exception, Problem};
use super::types::PyType;
use super::values::{Fault, Golds};
use super::view::{Entries, Seq, View, lookup};
use super::{Checker, Language, PyValue};
use serde_json::{Map, Value};
use std::borrow::Cow;

type Checked<'a> = Result<(), Problem<'a>>;

/// The first entry of a gold call, which has one: the function's name, and the accepted values.
pub(super) fn gold_entry(gold: &Value) -> Result<(&str, &Value), Exception> {
    let object = gold.as_object().ok_or(Exception::Attribute)?;
    object.iter().next().map(|(name, arguments)| (name.as_str(), arguments)).ok_or(Exception::Index)
}

/// The value of a key that the official checker takes for granted.
fn field<'a>(value: &'a Value, key: &str) -> Result<&'a Value, Exception> {
    lookup(value.as_object().ok_or(Exception::Type)?, key).ok_or(Exception::Key)
}

fn object(value: &Value) -> Result<&Map<String, Value>, Exception> {
    value.as_object().ok_or(Exception::Type)
}

impl<'a> From<Exception> for Problem<'a> {
    fn from(exception: Exception) -> Self {
        Self::Raises(exception)
    }
}

/// Checks one call against the accepted values of one gold call, under this function's document.
pub(super) fn check<'a>(
    checker: &Checker,
    function: &'a Value,
    accepted: &'a Value,
    call: &'a PyValue,
) -> Checked<'a> {
    let name = field(function, "name")?.as_str().ok_or(Exception::Type)?;
    let parameters = field(function, "parameters")?;
    let properties = object(field(parameters, "properties")?)?;
    let required = field(parameters, "required")?.as_array().ok_or(Exception::Type)?;
    let arguments = arguments(checker, name, call)?;
    if let Some(parameter) = missing_required(required, arguments)? {
        return Err(Problem::MissingRequired { parameter });
    }
    let PyValue::Dict(arguments) = arguments else { return Err(Exception::Attribute.into()) };
    let accepted = object(accepted)?;
    for (key, found) in arguments {
        let known = match key {
            PyValue::Str(name) => lookup(properties, name).zip(lookup(accepted, name)),
            _ => None,
        };
        let (Some((details, accepted)), PyValue::Str(parameter)) = (known, key) else {
            return Err(Problem::UnexpectedParameter { parameter: key, found });
        };
        Argument { parameter, details, accepted, found }.check(checker.language)?;
    }
    missing_optional(accepted, arguments)
}

/// The arguments of the function with this name.
#[inline]
fn arguments<'a>(checker: &Checker, name: &'a str, call: &'a PyValue) -> Result<&'a PyValue, Problem<'a>> {
    let dots = checker.underscore_to_dot && name.contains('.');
    let expected = || if dots { Cow::Owned(name.replace('.', "_")) } else { Cow::Borrowed(name) };
    let wrong = |expected| Err(Problem::WrongName { expected, found: call });
    let entry = match call {
        PyValue::Dict(entries) if dots => {
            let same = |found: &str| {
                let written = name.bytes().map(|byte| if byte == b'.' { b'_' } else { byte });
                found.len() == name.len() && written.eq(found.bytes())
            };
            entries.iter().find(|(key, _)| matches!(key, PyValue::Str(found) if same(found)))
        }
        PyValue::Dict(entries) => {
            entries.iter().find(|(key, _)| matches!(key, PyValue::Str(found) if found == name))
        }
        // Not a call at all, and the official checker looks for the name in it all the same.
        other if contains(other, &expected())? => return Err(Exception::Type.into()),
        _ => None,
    };
    entry.map_or_else(|| wrong(expected()), |(_, arguments)| Ok(arguments))
}

/// `name in value`
fn contains(value: &PyValue, name: &str) -> Result<bool, Exception> {
    match value {
        PyValue::Dict(entries) => {
            Ok(entries.iter().any(|(key, _)| matches!(key, PyValue::Str(key) if key == name)))
        }
        PyValue::Str(text) => Ok(text.contains(name)),
        PyValue::List(items) | PyValue::Tuple(items) => {
            Ok(items.iter().any(|item| View::from(item).equals(View::Str(name))))
        }
        _ => Err(Exception::Type),
    }
}

fn missing_required<'a>(required: &'a [Value], arguments: &PyValue) -> Result<Option<&'a str>, Exception> {
    for parameter in required {
        let parameter = parameter.as_str().ok_or(Exception::Type)?;
        if !contains(arguments, parameter)? {
            return Ok(Some(parameter));
        }
    }
    Ok(None)
}

fn missing_optional<'a>(accepted: &'a Map<String, Value>, arguments: &[(PyValue, PyValue)]) -> Checked<'a> {
    for (parameter, accepted) in accepted {
        let given = Entries::Py(arguments).get(View::Str(parameter)).is_some();
        if !given && !Golds::new(accepted)?.optional() {
            return Err(Problem::MissingOptional { parameter, accepted });
        }
    }
    Ok(())
}

/// One argument: its entry in the function's document, its accepted values, and what was found.
struct Argument<'a> {
    parameter: &'a str,
    details: &'a Value,
    accepted: &'a Value,
    found: &'a PyValue,
}

impl<'a> Argument<'a> {
    #[inline]
    fn check(&self, language: Language) -> Checked<'a> {
        let declared = field(self.details, "type")?.as_str().ok_or(Exception::Type)?;
        let kind = PyType::declared(language, declared).ok_or(Exception::Key)?;
        let text = match (language, self.found) {
            (Language::Python, _) => None,
            (_, PyValue::Str(text)) => Some(text),
            (_, found) => return Err(Problem::NotText { parameter: self.parameter, language, found }),
        };
        let element = if PyType::has_elements(language, declared) {
            let name = field(field(self.details, "items")?, "type")?.as_str().ok_or(Exception::Type)?;
            Some((name, PyType::declared(language, name).ok_or(Exception::Key)?))
        } else {
            None
        };
        let value = match text {
            None => python(self.found, declared)?,
            Some(text) => {
                let convert = if language == Language::Java { java::convert } else { javascript::convert };
                convert(text, declared, element.map(|(name, _)| name))?
            }
        };
        let found = value.map_or(Cow::Borrowed(self.found), Cow::Owned);
        let view = match &*found {
            // Gold tuples went through JSON and are lists.
            PyValue::Tuple(items) if declared == "tuple" => View::List(Seq::Py(items)),
            other => View::from(other),
        };
        let Err(fault) = Golds::new(self.accepted)?.check(view, kind, element.map(|(_, kind)| kind)) else {
            return Ok(());
        };
        let (parameter, accepted) = (self.parameter, self.accepted);
        Err(match fault {
            Fault::Type => Problem::WrongType { parameter, declared, element: None, found },
            Fault::Element => {
                Problem::WrongType { parameter, declared, element: element.map(|(name, _)| name), found }
            }
            Fault::Value(fault) => Problem::WrongValue { parameter, fault, accepted, found },
            Fault::Raises(exception) => Problem::Raises(exception),
        })
    }
}

/// An integer where a float is declared becomes one, at the top level only. A bool is not an integer here.
#[inline]
fn python(found: &PyValue, declared: &str) -> Result<Option<PyValue>, Exception> {
    match found {
        PyValue::Int(i) if declared == "float" => Ok(Some(PyValue::Float(*i as f64))),
        PyValue::BigInt(big) if declared == "float" => match big.to_string().parse::<f64>() {
            Ok(x) if x.is_finite() => Ok(Some(PyValue::Float(x))),
            _ => Err(Exception::Overflow),
        },
        _ => Ok(None),
    }
}
