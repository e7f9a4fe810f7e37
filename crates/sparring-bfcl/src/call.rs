//! Checks one call against one gold call (`simple_function_checker` of the official checker).
use super::literal::{java, javascript};
use super::problem::{Exception, Problem};
use super::target::{Parameter, Target};
use super::values::{self, Fault, Found};
use super::view::{View, has};
use super::{Checker, Language, PyValue};
use serde_json::{Map, Value};
use std::borrow::Cow;

type Checked<'a> = Result<(), Problem<'a>>;

impl From<Exception> for Problem<'_> {
    fn from(exception: Exception) -> Self {
        Self::Raises(exception)
    }
}

/// Checks one call against one gold call.
pub(super) fn check<'a>(checker: Checker, target: &Target<'a>, call: &'a PyValue) -> Checked<'a> {
    let arguments = arguments(checker, target.name, call)?;
    if let Some(parameter) = missing_required(target.required, arguments)? {
        return Err(Problem::MissingRequired { parameter });
    }
    let PyValue::Dict(arguments) = arguments else { return Err(Exception::Attribute.into()) };
    let accepted = target.accepted?;
    for (key, found) in arguments {
        let known = match key {
            PyValue::Str(name) => target.parameter(checker.language, name),
            _ => None,
        };
        let Some(parameter) = known else {
            return Err(Problem::UnexpectedParameter { parameter: key, found });
        };
        check_argument(checker.language, &parameter, found)?;
    }
    // All of them are in the gold call, so equal numbers mean that none is missing.
    if arguments.len() == accepted.len() { Ok(()) } else { missing_optional(accepted, arguments) }
}

/// The arguments of the function with this name.
#[inline]
fn arguments<'a>(checker: Checker, name: &'a str, call: &'a PyValue) -> Result<&'a PyValue, Problem<'a>> {
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
        // Not a call at all, but the official checker looks for the name in it anyway.
        other if contains(other, &expected())? => return Err(Exception::Type.into()),
        _ => None,
    };
    entry.map_or_else(|| wrong(expected()), |(_, arguments)| Ok(arguments))
}

/// `name in value`
fn contains(value: &PyValue, name: &str) -> Result<bool, Exception> {
    match value {
        PyValue::Dict(entries) => Ok(has(entries, name)),
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
        if !has(arguments, parameter) && !values::is_optional(accepted)? {
            return Err(Problem::MissingOptional { parameter, accepted });
        }
    }
    Ok(())
}

#[inline]
fn check_argument<'a>(language: Language, parameter: &Parameter<'a>, found: &'a PyValue) -> Checked<'a> {
    let Parameter { name: parameter, accepted, declared, element } = *parameter;
    let (declared, kind) = declared?;
    let text = match (language, found) {
        (Language::Python, _) => None,
        (_, PyValue::Str(text)) => Some(text),
        (_, found) => return Err(Problem::NotText { parameter, language, found }),
    };
    let element = element?;
    let value = match text {
        None => python(found, declared)?,
        Some(text) => {
            let convert = if language == Language::Java { java::convert } else { javascript::convert };
            convert(text, declared, element.map(|(name, _)| name))?
        }
    };
    let found = value.map_or(Cow::Borrowed(found), Cow::Owned);
    let checked = Found { value: &found, tuple_is_list: declared == "tuple" };
    let Err(fault) = values::check(&checked, accepted, kind, element.map(|(_, kind)| kind)) else {
        return Ok(());
    };
    Err(match fault {
        Fault::Type => Problem::WrongType { parameter, declared, element: None, found },
        Fault::Element => {
            Problem::WrongType { parameter, declared, element: element.map(|(name, _)| name), found }
        }
        Fault::Value(fault) => Problem::WrongValue { parameter, fault, accepted, found },
        Fault::Raises(exception) => Problem::Raises(exception),
    })
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
